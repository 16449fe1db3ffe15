# make serve: install everything and run.    make test: install everything and test.    make help: all targets.

VENV ?= .venv
BIN := $(VENV)/bin
# The first interpreter with a supported version. Set PYTHON=… to choose another.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && { echo $$python; break; }; done)

export TF_CPP_MIN_LOG_LEVEL ?= 2

.DEFAULT_GOAL := help
.PHONY: help install install-dev node-packages artifacts serve scin test fuzz fuzz-decoder fuzz-api client-models lock hooks lint audit format bench bench-short soak abuse rehearse image sizing clean

help: ## show this list of targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-13s %s\n", $$1, $$2}'

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found. Install one, or set PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

INSTALL = -m pip install --disable-pip-version-check --quiet --require-hashes
# The deployment hook chooses the CPU build of torch if it is available.
CPU_TORCH = PATH=$(abspath $(BIN)):$$PATH PIP_CONF=$(VENV)/pip.conf .platform/hooks/prebuild/10_cpu_torch.sh

$(VENV)/.installed: requirements.txt | $(BIN)/python
	TARGET=$(VENV)/requirements.txt $(CPU_TORCH)
	$(BIN)/python $(INSTALL) -r $(VENV)/requirements.txt
	@touch $@

# Together the two files pin everything but zipfile-deflate64 (see lock), so pip need not look for what a package needs.
$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/python $(INSTALL) --no-deps -r requirements-dev.txt
	@touch $@

install: $(VENV)/.installed ## create the virtual environment
install-dev: $(VENV)/.installed-dev ## add the packages for tests and lint

artifacts: $(VENV)/.installed ## fetch and verify the models, and build the sample index
	$(BIN)/python -m ml fetch
	$(BIN)/python -m scin sample

serve: artifacts ## run the service on HOST:PORT (127.0.0.1:8000)
	$(RUN)

FIRST ?= 500
PID := $(or $(DERMSERVE_VAR),var)/service-$(or $(PORT),8000).pid
RUN := exec $(BIN)/gunicorn --config gunicorn.conf.py --pid $(PID) application:application

$(VENV)/.installed-scin: requirements-scin.txt $(VENV)/.installed
	$(BIN)/python $(INSTALL) -r requirements-scin.txt
	@touch $@

scin: artifacts $(VENV)/.installed-scin ## index, evaluate, train on and serve SCIN (FIRST=500 LIMIT= TRAIN=0 MINUTES=); run it again to continue
	exec $(BIN)/python -m deploy.learn --first $(FIRST) $(if $(LIMIT),--limit $(LIMIT)) \
		$(if $(filter 0,$(TRAIN)),--no-train) $(if $(MINUTES),--minutes $(MINUTES))

# The tests of the TypeScript types are skipped, with one line, if npm is missing or reaches no registry; not in CI.
TYPESCRIPT := tests/e2e/typescript
$(TYPESCRIPT)/node_modules/.package-lock.json: $(TYPESCRIPT)/package-lock.json
	npm ci --prefix $(TYPESCRIPT) --silent && touch $@ || test "$$CI" != true

node-packages: $(if $(shell command -v npm),$(TYPESCRIPT)/node_modules/.package-lock.json) ## add the Node.js packages that tests need

test: $(VENV)/.installed-dev node-packages artifacts ## run all tests (ARGS="-k …" selects some)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup $(ARGS)

fuzz: fuzz-decoder fuzz-api ## run the long versions of all fuzz tests

fuzz-decoder: $(VENV)/.installed-dev ## decode 10,000 corrupted uploads with limits on CPU time and memory (4 minutes)
	DERMSERVE_FUZZ_EXAMPLES=$(or $(EXAMPLES),10000) $(BIN)/python -m pytest -n0 -q -s tests/fuzz/test_fuzz_uploads.py

fuzz-api: $(VENV)/.installed-dev artifacts ## send 1,000 valid and invalid requests to each operation of the OpenAPI document
	DERMSERVE_API_FUZZ_EXAMPLES=$(or $(EXAMPLES),1000) $(BIN)/python -m pytest -n0 -q tests/e2e/test_api_fuzz.py

