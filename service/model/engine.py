"""Runs one model with ONNX Runtime, on the execution provider that was asked for and on no other."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from service.errors import StartError
from service.fleet import workers
from service.model.artefact import Artefact, Precision, load_all
from service.model.cuda_graph import Replay
from service.runtime import CPU, CUDA, runtime
from service.settings import ProviderChoice, Settings

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

logger = logging.getLogger("numeral")

# The default search measures every algorithm anew for each batch size.
CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC"}
CUDA_GRAPH = {"enable_cuda_graph": "1"}

# Of a probability: TF32 multiplies with ten bits of mantissa, and each session may pick another kernel.
TF32_NOISE = 5e-3

# VNNI of x86, and the dot product of ARM, as Linux names them.
CPU_INFO = Path("/proc/cpuinfo")
INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "asimddp"})

# On CUDA every new batch size is slow once, so batches are padded to one of these, all run before ready.
CUDA_BATCHES = (1, 4, 16, 64, 256)


class Engine:
    """`provider` is what ONNX Runtime says it runs on, not what was asked for; `max_batch` is what pays there."""

    def __init__(self, artefact: Artefact, provider: ProviderChoice, threads: int, max_batch: int) -> None:
        self.artefact = artefact
        self._session = open_session(artefact, provider, threads)
        self.provider: str = self._session.get_providers()[0]
        pays = artefact.cpu_batch if self.provider == CPU else None
        self.max_batch = min(max_batch, pays or max_batch)
        self._replay: Replay | None = None
        # The thread to run in, where there is one: ONNX Runtime keeps CUDA graphs by thread, so the one that warms up
        # must be the one that serves.
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="inference") if self.provider == CUDA else None

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [N, *shape], N up to `max_batch` → probabilities, float32 [N, classes]."""
        count = len(images)
        if self.provider == CUDA:
            images = pad(images, self.max_batch)
        return (self._replay.run(images) if self._replay else run_once(self._session, images))[:count]

    def warm_up(self) -> None:
        """Runs each batch size that is slow the first time. Raises StartError where the model cannot run."""
        if self.executor:
            self.executor.submit(self._warm_up).result()
        else:
            self._warm_up()

    def _warm_up(self) -> None:
        sizes = {*CUDA_BATCHES, self.max_batch} if self.provider == CUDA else {1, self.max_batch}
        warmed = sorted(size for size in sizes if size <= self.max_batch)
        for size in warmed:
            self.try_run(size)
        if self.provider == CUDA:
            self._replay = capture(self.artefact, self._session, warmed)

    def try_run(self, size: int) -> None:
        with start_errors(f"model {self.artefact.name} fails at a batch of {size}"):
            classes = self.run(np.zeros((size, *self.artefact.shape), np.uint8)).shape[1]
        if classes != len(self.artefact.labels):
            raise StartError(
                f"model {self.artefact.name} gives {classes} probabilities, "
                f"and its metadata.json has {len(self.artefact.labels)} labels"
            )


def load_engines(
    settings: Settings, models_dir: Path | None = None, before: Mapping[str, Engine] = MappingProxyType({})
) -> dict[str, Engine]:
    """By model name, from the settings' folder of models if no other is given. Those of `before` whose artefacts are
    the same are taken over.

    Raises StartError where a model or the execution provider cannot be had.
    """
    folder = models_dir or settings.models_dir
    artefacts = load_all(folder, precisions(settings))
    if settings.default_model not in artefacts:
        raise StartError(
            f"NUMERAL_DEFAULT_MODEL is {settings.default_model!r}; allowed, as {folder} holds them: "
            f"{', '.join(artefacts)}"
        )
    return {
        name: take_over(artefact, before.get(name)) or load(artefact, settings) for name, artefact in artefacts.items()
    }


def load(artefact: Artefact, settings: Settings) -> Engine:
    """Raises StartError."""
    return Engine(artefact, settings.provider, workers.threads(settings), settings.max_batch)


def take_over(artefact: Artefact, before: Engine | None) -> Engine | None:
    return before if before and before.artefact.is_same(artefact) else None


def precisions(settings: Settings) -> tuple[Precision, ...]:
    """In the order of preference: int8 first where it may be chosen, runs on the CPU, and that is made for it."""
    if settings.precision != "auto":
        return (settings.precision,)
    cuda = settings.provider == "cuda" or CUDA in runtime().get_available_providers()
    on_cpu = settings.provider == "cpu" or not cuda
    return ("int8", "fp32") if on_cpu and has_int8_instructions() else ("fp32",)


