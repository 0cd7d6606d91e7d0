"""Reads on a Ray cluster: Ray Data hands jobs to a pool of actors, each of which has a model, and gives their rows back
in order. They are written where the command runs, by one process, as all others are.

Each job is made of the chunks that one machine would read together, so that its rows are the same to the last bit.
"""

import contextlib
import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from numeral import tables
from numeral.errors import RunError, UsageError
from numeral.files import File
from numeral.rows import Row
from numeral.run import CHUNK
from numeral.tables import Span
from numeral.workers import Workers, as_text

# Rows of a table that are one job: so much is read again where its node is lost.
SPAN = 16 * CHUNK

# Seconds.
LONGEST_KNOCK = 10

# Of Ray Data: in so many the jobs are handed out.
MOST_BLOCKS = 2_000

# Unless the environment says otherwise.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}

# Of a cluster that is begun here: it listens on the loopback address, to who has the token.
ALONE_ADDRESS = "local"
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}


class Job(NamedTuple):
    """Rows `first` and following of the run: files by their paths, or rows of a table by where they begin."""

    first: int
    names: list[str]
    paths: Sequence[str] = ()
    place: tuple[str, int, int] | None = None

    def packed(self) -> dict[str, bytes]:
        return {"job": orjson.dumps(self._asdict())}


class Cluster:
    """address: of the cluster; None: RAY_ADDRESS, or one of this machine alone that ends with the run. size: how many
    actors at most; 0: as many as it has CPUs. options: of `Reader`, by name.

    Raises UsageError where Ray is not installed, or a file is no table and others are.
    """

    def __init__(
        self, files: Sequence[File], address: str | None, size: int, options: dict[str, Any], explain: bool
    ) -> None:
        self._address = address or os.environ.get("RAY_ADDRESS") or ALONE_ADDRESS
        self._ray = imported(self._address == ALONE_ADDRESS)
        self.files = files
        if any(tables.is_table(file.path) for file in files):
            spans = spans_of(files)
            self.files = [File(name, span.path) for span in spans for name in span.names]
            self._jobs = jobs_of_spans(spans)
        else:
            self._jobs = jobs_of_files(files)
        self.model: dict[str, str] = {}
        self._size = size
        self._reads: dict[str, Any] = {"options": options, "explain": explain}

    def start(self) -> None:
        """Raises UsageError where the model cannot be had here, or the cluster not be reached."""
        self.model = model_here(self._reads["options"])
        try:
            knock(self._address)
            connect(self._ray, self._address)
        except (OSError, OverflowError, ValueError, RuntimeError) as error:
            raise UsageError(f"no Ray cluster at {self._address!r}: {first_line(error)}") from error

    def rows(self, done: int) -> Iterator[list[Row]]:
        """Job by job, without the first `done` of all. Raises RunError."""
        jobs = [job for job in self._jobs if job.first + len(job.names) > done]
        if not jobs:
            return
        try:
            for job, made in zip(jobs, self._read(jobs), strict=True):
                rows = rows_for(job, made)
                yield rows[max(0, done - job.first) :]
        except (self._ray.exceptions.RayError, ValueError) as error:
            raise RunError(f"the cluster gave up: {first_line(error)}") from error

    def close(self) -> None:
        self._ray.shutdown()

    def _read(self, jobs: Sequence[Job]) -> Iterator[dict[str, Any]]:
        from ray import data

        size = min(self._size or int(self._ray.cluster_resources().get("CPU", 1)), len(jobs))
        seen = next((file.path for file in self.files if os.path.exists(file.path)), None)  # noqa: PTH110
        given = data.from_items([job.packed() for job in jobs], override_num_blocks=min(len(jobs), MOST_BLOCKS))
        read = given.map(
            Actor,
            # The smallest pool gives CPUs back where a node is lost whose actors are begun anew on the others.
            compute=data.ActorPoolStrategy(min_size=1, max_size=size, initial_size=size),
            fn_constructor_kwargs={**self._reads, "model": self.model, "seen": seen},
            num_cpus=1,
        )
        return iter(read.iter_rows())


