"""The process that starts the workers: BentoML's, made to listen to nobody but the signals it gets.

BentoML has the arbiter of its workers take commands on two TCP ports of the machine, as pickles among others and from
whoever connects, and has no setting for that. Here it takes them by sockets in the server's own folder, which its user
alone can enter. And it lets go of the listening socket before it stops the workers: with it in hand, connections would
go on being made that nobody takes, and be reset at the end.
"""

from pathlib import Path
from typing import Any

from bentoml._internal.utils import circus


def keep_to_itself(folder: Path) -> None:
    """To be called in the supervisor, before BentoML makes the arbiter."""

    class Arbiter(circus.Arbiter):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            private = {"endpoint": f"ipc://{folder}/control", "pubsub_endpoint": f"ipc://{folder}/events"}
            super().__init__(*arguments, **{**options, **private})

        def stop(self) -> Any:
            self.sockets.close_all()
            return super().stop()

    circus.Arbiter = Arbiter  # type: ignore[misc]  # that is the point
