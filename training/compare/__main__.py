"""Compares runs: `python -m training.compare devices --recipe s2`, `python -m training.compare optimizers`.

devices: the same recipe on the GPU and on the CPU. optimizers: seven of them on one network and one data set. Runs that
are finished are kept, and one that was stopped goes on where it was: give the same command again.
"""

import sys
from typing import Annotated

import tyro

from training.compare import devices, optimizers
from training.errors import TrainingError

Command = (
    Annotated[devices.Devices, tyro.conf.subcommand("devices")]
    | Annotated[optimizers.Optimizers, tyro.conf.subcommand("optimizers")]
)


def main(arguments: list[str] | None = None) -> None:
    chosen: Command = tyro.cli(Command, prog="python -m training.compare", description=__doc__, args=arguments)
    try:
        chosen.run()
    except TrainingError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:  # while no run trains: it would say how to go on with it alone
        sys.exit("\nstopped; the runs that were begun are kept: give the same command again")


if __name__ == "__main__":
    main()
