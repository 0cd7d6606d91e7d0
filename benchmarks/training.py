"""Images a second of this project's training loop and of two tutorials' loops, with the same networks, on one device.

`python -m benchmarks.training --data-dir DIR`. The tutorials' loops are as printed: images resized by PIL one by one in
a DataLoader, float32, batch 64, one optimizer step each. Alternating rounds, medians; warm-up is not counted.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from tqdm import tqdm

from benchmarks import command_line
from training.data.augment import NONE
from training.data.dataset import Dataset, load_dataset
from training.networks import NETWORKS
from training.networks.alexnet_lite import AlexNetLite
from training.networks.googlenet import SmallMapConv2d
from training.networks.googlenet_plain import GoogLeNetPlain
from training.run import hardware
from training.run.recipe import RECIPES, Recipe
from training.run.state import Training
from training.train import train_epoch

BATCH = 64
WARM_UP_BATCHES = 5


@dataclass(frozen=True)
class Arguments:
    data_dir: Path = Path("data")
    device: hardware.DeviceChoice = "auto"
    rounds: int = 3
    seconds: float = 15
    """of training for each figure"""

    def __post_init__(self) -> None:
        command_line.above_zero(rounds=self.rounds, seconds=self.seconds)


@dataclass(frozen=True)
class Tutorial:
    """The loop as printed, and the recipe that trains the same network here, without augmentation and with."""

    network: Callable[[], nn.Module]
    transform: transforms.Compose
    optimizer: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]
    ours: Recipe


def as_printed(network: nn.Module) -> nn.Module:
    """With the plain convolutions of torch."""
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, SmallMapConv2d):
                kernel, stride = layer.kernel_size[0], layer.stride[0]
                plain = nn.Conv2d(layer.in_channels, layer.out_channels, kernel, stride, padding=kernel // 2)
                setattr(parent, name, plain)
    return network


TUTORIALS = {
    "AlexNet at 224×224": Tutorial(
        network=AlexNetLite,
        transform=transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor()]),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9),
        ours=RECIPES["alexnet"].on_data_alone,
    ),
    "GoogLeNet at 28×28": Tutorial(
        network=lambda: as_printed(GoogLeNetPlain()),
        transform=transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.001),
        ours=replace(RECIPES["googlenet"].on_data_alone, network="googlenet-plain", learning_rate=0.01),
    ),
}


def printed_loop(tutorial: Tutorial, arguments: Arguments, device: torch.device) -> float:
    torch.manual_seed(0)
    images = datasets.MNIST(str(arguments.data_dir), train=True, transform=tutorial.transform)
    loader = DataLoader(images, batch_size=BATCH, shuffle=True)
    model = tutorial.network().to(device).train()
    optimizer, criterion = tutorial.optimizer(model.parameters()), nn.CrossEntropyLoss()
    batches = iter(loader)

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        optimizer.zero_grad()
        criterion(model(images.to(device)), labels.to(device)).backward()
        optimizer.step()

    for batch in islice(batches, WARM_UP_BATCHES):
        step(*batch)
    hardware.synchronize(device)
    count, start = 0, time.perf_counter()
    for batch in batches:
        step(*batch)
        count += len(batch[1])
        if time.perf_counter() - start > arguments.seconds:
            break
    hardware.synchronize(device)
    return count / (time.perf_counter() - start)


def our_loop(recipe: Recipe, dataset: Dataset, arguments: Arguments, device: torch.device) -> float:
    training = Training(recipe, dataset, device)
    with tqdm(disable=True) as silent:
        training.steps = WARM_UP_BATCHES
        train_epoch(training, silent)
        hardware.synchronize(device)
        start = time.perf_counter()
        train_epoch(training, silent)
        hardware.synchronize(device)
        seconds_a_step = (time.perf_counter() - start) / training.steps
        whole_epoch = len(training.images) // training.batch_size
        training.steps = min(whole_epoch, max(WARM_UP_BATCHES, int(arguments.seconds / seconds_a_step)))
        start = time.perf_counter()
        train_epoch(training, silent)
        hardware.synchronize(device)
    return training.steps * training.batch_size / (time.perf_counter() - start)


@dataclass
class Rates:
    printed: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    augmented: list[float] = field(default_factory=list)


def main() -> None:
    with command_line.readable_failures():
        run(command_line.parse(Arguments, "training", __doc__))


def run(arguments: Arguments) -> None:
    device = hardware.pick(arguments.device)
    dataset = load_dataset("mnist", arguments.data_dir, NETWORKS["googlenet"].contract)
    rates = {name: Rates() for name in TUTORIALS}
    for _ in range(arguments.rounds):
        for name, tutorial in TUTORIALS.items():
            each = rates[name]
            each.printed.append(printed_loop(tutorial, arguments, device))
            each.ours.append(our_loop(replace(tutorial.ours, augmentation=NONE), dataset, arguments, device))
            each.augmented.append(our_loop(tutorial.ours, dataset, arguments, device))
    print(f"{hardware.environment(device)}; {arguments.rounds} rounds of {arguments.seconds} s")
    print("| | loop as printed, images/s | ours | ratio | ours, augmented | ratio |\n|---|---|---|---|---|---|")
    for name, each in rates.items():
        printed, ours, augmented = map(statistics.median, (each.printed, each.ours, each.augmented))
        print(
            f"| {name} | {printed:,.0f} | {ours:,.0f} | {ours / printed:.1f} "
            f"| {augmented:,.0f} | {augmented / printed:.1f} |"
        )


if __name__ == "__main__":
    main()
