"""Trains what finds the ink in a picture: `python -m training.ink_finder`.

It learns from scenes made by code, whose ink is known, and writes `service/picture/ink_finder.onnx`, in int8 where that
finds the same. The networks that read digits see what it finds: train and export these anew after it.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy.random import Generator as NumpyGenerator
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from service.picture import find, ink_finder
from service.picture.shapes import Box, bounds
from training.artefact import onnx_file
from training.artefact.quantise import quantise
from training.data import glyphs
from training.data.dataset import Split, load_dataset
from training.data.processes import in_chunks
from training.data.scene import Scene
from training.data.scenes import Sources, any_scene
from training.errors import TrainingError
from training.networks import NETWORKS
from training.networks.ink_finder import InkFinder
from training.run import hardware, onnx_runtime

BATCH = 128
LEARNING_RATE = 4e-3
VALIDATION_SCENES = 3_000

# Weight of the overlap (Dice) beside the cross entropy of single pixels: a thin stroke is few of them.
OVERLAP = 0.3

# Of the scenes, those that are seen whole, and of large ones those of which a part is seen; of the others what is
# around the ink, by so many of its longer sides.
WHOLE_SHARE = 0.5
PART_SHARE = 0.25
AROUND = (0.15, 0.9)

# The overlap with the true ink that int8 may lose.
MOST_LOST = 0.01


@dataclass(frozen=True)
class Arguments:
    target: Path = ink_finder.FILE
    data: str = "mnist"
    """whose digits the scenes show: mnist, or sample"""
    data_dir: Path = Path("data")
    fonts: str = ""
    """a folder of handwriting fonts, a folder for each family; fewer hands are learned without"""
    scenes: int = 100_000
    epochs: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Scenes:
    """pictures: uint8 [N, 64, 64]; ink: uint8 [N, 64, 64], 255 where it covers the paper."""

    pictures: Tensor
    ink: Tensor


def make_scenes(count: int, seed: int, sources: Sources) -> Scenes:
    made = in_chunks(fitted_scenes, count, [seed, 6], sources)
    pictures, ink = (torch.from_numpy(np.concatenate(part)) for part in zip(*made, strict=True))
    return Scenes(pictures, ink)


def fitted_scenes(sources: Sources, rng: NumpyGenerator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and ink, as in `Scenes`."""
    pictures, inks = [], []
    for _ in range(count):
        scene = looked_at(any_scene(sources, rng).scene, rng)
        picture, shape = ink_finder.fitted(scene.picture.astype(np.float32))
        ink, _ = ink_finder.fitted(scene.ink.astype(np.float32))
        beside = np.ones_like(ink, bool)
        beside[: shape[0], : shape[1]] = False
        ink[beside] = 0
        pictures.append(picture)
        inks.append(ink)
    return np.stack(pictures), np.stack(inks)


def looked_at(scene: Scene, rng: NumpyGenerator) -> Scene:
    """The whole picture, or a piece of it, as the service has the network look again: where ink is, or at a part."""
    height, width = scene.ink.shape
    how = rng.random()
    if how < WHOLE_SHARE:
        return scene
    if how < WHOLE_SHARE + PART_SHARE and height * width >= find.LARGE:
        side = round(find.PART * max(height, width))
        top, left = rng.integers(max(1, height - side + 1)), rng.integers(max(1, width - side + 1))
        box = Box(top, top + side, left, left + side)
    elif (scene.ink > 127).any():
        box = bounds(scene.ink > 127)
        box = box.grown(round(rng.uniform(*AROUND) * box.side) + 2)
    else:
        return scene
    rows, columns = slice(max(0, box.top), box.bottom), slice(max(0, box.left), box.right)
    return Scene(scene.picture[rows, columns], scene.ink[rows, columns])


def loss_of(logits: Tensor, ink: Tensor) -> Tensor:
    """Both [N, 64, 64], `ink` from 0 to 1."""
    probability = logits.sigmoid()
    shared, both = (probability * ink).sum((1, 2)), (probability + ink).sum((1, 2))
    # Where there is no ink to find, a few pixels found do little harm.
    overlap = (2 * shared + 8) / (both + 8)
    return F.binary_cross_entropy_with_logits(logits, ink) + OVERLAP * (1 - overlap.mean())


