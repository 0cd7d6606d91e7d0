"""What /v2 says of the server and its models."""

from collections.abc import Mapping

from service import version
from service.model.artefact import Artefact
from service.model.engine import Engine
from service.web.open_inference.wire import (
    ConfigTensor,
    IndexEntry,
    ModelConfig,
    ModelMetadata,
    ModelParameters,
    ServerMetadata,
    TensorMetadata,
)

# A model has one: what is served changes with a reload, and its hash with it. A folder NAME@VERSION is another model.
VERSION = "1"

PLATFORM = "onnxruntime_onnx"

EXTENSIONS = ["binary_tensor_data", "classification", "model_repository", "model_configuration"]


def server() -> ServerMetadata:
    return ServerMetadata(name="numeral", version=version.VERSION, extensions=EXTENSIONS)


def inputs(artefact: Artefact) -> list[TensorMetadata]:
    """A request has one of them."""
    return [
        TensorMetadata(name="images", datatype="UINT8", shape=[-1, *artefact.shape]),
        TensorMetadata(name="files", datatype="BYTES", shape=[-1]),
    ]


def inputs_in_words(artefact: Artefact) -> str:
    form = "grey levels 0 to 255, light on dark as in MNIST" if artefact.reads_digits else "levels 0 to 255"
    shape = ", ".join(map(str, artefact.shape))
    return f"UINT8 [N, {shape}], {form}; BYTES [N], image files, in JSON as base64"


def outputs(artefact: Artefact) -> list[TensorMetadata]:
    answer = ("digit", "INT64") if artefact.reads_digits else ("label", "BYTES")
    of_image = [answer, ("confidence", "FP32"), ("accepted", "BOOL"), ("reason", "BYTES")]
    return [
        TensorMetadata(name="probabilities", datatype="FP32", shape=[-1, len(artefact.labels)]),
        *(TensorMetadata(name=name, datatype=datatype, shape=[-1]) for name, datatype in of_image),
    ]


def metadata(engine: Engine) -> ModelMetadata:
    artefact = engine.artefact
    return ModelMetadata(
        name=artefact.name,
        versions=[VERSION],
        platform=PLATFORM,
        inputs=inputs(artefact),
        outputs=outputs(artefact),
        parameters=ModelParameters(
            labels=list(artefact.labels),
            sha256=artefact.sha256,
            precision=artefact.precision,
            provider=engine.provider,
            reject_threshold=artefact.reject_threshold,
        ),
    )


def config(artefact: Artefact, max_files: int) -> ModelConfig:
    return ModelConfig(
        name=artefact.name,
        platform=PLATFORM,
        max_batch_size=max_files,
        input=[config_tensor(each, optional=True) for each in inputs(artefact)],
        output=[config_tensor(each) for each in outputs(artefact)],
    )


def config_tensor(tensor: TensorMetadata, optional: bool | None = None) -> ConfigTensor:
    """Triton leaves out the dimension of the batch, and calls a text a string."""
    kind = "STRING" if tensor.datatype == "BYTES" else tensor.datatype
    return ConfigTensor(name=tensor.name, data_type=f"TYPE_{kind}", dims=tensor.shape[1:] or [1], optional=optional)


def index(engines: Mapping[str, Engine]) -> list[IndexEntry]:
    return [IndexEntry(name=name, version=VERSION, state="READY", reason="") for name in sorted(engines)]
