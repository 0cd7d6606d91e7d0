"""ONNX Runtime alone, no web: `python -m benchmarks.peers.bare_engine PROCESSES SECONDS` prints a line of JSON."""

import json
import multiprocessing
import sys
import time

import numpy as np

from benchmarks.peers.common import open_session, run

BATCHES = (1, 8, 16, 32, 64)


def measure(batch: int, seconds: float, start: float) -> tuple[float, float]:
    """Images a second and median seconds a run, of a session on one thread."""
    session = open_session()
    images = np.random.default_rng(0).integers(0, 256, (batch, 28, 28), np.uint8)
    for _ in range(20):
        run(session, images)
    time.sleep(max(0, start - time.time()))
    times: list[float] = []
    while sum(times) < seconds:
        began = time.perf_counter()
        run(session, images)
        times.append(time.perf_counter() - began)
    return batch * len(times) / sum(times), float(np.median(times))


def main() -> None:
    processes, seconds = int(sys.argv[1]), float(sys.argv[2]) / len(BATCHES)
    rates, medians = {}, {}
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for batch in BATCHES:
            each = pool.starmap(measure, [(batch, seconds, time.time() + 1)] * processes)
            rates[batch] = sum(rate for rate, _ in each)
            medians[batch] = float(np.median([median for _, median in each]))
    print(json.dumps({"images_per_second": max(rates.values()), "by_batch": rates, "batch_1_ms": 1000 * medians[1]}))


if __name__ == "__main__":
    main()
