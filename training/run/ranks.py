"""The processes of one run, as torchrun starts them: each has a share of every batch. One by itself has all of it.

The first process has what there is to read (data sets, pictures) and to write (the run folder, what is printed); the
others are told. All have the same weights, schedule and averages, since they take the same steps.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import FrameType
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from training.errors import Lost, TrainingError
from training.networks.across import across
from training.run import hardware

# For the others to wait while the first makes scenes. Of a process that has died torchrun knows at once.
LONGEST_WAIT = timedelta(hours=12)

T = TypeVar("T")


def count() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def is_first() -> bool:
    return not distributed.is_initialized() or distributed.get_rank() == 0


def share(batch: int) -> slice:
    """Of a batch of so many, this process's."""
    if not distributed.is_initialized():
        return slice(0, batch)
    rank, ranks = distributed.get_rank(), distributed.get_world_size()
    return slice(rank * batch // ranks, (rank + 1) * batch // ranks)


def of_first(make: Callable[[], T]) -> T:
    """What the first process makes, in all."""
    if not distributed.is_initialized():
        return make()
    made = [make() if is_first() else None]
    distributed.broadcast_object_list(made, src=0)
    return made[0]  # type: ignore[return-value]  # the others have it by now


def total(values: Tensor) -> Tensor:
    """The sum over all processes."""
    if distributed.is_initialized():
        distributed.all_reduce(values)
    return values


def wait() -> None:
    """Until all are here."""
    if distributed.is_initialized():
        distributed.barrier()


def wrapped(model: nn.Module, batch: int) -> nn.Module:
    """Its gradients are of the whole batch, in all processes, and so are batch statistics and dropout.

    The parameters, and their names, stay those of `model`.
    """
    if not distributed.is_initialized():
        return model
    return DistributedDataParallel(across(model, batch, share(batch)))


@contextlib.contextmanager
def joined(choice: hardware.DeviceChoice) -> Iterator[None]:
    """Under torchrun with the other processes, by NCCL between GPUs and Gloo between CPUs; else by itself.

    Raises TrainingError where this process cannot have what it is to run on.
    """
    if not distributed.is_torchelastic_launched():
        yield
        return
    signal.signal(signal.SIGTERM, stopped)
    on = place(choice)
    distributed.init_process_group("nccl" if on.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    with contextlib.ExitStack() as stack:
        if not is_first():
            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))  # noqa: PTH123
        yield
    wait()
    distributed.destroy_process_group()


def place(choice: hardware.DeviceChoice) -> torch.device:
    """A GPU of its own, or its part of the cores, of which torchrun gives it one."""
    on = hardware.pick(choice)
    local, beside = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if on.type == "cuda":
        if local >= torch.cuda.device_count():
            raise TrainingError(f"{beside} processes were started, and there are {torch.cuda.device_count()} GPUs")
        torch.cuda.set_device(local)
    else:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // beside))
    return on


def stopped(_signal: int, _frame: FrameType | None) -> None:
    """torchrun ends the others where one has died."""
    raise Lost("torchrun ends this process: another one has ended, or it was itself told to end")


def is_lost(error: Exception) -> bool:
    """Whether it says that another process is gone. Gloo's errors have no class of their own."""
    known = isinstance(error, distributed.DistError)
    return distributed.is_initialized() and (known or "gloo" in str(error).lower())
