"""A model in this process, and the pictures that it reads."""

import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from numeral.reading import Model, Reading
from numeral.source import read_file, shown, why_not
from service import settings
from service.errors import StartError
from service.fleet import workers
from service.model import verdict
from service.model.artefact import find_folders, load
from service.model.engine import Engine, precisions
from service.picture.fault import FaultKind, Unreadable
from service.picture.prepare import Prepared, Wanted, prepare
from service.settings import DEFAULT_MODEL, PrecisionChoice, ProviderChoice, Settings

# A path, the bytes of a file, or pixels as Pillow or numpy have them: uint8 [H, W] in grey, [H, W, 3] or [H, W, 4].
Source = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]

# Pictures that are in memory at a time.
BATCH = 64


class Reader:
    """Answers as the service does. May be used by several threads.

    model: a folder of `models_dir`, which is the shipped models' where none is given. provider: `auto` takes CUDA where
    onnxruntime-gpu has it. threads: of ONNX Runtime on a CPU; 0: as many as there are cores. NUMERAL_ variables set the
    limits, as they do a service's.

    Raises StartError where the model or the provider cannot be had.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        precision: PrecisionChoice = "auto",
        models_dir: str | os.PathLike[str] | None = None,
        provider: ProviderChoice = "auto",
        threads: int = 0,
    ) -> None:
        where = {} if models_dir is None else {"models_dir": Path(models_dir)}
        chosen = settings.load(
            default_model=model, precision=precision, provider=provider, workers=1, threads=threads, **where
        )
        self._engine = open_engine(chosen)
        artefact = self._engine.artefact
        self.model = Model(artefact.name, artefact.precision, artefact.sha256)
        self.max_pixels = chosen.max_pixels
        self._wanted = Wanted(artefact.reads_digits, artefact.shape, chosen.max_pixels)

    def warm_up(self) -> None:
        """What is slow the first time. Raises StartError where the model cannot run."""
        self._engine.warm_up()

    def read(self, source: Source, *, explain: bool = False) -> Reading:
        """Raises Unreadable where it is no picture that can be read, OSError where the file cannot be opened."""
        prepared = prepare(content_of(source), self._wanted)
        if prepared.fault:
            kind, detail = prepared.fault
            raise Unreadable(kind, f"{name_of(source) or 'the picture'}: {detail}")
        (candidates,) = self._infer([prepared])
        return self._reading(name_of(source), prepared, candidates, explain)

    def read_many(self, sources: Iterable[Source], *, explain: bool = False) -> Iterator[Reading]:
        """In their order, a batch at a time. One that cannot be read is a Reading with an `error`."""
        left = iter(sources)
        while some := list(islice(left, BATCH)):
            tried = [self._try(source) for source in some]
            seen = iter(self._infer([one for one in tried if isinstance(one, Prepared)]))
            for source, one in zip(some, tried, strict=True):
                if isinstance(one, Prepared):
                    yield self._reading(name_of(source), one, next(seen), explain)
                else:
                    yield unreadable(name_of(source), one, self.model)

    def _try(self, source: Source) -> Prepared | str:
        """Or why it cannot be read."""
        try:
            prepared = prepare(content_of(source), self._wanted)
        except OSError as error:
            return why_not(error)
        except Unreadable as error:
            return error.fault.detail
        return prepared.fault.detail if prepared.fault else prepared

    def _infer(self, prepared: Sequence[Prepared]) -> list[list[list[float]]]:
        """Of each picture the probabilities of its candidates; of one without any, none."""
        pixels = [one.pixels for one in prepared if one.pixels is not None]
        rows = iter(verdict.rounded(self._run(np.concatenate(pixels)))) if pixels else iter(())
        return [[] if one.pixels is None else list(islice(rows, len(one.pixels))) for one in prepared]

    def _run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[N, *shape] → [N, classes]"""
        engine = self._engine
        batches = [images[start : start + engine.max_batch] for start in range(0, len(images), engine.max_batch)]
        run = engine.executor.map if engine.executor else map
        return np.concatenate(list(run(engine.run, batches)))

    def _reading(self, file: str | None, prepared: Prepared, candidates: list[list[float]], explain: bool) -> Reading:
        artefact = self._engine.artefact
        said = (
            verdict.classified(artefact, candidates) if candidates else verdict.refused(artefact, prepared.reason or "")
        )
        explained = tuple(verdict.explained(artefact, prepared, candidates)) if explain else None
        return Reading(file=file, **{"digit": None, **said}, model=self.model, note=prepared.note, candidates=explained)


@functools.cache
def reader() -> Reader:
    """The one of `read`."""
    return Reader()


def read(source: Source) -> Reading:
    """By the default model, which stays loaded. Raises as `Reader` and its `read` do."""
    return reader().read(source)


def unreadable(file: str | None, error: str, model: Model) -> Reading:
    return Reading(file, None, 0.0, False, None, None, model, None, error=error)


def open_engine(chosen: Settings) -> Engine:
    """Of the one model. Raises StartError."""
    folders = find_folders(chosen.models_dir)
    if chosen.default_model not in folders:
        allowed = f"allowed, as {chosen.models_dir} holds them: {', '.join(folders)}"
        raise StartError(f"model {chosen.default_model[:40]!r} is unknown; {allowed}")
    artefact = load(folders[chosen.default_model], *precisions(chosen))
    return Engine(artefact, chosen.provider, workers.threads(chosen), chosen.max_batch)


def content_of(source: Source) -> bytes:
    """Pixels as they are in a PNG, that they take the way of all others. Raises OSError, Unreadable, TypeError."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | os.PathLike):
        return read_file(source)
    if not isinstance(source, Image.Image | np.ndarray):
        # As whoever has no type checker learns it.
        allowed = "allowed: a path, the bytes of a file, a Pillow image, an array"  # type: ignore[unreachable]
        raise TypeError(f"the picture is {source!r:.40}, of type {type(source).__name__}; {allowed}")
    image = source if isinstance(source, Image.Image) else image_of(source)
    buffer = BytesIO()
    try:
        image.save(buffer, "PNG", compress_level=1)
    except (OSError, SystemError) as error:
        raise Unreadable(FaultKind.UNSUPPORTED, f"the image of mode {image.mode} cannot be taken: {error}") from error
    return buffer.getvalue()


def image_of(pixels: NDArray[np.uint8]) -> Image.Image:
    """Raises Unreadable."""
    try:
        return Image.fromarray(pixels)
    except (TypeError, ValueError) as error:
        what = f"an array of {pixels.dtype} {list(pixels.shape)}"
        allowed = "allowed: uint8 [H, W], [H, W, 3], [H, W, 4]"
        raise Unreadable(FaultKind.UNSUPPORTED, f"{what} is no picture; {allowed}") from error


def name_of(source: Source) -> str | None:
    return shown(source) if isinstance(source, str | os.PathLike) else None
