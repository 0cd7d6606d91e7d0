"""deploy/compose.yaml, as what an engine's command line is given."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.harness import ROOT

SERVICE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["numeral"]

# The command line's names for those of the file. One that is missing here is an error, for it would go untried.
FLAGS = {
    "cap_drop": "--cap-drop",
    "cpus": "--cpus",
    "mem_limit": "--memory",
    "pids_limit": "--pids-limit",
    "read_only": "--read-only",
    "restart": "--restart",
    "security_opt": "--security-opt",
    "tmpfs": "--tmpfs",
}


def options(port: int) -> list[str]:
    """With `port` of this machine in place of the file's own. Raises KeyError for a name that is not known here."""
    (published,) = SERVICE["ports"]
    address, _, inside = published.split(":")
    flags = [f"--publish={address}:{port}:{inside}", f"--stop-timeout={grace_seconds()}"]
    return [*flags, *others()]


def others() -> Iterator[str]:
    for name in SERVICE.keys() - {"image", "ports", "stop_grace_period"}:
        value = SERVICE[name]
        for one in value if isinstance(value, list) else [value]:
            yield f"{FLAGS[name]}={str(one).lower() if isinstance(one, bool) else one}"


def grace_seconds() -> int:
    return int(SERVICE["stop_grace_period"].removesuffix("s"))


def memory_bytes() -> int:
    """By compose's units, which are powers of two."""
    number, unit = re.fullmatch(r"(\d+)([mg])", SERVICE["mem_limit"]).groups()  # type: ignore[union-attr]
    return int(number) * {"m": 2**20, "g": 2**30}[unit]
