"""The process that starts the workers: BentoML's, made to listen to nobody but the signals it gets.

BentoML has the arbiter of its workers take commands on two TCP ports of the machine, as pickles among others and from
whoever connects, and has no setting for that. Here it takes them by sockets in the server's own folder, which its user
alone can enter. At SIGHUP it would end all workers and their connections; here they change their models
(`service.fleet.reloads`). And it lets go of the listening socket before it stops the workers: with it in hand,
connections would go on being made that nobody takes, and be reset at the end.

It replaces a worker that hangs as one that has died, and within a second, where BentoML looks every ten. At the end a
worker has as long as a request may take, in place of a day.
"""

import logging
import os
import signal
from pathlib import Path
from typing import Any

from bentoml._internal.utils import circus
from tornado.ioloop import PeriodicCallback

from service.fleet import workers
from service.fleet.reloads import Reloads
from service.fleet.watch import INTERVAL, Watch
from service.settings import Settings

logger = logging.getLogger("numeral")

# Seconds between two looks for workers that have died.
CHECK = 0.5

# Seconds that a worker has, beside those in which a request arrives and is answered, to end by itself.
END = 3

# Seconds that a worker has to start, and in addition as many times as long as trying that took.
START, TIMES = 60, 10


def keep_to_itself(folder: Path, reloads: Reloads, settings: Settings, start: float) -> None:
    """To be called in the supervisor, before BentoML makes the arbiter. start: seconds that trying a start took."""
    grace = (settings.read_timeout_ms + settings.deadline_ms) / 1000 + END

    class Arbiter(circus.Arbiter):
        def __init__(self, watchers: list[Any], *arguments: Any, **options: Any) -> None:
            # Circus adds watchers of its own to these.
            self._own = list(watchers)
            private = {"endpoint": f"ipc://{folder}/control", "pubsub_endpoint": f"ipc://{folder}/events"}
            super().__init__(watchers, *arguments, **{**options, **private, "check_delay": CHECK})
            for watcher in self._own:
                watcher.graceful_timeout = grace
            self._watch = Watch(folder / "board", workers.count(settings), START + TIMES * start)

        def initialize(self) -> None:
            super().initialize()
            PeriodicCallback(self.end_hung, INTERVAL * 1000).start()

        def end_hung(self) -> None:
            """To the end of this process: while it stops as well."""
            processes = [process for watcher in self._own for process in watcher.processes]
            for process in self._watch.hung(processes):
                logger.warning("worker process %d does not answer, and is killed", process)
                os.kill(process, signal.SIGKILL)

        def manage_watchers(self) -> Any:
            # Circus takes one command at a time, and raises at another.
            return None if self._exclusive_running_command else super().manage_watchers()

        def start(self, cb: Any = None) -> Any:
            reloads.start()
            return super().start(cb)

        def reload(self, **_: Any) -> None:
            reloads.ask()

        def stop(self) -> Any:
            if self._exclusive_running_command:
                # It would be refused, and the server go on for good.
                self.loop.call_later(CHECK, self.stop)
                return None
            self.sockets.close_all()
            return super().stop()

    circus.Arbiter = Arbiter  # type: ignore[misc]  # that is the point
