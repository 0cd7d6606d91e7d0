"""`numeral serve`: BentoML's own server in place of this process, so that signals and children are as without us."""

import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

from numeral.errors import UsageError
from service import settings
from service.errors import StartError

# From where BentoML imports the service; in it lies `exported/` too, here and where a wheel is installed.
ROOT = Path(__file__).resolve().parent.parent


def serve(host: str, port: int) -> NoReturn:
    """Raises UsageError where a setting is wrong or the address cannot be had."""
    paths = absolute_paths()
    check_free(host, port)
    print(f"numeral: open http://{as_in_urls(host)}:{port} (Ctrl-C stops)", file=sys.stderr, flush=True)
    # BentoML reports its use to its makers unless told not to.
    environment = {"BENTOML_DO_NOT_TRACK": "True", **os.environ, **paths}
    command = [sys.executable, "-m", "bentoml", "serve", "service.app:Numeral"]
    where = ["--working-dir", str(ROOT), "--host", host, "--port", str(port)]
    # Python looks for modules where it is started, and the user's folder may hold a random.py.
    os.chdir(ROOT)
    os.execve(sys.executable, command + where, environment)  # noqa: S606  # no shell is wanted


def absolute_paths() -> dict[str, str]:
    """Of the settings: they mean from where the user is. Raises UsageError."""
    try:
        chosen = settings.load()
    except StartError as error:
        raise UsageError(str(error)) from error
    return {
        f"{settings.PREFIX}{name.upper()}": str(value.absolute()) for name, value in chosen if isinstance(value, Path)
    }


def check_free(host: str, port: int) -> None:
    """BentoML itself says so in 58 lines."""
    try:
        (family, _, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        why = f"port {port} of {host} cannot be had: {error.strerror}"
        raise UsageError(f"{why}; --port and --host choose another") from error


def as_in_urls(host: str) -> str:
    """All addresses of this machine are reached by its own name."""
    if host in ("0.0.0.0", "::", "127.0.0.1"):  # noqa: S104  # they are compared with
        return "localhost"
    return f"[{host}]" if ":" in host else host