def batches(scenes: Scenes, generator: Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """In a random order, a quarter of the pictures as negatives of themselves."""
    order = torch.randperm(len(scenes.pictures), generator=generator)
    for start in range(0, len(order) - BATCH + 1, BATCH):
        chosen = order[start : start + BATCH]
        pictures = scenes.pictures[chosen]
        negative = torch.rand(BATCH, 1, 1, generator=generator) < 0.25
        yield torch.where(negative, 255 - pictures, pictures), scenes.ink[chosen].to(torch.float32) / 255


def overlap(logits: Tensor, ink: Tensor) -> float:
    """The mean intersection over union of what is found with what is there, where there is any."""
    found, there = logits > 0, ink > 127
    some = there.any(dim=2).any(dim=1)
    shared, either = (found & there).sum((1, 2)), (found | there).sum((1, 2))
    return (shared[some] / either[some]).mean().item()


def predict(network: nn.Module, pictures: Tensor) -> Tensor:
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(part) for part in pictures.split(500)])


def train(arguments: Arguments, scenes: Scenes, validation: Scenes) -> InkFinder:
    torch.manual_seed(arguments.seed)
    network = InkFinder().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    steps = arguments.epochs * (len(scenes.pictures) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    bf16 = hardware.has_bf16(torch.device("cpu"))
    generator = Generator().manual_seed(arguments.seed)
    for epoch in range(arguments.epochs):
        network.train()
        for pictures, ink in tqdm(batches(scenes, generator), f"epoch {epoch + 1}", steps // arguments.epochs):
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = network(pictures)
            optimizer.zero_grad()
            loss_of(logits.float(), ink).backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: overlap {overlap(predict(network, validation.pictures), validation.ink):.2%}")
    return network


class Probability(nn.Module):
    """What is exported: uint8 [N, 64, 64] → the probability of ink, float32 [N, 64, 64]."""

    def __init__(self, network: InkFinder) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        probability: Tensor = self.network(images).sigmoid()
        return probability


def export(network: InkFinder, scenes: Scenes, validation: Scenes, target: Path) -> None:
    """Raises TrainingError where what ONNX Runtime finds is not what the network finds."""
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        fp32, int8 = Path(temporary, "fp32.onnx"), Path(temporary, "int8.onnx")
        onnx_file.write(Probability(network).eval(), validation.pictures[:2], ["ink"], fp32)
        quantise(fp32, scenes.pictures[:1_000], int8)
        eager = overlap(predict(network, validation.pictures), validation.ink)
        as_fp32, as_int8 = (overlap(through_onnx(file, validation.pictures), validation.ink) for file in (fp32, int8))
        print(f"overlap with the true ink: eager {eager:.2%}, ONNX {as_fp32:.2%}, int8 {as_int8:.2%}")
        if abs(as_fp32 - eager) > 1e-3:
            raise TrainingError(f"ONNX finds ink with an overlap of {as_fp32:.2%}, the network itself of {eager:.2%}")
        os.replace(int8 if as_int8 > eager - MOST_LOST else fp32, target)


def through_onnx(file: Path, pictures: Tensor) -> Tensor:
    """As logits, of which the sign alone matters."""
    session = onnx_runtime.imported().InferenceSession(file, providers=["CPUExecutionProvider"])
    found = [session.run(None, {"images": part.numpy()})[0] for part in pictures.split(500)]
    return torch.from_numpy(np.concatenate(found)) - 0.5


def make(arguments: Arguments) -> None:
    glyphs.checked(arguments.fonts)
    dataset = load_dataset(arguments.data, arguments.data_dir, NETWORKS["googlenet"].contract)
    scenes, validation = (
        make_scenes(count, arguments.seed, Sources(digits, arguments.fonts, held_out))
        for count, digits, held_out in splits(arguments, dataset.train, dataset.validation)
    )
    export(train(arguments, scenes, validation), scenes, validation, arguments.target)
    print(f"wrote {arguments.target}")


def splits(arguments: Arguments, train: Split, validation: Split) -> tuple[tuple[int, Split, bool], ...]:
    return (arguments.scenes, train, False), (min(arguments.scenes, VALIDATION_SCENES), validation, True)


def main(arguments: list[str] | None = None) -> None:
    try:
        make(tyro.cli(Arguments, prog="python -m training.ink_finder", description=__doc__, args=arguments))
    except TrainingError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
