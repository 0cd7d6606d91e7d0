"""LitServe with batching, two workers. `python -m benchmarks.peers.litserve_app PORT WORKERS`"""

import sys

import litserve
import numpy as np
from fastapi import UploadFile

from benchmarks.peers.common import MAX_BATCH, answer, decode, open_session, run


class Digits(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.session = open_session()

    def decode_request(self, request: UploadFile) -> np.ndarray:
        return decode(request.file.read())

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        return np.stack(inputs)

    def predict(self, images: np.ndarray) -> np.ndarray:
        return run(self.session, images)

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        return list(output)

    def encode_response(self, output: np.ndarray) -> dict[str, object]:
        return answer(output)


if __name__ == "__main__":
    api = Digits(max_batch_size=MAX_BATCH, batch_timeout=0.001, api_path="/classify")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=int(sys.argv[2]))
    server.run(port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
