"""What a finished run has trained."""

from pathlib import Path

import torch

from training.errors import TrainingError
from training.networks.classifier import Classifier
from training.run import run_folder


def load_classifier(folder: Path, labels: tuple[str, ...], on: torch.device) -> Classifier:
    """The averaged weights of a run's last epoch. Raises TrainingError where the run has other `labels`."""
    recipe = run_folder.read_recipe(folder)
    state = run_folder.load_checkpoint(folder, on)
    if len(state["rows"]) < recipe.epochs:
        raise TrainingError(
            f"{folder} has finished {len(state['rows'])} of {recipe.epochs} epochs; "
            f"go on with: python -m training.train --resume {folder}"
        )
    run_folder.check_labels(state, labels)
    classifier = Classifier(recipe.network, len(labels), recipe.contract).to(on).to(memory_format=torch.channels_last)
    averaged = {
        name.removeprefix("module."): value for name, value in state["averaged"].items() if name.startswith("module.")
    }
    try:
        classifier.load_state_dict(averaged)
    except RuntimeError as error:
        raise TrainingError(f"{folder} was trained with another {recipe.network} than this version has") from error
    return classifier.eval()
