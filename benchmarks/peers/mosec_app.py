"""Mosec: a web layer in Rust that batches for Python. `python -m benchmarks.peers.mosec_app PORT WORKERS STAGES`

With two stages decoding has as many processes of its own, as its documentation has it for what comes before a network.
"""

import json
import sys

import mosec
import numpy as np

from benchmarks.peers.common import MAX_BATCH, answer, decode, open_session, run


class Decode(mosec.Worker):
    def deserialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: bytes) -> np.ndarray:
        return decode(bytes(data))  # of a memoryview, whatever Mosec's types say


class Digits(mosec.Worker):
    def __init__(self) -> None:
        super().__init__()
        self.session = open_session()

    def forward(self, data: list[np.ndarray]) -> list[dict[str, object]]:
        return [answer(row) for row in run(self.session, np.stack(data))]

    def serialize(self, data: dict[str, object]) -> bytes:
        return json.dumps(data).encode()


class Both(Digits):
    """One stage: what comes of no batch spares a way from process to process."""

    def deserialize(self, data: bytes) -> np.ndarray:
        return decode(bytes(data))  # of a memoryview, whatever Mosec's types say


if __name__ == "__main__":
    port, workers, stages = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    # Mosec reads the command line itself.
    sys.argv[1:] = ["--port", port, "--address", "127.0.0.1", "--log-level", "warning"]
    server = mosec.Server()
    if stages > 1:
        server.append_worker(Decode, num=workers)
    server.append_worker(Digits if stages > 1 else Both, num=workers, max_batch_size=MAX_BATCH, max_wait_time=1)
    server.run()
