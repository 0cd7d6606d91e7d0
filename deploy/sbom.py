"""What is served, for scanners: `python -m deploy.sbom requirements/cpu.txt` (`make sbom`) prints a CycloneDX 1.6 list.

Of each package its version and the hashes that pip asks for, by cyclonedx-bom; of each model the hashes of its files,
which are computed, and a card with what metadata.json says of it. cyclonedx-python-lib has no cards, so that they are
written as JSON, and all is held against the schema at the end.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from service.errors import StartError
from service.model import artefact

ROOT = Path(__file__).parent.parent
INK_FINDER = ROOT / "service/picture/ink_finder.onnx"
SPECIFICATION = SchemaVersion.V1_6

Component = dict[str, Any]


def main() -> None:
    (requirements,) = sys.argv[1:]
    try:
        models = [of_folder(folder) for folder in artefact.find_folders(ROOT / "exported").values()]
    except StartError as error:
        sys.exit(f"no list is made: {error}")
    listed = of_packages(requirements)
    listed["components"] += [*models, of_file(INK_FINDER, INK_FINDER.stem)]
    text = json.dumps(listed, indent=2, sort_keys=True)
    if wrong := JsonStrictValidator(SPECIFICATION).validate_str(text):
        sys.exit(f"no list is made: it is none by CycloneDX's schema: {wrong}")
    print(text)


def of_packages(requirements: str) -> dict[str, Any]:
    """Of the list of pins, with the project itself as what they are for."""
    options = ["--pyproject", "pyproject.toml", "--mc-type", "application", "--sv", SPECIFICATION.to_version()]
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", requirements]
    done = subprocess.run(
        [*command, *options, "--output-reproducible"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    listed: dict[str, Any] = json.loads(done.stdout)
    return listed


def of_folder(folder: Path) -> Component:
    """A model in the precisions that it has. Raises StartError where a file is not of the hash in its metadata."""
    metadata = json.loads((folder / artefact.METADATA).read_text())
    there = [precision for precision, name in artefact.MODEL_FILES.items() if name in metadata["files"]]
    files = [of_file(artefact.load(folder, precision).path, folder.name) for precision in there]
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{folder.name}",
        "name": folder.name,
        "components": files,
        "modelCard": card(metadata),
    }


def of_file(path: Path, model: str) -> Component:
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{model}/{path.name}",
        "name": path.name,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
        "properties": [{"name": "numeral:path", "value": str(path.relative_to(ROOT))}],
    }


def card(metadata: dict[str, Any]) -> dict[str, Any]:
    shape = ", ".join(map(str, metadata["input"]["shape"]))
    return {
        "modelParameters": {
            "task": "image classification",
            "architectureFamily": "convolutional neural network",
            "modelArchitecture": metadata["network"],
            "datasets": [{"type": "dataset", "name": name} for name in metadata["recipe"]["data"].split(",")],
            "inputs": [{"format": f"{metadata['input']['dtype']} [{shape}]"}],
            "outputs": [{"format": f"probabilities of {', '.join(metadata['labels'])}"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": [accuracy(metadata, split) for split in ("test", "validation")]},
        "considerations": {"technicalLimitations": ["exported/README.md has accuracies, source by source"]},
    }


def accuracy(metadata: dict[str, Any], split: str) -> dict[str, Any]:
    measured = metadata[split]
    low, high = measured["interval_95"]
    return {
        "type": "accuracy",
        "value": str(measured["accuracy"]),
        "slice": f"{split}, {measured['n']} images",
        "confidenceInterval": {"lowerBound": str(low), "upperBound": str(high)},
    }


if __name__ == "__main__":
    main()
