"""Requests made up from /docs.json, by rule and at random: no answer is a fault of the server, and each has a status,
media type, headers and body that the document names.

A few hundred here; `make schemathesis` sends some ten thousand.
"""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.harness import ROOT

logger = logging.getLogger("numeral")

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)

# At random for each operation, beside those by rule.
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "5")


def test_made_up_requests_are_answered_as_documented(server: str, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{server}/docs.json"]
    options = ["--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--continue-on-failure"]
    fixed = ["--max-examples", EXAMPLES, "--seed", "1", "--generation-deterministic", "--no-color"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.made_up_requests", "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [*command, *options, *fixed], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    counted = re.search(r"(\d+) generated, (\d+) passed", result.stdout)
    assert counted, result.stdout
    logger.info(counted[0])
    assert int(counted[1]) == int(counted[2]) > 300