client-models: $(VENV)/.installed-dev ## make the client's models from the OpenAPI document
	$(BIN)/python -m deploy.client_models

audit: $(VENV)/.installed-dev ## check the production packages for known vulnerabilities (online)
	$(BIN)/python -m deploy.audit

# The files for scin, ray and dev contain only the packages that requirements.txt does not pin. NOT_INSTALLED has no wheel
# and needs a C compiler. Only isic-challenge-scoring asks for it, and only to unpack uploads, which we do not use.
NOT_INSTALLED = --no-emit-package zipfile-deflate64
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"
lock: $(VENV)/.installed-dev ## pin the packages in requirements*.in with hashes (ARGS=--upgrade)
	$(LOCK) $(ARGS) requirements.in --output-file requirements.txt
	$(LOCK) $(ARGS) requirements-bench.in --output-file requirements-bench.txt
	$(LOCK) $(ARGS) requirements-rehearsal.in --output-file requirements-rehearsal.txt
	pinned=$$(sed -n 's/^\([a-z0-9][^=]*\)==.*/--no-emit-package \1/p' requirements.txt); for one in scin ray dev; do \
		$(LOCK) $(ARGS) requirements-$$one.in --constraint requirements.txt $(NOT_INSTALLED) $$pinned \
			--output-file requirements-$$one.txt || exit 1; \
	done

hooks: $(VENV)/.installed-dev ## install a pre-commit hook that checks style, types and import contracts
	$(BIN)/pre-commit install

lint: $(VENV)/.installed-dev ## check style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

BENCH := var/bench/venv
$(BENCH)/.installed: requirements-bench.txt $(VENV)/.installed
	$(BIN)/python -m venv $(BENCH)
	REQUIREMENTS=requirements-bench.txt TARGET=$(BENCH)/requirements.txt $(CPU_TORCH)
	$(BENCH)/bin/python $(INSTALL) -r $(BENCH)/requirements.txt
	@touch $@

bench: $(BENCH)/.installed artifacts ## compare with Flask, gunicorn, LitServe and BentoML (two hours; ARGS="--rounds 2 --seconds 5 --no-sweep" takes 50 minutes)
	$(BENCH)/bin/python -m benchmarks.peers $(ARGS)

bench-short: $(VENV)/.installed-dev artifacts ## compare the service with its in-process speed; fails if the ratio is too low (2 minutes)
	$(BIN)/python -m benchmarks.peers --short

soak: $(VENV)/.installed-dev artifacts ## run 30 minutes of mixed load; fails if memory, threads or open files grow (ARGS="--minutes 5")
	$(BIN)/python -m benchmarks.soak $(ARGS)

abuse: $(VENV)/.installed-dev artifacts ## measure other clients' latency during wrong keys, slow uploads and 100 MB bodies (1 minute)
	$(BIN)/python -m benchmarks.abuse $(ARGS)

rehearse: $(VENV)/.installed-dev artifacts ## rehearse create, deploy, rollback, setenv, secrets with the real EB CLI and nginx, without AWS (ARGS=--short or "--play secret")
	$(BIN)/python -m deploy.rehearsal $(ARGS)

# BASE=… and PROXY_BASE=… name other base images; see docs/deployment/image.md.
image: $(VENV)/.installed-dev artifacts ## build the images from a bundle, with Docker or buildah, and test them (10 minutes, 15 GB)
	bundle=$$($(BIN)/python -m deploy.bundle var/bundle/published | tee /dev/stderr | tail -n 1) && BUNDLE=$$bundle deploy/image/build.sh
	$(BIN)/python -m pytest -n0 -q -rs tests/e2e/test_image.py

sizing: $(VENV)/.installed-dev artifacts ## measure memory and CPU time on this host, and recommend an instance type
	$(BIN)/python -m deploy.sizing $(ARGS)

clean: ## remove the environment, models and indexes
	rm -rf $(VENV) var
