"""Reads files through a server, by several connections. What it asks to be sent later is; what is dropped on the way is
sent again, as reading a picture twice harms nothing."""

import email.utils
import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import httpx

from numeral.errors import RunError, UsageError
from numeral.files import File
from numeral.rows import Row, unreadable
from numeral.source import read_file, why_not
from service.picture.fault import Unreadable

# Of a request with several files: a service takes twelve million bytes by default, and has five seconds for them all.
REQUEST_BYTES = 4_000_000
REQUEST_FILES = 32

# Seconds: how long a request is sent again where the server is gone or full; between two times where the server does
# not say, at first and at most.
PATIENCE = 180.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0

# Of one request: an answer is owed within a few seconds of its last byte.
TIMEOUT = httpx.Timeout(60, connect=10)

# What an error is about: one of the files; one of them perhaps, which is tried so many times; the server's load.
OF_A_FILE = frozenset({400, 413, 415, 422})
OF_A_FILE_PERHAPS = frozenset({408, 500, 504})
ATTEMPTS_OF_A_FILE = 3
OF_THE_LOAD = frozenset({429, 502, 503})


class Refused(Exception):
    """A request was answered with an error that one of its files may be the reason of."""


class Later(Exception):
    """A request is to be sent again, in so many seconds where the server said how many."""

    def __init__(self, why: str, seconds: float | None = None) -> None:
        super().__init__(why)
        self.seconds = seconds


