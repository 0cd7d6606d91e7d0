"""What only a CUDA device can show: `pytest -m gpu`."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from service.model.artefact import load
from service.model.engine import CUDA_BATCHES, TF32_NOISE, Engine
from service.runtime import CUDA
from tests.harness import ROOT, Digits
from training import evaluate, train
from training.run.hardware import has_bf16

pytestmark = pytest.mark.gpu
needs_device = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
needs_provider = pytest.mark.skipif(
    CUDA not in onnxruntime.get_available_providers() or not torch.cuda.is_available(),
    reason="onnxruntime-gpu and a CUDA device are not both here",
)


@needs_device
@pytest.mark.parametrize("network", ["googlenet", "alexnet-lite"])
def test_training_on_the_gpu_learns(tmp_path: Path, network: str) -> None:
    train.main(["--recipe", "sample", "--network", network, "--device", "cuda", "--run", str(tmp_path)])
    arguments = evaluate.Arguments(tmp_path, device="cuda")
    assert evaluate.evaluate(arguments).share >= (0.95 if network == "googlenet" else 0.5)


@needs_device
def test_bf16_is_used_where_the_gpu_has_it() -> None:
    assert has_bf16(torch.device("cuda")) == (torch.cuda.get_device_capability() >= (8, 0))


@needs_provider
@pytest.mark.parametrize("model", ["googlenet", "alexnet"])
def test_cuda_graphs_hold_and_answer_as_without(model: str, digits: Digits, caplog: pytest.LogCaptureFixture) -> None:
    plain, replaying = (Engine(load(ROOT / "exported" / model), "cuda", threads=0, max_batch=64) for _ in range(2))
    with caplog.at_level("INFO", "numeral"):
        replaying.warm_up()
    assert "without CUDA graphs" not in caplog.text
    assert replaying.executor
    for start in range(0, 300, 50):  # other images through the arrays of one graph
        images = digits.images[start : start + 50]
        replayed = replaying.executor.submit(replaying.run, images).result()
        np.testing.assert_allclose(replayed, plain.run(images), atol=TF32_NOISE)


@needs_provider
@pytest.mark.parametrize("model", ["googlenet", "alexnet"])
def test_the_cuda_provider_answers_as_the_cpu_does(model: str, digits: Digits) -> None:
    artefact = load(ROOT / "exported" / model)
    cuda, cpu = (Engine(artefact, provider, threads=0, max_batch=256) for provider in ("cuda", "cpu"))
    assert cuda.provider == CUDA
    for count in (*CUDA_BATCHES, 3, 100):
        images = digits.images[:count]
        ours, theirs = cuda.run(images), cpu.run(images)
        assert ours.shape == theirs.shape
        assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).all()
        np.testing.assert_allclose(ours, theirs, atol=TF32_NOISE)
