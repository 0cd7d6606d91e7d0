"""Ray Serve with its batching decorator. `python -m benchmarks.peers.ray_app PORT REPLICAS`"""

import signal
import sys
from typing import Any

import numpy as np
from ray import serve
from starlette.requests import Request

from benchmarks.peers.common import MAX_BATCH, answer, decode, open_session, run


@serve.deployment(max_ongoing_requests=200)
class Digits:
    def __init__(self) -> None:
        self.session = open_session()

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=0.001)
    async def classify(self, images: list[np.ndarray]) -> list[np.ndarray]:
        return list(run(self.session, np.stack(images)))

    async def __call__(self, request: Request) -> dict[str, object]:
        body = await request.body()
        return answer(await self.classify(decode(body))) if body else {}


if __name__ == "__main__":
    serve.start(http_options={"port": int(sys.argv[1])})
    deployment: Any = Digits  # the decorator has made it one
    serve.run(deployment.options(num_replicas=int(sys.argv[2]), ray_actor_options={"num_cpus": 0.5}).bind())
    signal.pause()