def has_int8_instructions() -> bool:
    """VNNI of x86, or the dot product of ARM. Without them int8 is slower than fp32. Told by Linux alone."""
    try:
        words = CPU_INFO.read_text().split()
    except OSError:
        return False
    return not INT8_FLAGS.isdisjoint(words)


def run_once(session: "InferenceSession", images: NDArray[np.uint8]) -> NDArray[np.float32]:
    probabilities: NDArray[np.float32] = session.run(["probabilities"], {"images": images})[0]
    return probabilities


def capture(artefact: Artefact, plain: "InferenceSession", sizes: Sequence[int]) -> Replay | None:
    """None, which the log says, where graphs do not hold for the model: an operator of it is not on the device, say."""
    rng = np.random.default_rng(0)
    try:
        session = create_session(artefact, runtime().SessionOptions(), [(CUDA, CUDA_OPTIONS | CUDA_GRAPH), CPU])
        with start_errors(f"model {artefact.name} cannot be captured"):
            replay = Replay(session, sizes, artefact.shape, len(artefact.labels))
            for size in (*sizes, *sizes):  # the first run of a size captures, the second replays
                images = rng.integers(0, 256, (size, *artefact.shape), np.uint8)
                if not np.allclose(replay.run(images), run_once(plain, images), atol=TF32_NOISE):
                    raise StartError(f"a batch of {size} is answered otherwise than without")
    except StartError as error:
        logger.info("model %s runs without CUDA graphs: %s", artefact.name, error)
        return None
    return replay


def pad(images: NDArray[np.uint8], max_batch: int) -> NDArray[np.uint8]:
    """Blank images behind, up to the next size of `CUDA_BATCHES`."""
    size = min((size for size in CUDA_BATCHES if size >= len(images)), default=max_batch)
    size = max(len(images), min(size, max_batch))
    return np.concatenate([images, np.zeros((size - len(images), *images.shape[1:]), np.uint8)])


def open_session(artefact: Artefact, provider: ProviderChoice, threads: int) -> "InferenceSession":
    """Raises StartError where `cuda` is asked for and cannot be had."""
    if artefact.precision == "int8" and provider == "cuda":
        raise StartError("NUMERAL_PRECISION is 'int8' and NUMERAL_PROVIDER 'cuda'; int8 runs on the CPU: auto or cpu")
    if artefact.precision == "fp32" and provider != "cpu":
        try:
            return cuda_session(artefact)
        except StartError as error:
            if provider == "cuda":
                raise StartError(f"NUMERAL_PROVIDER is 'cuda', but {error}; allowed here: auto, cpu") from error
            logger.info("model %s runs on the CPU: %s", artefact.name, error)
    return cpu_session(artefact, threads)


def cuda_session(artefact: Artefact) -> "InferenceSession":
    if CUDA not in runtime().get_available_providers():
        raise StartError("this onnxruntime has no CUDA provider (the extra 'gpu' installs one that has)")
    runtime().preload_dlls()
    # Where the driver or a library is missing ONNX Runtime logs it and carries on without CUDA.
    session = create_session(artefact, runtime().SessionOptions(), [(CUDA, CUDA_OPTIONS), CPU])
    if session.get_providers()[0] != CUDA:
        raise StartError("CUDA could not be started (ONNX Runtime says why in the log)")
    return session


def cpu_session(artefact: Artefact, threads: int) -> "InferenceSession":
    options = runtime().SessionOptions()
    options.intra_op_num_threads = threads
    # Spinning threads would fight the HTTP process for the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return create_session(artefact, options, [CPU])


def create_session(
    artefact: Artefact, options: "SessionOptions", providers: list[str | tuple[str, dict[str, str]]]
) -> "InferenceSession":
    model = artefact.read_model()
    # Else it takes a format of its own too, by the first bytes.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    with start_errors(f"model {artefact.name} cannot be loaded by ONNX Runtime"):
        session: InferenceSession = runtime().InferenceSession(model, options, providers=providers)
    return session


@contextmanager
def start_errors(what: str) -> Iterator[None]:
    """Raises StartError, with `what` before the reason, in place of what ONNX Runtime raises."""
    try:
        yield
    except StartError:
        raise
    except Exception as error:  # its exceptions share no base class of their own
        raise StartError(f"{what}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
