"""What a network makes of each thing that it is validated on: a data set, and labelled pictures joined to it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from service.picture.candidates import agreed
from training.data import labelled
from training.data.dataset import JOIN, NOT_A_DIGIT, Split
from training.data.upload_like import Uploads
from training.judge.accuracy import Accuracy
from training.run.predict import predict
from training.run.recipe import Recipe

# No label is this.
UNREAD = -2


def by_source(network: nn.Module, recipe: Recipe, validation: Split, joined: Sequence[Path]) -> Iterator[str]:
    """A line for each. `validation` is on the network's device; of `joined` what is held out of training judges."""
    yield f"{recipe.judged_on} split of {recipe.data.split(JOIN)[0]}: {of_images(network, validation)}"
    yield from of_joined(network, recipe, joined, validation.images.device)


def of_joined(network: nn.Module, recipe: Recipe, joined: Sequence[Path], on: torch.device) -> Iterator[str]:
    for folder in joined:
        held_out = labelled.read(labelled.parted(labelled.find(folder))[1], recipe.contract)
        yield f"{folder}, held out of training: {of_pictures(network, held_out, on)}"


def of_images(network: nn.Module, split: Split) -> Accuracy:
    right = predict(network, split.images).argmax(dim=1) == split.labels
    return Accuracy(int(right.sum()), len(split))


def of_pictures(network: nn.Module, pictures: Uploads, on: torch.device) -> str:
    """Of the digits among them; those that are refused unread are wrong."""
    digits = int((pictures.labels != NOT_A_DIGIT).sum())
    if not digits:
        return f"no digits; one picture in {labelled.HELD_OUT} is, whichever it be"
    return str(Accuracy(int((read_as(network, pictures, on) == pictures.labels).sum()), digits))


def read_as(network: nn.Module, pictures: Uploads, on: torch.device) -> Tensor:
    """int64 [N], the answer to each, `UNREAD` where there is none.

    It is the service's, but that the temperature, which an export fits, is 1: of several candidates that disagree,
    each sure up to `candidates.LEAST`, another may decide there.
    """
    answers = torch.full_like(pictures.labels, UNREAD)
    if not len(pictures.candidates):
        return answers
    probabilities = predict(network, pictures.candidates.to(on)).softmax(dim=1).cpu()
    for number in pictures.owners.unique().tolist():
        means = agreed(probabilities[pictures.owners == number].tolist())
        answers[number] = means.index(max(means))
    return answers
