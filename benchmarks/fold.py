"""What folding AlexNet's resize into its first convolution saves: `python -m benchmarks.fold`.

The exported graph with and without, in fp32 and int8, in turns on one thread; and how far their logits are apart.
Weights are untrained, which changes no time.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.artefact import onnx_file
from training.artefact.graph import ServedGraph, fold_batch_norm
from training.artefact.quantise import quantise
from training.data.dataset import load_dataset
from training.networks import NETWORKS
from training.networks.classifier import Classifier
from training.run import hardware, onnx_runtime

NETWORK = "alexnet-lite"
BATCHES = (1, 32)
ROUNDS = 40


def write_graphs(folder: Path, images: torch.Tensor) -> None:
    torch.manual_seed(0)
    classifier = Classifier(NETWORK, 10).eval()
    folded, whole = ServedGraph(classifier, 1.0).eval(), ServedGraph(classifier, 1.0).eval()
    whole.classifier = fold_batch_norm(classifier)
    for name, graph in (("with", folded), ("without", whole)):
        onnx_file.write(graph, images[:2], ["probabilities", "logits"], folder / f"{name} fp32")
        quantise(folder / f"{name} fp32", images[:500], folder / f"{name} int8")


def open_session(path: Path) -> Any:
    """ONNX Runtime's session, on one thread of the CPU."""
    onnxruntime = onnx_runtime.imported()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def milliseconds(sessions: dict[str, Any], images: np.ndarray) -> dict[str, float]:
    """Medians, the sessions in turn."""
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(None, {"images": images})
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(each[2:]) for name, each in times.items()}


def main() -> None:
    images = load_dataset("sample", Path(), NETWORKS[NETWORK].contract).test.images
    with tempfile.TemporaryDirectory() as folder:
        write_graphs(Path(folder), images)
        print(f"{hardware.environment(torch.device('cpu'))}; one thread, medians of {ROUNDS - 2} in turns")
        print("| precision | batch | resized, ms | folded, ms |\n|---|---|---|---|")
        for precision in ("fp32", "int8"):
            names = [f"{which} {precision}" for which in ("without", "with")]
            sessions = {name: open_session(Path(folder, name)) for name in names}
            for batch in BATCHES:
                without, folded = milliseconds(sessions, images[:batch].numpy()).values()
                print(f"| {precision} | {batch} | {without:.3f} | {folded:.3f} |")
        outputs = [
            open_session(Path(folder, f"{which} fp32")).run(["logits"], {"images": images.numpy()})[0]
            for which in ("with", "without")
        ]
        print(f"fp32 logits of {len(images)} images differ by at most {np.abs(outputs[0] - outputs[1]).max():.2g}")


if __name__ == "__main__":
    main()
