"""Evens out connections between the workers of one server.

They share one listening socket, and whichever is awake takes every connection that waits there: often all of the few
that a load balancer keeps open, while the other cores idle. So a worker that holds more than its share answers with
`Connection: close` until it does not; whoever connects again is most likely met by a worker with less to do.
"""

import asyncio
from collections.abc import Callable

from service.fleet.board import CONNECTIONS, Board

# Seconds between two looks.
INTERVAL = 0.1


class Balance:
    """Made and used in the event loop. Asked at each look: how many `connections` this worker holds, how many images
    wait in its `queue`, and whether it is `stuck` though its loop turns. One that is does not beat, and is replaced."""

    def __init__(
        self,
        board: Board,
        connections: Callable[[], int],
        queue: Callable[[], int] = lambda: 0,
        stuck: Callable[[], bool] = lambda: False,
    ) -> None:
        self._board = board
        self._connections = connections
        self._queue = queue
        self._stuck = stuck
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
        # Before all that could fail: the other workers take one that no longer beats for dead.
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)
        count = self._connections()
        if not self._stuck():
            self._board.beat(count, self._queue())
        self._surplus = int(count - self._board.alive()[:, CONNECTIONS].mean())
