"""`bentoml build` packs what serving needs, and nothing else."""

import os
import subprocess
from pathlib import Path

from tests.harness import BENTOML, ROOT


def test_the_bento_holds_only_what_serving_needs(tmp_path: Path) -> None:
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "True"}
    subprocess.run([BENTOML, "build", "--output", "tag"], cwd=ROOT, env=environment, check=True, capture_output=True)
    (bento,) = (path.parent for path in tmp_path.glob("bentos/numeral/*/bento.yaml"))
    source = bento / "src"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "service").rglob("*.py")}
    for model in ("googlenet", "alexnet"):
        names = ("model.onnx", "model.int8.onnx", "metadata.json")
        expected |= {f"exported/{model}/{name}" for name in names}
    expected |= {"service/web/page.html", "pyproject.toml", "README.md", "LICENSE", "bentofile.yaml"}
    assert files == expected
    requirements = (bento / "env/python/requirements.txt").read_text()
    assert "onnxruntime" in requirements
    assert "torch" not in requirements
