"""Training flushes what is under the least normal float32, in all of torch's threads."""

import subprocess
import sys

from tests.harness import ROOT

# In parts that two threads share; the second is of the main thread alone.
COUNT = """
import torch
torch.set_num_threads(2)
for size in 4_000_000, 8:
    print((torch.full((size,), 1e-38) * 0.01).count_nonzero().item())
"""

# By ONNX Runtime, whose first session sets the same for the thread that it is opened in.
PREPARE_A_PICTURE = """
from service.picture.prepare import warm_up
warm_up()
"""


def left_over(before: str) -> list[int]:
    finished = subprocess.run(
        [sys.executable, "-c", before + COUNT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [int(line) for line in finished.stdout.split()]


def test_numbers_too_small_to_be_normal_are_zero_where_networks_are_trained() -> None:
    assert left_over("import training.train") == [0, 0]


def test_and_are_still_once_pictures_have_been_prepared() -> None:
    assert left_over("import training.train\n" + PREPARE_A_PICTURE) == [0, 0]


def test_they_are_not_by_torch_itself() -> None:
    assert left_over("") == [4_000_000, 8]
