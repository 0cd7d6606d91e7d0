"""What is described is what the articles print: shapes and parameters, layer by layer."""

import pytest

from training.describe import describe
from training.describe import main as describe_main

Rows = list[tuple[str, tuple[int, ...], int]]


def rows(network: str, classes: int = 10, channels: int | None = None) -> Rows:
    """Kind, shape of the output and parameters of each layer."""
    layers = describe(network, classes, channels).summary_list
    return [
        (layer.class_name, tuple(layer.output_size[1:]), layer.num_params) for layer in layers if layer.is_leaf_layer
    ]


def shapes(network: str) -> list[tuple[int, ...]]:
    """Of the stages that change it."""
    kinds = ("Conv2d", "MaxPool2d", "AdaptiveAvgPool2d", "Flatten", "Linear")
    return [shape for kind, shape, _ in rows(network) if kind in kinds]


def parameters(network: str, classes: int = 10, channels: int | None = None) -> list[int]:
    """Of the layers that have any."""
    return [count for kind, _, count in rows(network, classes, channels) if kind in ("Conv2d", "Linear")]


def test_alexnet_of_dive_into_deep_learning() -> None:
    maps = [(96, 54), (96, 26), (256, 26), (256, 12), (384, 12), (384, 12), (256, 12), (256, 5)]
    assert shapes("alexnet-d2l") == [*((c, s, s) for c, s in maps), (6400,), (4096,), (4096,), (10,)]
    assert sum(parameters("alexnet-d2l")) == 46_764_746


def test_alexnet_of_the_paper() -> None:
    sides = [shape[-1] for shape in shapes("alexnet-paper") if len(shape) == 3]
    assert sides == [55, 27, 27, 13, 13, 13, 13, 6]
    convolutions = [11_712, 614_656, 885_120, 1_327_488, 884_992]
    assert parameters("alexnet-paper") == [*convolutions, 37_752_832, 16_781_312, 40_970]
    assert describe("alexnet-paper").total_params == 58_299_082


def test_alexnet_of_the_paper_on_imagenet() -> None:
    counts = parameters("alexnet-paper", classes=1000, channels=3)
    assert (counts[0], counts[-1], sum(counts)) == (34_944, 4_097_000, 62_378_344)


def test_alexnet_for_small_images() -> None:
    maps = [(64, 32), (64, 16), (192, 16), (192, 8), (384, 8), (256, 8), (256, 8), (256, 4), (256, 6)]
    assert shapes("alexnet-cifar") == [*((c, s, s) for c, s in maps), (9216,), (4096,), (4096,), (10,)]


def test_simplified_alexnet_with_its_repair() -> None:
    maps = [(64, 55), (64, 27), (192, 27), (192, 13), (192, 5)]
    assert shapes("alexnet-lite") == [*((c, s, s) for c, s in maps), (4800,), (256,), (128,), (10,)]
    assert sum(parameters("alexnet-lite")) == 1_578_442


def test_googlenet_as_printed() -> None:
    blocks = [(shape, kind) for kind, shape, _ in inception_blocks()]
    outputs = [256, 480, 512, 512, 512, 528, 832, 832, 1024]
    assert [shape[0] for shape, _ in blocks] == outputs
    assert describe("googlenet-plain").total_params == 5_977_530


def inception_blocks() -> Rows:
    layers = describe("googlenet-plain").summary_list
    blocks = [layer for layer in layers if layer.class_name == "PlainInception"]
    return [(layer.class_name, tuple(layer.output_size[1:]), layer.num_params) for layer in blocks]


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    describe_main(["alexnet-cifar"])
    printed = capsys.readouterr().out
    assert "56,826,698" in printed
    assert "[1, 256, 6, 6]" in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lenet"], "network 'lenet' is unknown; known: alexnet-cifar, alexnet-d2l, alexnet-lite, alexnet-paper"),
        (["googlenet", "--channels", "3"], "channels is 3; googlenet takes 1"),
        (["alexnet-paper", "--classes", "0"], "classes is 0; it must be above 0"),
        (["alexnet-paper", "--classes", "-1"], "classes is -1; it must be above 0"),
        (["alexnet-cifar", "--classes", "10000000000000000"], "it must be above 0, and 1,000,000,000 at most"),
        (["alexnet-paper", "--channels", "0"], "channels is 0; it must be above 0"),
        (["alexnet-paper", "--channels", "-2"], "channels is -2; it must be above 0"),
    ],
)
def test_what_cannot_be_described_is_said(arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        describe_main(arguments)
