"""The device of a run, its precision, and what to write down about them."""

import platform
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch

from training.errors import TrainingError
from training.run import onnx_runtime

DeviceChoice = Literal["auto", "cuda", "cpu"]
LIBRARIES = ("torch", "torchvision", "numpy", "onnx", "onnxscript", "onnxruntime")

# The weights of units that have died fall under 1e-38, where a CPU multiplies a hundred times as slowly: there they are
# 0 instead. Torch's threads inherit this as they start, and not later, so it is set as early as can be.
torch.set_flush_denormal(True)


def pick(choice: DeviceChoice) -> torch.device:
    """Raises TrainingError where `cuda` is asked for and cannot be had; `auto` takes it where there is one."""
    if choice == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device 'cuda' is not available to this torch; allowed here: auto, cpu")
    return torch.device("cuda" if choice != "cpu" and torch.cuda.is_available() else "cpu")


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16; emulated bfloat16 is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch older than 2.12 cannot tell of a CPU: float32 is always right.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def synchronize(device: torch.device) -> None:
    """Waits for what the device has been given to do, so that it can be timed."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def describe(device: torch.device) -> str:
    """The name of the hardware, as a figure should carry it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{cpu_model()}, {torch.get_num_threads()} threads"


def cpu_model() -> str:
    try:
        with Path("/proc/cpuinfo").open() as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def environment(device: torch.device) -> dict[str, str]:
    """Hardware, precision and versions, for the run folder and the artefact's metadata."""
    precision = "bfloat16 autocast" if has_bf16(device) else "float32"
    return {"device": describe(device), "precision": precision, **versions()}


def version(library: str) -> str:
    try:
        module = onnx_runtime.imported() if library == "onnxruntime" else import_module(library)
        return str(module.__version__)
    except ImportError:
        return "not installed"


def versions() -> dict[str, str]:
    libraries = {name: version(name) for name in LIBRARIES}
    return {"platform": f"{platform.system()} {platform.machine()}", "python": platform.python_version(), **libraries}
