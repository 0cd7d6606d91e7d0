"""What an ONNX file asks for, read from its bytes: whose operators, and whether all its weights are in it.

A model is numbers and operators of ONNX's own. Others come from a library, and weights that are kept elsewhere from
whatever path the file names, under no hash: both are refused before ONNX Runtime sees them. The package onnx, which
would tell, is none of the service's. Fields have the numbers of onnx/onnx.proto.
"""

from collections.abc import Iterator
from pathlib import Path

from service.errors import StartError

# The first is how files write the second.
DOMAINS = ("", "ai.onnx")

# By message, the fields with messages that matter, and which these are.
PARTS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
GRAPH = 7
OPERATOR, DOMAIN = 4, 7
TENSOR_NAME, EXTERNAL_DATA, DATA_LOCATION = 8, 13, 14

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5

Field = tuple[int, int | bytes | memoryview]


def check(content: bytes, path: Path) -> None:
    """Raises StartError, which names the operator and its domain or the tensor, unless all is as it may be.

    path: for the message alone.
    """
    try:
        for kind, fields in messages(memoryview(content)):
            if kind == "model" and GRAPH not in [number for number, _ in fields]:
                raise ValueError("it has no graph")
            if kind == "node":
                check_node(fields, path)
            elif kind == "tensor":
                check_tensor(fields, path)
    except ValueError as error:
        raise StartError(f"{path} is no ONNX file: {error}") from error


def check_node(fields: list[Field], path: Path) -> None:
    operator = text_of(fields, OPERATOR)
    for number, value in fields:
        if number == DOMAIN and text(value) not in DOMAINS:
            raise StartError(
                f"{path} uses the operator {operator!r} of the domain {text(value)!r}; allowed: those of ai.onnx, "
                "ONNX's own"
            )


def check_tensor(fields: list[Field], path: Path) -> None:
    if any(number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0) for number, value in fields):
        name = text_of(fields, TENSOR_NAME)
        raise StartError(f"{path} has the weights {name!r} in another file; allowed: all within itself")


def text_of(fields: list[Field], wanted: int) -> str:
    return next((text(value) for number, value in fields if number == wanted), "")


def text(value: int | bytes | memoryview) -> str:
    return str(value) if isinstance(value, int) else bytes(value).decode(errors="replace")


def messages(content: memoryview) -> Iterator[tuple[str, list[Field]]]:
    """Each message of `PARTS` that is in a model, however deep, and its fields. Raises ValueError."""
    waiting: list[tuple[str, memoryview]] = [("model", content)]
    while waiting:
        kind, message = waiting.pop()
        fields = list(fields_of(message))
        yield kind, fields
        for number, value in fields:
            part = PARTS[kind].get(number)
            if part and isinstance(value, memoryview):
                waiting.append((part, value))


def fields_of(message: memoryview) -> Iterator[Field]:
    """Number and value of each, in protobuf's encoding. Raises ValueError."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        # Protobuf itself takes the 32 lower bits, and so would see another field.
        if not 8 <= key < 2**32:
            raise ValueError(f"a field of the number {key >> 3}")
        wire = key & 7
        if wire == VARINT:
            value, at = varint(message, at)
            yield key >> 3, value
            continue
        if wire == LENGTH:
            length, at = varint(message, at)
        elif wire in (EIGHT_BYTES, FOUR_BYTES):
            length = 8 if wire == EIGHT_BYTES else 4
        else:
            raise ValueError(f"a field of the kind {wire}")
        if length > len(message) - at:
            raise ValueError("it is cut short")
        yield key >> 3, message[at : at + length]
        at += length


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number there, and where it ends. Raises ValueError."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it is cut short")
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("a number of more than 64 bits")
