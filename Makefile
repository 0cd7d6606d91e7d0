# Two commands are complete on a bare machine with Python 3.11 or newer: `make serve` and `make test`.
PYTHON ?= python3
PORT ?= 3000
# The service asks nobody who they are: 0.0.0.0 lets other machines in.
HOST ?= 127.0.0.1
# cpu or gpu: which ONNX Runtime `make serve` installs.
RUNTIME ?= cpu

# BentoML reports its use to its makers unless told not to; its command line reads this before it reads us.
export BENTOML_DO_NOT_TRACK = True

.PHONY: serve test lint bench engine image image-gpu container-test requirements clean

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

# docker or podman, whichever has an engine that answers; buildah builds an image, but keeps none running.
ENGINE ?= $(firstword $(foreach name,docker podman buildah,$(shell $(name) info >/dev/null 2>&1 && echo $(name))))
# More for the build, as in BUILD_FLAGS='--build-arg BASE=debian:bookworm-slim@sha256:…'
BUILD_FLAGS ?=
OCI = org.opencontainers.image
LABELS = --label $(OCI).version=$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
	--label $(OCI).revision=$(shell git describe --always --dirty --abbrev=40 --exclude '*') \
	--label $(OCI).created=$(shell git log -1 --format=%cI) \
	$(shell sha256sum exported/*/*.onnx | sed 's|\(.*\)  exported/\(.*\)/\(.*\)|--label numeral.\2.\3=\1|')
# The commit's time for every file and the image. podman and buildah leave HEALTHCHECK out of their own format.
image image-gpu: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct)
BUILD = $(ENGINE) build $(if $(filter docker,$(ENGINE)),,--layers --format docker --timestamp $(SOURCE_DATE_EPOCH)) \
	--file deploy/Dockerfile $(LABELS) $(BUILD_FLAGS)
# The list of all packages in it, beside the image; buildah would have to mount it, so there it stays inside.
SBOM = $(if $(filter buildah,$(ENGINE)),:,mkdir -p build && $(ENGINE) run --rm --entrypoint cat)

image: engine
	$(BUILD) --target cpu --tag numeral:cpu .
	$(SBOM) numeral:cpu /app/sbom.cdx.json > build/numeral-cpu.cdx.json

image-gpu: engine
	$(BUILD) --target gpu --build-arg RUNTIME=gpu --tag numeral:gpu .
	$(SBOM) numeral:gpu /app/sbom.cdx.json > build/numeral-gpu.cdx.json

# Not a part of `make test`: a machine that tests has no container engine as a rule.
container-test: image .venv-container/installed
	@test $(ENGINE) != buildah || { echo 'buildah keeps no container running: install podman or docker'; exit 1; }
	ENGINE=$(ENGINE) .venv-container/bin/pytest --log-cli-level=INFO --log-cli-format='%(message)s' tests/container

engine:
	@test -n "$(ENGINE)" || { echo 'no container engine answers: install podman, or install and start docker'; exit 1; }

# Newest versions, with their hashes and without an index's address.
requirements: .venv-container/installed
	for runtime in cpu gpu; do \
		.venv-container/bin/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url \
		--python-version 3.11 --python-platform linux --custom-compile-command 'make requirements' \
		--extra $$runtime --output-file deploy/requirements-$$runtime.txt pyproject.toml || exit 1; \
	done

# The stamp is newer than pyproject.toml when what it asks for is installed.
.venv/installed-$(RUNTIME): pyproject.toml
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --quiet --editable '.[$(RUNTIME)]'
	touch $@

.venv-dev/installed: pyproject.toml
	$(PYTHON) -m venv .venv-dev
	.venv-dev/bin/pip install --quiet --editable '.[cpu,train,dev]'
	touch $@

# Of pytriton the server's program alone is used; its Python part, which is not, asks for numpy before 2.
.venv-bench/installed: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --editable '.[cpu,bench]'
	-.venv-bench/bin/pip install --quiet --no-deps 'nvidia-pytriton>=0.7'
	touch $@

# What the image runs, for a bare process beside it, and what asks both.
.venv-container/installed: deploy/requirements-cpu.txt
	$(PYTHON) -m venv --clear .venv-container
	.venv-container/bin/pip install --quiet --require-hashes --only-binary :all: --requirement $<
	.venv-container/bin/pip install --quiet httpx hypothesis mlxtend pytest uv
	touch $@

clean:
	rm -rf .venv .venv-dev .venv-bench .venv-container build *.egg-info
