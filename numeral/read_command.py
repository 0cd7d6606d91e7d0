"""`numeral read`: finds the files, chooses who reads them and where the rows go, and says what it came to."""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from numeral import files, output, run
from numeral.errors import UsageError
from numeral.files import File
from numeral.formats import FORMATS
from numeral.output import Done, Output
from numeral.run import Counts, Engine, SideBySide
from numeral.source import MOST_BYTES
from numeral.text import text_format

# Exit codes. What UsageError and RunError mean is said where they are caught.
ALL_READ, SOME_UNREADABLE, INTERRUPTED, BROKEN_PIPE = 0, 1, 130, 141


@dataclass(frozen=True)
class Asked:
    """What the command line says. formats: of csv, json and jsonl those that were chosen."""

    sources: Sequence[str]
    files_from: str | None
    formats: Sequence[str]
    out: Path | None
    overwrite: bool
    model: str | None
    precision: str
    models_dir: Path | None
    processes: int
    engine: str
    ray_address: str | None
    url: str | None
    connections: int
    api_key: str | None
    explain: bool


def read(asked: Asked) -> int:
    """The exit code; of a run that ended early, threads may still wait for a server. Raises UsageError, RunError."""
    chosen = format_of(asked)
    with contextlib.ExitStack() as stack:
        engine = engine_of(asked, find(asked, stack))
        stack.callback(engine.close)
        try:
            engine.start()
            stream = stack.enter_context(output.opened(asked.out)) if asked.out else sys.stdout.buffer
            form = FORMATS[chosen] if chosen else text_format(engine.files)
            rows = Output(stream, form, str(asked.out or "stdout"))
            done = begin(rows, asked, engine.files, engine.model)
            with progress(len(engine.files), done.rows, asked.out is not None) as advance:
                counts = run.run(engine, rows, done, advance)
        except KeyboardInterrupt:
            say("stopped; " + ("the same command goes on with it" if asked.out else "with --out FILE it could go on"))
            return INTERRUPTED
        except BrokenPipeError:
            return BROKEN_PIPE
    if len(engine.files) > 1:
        say(summary(counts, done))
    return SOME_UNREADABLE if counts.failed or done.failed else ALL_READ


def format_of(asked: Asked) -> str | None:
    """None: for people. Raises UsageError."""
    if len(asked.formats) > 1:
        raise UsageError(f"--{' and --'.join(asked.formats)} are given; choose one")
    chosen = asked.formats[0] if asked.formats else None
    if asked.out and not chosen:
        chosen = asked.out.suffix.removeprefix(".").lower()
        if chosen not in FORMATS:
            raise UsageError(
                f"--out is {str(asked.out)!r}; choose --csv, --json or --jsonl, or a name that ends in one"
            )
    if asked.overwrite and not asked.out:
        raise UsageError("--overwrite is for --out, which is not given")
    if asked.explain and chosen not in ("json", "jsonl"):
        raise UsageError("--explain needs --json or --jsonl: the other formats have no room for it")
    return chosen


def find(asked: Asked, stack: contextlib.ExitStack) -> list[File]:
    """At least one. A picture from stdin becomes a file that goes with `stack`. Raises UsageError."""
    if [*asked.sources, asked.files_from].count("-") > 1:
        raise UsageError("- is given more than once; there is one stdin")
    found = []
    for source in asked.sources:
        found += [File("-", stack.enter_context(stdin_as_file()))] if source == "-" else files.find([source])
    if asked.files_from:
        found += map(files.as_file, files.in_list(list_of(asked.files_from)))
    if not found:
        raise UsageError("there is nothing to read: name files, folders, a pattern, or a list by --files-from")
    return found


def list_of(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"--files-from is {name!r}, which cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def stdin_as_file() -> Iterator[str]:
    """The path. One byte over the limit is enough to be refused."""
    with tempfile.NamedTemporaryFile(prefix="numeral-") as file:
        file.write(sys.stdin.buffer.read(MOST_BYTES + 1))
        file.flush()
        yield file.name


def engine_of(asked: Asked, found: Sequence[File]) -> Engine:
    """Raises UsageError."""
    if asked.url:
        return through_server(asked, found)
    options = {
        "precision": asked.precision,
        "models_dir": asked.models_dir and str(asked.models_dir.absolute()),
        **({"model": asked.model} if asked.model else {}),
    }
    if asked.engine == "ray":
        from numeral.cluster import Cluster

        return Cluster(found, asked.ray_address, asked.processes, options, asked.explain)
    if asked.engine != "local":
        raise UsageError(f"--engine is {asked.engine!r}; allowed: local, ray")
    if asked.ray_address:
        raise UsageError("--ray-address is for --engine ray")
    from numeral.workers import Workers, cores

    chunks = -(-len(found) // run.CHUNK)
    return SideBySide(found, Workers(min(asked.processes or cores(), chunks), options, asked.explain))


def through_server(asked: Asked, found: Sequence[File]) -> Engine:
    """Raises UsageError."""
    if asked.precision != "auto" or asked.models_dir or asked.processes:
        raise UsageError("--precision, --models-dir and --processes are of this machine; a server has its own")
    if asked.engine != "local" or asked.ray_address:
        raise UsageError("--engine and --ray-address say where this command reads; with --url the server does")
    from numeral.remote import Remote

    return SideBySide(found, Remote(asked.url or "", asked.connections, asked.model, asked.explain, asked.api_key))


def begin(rows: Output, asked: Asked, found: Sequence[File], model: dict[str, str]) -> Done:
    """What a run before has left. Raises UsageError where it is not of this command."""
    if not asked.out:
        return Done()
    if asked.overwrite:
        rows.clear()
        return Done()
    done = rows.resume(found, model)
    if done.rows:
        rest = (
            "going on with the others"
            if done.rows < len(found)
            else "there is nothing left to do (--overwrite begins anew)"
        )
        say(f"{asked.out} has {done.rows:,} of {len(found):,} files already; {rest}")
    return done


@contextlib.contextmanager
def progress(total: int, done: int, quiet_stdout: bool) -> Iterator[Callable[[int], None]]:
    """On a terminal, where no rows go to it themselves. What is yielded is told of files that were read."""
    if not sys.stderr.isatty() or (sys.stdout.isatty() and not quiet_stdout):
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, completed=done)
        yield lambda count: bar.advance(task, count)


def summary(counts: Counts, done: Done) -> str:
    read = f"{sum(counts):,} files: {counts.accepted:,} accepted, {counts.refused:,} not, {counts.failed:,} unreadable"
    return f"{read}; {done.rows:,} were read before, {done.failed:,} unreadable" if done.rows else read


def say(line: str) -> None:
    print(f"numeral: {line}", file=sys.stderr)
