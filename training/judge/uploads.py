"""Labelled pictures sent to a running service, and what its answers are worth."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from service.picture.decode import decode
from service.picture.grey import WORKING_SIDE, to_grey
from service.picture.structure.limits import Limits
from service.picture.structure.scan import strip
from training.data.dataset import DIGIT_LABELS, MOST_PIXELS, NOT_A_DIGIT
from training.data.labelled import Labelled
from training.errors import TrainingError
from training.judge.accuracy import Accuracy
from training.judge.confidence import Operating, auroc, expected_calibration_error, risk_coverage, risks
from training.run import plots

# Less than a service takes by default: 256 files, and twelve million bytes with the form around them.
FILES_A_REQUEST = 64
BYTES_A_REQUEST = 4_000_000

# So many mistakes are shown at most, and so many pairs of digits that are taken for each other.
WORST = 80
PAIRS = 10


@dataclass(frozen=True)
class Read:
    """What the service answered to one picture; `digit` is None where the normaliser refused it."""

    of: Labelled
    digit: int | None
    confidence: float
    accepted: bool
    reason: str | None

    @property
    def right(self) -> bool:
        return self.digit == self.of.label


def ask(pictures: Sequence[Labelled], url: str, model: str | None) -> list[Read]:
    """Raises TrainingError where the service cannot be reached, or an answer is an error."""
    answers: list[Read] = []
    try:
        with httpx.Client(base_url=url if "://" in url else f"http://{url}", timeout=120) as client:
            for some in requests_of(pictures):
                pairs = zip(some, answers_to(client, some, model), strict=True)
                answers += [as_read(labelled, answer) for labelled, answer in pairs]
    except (httpx.HTTPError, ValueError) as error:  # ValueError: the body is no JSON
        raise TrainingError(f"{url} does not answer as a numeral service does: {error}") from error
    return answers


def requests_of(pictures: Sequence[Labelled]) -> Iterator[list[Labelled]]:
    """In order, and no more in each than a service takes by default."""
    some: list[Labelled] = []
    size = 0
    for labelled in pictures:
        size += labelled.path.stat().st_size
        if some and (len(some) == FILES_A_REQUEST or size > BYTES_A_REQUEST):
            yield some
            some, size = [], labelled.path.stat().st_size
        some.append(labelled)
    if some:
        yield some


def answers_to(client: httpx.Client, pictures: Sequence[Labelled], model: str | None) -> list[dict[str, Any]]:
    files = [("image", (labelled.path.name, labelled.path.read_bytes())) for labelled in pictures]
    response = client.post("/classify", params={"model": model} if model else None, files=files)
    body = response.json()
    if response.is_error and len(files) > 1:
        raise TrainingError(f"the service answered {response.status_code}: {body.get('detail', body)}")
    answers: list[dict[str, Any]] = body if isinstance(body, list) else [body]
    return answers


def as_read(labelled: Labelled, answer: dict[str, Any]) -> Read:
    if "label" in answer:
        raise TrainingError(
            f"model {answer['model']['name']!r} reads labels, not digits: it answered {answer['label']!r} to "
            f"{labelled.path}; choose one that reads digits with --model"
        )
    if "digit" not in answer:
        raise TrainingError(f"{labelled.path} was answered with an error: {answer.get('detail', answer)}")
    return Read(labelled, answer["digit"], answer["confidence"], answer["accepted"], answer["reason"])


def report(answers: Sequence[Read]) -> str:
    """A line for each source; then digits against all that is none, where there are both."""
    sources = list(dict.fromkeys(answer.of.source for answer in answers))
    lines = [line_of(source, [answer for answer in answers if answer.of.source == source]) for source in sources]
    digits = [answer for answer in answers if answer.of.label != NOT_A_DIGIT]
    others = [answer for answer in answers if answer.of.label == NOT_A_DIGIT]
    if digits and len(sources) > 1:
        lines.append(line_of("all digits", digits))
    if digits and others:
        lines.append(f"AUROC digit against no digit: {auroc(confidences(digits), confidences(others)):.4f}")
    if pairs := most_confused(digits):
        lines.append(f"most often taken for another: {pairs}")
    lines += map(line_of_threshold, risk_coverage(confidences(digits), rights(digits), confidences(others)))
    return "\n".join(lines)


def most_confused(digits: Iterable[Read]) -> str:
    """Whether accepted or not."""
    wrong = Counter((one.of.label, one.digit) for one in digits if one.digit is not None and not one.right)
    return ", ".join(f"{label} as {digit} {count}" for (label, digit), count in wrong.most_common(PAIRS))


def line_of_threshold(point: Operating) -> str:
    of_others = "" if point.false_accept_rate is None else f", no digits accepted {point.false_accept_rate:.2%}"
    return f"threshold {point.threshold:.6f}: accepted {point.coverage:.2%}, of these wrong {point.risk:.2%}{of_others}"


def rights(answers: Iterable[Read]) -> np.ndarray:
    return np.array([answer.right for answer in answers], dtype=bool)


def confidences(answers: Iterable[Read]) -> np.ndarray:
    """0 where the normaliser refused."""
    return np.array([answer.confidence for answer in answers])


def line_of(source: str, answers: Sequence[Read]) -> str:
    digits = [answer for answer in answers if answer.of.label != NOT_A_DIGIT]
    others = [answer for answer in answers if answer.of.label == NOT_A_DIGIT]
    parts = []
    if digits:
        accepted = [answer for answer in digits if answer.accepted]
        right = np.array([answer.right for answer in digits])
        read = np.array([answer.digit is not None for answer in digits])
        parts.append(f"accuracy {Accuracy(int(right.sum()), len(digits))}")
        parts.append(f"accepted {len(accepted) / len(digits):.2%}")
        if accepted:
            parts.append(f"of these right {np.mean([answer.right for answer in accepted]):.2%}")
        if read.any():
            parts.append(f"ECE of those read {expected_calibration_error(confidences(digits)[read], right[read]):.2%}")
    if others:
        parts.append(f"{len(others)} no digits, accepted {np.mean([answer.accepted for answer in others]):.2%}")
    reasons = Counter((answer.reason or "").split(":")[0] for answer in answers if not answer.accepted)
    if reasons:
        parts.append("refused as " + ", ".join(f"{reason} {count}" for reason, count in reasons.most_common()))
    return f"{source}: " + "; ".join(parts)


def save_pictures(answers: Sequence[Read], folder: Path) -> None:
    """`confusion.png` of the digits that were read, `mistakes.png`, the surest first, and `risk-coverage.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    read = [(answer.of.label, answer.digit) for answer in answers if answer.of.label >= 0 and answer.digit is not None]
    if read:
        labels, predictions = (torch.tensor(column) for column in zip(*read, strict=True))
        plots.save_confusion(labels, predictions, DIGIT_LABELS, "uploads", folder / "confusion.png")
    if digits := [answer for answer in answers if answer.of.label != NOT_A_DIGIT]:
        accepted = float(np.mean([answer.accepted for answer in digits]))
        plots.save_risk_coverage(*risks(confidences(digits), rights(digits)), accepted, folder / "risk-coverage.png")
    mistakes = [answer for answer in answers if is_mistake(answer)]
    mistakes = sorted(mistakes, key=lambda answer: -answer.confidence)[:WORST]
    images = torch.from_numpy(np.stack([thumbnail(answer.of.path) for answer in mistakes])) if mistakes else Tensor()
    plots.save_contact_sheet(images, [title(answer) for answer in mistakes], folder / "mistakes.png")


def is_mistake(answer: Read) -> bool:
    return answer.accepted if answer.of.label == NOT_A_DIGIT else not answer.right


def title(answer: Read) -> str:
    label = "no digit" if answer.of.label == NOT_A_DIGIT else answer.of.label
    read = "refused" if answer.digit is None else f"{answer.digit} {answer.confidence:.2f}"
    return f"{label}: {read}"


def thumbnail(path: Path) -> np.ndarray:
    """uint8 [56, 56], as the service sees it: upright, on paper where it was transparent."""
    least_side = 2 * WORKING_SIDE
    stripped = strip(path.read_bytes(), Limits(MOST_PIXELS, least_side=least_side))
    grey = to_grey(decode(stripped, at_least=least_side)).astype(np.uint8)
    return np.asarray(Image.fromarray(grey).resize((56, 56), Image.Resampling.BILINEAR))
