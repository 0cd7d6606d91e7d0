"""Evens out connections between the workers of one server.

They share one listening socket, and whichever is awake takes every connection that waits there: often all of the few
that a load balancer keeps open, while the other cores idle. So a worker that holds more than its share answers with
`Connection: close` until it does not; whoever connects again is most likely met by a worker with less to do.
"""

import asyncio

import psutil

from service.fleet.latency import Window

INTERVAL = 0.1
"""Seconds between two looks."""


class Balance:
    """Made and used in the event loop. `window`: where the workers tell each other."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._process = psutil.Process()
        self._surplus = 0
        self._look()

    def wants_to_close(self) -> bool:
        """Whether the answer that is asked for now should be the last on its connection."""
        if self._surplus < 1:
            return False
        self._surplus -= 1
        return True

    def close(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        # Whatever else a worker has open, the others have open too.
        count = self._process.num_fds()
        self._window.beat(count)
        counts = self._window.connections()
        self._surplus = int(count - sum(counts) / len(counts))
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)
