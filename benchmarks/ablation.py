"""What each part of the training recipe brings: `python -m benchmarks.ablation --data-dir data`.

Trains GoogLeNet on a part of MNIST with everything, and then with one thing left out at a time, several seeds each.
Measured on validation data alone: clean MNIST, and digits photographed and normalised as uploads are, with letters
and signs among them. `--uploads DIR` adds labelled pictures (folders with labels.csv). Runs that are finished are
kept in `--log`, so a killed comparison goes on where it was.
"""

import json
import statistics
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from benchmarks import command_line
from service.picture.normalise import normalise
from training.data import labelled, upload_like
from training.data.dataset import NOT_A_DIGIT, Dataset, Split, load_dataset
from training.judge.confidence import auroc
from training.networks import NETWORKS
from training.run.predict import predict
from training.run.recipe import RECIPES, Recipe
from training.run.state import Training
from training.train import measured_epoch

FULL = RECIPES["googlenet"].augmentation
WITHOUT_AFFINE = replace(FULL, degrees=0, scale=0, shear=0, shift=0)


@dataclass(frozen=True)
class Arguments:
    data_dir: Path = Path("data")
    images: int = 5_000
    """of MNIST's training split"""
    epochs: int = 8
    seeds: int = 3
    first_seed: int = 0
    uploads: Path | None = None
    log: Path = Path("runs/ablation.jsonl")

    def __post_init__(self) -> None:
        command_line.above_zero(images=self.images, epochs=self.epochs, seeds=self.seeds)
        command_line.zero_or_more(first_seed=self.first_seed)


def variants(arguments: Arguments) -> dict[str, Recipe]:
    share = arguments.images / 55_000
    full = replace(
        RECIPES["googlenet"],
        epochs=arguments.epochs,
        # On a part of the data the recipe's batches would be too few steps to learn from.
        batch_size=64,
        learning_rate=0.05,
        written_digits=round(RECIPES["googlenet"].written_digits * share),
        scenes=round(RECIPES["googlenet"].scenes * share),
        not_digits=round(RECIPES["googlenet"].not_digits * share),
        augmentation=FULL,
    )
    return {
        "everything": full,
        "no affine map": replace(full, augmentation=WITHOUT_AFFINE),
        "no elastic displacement": replace(full, augmentation=replace(FULL, elastic=0)),
        "no stroke width": replace(full, augmentation=replace(FULL, stroke=0)),
        "no blur": replace(full, augmentation=replace(FULL, blur=0)),
        "no grain": replace(full, augmentation=replace(FULL, grain=0)),
        "no remnants": replace(full, augmentation=replace(FULL, remnants=0)),
        "no written digits": replace(full, written_digits=0),
        "no letters and signs": replace(full, not_digits=0),
    }


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    return (logits.argmax(dim=1) == labels).double().mean().item()


def read_uploads(root: Path) -> dict[str, Split]:
    """The last candidate of each picture; what is refused is a blank image, and so no answer to count on."""
    sources: dict[str, list[tuple[np.ndarray, int]]] = {}
    for picture_of in labelled.find(root):
        with Image.open(picture_of.path) as picture:
            digits = normalise(picture).digits
        blank = np.zeros((28, 28), np.uint8)
        sources.setdefault(picture_of.source, []).append((blank if digits is None else digits[-1], picture_of.label))
    return {
        source: Split(torch.from_numpy(np.stack([p for p, _ in pairs])), torch.tensor([label for _, label in pairs]))
        for source, pairs in sources.items()
    }


def measure(recipe: Recipe, dataset: Dataset, held_out: dict[str, Split]) -> dict[str, float]:
    """Per cent, and AUROC as a share."""
    training = Training(recipe, dataset, torch.device("cpu"))
    with tqdm(disable=True) as silent:
        for _ in range(recipe.epochs):
            training.rows.append(measured_epoch(training, silent))
    figures, sure, strange = {}, [], []
    for name, split in held_out.items():
        logits = predict(training.averaged.module, split.images)
        known = split.labels != NOT_A_DIGIT
        if known.any():
            figures[name] = 100 * accuracy(logits[known], split.labels[known])
        confidences = logits.softmax(dim=1).amax(dim=1)
        sure.append(confidences[known])
        strange.append(confidences[~known])
    figures["AUROC"] = auroc(torch.cat(sure).numpy(), torch.cat(strange).numpy())
    return figures


def single(uploads: upload_like.Uploads) -> Split:
    """Each candidate by itself."""
    return Split(uploads.candidates, uploads.labels[uploads.owners])


# By variant, the figures of each seed.
Finished = dict[str, list[dict[str, float]]]


def run_all(arguments: Arguments) -> Finished:
    """Those in the log of equal recipes, judged on equally many pictures, are not run again."""
    whole = load_dataset("mnist", arguments.data_dir, NETWORKS["googlenet"].contract)
    dataset = replace(whole, train=whole.train.take(torch.arange(arguments.images)))
    held_out = {"MNIST validation": dataset.validation, "photographed": single(upload_like.held_out(whole, ""))}
    if arguments.uploads:
        held_out |= read_uploads(arguments.uploads)
    judged_on = {name: len(split) for name, split in held_out.items()}
    done = [json.loads(line) for line in arguments.log.read_text().splitlines()] if arguments.log.exists() else []
    finished: Finished = {}
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for variant, recipe in variants(arguments).items():
            seeded = replace(recipe, seed=seed)
            run = {"images": arguments.images, "judged_on": judged_on, "recipe": json.loads(json.dumps(asdict(seeded)))}
            figures = next((line["figures"] for line in done if run.items() <= line.items()), None)
            if figures is None:
                figures = measure(seeded, dataset, held_out)
                with arguments.log.open("a") as log:
                    log.write(json.dumps({"variant": variant, **run, "figures": figures}) + "\n")
                print(variant, seed, {name: round(value, 4) for name, value in figures.items()})
            finished.setdefault(variant, []).append(figures)
    return finished


def table(finished: Finished) -> str:
    """Markdown: mean ± standard deviation over the seeds."""
    names = list(next(iter(finished.values()))[0])
    lines = [f"| | seeds | {' | '.join(names)} |", f"|---|---|{'---|' * len(names)}"]
    for variant, rows in finished.items():
        cells = []
        for name in names:
            values = [row[name] for row in rows]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            digits = 4 if name == "AUROC" else 2
            cells.append(f"{statistics.mean(values):.{digits}f} ± {spread:.{digits}f}")
        lines.append(f"| {variant} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    arguments = command_line.parse(Arguments, "ablation", __doc__)
    arguments.log.parent.mkdir(parents=True, exist_ok=True)
    with command_line.readable_failures():
        print(table(run_all(arguments)))


if __name__ == "__main__":
    main()
