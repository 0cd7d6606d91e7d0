"""The servers that are compared: how each is started, where it is asked, and why it cannot be had where it cannot."""

import importlib.util
import json
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from service.fleet import workers

CORES = workers.cores()
ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PEERS = ROOT / "benchmarks/peers"


@dataclass(frozen=True)
class Load:
    """What is asked of a server: which body, over how many connections."""

    body: str
    connections: int = 32
    images: int = 1
    when: str = ""

    def __str__(self) -> str:
        return f"{self.body}, {self.connections} connections{self.when}"


RAW = Load("raw")
OUR_LOADS = (
    RAW,
    Load("multipart image"),
    Load("raw", 8),
    Load("raw", 128),
    Load("raw", 1, when=" right after"),
    Load("64 files", 4, images=64),
    Load("raw", 1),
)


@dataclass(frozen=True)
class Target:
    """`command` is given the port and a folder to write into; `needs` is a module that must be there."""

    name: str
    command: Callable[[int, Path], Sequence[str]]
    needs: str
    loads: Sequence[Load] = (RAW,)
    path: str = "/classify"
    ready: str = "/"
    environment: dict[str, str] = field(default_factory=dict)

    def missing(self) -> str | None:
        return None if importlib.util.find_spec(self.needs) else f"the package {self.needs} is not installed"


def bentoml(service: str) -> Callable[[int, Path], Sequence[str]]:
    return lambda port, _: (f"{BIN}/bentoml", "serve", *([service] if service else []), "--port", str(port))


def uvicorn(app: str, workers: int) -> Callable[[int, Path], Sequence[str]]:
    options = ("--workers", str(workers), "--log-level", "warning", "--no-access-log")
    return lambda port, _: (f"{BIN}/uvicorn", app, "--port", str(port), *options)


def module(name: str, workers: int) -> Callable[[int, Path], Sequence[str]]:
    return lambda port, _: (sys.executable, "-m", name, str(port), str(workers))


def mosec(workers: int, stages: int) -> Callable[[int, Path], Sequence[str]]:
    name = "benchmarks.peers.mosec_app"
    return lambda port, _: (sys.executable, "-m", name, str(port), str(workers), str(stages))


def triton(port: int, folder: Path) -> Sequence[str]:
    """The server out of NVIDIA's wheel, which has one backend: Python, here with ONNX Runtime in it."""
    wheel = importlib.util.find_spec("pytriton")
    if not wheel or not wheel.submodule_search_locations:
        raise RuntimeError("the package pytriton is not installed")
    server = Path(next(iter(wheel.submodule_search_locations)), "tritonserver")
    backends = folder / "backends"
    shutil.copytree(server / "backends", backends)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copy(server / "python_backend_stubs" / version / "triton_python_backend_stub", backends / "python")
    model = folder / "models/digits"
    (model / "1").mkdir(parents=True)
    shutil.copy(PEERS / "triton_model.py", model / "1/model.py")
    (model / "config.pbtxt").write_text(
        'name: "digits" backend: "python" max_batch_size: 64 '
        'input [{name: "images" data_type: TYPE_UINT8 dims: [28, 28]}] '
        'output [{name: "probabilities" data_type: TYPE_FP32 dims: [10]}] '
        f"instance_group [{{count: {CORES} kind: KIND_CPU}}] "
        "dynamic_batching {max_queue_delay_microseconds: 1000}"
    )
    libraries = ":".join([str(server.parents[1] / "nvidia_pytriton.libs"), sysconfig.get_config_var("LIBDIR")])
    options = {
        "model-repository": folder / "models",
        "backend-directory": backends,
        "http-port": port,
        "allow-grpc": "false",
        "allow-metrics": "false",
        "allow-gpu-metrics": "false",
    }
    start = [str(server / "bin/tritonserver"), *(f"--{name}={value}" for name, value in options.items())]
    return ["env", f"LD_LIBRARY_PATH={libraries}", *start]


def torchserve(port: int, folder: Path) -> Sequence[str]:
    handler = PEERS / "torchserve_handler.py"
    files = ["--handler", str(handler), "--extra-files", str(folder / "model.pt"), "--export-path", str(folder)]
    shutil.copy(Path(os.environ["BENCH_MODEL"]).with_name("model.pt"), folder)
    archive = [f"{BIN}/torch-model-archiver", "--model-name", "digits", "--version", "1", *files]
    subprocess.run(archive, check=True, capture_output=True)
    batching = {"minWorkers": CORES, "maxWorkers": CORES, "batchSize": 16, "maxBatchDelay": 5}
    model = {"digits": {"1": {"defaultVersion": True, "marName": "digits.mar", **batching}}}
    properties = {
        "inference_address": f"http://127.0.0.1:{port}",
        "management_address": f"http://127.0.0.1:{port + 1}",
        "metrics_address": f"http://127.0.0.1:{port + 2}",
        "model_store": folder,
        "load_models": "all",
        "models": json.dumps(model),
        "disable_token_authorization": "true",
    }
    (folder / "config.properties").write_text("\n".join(f"{name}={value}" for name, value in properties.items()))
    options = ["--foreground", "--disable-token-auth", "--ts-config", str(folder / "config.properties")]
    logs = [f"LOG_LOCATION={folder}", f"METRICS_LOCATION={folder}"]  # its folder is the current one else
    return ["env", *logs, f"{BIN}/torchserve", "--start", "--model-store", str(folder), *options]


SITE_PACKAGES = {"BENCH_SITE_PACKAGES": os.pathsep.join(site.getsitepackages())}

OURS = Target("numeral", bentoml(""), "bentoml", OUR_LOADS, ready="/readyz")

TARGETS = (
    OURS,
    *(Target(f"plain ASGI, {n} workers", uvicorn("benchmarks.peers.plain_asgi:app", n), "uvicorn") for n in (1, CORES)),
    Target(
        "Triton (Python backend)",
        triton,
        "pytriton",
        [Load("tensor")],
        "/v2/models/digits/infer",
        "/v2/health/ready",
        SITE_PACKAGES,
    ),
    *(Target(f"FastAPI, {n} workers", uvicorn("benchmarks.peers.fastapi_app:app", n), "fastapi") for n in (1, CORES)),
    *(
        Target(
            f"LitServe, {n} workers",
            module("benchmarks.peers.litserve_app", n),
            "litserve",
            [Load("multipart request")],
            ready="/health",
        )
        for n in (1, CORES)
    ),
    *(
        Target(f"Mosec, {n} × {stages} processes", mosec(n, stages), "mosec", path="/inference")
        for n, stages in ((1, 1), (CORES, 1), (1, 2))
    ),
    *(Target(f"Ray Serve, {n} replicas", module("benchmarks.peers.ray_app", n), "ray") for n in (1, CORES)),
    *(
        Target(
            f"BentoML batchable, {n} workers",
            bentoml("benchmarks.peers.bentoml_app:Digits"),
            "bentoml",
            [Load("multipart images")],
            ready="/readyz",
            environment={"BENCH_WORKERS": str(n)},
        )
        for n in (1, CORES)
    ),
    Target("TorchServe, TorchScript in fp32", torchserve, "ts", path="/predictions/digits", ready="/ping"),
)
