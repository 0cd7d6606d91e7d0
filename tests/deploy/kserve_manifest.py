"""KServe's own types, made of a manifest: `python tests/deploy/kserve_manifest.py < manifest.json`.

They and Kubernetes' client say which fields there are, of which type, and which are needed: as KServe's definition in a
cluster does, without its ranges, and without what its webhook asks. A line and exit code 1 where something is wrong.
Where it is installed: it asks for an older python-dateutil than bentoml.
"""

import json
import re
import sys
from typing import Any

import kserve.models
from kubernetes import client

PLAIN: dict[str, tuple[type, ...]] = {"int": (int,), "str": (str,), "bool": (bool,), "float": (int, float)}


def made(kind: str, value: Any, where: str) -> Any:
    """Of the type by its name. Raises ValueError that names the place."""
    if inner := re.fullmatch(r"list\[(.+)\]", kind):
        return [made(inner[1], each, f"{where}[{number}]") for number, each in enumerate(value)]
    if inner := re.fullmatch(r"dict\(str, (.+)\)", kind):
        return {name: made(inner[1], each, f"{where}.{name}") for name, each in value.items()}
    known = getattr(kserve.models, kind, None) or getattr(client, kind, None)
    if known:
        return of_model(known, value, where)
    if kind in PLAIN and not (isinstance(value, PLAIN[kind]) and isinstance(value, bool) == (kind == "bool")):
        raise ValueError(f"{where} is {value!r}; allowed: {kind}")
    return value


def of_model(model: Any, value: Any, where: str) -> Any:
    names = {json_name: name for name, json_name in model.attribute_map.items()}
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {value!r}; allowed: an object")
    if unknown := value.keys() - names.keys():
        raise ValueError(f"{where} has {', '.join(sorted(unknown))}; allowed: {', '.join(sorted(names))}")
    fields = {names[key]: made(model.openapi_types[names[key]], each, f"{where}.{key}") for key, each in value.items()}
    try:
        return model(**fields)
    except ValueError as error:  # one that is needed is missing
        raise ValueError(f"{where}: {error}") from error


if __name__ == "__main__":
    try:
        service = made("V1beta1InferenceService", json.load(sys.stdin), "manifest")
    except ValueError as error:
        sys.exit(str(error))
    print(service.spec.predictor.containers[0].name)
