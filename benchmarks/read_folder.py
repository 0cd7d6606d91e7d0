"""Images a second of `numeral read` over small PNGs, beside ONNX Runtime alone: `python -m benchmarks.read_folder`.

They take turns, on all cores. The images are MNIST's, which need no normalising; beside what the network does the
command opens and decodes files and writes rows. It is timed with its start, a second or so in which models are loaded,
and without: the time of few files taken off that of all.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import command_line, report
from benchmarks.peers.targets import CORES
from service.model.artefact import MODEL_FILES, Precision
from service.settings import ROOT
from tests.harness import png, sample_digits

# Enough that each process gets some.
FEW = 64 * CORES


@dataclass(frozen=True)
class Arguments:
    images: int = 10_000
    model: str = "googlenet"
    precision: Precision = "int8"
    rounds: int = 5
    seconds: float = 10
    """for ONNX Runtime alone, in each round"""

    def __post_init__(self) -> None:
        command_line.above_zero(images=self.images, rounds=self.rounds, seconds=self.seconds)
        if self.images <= FEW:
            raise ValueError(f"images is {self.images}; it must be above {FEW}")


def save(folder: Path, count: int) -> None:
    """The 5,000 images that come with the installation, again and again."""
    images = [png(image) for image in sample_digits().images]
    for index in range(count):
        (folder / f"{index:06}.png").write_bytes(images[index % len(images)])


def seconds_to_read(arguments: Arguments, folder: Path, count: int) -> float:
    """Of the first `count`, in a process of its own."""
    listed = "\n".join(str(path) for path in sorted(folder.glob("*.png"))[:count])
    command = [sys.executable, "-m", "numeral", "read", "--files-from", "-", "--out", str(folder / "rows.jsonl")]
    chosen = ["--overwrite", "--model", arguments.model, "--precision", arguments.precision]
    start = time.perf_counter()
    subprocess.run([*command, *chosen], cwd=ROOT, input=listed.encode(), check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def bare_engine(arguments: Arguments) -> float:
    """Images a second of a session on one thread for each core, in the batches that are fastest."""
    model = ROOT / "exported" / arguments.model / MODEL_FILES[arguments.precision]
    command = [sys.executable, "-m", "benchmarks.peers.bare_engine", str(CORES), str(arguments.seconds)]
    environment = {**os.environ, "BENCH_MODEL": str(model)}
    output = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE).stdout
    rate: float = json.loads(output)["images_per_second"]
    return rate


def measure(arguments: Arguments, folder: Path) -> dict[str, float]:
    bare = bare_engine(arguments)
    few = seconds_to_read(arguments, folder, FEW)
    whole = seconds_to_read(arguments, folder, arguments.images)
    rate = (arguments.images - FEW) / (whole - few)
    return {
        "bare": bare,
        "read": rate,
        "read_with_start": arguments.images / whole,
        "seconds_for_few": few,
        "share_of_bare": rate / bare,
    }


def table(medians: dict[str, float], arguments: Arguments) -> str:
    return "\n".join(
        [
            f"| {arguments.images:,} images, {arguments.model} {arguments.precision} | images/s |",
            "|---|---|",
            f"| ONNX Runtime alone | {medians['bare']:,.0f} |",
            f"| numeral read | {medians['read']:,.0f} ({medians['share_of_bare']:.2f} of it) |",
            f"| with its start | {medians['read_with_start']:,.0f} |",
        ]
    )


def main() -> None:
    arguments = command_line.parse(Arguments, "read_folder", __doc__)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), arguments.images)
        rounds = [measure(arguments, Path(folder)) for _ in range(arguments.rounds)]
    medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    print(table(medians, arguments))
    setting = {"model": arguments.model, "precision": arguments.precision, "images": arguments.images}
    print(json.dumps(report.line_of("read_folder", medians, **setting, rounds=rounds)))


if __name__ == "__main__":
    main()
