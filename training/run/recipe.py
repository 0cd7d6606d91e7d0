"""Everything that decides the weights of a run, and recipes by name."""

import dataclasses
import math
from dataclasses import dataclass, field, replace

from training.data.augment import NONE, Augmentation
from training.errors import TrainingError
from training.networks import NETWORKS
from training.networks.contract import InputContract
from training.run import optimizers

# Times a million it still is a whole number of 64 bits, which the generator of each epoch is given.
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Recipe:
    """Two runs with equal recipes on one CPU give equal weights."""

    network: str
    """a network of training/networks"""
    data: str = "mnist"
    """mnist, fashion-mnist, cifar10, sample (5,000 MNIST images, no network needed) or folder:PATH. Folders of labelled
    pictures (labels.csv, or folders named 0 to 9 and -1) can be joined to it, as in mnist,folder:corrections: four in
    five are learned as well, and one judges"""
    images: int = 0
    """of the training split, its first so many; 0: all"""
    validate_on_test: bool = False
    """as many articles do: train on what is held out for validation else, and print the test split's figures after each
    epoch; nothing may be chosen by them"""
    epochs: int = 20
    batch_size: int = 256
    optimizer: optimizers.Name = "nag"
    schedule: optimizers.Schedule = "one-cycle"
    learning_rate: float = 0.1
    """the peak of the schedule"""
    weight_decay: float = 5e-4
    decay_biases: bool = False
    """weight decay for biases and batch norm as well"""
    label_smoothing: float = 0.1
    ema_epochs: float = 0.5
    """time constant of the moving average of the weights, in epochs; 0 turns it off"""
    written_digits: int = 0
    """synthesised digits, written and printed, beside those of `data`"""
    not_digits: int = 0
    """synthesised letters, signs and noise, which the network learns to give no class"""
    scenes: int = 0
    """uploads made by code and normalised as the service does, whose candidates are learned as well"""
    fonts: str = ""
    """a folder of handwriting fonts for the scenes, a folder for each family; there are fewer hands without"""
    pictures: str = ""
    """a folder of labelled pictures as may be joined to `data`; of this one all are learned, and none judge"""
    picture_copies: int = 8
    """how often each labelled picture is in an epoch, each time augmented otherwise; 0: so often that they are a
    quarter of it, 30 times at most"""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """of digits, in grey"""
    crop: int = 0
    """pixels of black around the image, out of which a random crop of its size is taken"""
    flip: bool = False
    """half of the images are mirrored; wrong for digits"""
    pixel_mean: tuple[float, ...] = ()
    """by channel, taken from pixels of 0 to 1; none: as the network's own contract says"""
    pixel_std: tuple[float, ...] = ()
    start_from: str = ""
    """a finished run of this network, or what one was exported to (exported/googlenet): this begins with its weights"""
    freeze_norm: bool = False
    """batch normalisation keeps the means and variances that it begins with, as is right for a start from weights that
    are to change a little: a batch of these images would have others"""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise TrainingError(f"network {self.network!r} is unknown; known: {', '.join(sorted(NETWORKS))}")
        # Comparisons with what is not a number are false, so these refuse it too.
        for name in ("epochs", "batch_size", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise TrainingError(f"{name} is {getattr(self, name)}; it must be above 0, and finite")
        for name in (
            "images",
            "weight_decay",
            "ema_epochs",
            "written_digits",
            "not_digits",
            "scenes",
            "picture_copies",
            "crop",
        ):
            if not 0 <= getattr(self, name) < math.inf:
                raise TrainingError(f"{name} is {getattr(self, name)}; it must be 0 or more, and finite")
        if not 0 <= self.label_smoothing < 1:
            raise TrainingError(f"label_smoothing is {self.label_smoothing}; it must be in [0, 1)")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise TrainingError(f"seed is {self.seed}; it must be 0 to {LARGEST_SEED}")
        self.refuse_pixels_that_do_not_fit(NETWORKS[self.network].contract)

    def refuse_pixels_that_do_not_fit(self, own: InputContract) -> None:
        """`own`: the network's contract."""
        for name in ("pixel_mean", "pixel_std"):
            if len(getattr(self, name)) not in (0, own.channels):
                raise TrainingError(f"{name} is {getattr(self, name)}; {self.network} takes {own.channels} channels")
        if not all(map(math.isfinite, self.pixel_mean)):
            raise TrainingError(f"pixel_mean is {self.pixel_mean}; all must be finite")
        if not all(0 < one < math.inf for one in self.pixel_std):
            raise TrainingError(f"pixel_std is {self.pixel_std}; all must be above 0, and finite")
        if self.crop >= own.size:
            raise TrainingError(f"crop is {self.crop}; it must be below {own.size}, or some crops hold no image at all")
        if own.channels > 1 and self.augmentation != NONE:
            raise TrainingError(f"augmentation is for digits in grey, and {self.network} takes {own.channels} channels")

    @property
    def judged_on(self) -> str:
        """The split that the figures after each epoch are of."""
        return "test" if self.validate_on_test else "validation"

    @property
    def on_data_alone(self) -> "Recipe":
        """Without the images that code makes."""
        return replace(self, written_digits=0, not_digits=0, scenes=0)

    @property
    def contract(self) -> InputContract:
        """The network's, with this recipe's mean and standard deviation."""
        own = NETWORKS[self.network].contract
        return dataclasses.replace(own, mean=self.pixel_mean or own.mean, std=self.pixel_std or own.std)


# What the articles of docs/sources.md have in common.
AS_PRINTED = Recipe(
    network="alexnet-lite",
    validate_on_test=True,
    epochs=10,
    batch_size=64,
    optimizer="sgd",
    schedule="constant",
    learning_rate=0.01,
    weight_decay=0.0,
    decay_biases=True,
    label_smoothing=0.0,
    ema_epochs=0,
    augmentation=NONE,
)

OPTIMIZERS_COMPARED = replace(
    AS_PRINTED, network="alexnet-cifar", epochs=20, batch_size=128, optimizer="momentum", weight_decay=5e-4
)

RECIPES = {
    "googlenet": Recipe(network="googlenet", epochs=14, written_digits=12_000, not_digits=12_000, scenes=100_000),
    "correct": Recipe(
        network="googlenet",
        data="mnist,folder:corrections",
        start_from="exported/googlenet",
        freeze_norm=True,
        epochs=2,
        batch_size=128,
        learning_rate=0.003,
        written_digits=1_000,
        not_digits=2_000,
        scenes=6_000,
        picture_copies=0,
    ),
    "alexnet": Recipe(
        network="alexnet-lite",
        epochs=10,
        batch_size=128,
        optimizer="adamw",
        learning_rate=1e-3,
        weight_decay=0.01,
        written_digits=6_000,
        not_digits=8_000,
    ),
    "sample": Recipe(
        network="googlenet",
        data="sample",
        epochs=12,
        batch_size=64,
        learning_rate=0.03,
        written_digits=500,
        not_digits=500,
    ),
    "fashion": Recipe(
        network="alexnet-cifar",
        data="fashion-mnist",
        batch_size=128,
        optimizer="adamw",
        learning_rate=5e-4,
        weight_decay=0.05,
        augmentation=NONE,
        crop=2,
        flip=True,
    ),
    "cifar10": Recipe(
        network="alexnet-cifar",
        data="cifar10",
        batch_size=128,
        learning_rate=0.05,
        augmentation=NONE,
        crop=4,
        flip=True,
    ),
    "s0": replace(AS_PRINTED, optimizer="momentum"),
    "s1": replace(AS_PRINTED, network="alexnet-d2l", batch_size=256),
    "s2": replace(AS_PRINTED, network="googlenet-plain", optimizer="adam", learning_rate=1e-3),
    "s3": replace(AS_PRINTED, network="alexnet-d2l", data="fashion-mnist", batch_size=128),
    "s4-fashion": replace(OPTIMIZERS_COMPARED, data="fashion-mnist"),
    "s4-cifar": replace(
        OPTIMIZERS_COMPARED,
        data="cifar10",
        crop=4,
        flip=True,
        pixel_mean=(0.4914, 0.4822, 0.4465),
        # As printed: means over the images of each one's own. Of all pixels they are 0.2470, 0.2435 and 0.2616.
        pixel_std=(0.2023, 0.1994, 0.2010),
    ),
}
