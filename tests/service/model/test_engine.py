"""An engine runs on the provider that it reports, and says why when it cannot."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from service.errors import StartError
from service.model import engine
from service.model.artefact import Artefact, load
from service.model.engine import Engine, load_engines, pad
from service.runtime import CPU, CUDA
from service.settings import ProviderChoice, Settings
from tests.harness import ROOT, Digits

WITHOUT_CUDA = pytest.mark.skipif(
    CUDA in onnxruntime.get_available_providers(), reason="this onnxruntime has a CUDA provider"
)


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return load(ROOT / "exported/googlenet")


def test_digits_are_read(artefact: Artefact, digits: Digits) -> None:
    made = Engine(artefact, "cpu", threads=1, max_batch=64)
    images = np.stack([digits.pick(label) for label in range(10)])
    probabilities = made.run(images)
    assert made.provider == CPU
    assert probabilities.dtype == np.float32
    assert probabilities.argmax(axis=1).tolist() == list(range(10))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_an_image_is_answered_alike_alone_and_in_a_batch(artefact: Artefact, digits: Digits) -> None:
    made = Engine(artefact, "cpu", threads=1, max_batch=64)
    together = made.run(digits.images[::100])
    alone = np.concatenate([made.run(image[None]) for image in digits.images[::100]])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(("cpu_batch", "max_batch", "taken"), [(8, 64, 8), (8, 4, 4), (None, 64, 64)])
def test_on_a_cpu_a_batch_is_no_larger_than_what_pays(
    artefact: Artefact, cpu_batch: int | None, max_batch: int, taken: int
) -> None:
    artefact = dataclasses.replace(artefact, cpu_batch=cpu_batch)
    assert Engine(artefact, "cpu", threads=1, max_batch=max_batch).max_batch == taken


@WITHOUT_CUDA
def test_cuda_that_cannot_be_had_is_an_error(artefact: Artefact) -> None:
    with pytest.raises(
        StartError, match=r"NUMERAL_PROVIDER is 'cuda', but .* no CUDA provider .*; allowed here: auto, cpu"
    ):
        Engine(artefact, "cuda", threads=1, max_batch=64)


@WITHOUT_CUDA
def test_auto_takes_the_cpu_and_says_so(artefact: Artefact, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "numeral"):
        made = Engine(artefact, "auto", threads=1, max_batch=64)
    assert made.provider == CPU
    assert "model googlenet runs on the CPU: " in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"nonsense", "is no ONNX file"), (b"\x08\x0a\x3a\x00", "model googlenet cannot be loaded by ONNX Runtime")],
)
def test_a_file_that_is_no_model_is_an_error(artefact: Artefact, tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    other = dataclasses.replace(artefact, path=path, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(StartError, match=said):
        Engine(other, "cpu", threads=1, max_batch=64)


def test_a_file_that_changed_since_it_was_checked_is_an_error(artefact: Artefact, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(artefact.read_model()[:-1])
    with pytest.raises(StartError, match=rf"{path} has sha256 .*; its metadata\.json says {artefact.sha256}"):
        Engine(dataclasses.replace(artefact, path=path), "cpu", threads=1, max_batch=64)


def test_labels_that_do_not_fit_the_network_are_an_error(artefact: Artefact) -> None:
    made = Engine(dataclasses.replace(artefact, labels=("a", "b")), "cpu", threads=1, max_batch=2)
    with pytest.raises(StartError, match=r"gives 10 probabilities, and its metadata\.json has 2 labels"):
        made.warm_up()


def test_a_default_model_that_is_not_there_is_an_error() -> None:
    with pytest.raises(StartError, match=r"NUMERAL_DEFAULT_MODEL is 'lenet'; allowed, .*: alexnet, .*googlenet"):
        load_engines(Settings(default_model="lenet"))


@pytest.mark.parametrize(
    ("count", "max_batch", "padded"), [(1, 64, 1), (2, 64, 4), (5, 64, 16), (17, 64, 64), (17, 40, 40)]
)
def test_batches_are_padded_to_sizes_that_were_warmed(count: int, max_batch: int, padded: int) -> None:
    images = np.ones((count, 2, 2), np.uint8)
    result = pad(images, max_batch)
    assert len(result) == padded
    assert (result[:count] == images).all()
    assert not result[count:].any()


@pytest.mark.parametrize(
    ("provider", "flags", "wanted"),
    [
        ("cpu", "fpu avx512_vnni", ("int8", "fp32")),
        ("cpu", "fpu avx2", ("fp32",)),
        ("cpu", "fp asimddp", ("int8", "fp32")),
        ("cuda", "fpu avx512_vnni", ("fp32",)),
    ],
)
def test_auto_takes_int8_where_the_cpu_has_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, provider: ProviderChoice, flags: str, wanted: tuple[str, ...]
) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\n")
    monkeypatch.setattr(engine, "CPU_INFO", tmp_path / "cpuinfo")
    assert engine.precisions(Settings(provider=provider)) == wanted
    assert engine.precisions(Settings(provider=provider, precision="fp32")) == ("fp32",)


def test_a_system_that_does_not_tell_gets_fp32(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engine, "CPU_INFO", tmp_path / "none")
    assert engine.precisions(Settings(provider="cpu")) == ("fp32",)
