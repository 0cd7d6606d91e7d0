"""On CUDA the service stands alone: what is beside it runs on the CPU."""

from typing import Literal

import pytest

from benchmarks import serving
from benchmarks.figures import Figures


@pytest.mark.parametrize(("provider", "measured"), [("cpu", ["bare ONNX Runtime"]), ("cuda", [])])
def test_the_engine_on_the_cpu_is_not_set_beside_a_service_on_cuda(
    provider: Literal["cpu", "cuda"], measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def engine(arguments: serving.Arguments) -> dict[str, Figures]:
        return {"no web, best batch": {"images_per_second": 1.0}}

    monkeypatch.setattr(serving, "bare_engine", engine)
    monkeypatch.setattr(serving, "TARGETS", ())
    results, left_out = serving.run_rounds(serving.Arguments(provider=provider, rounds=2))
    assert (list(results), left_out) == (measured, {})
