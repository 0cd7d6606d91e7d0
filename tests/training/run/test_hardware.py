"""Training flushes what is under the least normal float32, in all of torch's threads."""

import subprocess
import sys

from tests.harness import ROOT

# In parts that several threads share; the second is of main's thread alone.
CODE = """
import torch
{imported}
for size in 4_000_000, 8:
    print((torch.full((size,), 1e-38) * 0.01).count_nonzero().item())
"""


def left_over(imported: str) -> list[int]:
    command = [sys.executable, "-c", CODE.format(imported=imported)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [int(line) for line in finished.stdout.split()]


def test_numbers_too_small_to_be_normal_are_zero_where_networks_are_trained() -> None:
    assert left_over("import training.train") == [0, 0]


def test_they_are_not_else() -> None:
    assert left_over("") == [4_000_000, 8]
