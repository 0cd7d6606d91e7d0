# Two commands are complete on a bare machine with Python 3.11 or newer: `make serve` and `make test`.
PYTHON ?= python3
PORT ?= 3000
# The service asks nobody who they are: 0.0.0.0 lets other machines in.
HOST ?= 127.0.0.1
# cpu or gpu: which ONNX Runtime `make serve` installs.
RUNTIME ?= cpu

# BentoML reports its use to its makers unless told not to; its command line reads this before it reads us.
export BENTOML_DO_NOT_TRACK = True

.PHONY: serve test lint bench client-test ray-test schemathesis soak chaos fuzz sbom audit engine image image-gpu
.PHONY: container-test requirements clean

serve: .venv/installed-$(RUNTIME)
	.venv/bin/numeral serve --host $(HOST) --port $(PORT)

test: .venv-dev/installed lint
	.venv-dev/bin/pytest

lint: .venv-dev/installed
	.venv-dev/bin/ruff check .
	.venv-dev/bin/ruff format --check .
	.venv-dev/bin/mypy

# Not a part of `make test`: KServe's client asks for an older python-dateutil than bentoml.
client-test: .venv-dev/installed .venv-clients/installed
	KSERVE_PYTHON=$(CURDIR)/.venv-clients/bin/python .venv-dev/bin/pytest tests/test_clients.py tests/deploy/test_kserve.py

# Nor is this: Ray and what it brings are 1.2 GB, for one option of `numeral read`.
ray-test: .venv-dev/installed .venv-ray/installed
	RAY_PYTHON=$(CURDIR)/.venv-ray/bin/python .venv-dev/bin/pytest tests/numeral/test_cluster.py

# Some ten thousand requests made up from /docs.json; `make test` sends a few hundred.
schemathesis: .venv-dev/installed
	SCHEMATHESIS_EXAMPLES=$(or $(EXAMPLES),1000) .venv-dev/bin/pytest --log-cli-level=INFO --log-cli-format='%(message)s' \
		tests/test_schemathesis.py

# What is served, for scanners: packages by version and hash, models by hash with a card. RUNTIME=gpu for the other list.
sbom: .venv-dev/installed
	mkdir -p build
	.venv-dev/bin/python -m deploy.sbom requirements/$(RUNTIME).txt > build/numeral-$(RUNTIME).locked.cdx.json

# Known vulnerabilities of what is pinned, as pypi.org has them: a mirror of packages does not. --strict, as what cannot be
# asked for is not known to be safe.
audit: .venv-audit/installed
	.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes \
		$(foreach list,cpu gpu build dev,--requirement requirements/$(list).txt)

# Proofs that take long, each with its counts as the last line; short forms of them are among the tests.
MINUTES ?= 30
soak: .venv-dev/installed
	.venv-dev/bin/python -m proofs.soak --minutes $(MINUTES)

# ONLY='kill stop' for some of the scenarios.
chaos: .venv-dev/installed
	.venv-dev/bin/python -m proofs.chaos $(if $(ONLY),--only $(ONLY))

REQUESTS ?= 20000
EXECUTIONS ?= 1000000
fuzz: .venv-dev/installed schemathesis
	.venv-dev/bin/python -m proofs.fuzz.requests --requests $(REQUESTS)
	.venv-dev/bin/python -m proofs.fuzz --executions $(EXECUTIONS)

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
container-test: image .venv-dev/installed
	@test $(ENGINE) != buildah || { echo 'buildah keeps no container running: install podman or docker'; exit 1; }
	ENGINE=$(ENGINE) .venv-dev/bin/pytest --log-cli-level=INFO --log-cli-format='%(message)s' tests/container

engine:
	@test -n "$(ENGINE)" || { echo 'no container engine answers: install podman, or install and start docker'; exit 1; }

# Newest versions within pyproject.toml's ranges for every platform and Python, with their hashes and without an index's
# address. What is tested comes first, and what serves gets no other version of it. UV_CONSTRAINT=FILE holds some back.
LOCK = .venv-uv/bin/uv pip compile --quiet --upgrade --universal --fork-strategy fewest --python-version 3.11 \
	--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command 'make requirements'
BUILD_REQUIRES = import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'], sep='\n')
requirements: .venv-uv/bin/uv
	$(LOCK) --extra cpu --extra train --extra dev --output-file requirements/dev.txt pyproject.toml
	$(LOCK) --extra cpu --constraint requirements/dev.txt --output-file requirements/cpu.txt pyproject.toml
	$(LOCK) --extra gpu --constraint requirements/dev.txt --output-file requirements/gpu.txt pyproject.toml
	.venv-uv/bin/python -c "$(BUILD_REQUIRES)" | \
		$(LOCK) --constraint requirements/dev.txt --output-file requirements/build.txt -

.venv-uv/bin/uv:
	$(PYTHON) -m venv .venv-uv
	.venv-uv/bin/pip install --quiet uv

# The packages of one list, which names every one, and then the project from where it lies. setuptools comes first: it
# builds the project, and a font that comes as source.
# By path: the finder that setuptools installs else comes after any folder of the same name, such as a clone's own.
define install
$(1)/bin/pip install --quiet --no-deps --require-hashes --only-binary :all: --requirement requirements/build.txt
$(1)/bin/pip install --quiet --no-deps --require-hashes --no-build-isolation --requirement requirements/$(2).txt
$(1)/bin/pip install --quiet --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
endef

# A stamp is newer than the lists and pyproject.toml when what they ask for is installed.
.venv/installed-$(RUNTIME): requirements/$(RUNTIME).txt requirements/build.txt pyproject.toml
	$(PYTHON) -m venv --clear .venv
	$(call install,.venv,$(RUNTIME))
	touch $@

.venv-dev/installed: requirements/dev.txt requirements/build.txt pyproject.toml
	$(PYTHON) -m venv .venv-dev
	$(call install,.venv-dev,dev)
	touch $@

# No list here: the peers are to be their newest. Of pytriton the server's program alone is used; its Python part, which
# is not, asks for numpy before 2.
.venv-bench/installed: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --editable '.[cpu,bench]'
	-.venv-bench/bin/pip install --quiet --no-deps 'nvidia-pytriton>=0.7'
	touch $@

.venv-clients/installed: pyproject.toml
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/pip install --quiet 'kserve>=0.15'
	touch $@

.venv-ray/installed: pyproject.toml
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/pip install --quiet --editable '.[cpu,ray]'
	touch $@

.venv-audit/installed:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet 'pip-audit>=2.10'
	touch $@

clean:
	rm -rf .venv .venv-dev .venv-bench .venv-clients .venv-ray .venv-audit .venv-uv build *.egg-info
