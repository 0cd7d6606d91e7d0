"""Data sets come from disk, from a folder tree or from the built-in sample, split once and for all."""

import gzip
import hashlib
import struct
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision import datasets

from service.picture.normalise import normalise
from tests.harness import Digits
from training.data.dataset import as_tensors, load_dataset, load_sample, shaped
from training.errors import TrainingError
from training.networks.alexnet_cifar import CONTRACT as COLOUR
from training.networks.googlenet import CONTRACT


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """The format of the MNIST files (LeCun): magic number, sizes, bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


@pytest.fixture
def mnist_on_disk(tmp_path: Path, digits: Digits) -> Path:
    """MNIST's own files, of 6,000 and 100 images."""
    images = np.concatenate([digits.images, digits.images[:1000]])
    labels = np.concatenate([digits.labels, digits.labels[:1000]]).astype(np.uint8)
    raw = tmp_path / "MNIST/raw"
    write_idx(raw / "train-images-idx3-ubyte", images)
    write_idx(raw / "train-labels-idx1-ubyte", labels)
    write_idx(raw / "t10k-images-idx3-ubyte", digits.images[:100])
    write_idx(raw / "t10k-labels-idx1-ubyte", digits.labels[:100].astype(np.uint8))
    return tmp_path


def test_mnist_is_read_from_disk_with_5000_images_held_out(mnist_on_disk: Path) -> None:
    dataset = load_dataset("mnist", mnist_on_disk, CONTRACT)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [1000, 5000, 100]
    assert dataset.train.images.dtype == torch.uint8
    assert dataset.train.images.shape == (1000, 28, 28)
    assert dataset.train.labels.dtype == torch.int64
    assert dataset.labels == tuple("0123456789")


def test_the_sample_needs_no_disk_and_its_splits_share_no_image() -> None:
    dataset = load_dataset("sample", Path("absent"), CONTRACT)
    splits = [dataset.train, dataset.validation, dataset.test]
    assert [len(split) for split in splits] == [4000, 500, 500]
    seen = [{image.numpy().tobytes() for image in split.images} for split in splits]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 5000


def test_the_split_is_the_same_every_time() -> None:
    first, second = load_sample(), load_sample()
    assert torch.equal(first.validation.images, second.validation.images)
    assert torch.equal(first.test.labels, second.test.labels)