class Actor:
    """A process that reads, with a child that decoders may bring down. seen: a file of the input, if any is there."""

    def __init__(self, options: dict[str, Any], explain: bool, model: dict[str, str], seen: str | None) -> None:
        if seen and not os.path.exists(seen):  # noqa: PTH110
            raise FileNotFoundError(f"{os.uname().nodename} has no {seen}: all nodes must see the input at one path")
        self._workers = Workers(1, options, explain)
        self._workers.start()
        if self._workers.model != model:
            raise ValueError(f"{os.uname().nodename} has the model {self._workers.model}, and the command {model}")

    def __call__(self, packed: dict[str, bytes]) -> dict[str, bytes | int]:
        job = Job(**orjson.loads(packed["job"]))
        return {"first": job.first, "rows": orjson.dumps(self._read(job))}

    def _read(self, job: Job) -> list[Row]:
        if not job.place:
            paths = [os.fsdecode(path.encode("latin-1")) for path in job.paths]
            return self._workers.read(list(map(File, job.names, paths)))
        names = iter(job.names)
        made = tables.batches(Span(*job.place, job.names), CHUNK)
        return [row for contents in made for row in self._read_contents(names, contents)]

    def _read_contents(self, names: Iterator[str], contents: Sequence[bytes]) -> list[Row]:
        with tempfile.TemporaryDirectory(prefix="numeral-") as folder:
            paths = [Path(folder, str(index)) for index in range(len(contents))]
            for path, content in zip(paths, contents, strict=True):
                path.write_bytes(content)
            return self._workers.read([File(next(names), str(path)) for path in paths])


def spans_of(files: Sequence[File]) -> list[Span]:
    """Raises UsageError where one is no table."""
    if others := [file.name for file in files if not tables.is_table(file.path)]:
        raise UsageError(f"tables ({tables.SUFFIX}) and pictures are read apart, and {others[0]!r} is no table")
    spans = tables.find([file.path for file in files], SPAN)
    if not spans:
        raise UsageError(f"there is nothing to read: {files[0].name} has no rows")
    return spans


def jobs_of_files(files: Sequence[File]) -> list[Job]:
    chunks = ((first, files[first : first + CHUNK]) for first in range(0, len(files), CHUNK))
    return [
        Job(first, [file.name for file in chunk], [as_text(file.path) for file in chunk]) for first, chunk in chunks
    ]


def jobs_of_spans(spans: Sequence[Span]) -> list[Job]:
    firsts = accumulate((len(span.names) for span in spans), initial=0)
    return [
        Job(first, span.names, place=(span.path, span.group, span.start))
        for first, span in zip(firsts, spans, strict=False)
    ]


def rows_for(job: Job, made: dict[str, Any]) -> list[Row]:
    """Raises ValueError where they are another job's: none is to be lost or doubled, whatever has become of nodes."""
    rows: list[Row] = orjson.loads(made["rows"])
    if made["first"] != job.first or len(rows) != len(job.names):
        raise ValueError(f"rows {made['first']:,} and following came where {job.first:,} and following were due")
    return rows


def model_here(options: dict[str, Any]) -> dict[str, str]:
    """Which all nodes must have. Raises UsageError."""
    workers = Workers(1, options, explain=False)
    workers.start()
    workers.close()
    return workers.model


def imported(alone: bool) -> Any:
    """Ray reads its environment when it is imported; its makers are told nothing. Raises UsageError."""
    os.environ.update({**QUIET, **os.environ, **({**ALONE, "RAY_AUTH_TOKEN": secrets.token_hex(32)} if alone else {})})
    try:
        import ray
        import ray.data
    except ImportError as error:
        what = f"--engine ray needs {error.name}, which is not installed"
        raise UsageError(f"{what}; the extra 'ray' brings it: pip install 'numeral[cpu,ray]'") from error
    return ray


def knock(address: str) -> None:
    """Raises OSError where nothing listens: Ray waits for ten minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), LONGEST_KNOCK).close()


def connect(ray: Any, address: str) -> None:
    """With no word on stderr, and rows in the order of the jobs."""
    without_dashboard = {"include_dashboard": False} if address == ALONE_ADDRESS else {}
    with silent():
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **without_dashboard)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Ray's own C++ writes to stderr past Python; what it raises says enough."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
