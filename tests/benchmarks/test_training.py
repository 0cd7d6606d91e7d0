"""The printed loop trains the printed network, of plain convolutions; ours is a faster form, on the same data."""

import torch

from benchmarks.time_to_accuracy import Arguments, recipe_of
from benchmarks.training import TUTORIALS, as_printed
from training.networks.googlenet import SmallMapConv2d
from training.networks.googlenet_plain import GoogLeNetPlain


def test_the_printed_network_has_plain_convolutions_and_gives_the_same() -> None:
    ours, printed = GoogLeNetPlain().eval(), as_printed(GoogLeNetPlain()).eval()
    assert any(isinstance(module, SmallMapConv2d) for module in ours.modules())
    assert not any(isinstance(module, SmallMapConv2d) for module in printed.modules())
    printed.load_state_dict(ours.state_dict())
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(printed(images), ours(images), rtol=1e-4, atol=1e-6)


def test_no_images_are_made_by_code_where_training_is_timed() -> None:
    for recipe in (*(tutorial.ours for tutorial in TUTORIALS.values()), recipe_of(Arguments())):
        assert recipe.written_digits == recipe.not_digits == recipe.scenes == 0
