# make serve: install everything and run.    make test: install everything and test.    make help: all targets.

VENV ?= .venv
BIN := $(VENV)/bin
# The first interpreter with a supported version. Set PYTHON=… to choose another.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && { echo $$python; break; }; done)

export TF_CPP_MIN_LOG_LEVEL ?= 2

.DEFAULT_GOAL := help
.PHONY: help install install-dev artifacts serve scin test fuzz fuzz-decoder fuzz-api lock hooks lint audit format bench bench-short soak abuse rehearse sizing clean

help: ## show this list of targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

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
VAR := $(or $(DERMSERVE_VAR),var)
SCIN := $(VAR)/index/scin
PID := $(VAR)/service-$(or $(PORT),8000).pid
RUN := exec $(BIN)/gunicorn --config gunicorn.conf.py --pid $(PID) application:application

$(VENV)/.installed-scin: requirements-scin.txt $(VENV)/.installed
	$(BIN)/python $(INSTALL) -r requirements-scin.txt
	@touch $@

scin: artifacts $(VENV)/.installed-scin ## index, evaluate and serve SCIN from SCIN_BUCKET_PATH; resumes an interrupted build
	@test -e $(SCIN)/manifest.json || $(BIN)/python -m scin build --out $(SCIN) --resume --limit $(FIRST)
	$(BIN)/python -m scin build --out $(SCIN) --resume $(if $(LIMIT),--limit $(LIMIT))
	$(BIN)/python -m scin evaluate --index $(SCIN)
	@pid=$$(cat $(PID) 2>/dev/null) && grep -qa gunicorn "/proc/$$pid/cmdline" 2>/dev/null || exit 0; \
		echo "stopping the service that uses the old index"; kill $$pid; while kill -0 $$pid 2>/dev/null; do sleep 0.2; done
	DERMSERVE_INDEX=scin $(RUN)

test: $(VENV)/.installed-dev artifacts ## run all tests (ARGS="-k …" selects some)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup $(ARGS)

fuzz: fuzz-decoder fuzz-api ## run the long versions of all fuzz tests

fuzz-decoder: $(VENV)/.installed-dev ## decode 10,000 corrupted uploads with limits on CPU time and memory (4 minutes)
	DERMSERVE_FUZZ_EXAMPLES=$(or $(EXAMPLES),10000) $(BIN)/python -m pytest -n0 -q -s tests/fuzz/test_fuzz_uploads.py

fuzz-api: $(VENV)/.installed-dev artifacts ## send 1,000 valid and invalid requests to each operation of the OpenAPI document
	DERMSERVE_API_FUZZ_EXAMPLES=$(or $(EXAMPLES),1000) $(BIN)/python -m pytest -n0 -q tests/e2e/test_api_fuzz.py

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

rehearse: $(VENV)/.installed-dev artifacts ## rehearse `eb deploy` with the real EB CLI and nginx, without an AWS account (ARGS=--short)
	$(BIN)/python -m deploy.rehearsal $(ARGS)

sizing: $(VENV)/.installed-dev artifacts ## measure memory and CPU time on this host, and recommend an instance type
	$(BIN)/python -m deploy.sizing $(ARGS)

clean: ## remove the environment, models and indexes
	rm -rf $(VENV) var
