# Two commands are complete on a bare machine with Python 3.11 or newer: `make serve` and `make test`.
PYTHON ?= python3
PORT ?= 3000
# The service asks nobody who they are: 0.0.0.0 lets other machines in.
HOST ?= 127.0.0.1
# cpu or gpu: which ONNX Runtime `make serve` installs.
RUNTIME ?= cpu

# BentoML reports its use to its makers unless told not to; its command line reads this before it reads us.
export BENTOML_DO_NOT_TRACK = True

.PHONY: serve test lint bench clean

serve: .venv/installed-$(RUNTIME)
	.venv/bin/bentoml serve --host $(HOST) --port $(PORT)

test: .venv-dev/installed lint
	.venv-dev/bin/pytest

lint: .venv-dev/installed
	.venv-dev/bin/ruff check .
	.venv-dev/bin/ruff format --check .
	.venv-dev/bin/mypy

# Needs wrk. PRECISION=fp32 for the other file; TorchServe needs Java.
PRECISION ?= int8
bench: .venv-bench/installed
	.venv-bench/bin/python -m benchmarks.serving --precision $(PRECISION)

# The stamp is newer than pyproject.toml when what it asks for is installed.
.venv/installed-$(RUNTIME): pyproject.toml
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --quiet --editable '.[$(RUNTIME)]'
	touch $@

.venv-dev/installed: pyproject.toml
	$(PYTHON) -m venv .venv-dev
	.venv-dev/bin/pip install --quiet --editable '.[cpu,train,dev]'
	touch $@

.venv-bench/installed: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --editable '.[cpu,bench]'
	touch $@

clean:
	rm -rf .venv .venv-dev .venv-bench build *.egg-info
