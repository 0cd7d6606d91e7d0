"""What a network is made of: `python -m training.describe alexnet-paper --classes 1000 --channels 3`.

For each layer the shape of its output for one image, its parameters and its multiply-adds.
"""

import sys
from dataclasses import dataclass

import torch
import tyro
from torchinfo import ModelStatistics, summary

from training.errors import TrainingError
from training.networks import NETWORKS

# Beyond this the bytes of a layer are no number of 64 bits any more.
MOST = 1_000_000_000


@dataclass(frozen=True)
class Arguments:
    network: tyro.conf.Positional[str]
    classes: int = 10
    channels: int | None = None
    """of the image, where the network can take others than its own"""


def describe(network: str, classes: int = 10, channels: int | None = None) -> ModelStatistics:
    """Raises TrainingError where there is no such network, or it cannot have so many classes or channels."""
    if network not in NETWORKS:
        raise TrainingError(f"network {network!r} is unknown; known: {', '.join(sorted(NETWORKS))}")
    for name, value in (("classes", classes), ("channels", channels)):
        if value is not None and not 0 < value <= MOST:
            raise TrainingError(f"{name} is {value}; it must be above 0, and {MOST:,} at most")
    build, contract = NETWORKS[network].build, NETWORKS[network].contract
    try:
        # On no device: weights would take seconds to make, and are not looked at.
        with torch.device("meta"):
            module = build(classes) if channels in (None, contract.channels) else build(classes, channels)
    except TypeError as error:
        raise TrainingError(f"channels is {channels}; {network} takes {contract.channels}") from error
    image = torch.empty(1, channels or contract.channels, contract.network_size, contract.network_size, device="meta")
    columns = ("output_size", "kernel_size", "num_params", "mult_adds")
    return summary(
        module, input_data=image, col_names=columns, row_settings=("var_names",), depth=5, device="meta", verbose=0
    )


def main(arguments: list[str] | None = None) -> None:
    chosen = tyro.cli(Arguments, prog="python -m training.describe", description=__doc__, args=arguments)
    try:
        print(describe(chosen.network, chosen.classes, chosen.channels))
    except TrainingError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
