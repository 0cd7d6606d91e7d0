"""What a request for a model comes to: in the metrics and, where there is one, in its line of the log."""

import time
from typing import Any, Self

from starlette.requests import Request

from service.fleet.metrics import Metrics
from service.web.access_log import ENTRY


class Account:
    """Until the end of `with`; a failure unless `success` is set. `model` may change as the request is read.

    began: when the request did, of `time.perf_counter`. `entry`: of the log, None where there is none.
    """

    __slots__ = ("_began", "_metrics", "entry", "model", "success")

    def __init__(self, metrics: Metrics, request: Request, model: str, began: float) -> None:
        self._metrics = metrics
        self._began = began
        self.entry: dict[str, Any] | None = request.scope.get(ENTRY)
        self.model = model
        self.success = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._metrics.ran_request(self.model, success=self.success, seconds=time.perf_counter() - self._began)
        if self.entry is not None:
            self.entry["model"] = self.model
