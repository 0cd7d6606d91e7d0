"""The JSON of the protocol, as it is read and as /docs.json describes it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

# Inputs or outputs that a request may name, and dimensions that a shape may have.
TENSORS = 16
DIMENSIONS = 8

Name = Annotated[str, Field(min_length=1, max_length=256)]
Shape = Annotated[list[Annotated[int, Field(ge=-1, le=2**31)]], Field(max_length=DIMENSIONS)]


class Wire(BaseModel):
    # What the protocol's extensions add is no mistake; what is there is of the type that it should be.
    model_config = ConfigDict(extra="ignore", strict=True)


class InputParameters(Wire):
    binary_data_size: int | None = Field(
        default=None, ge=0, le=2**40, description="bytes of the tensor behind the JSON, in place of `data`"
    )


class RequestInput(Wire):
    name: Name = Field(description="any: a request has one input, and its datatype says what it holds")
    datatype: str = Field(
        max_length=16,
        description="UINT8: canonical images; BYTES: image files",
        json_schema_extra={"enum": ["UINT8", "BYTES"]},
    )
    shape: Shape = Field(description="[N, 28, 28] or as /v2/models/{model} says; of files [N]. N may be -1")
    parameters: InputParameters | None = None
    data: list[Any] | None = Field(
        default=None, description="grey levels 0 to 255, flat or nested; or image files in base64"
    )


class OutputParameters(Wire):
    binary_data: bool | None = Field(default=None, description="send this output behind the JSON")
    classification: int | None = Field(
        default=None, ge=1, le=1000, description="of `probabilities`: the k likeliest, as 'probability:index:label'"
    )


class RequestOutput(Wire):
    name: Name
    parameters: OutputParameters | None = None


class RequestParameters(Wire):
    binary_data_output: bool | None = Field(default=None, description="send all outputs behind the JSON")
    # Microseconds, 0 for any number. The description of an inference says so in words: requests that are made up from
    # this would be late most of the time.
    timeout: SkipJsonSchema[int | None] = Field(default=None, ge=0, le=2**40)


class InferRequest(Wire):
    id: str | None = Field(default=None, max_length=1024, description="comes back in the answer")
    parameters: RequestParameters | None = None
    inputs: list[RequestInput] = Field(min_length=1, max_length=TENSORS, description="one")
    outputs: list[RequestOutput] | None = Field(
        default=None, max_length=TENSORS, description="which of the model's are wanted; all where none is named"
    )


class ResponseOutput(BaseModel):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, int] | None = Field(
        default=None, description="binary_data_size: bytes of the tensor behind the JSON, in place of `data`"
    )
    data: list[Any] | None = Field(default=None, description="flat, in row-major order")


class InferResponse(BaseModel):
    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]


class ServerMetadata(BaseModel):
    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    live: bool


class Ready(BaseModel):
    ready: bool


class ModelReady(BaseModel):
    name: str
    ready: bool


class TensorMetadata(BaseModel):
    name: str
    datatype: str
    shape: list[int] = Field(description="-1: the number of images")


class ModelParameters(BaseModel):
    labels: list[str] = Field(description="of the classes, in the order of `probabilities`")
    sha256: str = Field(description="of the model file")
    precision: str
    provider: str = Field(description="the execution provider that is active")
    reject_threshold: float = Field(description="`accepted` is false where `confidence` is less")


class ModelMetadata(BaseModel):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata] = Field(description="a request has one of these")
    outputs: list[TensorMetadata]
    parameters: ModelParameters


class ConfigTensor(BaseModel):
    name: str
    data_type: str
    dims: list[int]
    optional: bool | None = None


class ModelConfig(BaseModel):
    """Of Triton's configuration what its clients look at. Shapes are those of one image."""

    name: str
    platform: str
    max_batch_size: int
    input: list[ConfigTensor]
    output: list[ConfigTensor]


class RepositoryModel(BaseModel):
    name: str
    sha256: str = Field(description="of the model file that is served now")
    changed: bool = Field(description="false: it was served already")


class IndexEntry(BaseModel):
    name: str
    version: str
    state: str
    reason: str