def test_a_missing_data_set_says_the_four_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", ["http://127.0.0.1:9/"])  # nothing listens there
    with pytest.raises(TrainingError) as raised:
        load_dataset("mnist", tmp_path, CONTRACT)
    for way in ("downloads it", "--data-dir DIR", "--data sample", "--data folder:PATH"):
        assert way in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_a_download_is_taken_only_with_the_right_checksum(
    mnist_on_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real download, over HTTP, of files whose checksums are known; then with one byte changed."""
    offered = tmp_path / "offered"
    offered.mkdir()
    checksums = []
    for raw in sorted((mnist_on_disk / "MNIST/raw").iterdir()):
        packed = offered / f"{raw.name}.gz"
        packed.write_bytes(gzip.compress(raw.read_bytes(), mtime=0))
        checksums.append((packed.name, hashlib.md5(packed.read_bytes()).hexdigest()))
    monkeypatch.setattr("torchvision.datasets.MNIST.resources", checksums)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=offered)) as mirror:
        Thread(target=mirror.serve_forever).start()
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [f"http://127.0.0.1:{mirror.server_port}/"])
        try:
            assert len(load_dataset("mnist", tmp_path / "whole", CONTRACT).train) == 1000
            damaged = offered / "t10k-labels-idx1-ubyte.gz"
            damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
            with pytest.raises(
                TrainingError, match=r"MNIST cannot be read from .*(Error downloading t10k-labels-idx1-ubyte|corrupted)"
            ):
                load_dataset("mnist", tmp_path / "damaged", CONTRACT)
        finally:
            mirror.shutdown()


def test_an_unknown_data_set_names_the_known() -> None:
    with pytest.raises(
        TrainingError, match="data 'svhn' is unknown; known: mnist, fashion-mnist, cifar10, sample, folder:PATH"
    ):
        load_dataset("svhn", Path(), CONTRACT)


def write_tree(root: Path, digits: Digits, per_class: int) -> None:
    for label in range(3):
        (root / str(label)).mkdir(parents=True)
        for i in range(per_class):
            Image.fromarray(digits.pick(label, i)).resize((40, 30)).save(root / str(label) / f"{i}.png")


def test_a_tree_of_class_folders_is_read_resized_and_split(tmp_path: Path, digits: Digits) -> None:
    write_tree(tmp_path, digits, per_class=24)
    dataset = load_dataset(f"folder:{tmp_path}", Path(), CONTRACT)
    assert dataset.labels == ("0", "1", "2")
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [55, 5, 12]
    assert dataset.train.images.shape == (55, 28, 28)


def test_a_tree_of_digits_is_normalised_as_uploads_are(
    tmp_path: Path, digits: Digits, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in range(10):
        (tmp_path / str(label)).mkdir()
        for i in range(3):
            paper = np.full((120, 90), 230, np.uint8)
            paper[40:96, 20:76] -= np.asarray(Image.fromarray(digits.pick(label, i)).resize((56, 56))) // 2
            Image.fromarray(paper).save(tmp_path / str(label) / f"{i}.png")
    Image.new("L", (50, 50), 255).save(tmp_path / "4/blank.png")
    dataset = load_dataset(f"folder:{tmp_path}", Path(), CONTRACT)
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 30
    assert "1 of 31 images are left out, as the service would refuse them" in (said := capsys.readouterr().out)
    assert "4/blank.png: blank" in said
    for image, label in zip(dataset.train.images, dataset.train.labels, strict=True):
        files = [tmp_path / f"{label}/{i}.png" for i in range(3)]
        made = [found[0] for file in files if (found := normalise(Image.open(file)).digits) is not None]
        assert any(np.array_equal(image, digit) for digit in made)
        assert image.median() == 0


def test_a_tree_with_train_and_test_keeps_them_apart(tmp_path: Path, digits: Digits) -> None:
    write_tree(tmp_path / "train", digits, per_class=8)
    write_tree(tmp_path / "test", digits, per_class=2)
    dataset = load_dataset(f"folder:{tmp_path}", Path(), CONTRACT)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [22, 2, 6]


def test_an_unreadable_image_is_named(tmp_path: Path, digits: Digits) -> None:
    write_tree(tmp_path, digits, per_class=10)
    broken = tmp_path / "1/3.png"
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(TrainingError, match=r"1/3\.png cannot be read as an image"):
        load_dataset(f"folder:{tmp_path}", Path(), CONTRACT)


def test_a_folder_without_classes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is no tree of class folders"):
        load_dataset(f"folder:{tmp_path}", Path(), CONTRACT)


def test_too_few_images_are_an_error(tmp_path: Path, digits: Digits) -> None:
    write_tree(tmp_path, digits, per_class=2)
    with pytest.raises(TrainingError, match="holds 6 images; at least 24"):
        load_dataset(f"folder:{tmp_path}", Path(), CONTRACT)


def test_images_are_brought_to_what_the_network_takes(tmp_path: Path, digits: Digits) -> None:
    """Grey is repeated in each channel, and colour is greyed."""
    write_tree(tmp_path, digits, per_class=24)
    coloured = load_dataset(f"folder:{tmp_path}", Path(), COLOUR).train.images
    assert (coloured.dtype, coloured.shape[1:]) == (torch.uint8, (3, 32, 32))
    grey = load_dataset("sample", Path("absent"), COLOUR).train.images
    assert grey.shape == (4000, 3, 32, 32)
    assert (grey[:, 0] == grey[:, 2]).all()
    assert shaped(grey, CONTRACT).shape == (4000, 28, 28)


def test_resizing_is_that_of_pillow(digits: Digits) -> None:
    """As the articles resize; a level of rounding apart."""
    ours = shaped(torch.from_numpy(digits.images[:5]), COLOUR)[:, 0].to(torch.int16)
    for image, resized in zip(digits.images[:5], ours, strict=True):
        theirs = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR)).astype(np.int16)
        assert np.abs(theirs - resized.numpy()).max() <= 1


def test_cifar_comes_with_its_channels_last_and_goes_with_them_first() -> None:
    source = datasets.CIFAR10.__new__(datasets.CIFAR10)
    source.data = np.arange(2 * 32 * 32 * 3, dtype=np.uint8).reshape(2, 32, 32, 3)
    source.targets = [3, 7]
    split = as_tensors(source)
    assert split.images.shape == (2, 3, 32, 32)
    assert (split.images[1, 2].numpy() == source.data[1, :, :, 2]).all()
    assert split.labels.tolist() == [3, 7]
