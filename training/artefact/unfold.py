"""An exported network as one that can be trained on: `fold` and `graph`, undone.

`model.pt` has a convolution and its batch normalisation as one, without the taps that meet padding alone, and AlexNet's
first one for the image as it is before its resize. All that was left out made no difference to an answer, so it can be
put back: taps of zero, the smallest kernel of those that come to the same, and a batch normalisation that takes away
what it adds.
"""

import json
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.artefact import torchscript
from training.artefact.fold import can_fold_resize, unfolded_kernel
from training.artefact.parity import torchscript_outputs
from training.errors import TrainingError
from training.networks.classifier import Classifier
from training.networks.googlenet import ConvBNReLU
from training.run.predict import predict
from training.run.recipe import Recipe
from training.run.run_folder import recipe_of

MODEL = "model.pt"
METADATA = "metadata.json"

# A logit of what was put back may be so far from the artefact's; logits are about 10 apart.
MOST_DIFFERENCE = 1e-3

# On so many images batch normalisation is measured, and the networks are compared.
IMAGES = 1_000

PREFIX = "classifier.network."
State = dict[str, Tensor]


def is_artefact(folder: Path) -> bool:
    return (folder / METADATA).is_file() and (folder / MODEL).is_file()


def unfolded(folder: Path, labels: tuple[str, ...], images: Tensor) -> Classifier:
    """The network of the artefact in `folder`, which answers as that does, in evaluation mode.

    images: uint8 [N, *shape], such as it is to be trained on: it starts with their mean and variance in each batch
    normalisation. Raises TrainingError where the artefact has other `labels`, or a network that is not known here.
    """
    recipe = recipe_for(folder, labels)
    classifier = Classifier(recipe.network, len(labels), recipe.contract).to(images.device).eval()
    try:
        put_back(classifier, state_of(folder))
    except (KeyError, RuntimeError) as error:
        raise TrainingError(f"{folder} holds another {recipe.network} than this version has") from error
    some = images[torch.linspace(0, len(images) - 1, min(IMAGES, len(images))).long()]
    measure_batch_norm(classifier, some)
    prove(classifier, folder, some)
    return classifier


def recipe_for(folder: Path, labels: tuple[str, ...]) -> Recipe:
    try:
        metadata = json.loads((folder / METADATA).read_text())
        recipe, own = recipe_of(metadata["recipe"]), metadata["labels"]
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{folder / METADATA} is none that an export writes: {error!r}") from error
    if tuple(own) != labels:
        raise TrainingError(f"the data has the classes {', '.join(labels)}; {folder} has {', '.join(own)}")
    return recipe


def state_of(folder: Path) -> State:
    """Names as within `Classifier.network`."""
    state = torchscript.read(folder / MODEL).state_dict()
    return {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}


def put_back(classifier: Classifier, folded: State) -> None:
    """Batch normalisation does nothing yet but add the bias.

    Raises KeyError or RuntimeError where names or shapes differ.
    """
    network = classifier.network
    state = with_resize(classifier, folded) if can_fold_resize(classifier.preprocess.contract, network) else folded
    biases = {f"{name}.0.bias": block for name, block in network.named_modules() if isinstance(block, ConvBNReLU)}
    for name, block in biases.items():
        norm = cast("nn.BatchNorm2d", block[1])
        state = state | {name.replace("0.bias", f"1.{key}"): value for key, value in norm.state_dict().items()}
        state[name.replace("0.bias", "1.bias")] = state[name]
    whole = network.state_dict()
    kept = {name: with_all_taps(value, whole[name]) for name, value in state.items() if name not in biases}
    network.load_state_dict(kept)


def with_all_taps(folded: Tensor, whole: Tensor) -> Tensor:
    """A kernel of the size of `whole`, zero around what was kept of it."""
    margin = (whole.shape[-1] - folded.shape[-1]) // 2 if folded.ndim == 4 else 0
    return F.pad(folded, [margin] * 4) if margin else folded


def with_resize(classifier: Classifier, folded: State) -> State:
    """The first convolution for the resized image. Folded, three layers are one: those behind have other numbers."""
    contract, first = classifier.preprocess.contract, cast("nn.Conv2d", classifier.network[0])
    kernels = torch.stack([folded[f"0.phases.{phase}.weight"] for phase in range(4)])
    factor = contract.network_size // contract.size
    weight = unfolded_kernel(kernels, first, factor, contract.size)
    state = {"0.weight": weight, "0.bias": folded["0.phases.0.bias"]}
    behind = (name.split(".", 1) for name in folded if not name.startswith("0."))
    return state | {f"{int(number) + 2}.{rest}": folded[f"{number}.{rest}"] for number, rest in behind}


def measure_batch_norm(classifier: Classifier, images: Tensor) -> None:
    """Gives each the mean and the variance of `images`, and takes them away from what it does: it answers as before."""
    found: dict[nn.BatchNorm2d, tuple[Tensor, Tensor]] = {}

    def note(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        variance, mean = torch.var_mean(inputs[0].double(), dim=(0, 2, 3), correction=0)
        found[cast("nn.BatchNorm2d", norm)] = mean.float(), variance.float()

    norms = [layer for layer in classifier.modules() if isinstance(layer, nn.BatchNorm2d)]
    if not norms:
        return
    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    with torch.inference_mode():
        classifier(images)
    for hook in hooks:
        hook.remove()
    for norm, (mean, variance) in found.items():
        undo_batch_norm(norm, mean.clone(), variance.clone())


@torch.no_grad()
def undo_batch_norm(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """With these statistics it adds its bias, and does nothing else."""
    cast("Tensor", norm.running_mean).copy_(mean)
    cast("Tensor", norm.running_var).copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.add_(mean)


def prove(classifier: Classifier, folder: Path, images: Tensor) -> None:
    """Raises TrainingError where it does not answer as the artefact does."""
    _, expected = torchscript_outputs(folder / MODEL, images.cpu())
    error = np.abs(predict(classifier, images).cpu().numpy() - expected).max()
    if not error <= MOST_DIFFERENCE:
        raise TrainingError(
            f"{folder} cannot be trained on: what was put back of it answers otherwise, logits differ by up to "
            f"{error:.2g}; allowed: {MOST_DIFFERENCE}"
        )
