"""How the workers of a server are at the moment, for Prometheus: read from the board, and from /proc by their ids.

A worker is labelled by its number, which one that replaces it takes over: there are as many labels as workers.
"""

import os
from collections.abc import Iterator

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.fleet import outcome, shared_folder
from service.fleet.board import (
    CONNECTIONS,
    GENERATION,
    IN_WORK,
    PROCESS,
    QUEUE,
    REQUESTS,
    STARTS,
    UPLOAD_BYTES,
    Board,
)
from service.settings import Settings

# What a worker's row begins with.
OF_A_ROW = (
    ("numeral_requests_in_flight", "Requests that are being answered", REQUESTS),
    ("numeral_connections", "Open connections", CONNECTIONS),
    ("numeral_images_in_work", "Images in work or waiting, of NUMERAL_QUEUE_SIZE at most", IN_WORK),
    ("numeral_models_generation", "Grows with each change of models; 0 while they change", GENERATION),
    ("numeral_queue_images", "Images that wait for a batch, as of the last tenth of a second", QUEUE),
    ("numeral_upload_bytes", "Bytes of uploads that are held, of NUMERAL_MAX_UPLOAD_BYTES at most", UPLOAD_BYTES),
)


class Gauges:
    """As a registry of prometheus_client asks."""

    def __init__(self, board: Board, settings: Settings) -> None:
        self._board = board
        self._limits = (
            ("numeral_images_in_work_limit", "NUMERAL_QUEUE_SIZE, of each worker", settings.queue_size),
            ("numeral_upload_bytes_limit", "NUMERAL_MAX_UPLOAD_BYTES, of each worker", settings.max_upload_bytes),
            ("numeral_workers_wanted", "Workers that the server was started with", len(board.rows)),
        )

    def collect(self) -> Iterator[Metric]:
        living = self._board.living()
        heads = self._board.heads()
        for name, about, limit in self._limits:
            yield GaugeMetricFamily(name, about, limit)
        yield GaugeMetricFamily("numeral_workers", "Workers that were heard of in the last two seconds", len(living))
        for name, about, column in OF_A_ROW:
            gauge = GaugeMetricFamily(name, about, labels=["worker"])
            for number in living:
                gauge.add_metric([str(number)], float(heads[number - 1, column]))
            yield gauge
        restarts = CounterMetricFamily(
            "numeral_worker_restarts", "Workers that took the place of one that died or hung", labels=["worker"]
        )
        for number, head in enumerate(heads, start=1):
            restarts.add_metric([str(number)], max(0.0, float(head[STARTS]) - 1))
        yield restarts
        yield reloads()
        yield from processes({str(number): int(heads[number - 1, PROCESS]) for number in living})


def reloads() -> Metric:
    counter = CounterMetricFamily("numeral_reloads", "Reloads of the models, by what they came to", labels=["result"])
    for result, count in outcome.counts(shared_folder.find()).items():
        counter.add_metric([result], count)
    return counter


def processes(ids: dict[str, int]) -> list[Metric]:
    """Of each worker, and of their supervisor. ids: of the workers' processes, by number."""
    memory = GaugeMetricFamily("numeral_process_resident_memory_bytes", "Memory of the process", labels=["process"])
    files = GaugeMetricFamily("numeral_process_open_fds", "Open file descriptors", labels=["process"])
    cpu = CounterMetricFamily("numeral_process_cpu_seconds", "Processor time, user and system", labels=["process"])
    families: tuple[GaugeMetricFamily | CounterMetricFamily, ...] = (memory, files, cpu)
    for name, number in {**ids, "supervisor": os.getppid()}.items():
        try:
            process = psutil.Process(number)
            with process.oneshot():
                times = process.cpu_times()
                values = (process.memory_info().rss, process.num_fds(), times.user + times.system)
        except psutil.Error:  # it has just ended, or is somebody else's
            continue
        for family, value in zip(families, values, strict=True):
            family.add_metric([name], value)
    return list(families)
