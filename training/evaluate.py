"""Evaluates a run, `python -m training.evaluate RUN`, or a running service on labelled pictures,
`python -m training.evaluate --uploads DIR --url http://localhost:3000`.

Of a run: accuracy with a 95 % interval, a table by class, the confusion matrix and the worst mistakes as a contact
sheet. The split is `validation` unless `--split test` is given: read the test split once, at the end.

Of a service: accuracy, accepted share, accuracy of the accepted, calibration error (ECE), how well confidence tells
digits from what is none (AUROC), confusion, mistakes, and risk against coverage. DIR holds a folder for each source,
with a labels.csv (filename,label) or folders named 0 to 9; the label -1 is for what is no digit. This form has options
of its own: --url, --model and --pictures; `--uploads DIR --help` lists them.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from sklearn.metrics import classification_report
from torch import Tensor

from training.data import labelled
from training.data.dataset import JOIN, load_dataset
from training.errors import TrainingError
from training.judge import uploads
from training.judge.accuracy import Accuracy
from training.judge.by_source import of_joined
from training.run import hardware, plots, run_folder
from training.run.predict import predict
from training.run.trained import load_classifier

# So many mistakes are shown at most.
WORST = 40


def worst_mistakes(logits: Tensor, labels: Tensor) -> Tensor:
    """Indices of wrong answers, the surest of its wrong class first."""
    confidences, predictions = logits.softmax(dim=1).max(dim=1)
    wrong = (predictions != labels).nonzero().flatten()
    return wrong[confidences[wrong].argsort(descending=True)][:WORST]


@dataclass(frozen=True)
class Arguments:
    run: tyro.conf.Positional[Path]
    """the run folder"""
    split: Literal["validation", "test"] = "validation"
    data_dir: Path = Path("data")
    device: hardware.DeviceChoice = "auto"


def evaluate(arguments: Arguments) -> Accuracy:
    recipe = run_folder.read_recipe(arguments.run)
    if recipe.validate_on_test and arguments.split == "validation":
        raise TrainingError(f"{arguments.run} was trained on the validation split too; allowed: --split test")
    on = hardware.pick(arguments.device)
    dataset = load_dataset(recipe.data, arguments.data_dir, recipe.contract)
    names = dataset.labels
    classifier = load_classifier(arguments.run, names, on)
    split = (dataset.test if arguments.split == "test" else dataset.validation).to(on)
    logits = predict(classifier, split.images)
    predictions = logits.argmax(dim=1)
    accuracy = Accuracy(int((predictions == split.labels).sum()), len(split))

    worst = worst_mistakes(logits, split.labels)
    titles = [f"{names[split.labels[i]]} read as {names[predictions[i]]}" for i in worst.tolist()]
    confusion, mistakes = (arguments.run / f"{arguments.split}-{what}.png" for what in ("confusion", "mistakes"))
    plots.save_confusion(split.labels, predictions, names, f"{arguments.split} split", confusion)
    plots.save_contact_sheet(split.images[worst], titles, mistakes)

    print(f"{arguments.run}, {arguments.split} split of {recipe.data.split(JOIN)[0]}: {accuracy}")
    for line in of_joined(classifier, recipe, dataset.joined, on):
        print(line)
    print(
        classification_report(
            split.labels.cpu(),
            predictions.cpu(),
            labels=range(len(names)),
            target_names=names,
            digits=4,
            zero_division=0,
        )
    )
    print(f"confusion matrix: {confusion}\nworst mistakes: {mistakes}")
    return accuracy


@dataclass(frozen=True)
class UploadArguments:
    uploads: Path
    """folder of labelled pictures"""
    url: str = "http://localhost:3000"
    model: str | None = None
    """the service's default if not given"""
    pictures: Path = Path("runs/uploads")
    """where confusion.png, mistakes.png and risk-coverage.png go"""


def evaluate_uploads(arguments: UploadArguments) -> None:
    answers = uploads.ask(labelled.find(arguments.uploads), arguments.url, arguments.model)
    print(uploads.report(answers))
    uploads.save_pictures(answers, arguments.pictures)
    print(f"confusion matrix, mistakes and the curve of risk against coverage: {arguments.pictures}")


def main(arguments: list[str] | None = None) -> None:
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if any(argument.split("=")[0] == "--uploads" for argument in given):
            evaluate_uploads(
                tyro.cli(UploadArguments, prog="python -m training.evaluate", description=__doc__, args=given)
            )
        else:
            evaluate(tyro.cli(Arguments, prog="python -m training.evaluate", description=__doc__, args=given))
    except TrainingError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
