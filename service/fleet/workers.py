"""How many processes a server has, and how they share out the cores."""

from importlib.metadata import PackageNotFoundError, version

import loky

from service.settings import Settings


def count(settings: Settings) -> int:
    """One for each core; one in all where the networks may run on a GPU, which batches serve better than processes."""
    if settings.workers:
        return settings.workers
    on_cpu = settings.provider == "cpu" or settings.precision == "int8" or not can_use_cuda()
    return cores() if on_cpu else 1


def threads(settings: Settings) -> int:
    """Of ONNX Runtime in each worker: together as many as there are cores."""
    return settings.threads or share_of_cores(settings)


def share_of_cores(settings: Settings) -> int:
    return max(1, cores() // count(settings))


def cores() -> int:
    """That this process may use, by affinity and by the limits of its cgroup."""
    available: int = loky.cpu_count()
    return available


def can_use_cuda() -> bool:
    """Told by the package: to ask ONNX Runtime itself, the supervisor would have to load it."""
    try:
        return bool(version("onnxruntime-gpu"))
    except PackageNotFoundError:
        return False