class Remote:
    """url: of the server. model: its default if None."""

    def __init__(
        self, url: str, connections: int, model: str | None, explain: bool, api_key: str | None = None
    ) -> None:
        self.parallel = connections
        self.model: dict[str, str] = {}
        self._url = url if "://" in url else f"http://{url}"
        self._asked = {"model": model} if model else {}
        if explain:
            self._asked["explain"] = "1"
        self._closed = threading.Event()
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        try:
            self._client = httpx.Client(base_url=self._url, timeout=TIMEOUT, limits=limits, headers=key_of(api_key))
        except httpx.InvalidURL as error:
            raise UsageError(f"--url is {url!r}: {error}") from error
        if self._client.base_url.scheme not in ("http", "https") or not self._client.base_url.host:
            raise UsageError(f"--url is {url!r}; allowed: http and https, as in http://localhost:3000")

    def start(self) -> None:
        """Raises UsageError where there is no such model, RunError where no numeral service answers."""
        models = self._json(self._send("GET", "/models"))
        wanted = self._asked.get("model")
        try:
            name = wanted or next(name for name, of in models.items() if of["default"])
            if name not in models:
                raise UsageError(f"model {name!r} is unknown to {self._url}; allowed: {', '.join(models)}")
            self.model = {"name": name, "precision": models[name]["precision"], "sha256": models[name]["sha256"]}
        except (KeyError, TypeError, AttributeError, StopIteration) as error:
            raise self._no_numeral("its /models is not that of one") from error

    def read(self, files: Sequence[File]) -> list[Row]:
        """In their order. A file is opened when its request is next. Raises RunError where the server is gone."""
        opened = ((file, content_or_why(file)) for file in files)
        return [row for some in requests_of(opened) for row in self._rows(some)]

    def close(self) -> None:
        self._closed.set()
        self._client.close()

    def _rows(self, some: Sequence[tuple[File, bytes | str]]) -> list[Row]:
        sent = [(file, content) for file, content in some if isinstance(content, bytes)]
        answers = iter(self._ask(sent) if sent else ())
        return [
            next(answers) if isinstance(content, bytes) else unreadable(file.name, content, self.model)
            for file, content in some
        ]

    def _ask(self, some: Sequence[tuple[File, bytes]]) -> list[Row]:
        """A request of several that is refused as a whole is sent again one by one."""
        try:
            response = self._send("POST", "/classify", some)
        except Refused as refused:
            if len(some) > 1:
                return [row for one in some for row in self._ask([one])]
            return [unreadable(some[0][0].name, str(refused), self.model)]
        answers = self._json(response)
        answers = answers if isinstance(answers, list) else [answers]
        try:
            return [self._row(file, answer) for (file, _), answer in zip(some, answers, strict=True)]
        except (KeyError, ValueError, TypeError) as error:
            raise self._no_numeral("its answer is not that of one") from error

    def _row(self, file: File, answer: dict[str, Any]) -> Row:
        """Without what differs from one run to the next."""
        if "detail" in answer:
            return unreadable(file.name, answer["detail"], self.model)
        answered = {name: answer.get(name) for name in ("digit", "confidence", "accepted", "reason", "probabilities")}
        more: Row = {name: answer[name] for name in ("label", "candidates") if name in answer}
        return {"file": file.name, **answered, "model": answer["model"], "note": answer["note"], "error": None, **more}

    def _send(self, method: str, path: str, some: Sequence[tuple[File, bytes]] = ()) -> httpx.Response:
        """Until it is answered. Raises Refused, and RunError where the server cannot, or will not."""
        until = time.monotonic() + PATIENCE
        pause = FIRST_PAUSE
        for attempt in itertools.count(1):
            try:
                return self._send_once(method, path, some, attempt)
            except Later as later:
                wait = pause if later.seconds is None else max(later.seconds, FIRST_PAUSE)
                if time.monotonic() + wait > until:
                    detail = f"has not answered within {PATIENCE:g} s, or asks to wait longer: {later}"
                    raise RunError(f"{self._url} {detail}") from later
            if self._closed.wait(wait):
                break
            pause = min(2 * pause, LONGEST_PAUSE)
        raise RunError("the run was ended")

    def _send_once(self, method: str, path: str, some: Sequence[tuple[File, bytes]], attempt: int) -> httpx.Response:
        """Raises Later too. A file's name is nothing that a server need know."""
        files = [("image", (str(number), content)) for number, (_, content) in enumerate(some)]
        try:
            response = self._client.request(method, path, params=self._asked if some else None, files=files or None)
        except (httpx.TransportError, RuntimeError) as error:  # RuntimeError: the client was closed
            why = f"{type(error).__name__}: {error}"
            if not some:  # who has not answered yet may be nobody
                raise RunError(f"{self._url} cannot be reached: {why}") from error
            raise Later(why) from error
        except httpx.DecodingError as error:
            raise self._no_numeral(f"its answer cannot be decoded: {error}") from error
        if response.is_success:
            return response
        raise self._error_of(response, attempt, len(some))

    def _error_of(self, response: httpx.Response, attempt: int, files: int) -> Exception:
        """Refused, Later or RunError: whether a file, the moment or the server as a whole is at fault."""
        status, detail = response.status_code, detail_of(response)
        last = files > 1 or attempt >= ATTEMPTS_OF_A_FILE
        if files and (status in OF_A_FILE or (status in OF_A_FILE_PERHAPS and last)):
            return Refused(detail)
        if status in OF_A_FILE_PERHAPS | OF_THE_LOAD:
            return Later(f"{status}: {detail}", pause_asked(response))
        return RunError(f"{self._url} answers {status}: {detail}")

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise self._no_numeral("its answer is no JSON") from error

    def _no_numeral(self, why: str) -> RunError:
        return RunError(f"{self._url} does not answer as a numeral service does: {why}")


def key_of(api_key: str | None) -> dict[str, str]:
    """The header that carries it. Raises UsageError, which does not repeat it."""
    if api_key is None:
        return {}
    if not api_key.isascii() or not api_key.isprintable():
        raise UsageError("--api-key holds what is no printable ASCII; allowed: a key as the server's file has it")
    return {"X-API-Key": api_key}


def content_or_why(file: File) -> bytes | str:
    """Or why it cannot be sent."""
    try:
        return read_file(file.path)
    except OSError as error:
        return why_not(error)
    except Unreadable as error:
        return error.fault.detail


def requests_of(opened: Iterable[tuple[File, bytes | str]]) -> Iterator[list[tuple[File, bytes | str]]]:
    """In order, and no more in each than a service takes, but for a file that has more bytes by itself."""
    some: list[tuple[File, bytes | str]] = []
    size = 0
    for file, content in opened:
        if len(some) == REQUEST_FILES or (some and size + len(content) > REQUEST_BYTES):
            yield some
            some, size = [], 0
        some.append((file, content))
        size += len(content)
    if some:
        yield some


def detail_of(response: httpx.Response) -> str:
    """Of a problem, or the first words of what is none."""
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text[:80]


def pause_asked(response: httpx.Response) -> float | None:
    """Seconds, of a Retry-After header: a number of them or a date (RFC 9110, section 10.2.3)."""
    asked = response.headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return None
