"""BentoML as its documentation has it: an image in, batched in the worker.

`bentoml serve benchmarks.peers.bentoml_app:Digits`
"""

import os

import bentoml
import numpy as np
from PIL.Image import Image

from benchmarks.peers.common import MAX_BATCH, answer, decoded, open_session, run


@bentoml.service(workers=int(os.environ.get("BENCH_WORKERS", "1")))
class Digits:
    def __init__(self) -> None:
        self.session = open_session()

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH, max_latency_ms=1000)
    def classify(self, images: list[Image]) -> list[dict[str, object]]:
        return [answer(row) for row in run(self.session, np.stack([decoded(image) for image in images]))]
