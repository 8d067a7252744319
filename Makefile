# `make` alone lists what there is. Needs python3 >= 3.11 and make; all else is set up in .venv.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# Errors only: it asks nothing, and says nothing about root or newer versions of itself.
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore $(BIN)/python -m pip --no-input -qq
# The first Python that is new enough; name another with `make test PYTHON=/path/to/python3.13`.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$name >/dev/null 2>&1 && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$name && break; done)
# Two workers more than there are cores, as tests of whole processes wait for them half of the time;
# so that there are three at least, and tests that share by mistake are found. A worker that has
# nothing left takes from another: the tests that come first are the longest.
WORKERS ?= $(shell cores=$$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN); echo $$((cores + 2)))

.PHONY: help
help:  ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

##--- set-up

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed. On Debian or Ubuntu: apt-get install python3 python3-venv; on macOS: brew install python@3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv (or python3.X-venv for your 3.X)" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# Only what the lock names with a hash is installed; the project itself is linked in without asking the network.
.venv/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked requirements of the tests into .venv ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch .venv/.dev .venv/.demo

.venv/.demo: requirements/demo.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked requirements into .venv ..."
	@$(PIP) install --require-hashes -r requirements/demo.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch .venv/.demo

.PHONY: venv
venv: .venv/.dev  ## Make .venv with everything that development needs

.PHONY: browser
browser: .venv/.dev  ## Install the browser that the tests of pages need, or say how
	@if $(BIN)/python -m tests.support.browser; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium ..."; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null </dev/null \
		|| echo "Chromium could not be installed with apt-get." >&2; \
	else \
		echo "The tests of pages need Chromium. On Debian: sudo apt-get install chromium; on macOS: brew install --cask chromium; or name one with AFTERCARE_CHROMIUM." >&2; \
	fi; \
	if [ -n "$${CI:-}" ]; then $(BIN)/python -m tests.support.browser; fi

##--- checks

.PHONY: lint
lint: .venv/.dev  ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: .venv/.dev  ## Check types
	$(BIN)/mypy
	$(BIN)/mypy tests/support tests/conftest.py

.PHONY: imports
imports: .venv/.dev  ## Check who may import whom
	$(BIN)/lint-imports

.PHONY: test
test: .venv/.dev  ## Run every check and every test
	@$(MAKE) browser
	@$(MAKE) lint
	@$(MAKE) types
	@$(MAKE) imports
	$(BIN)/pytest -n $(WORKERS) --dist worksteal </dev/null

.PHONY: test-fast
test-fast: .venv/.dev  ## Run the tests that need no server (a few seconds)
	$(BIN)/pytest tests/schedules tests/messages tests/test_house_rules.py

.PHONY: corpus
corpus: .venv/.dev  ## Read the corpus of replies: precision and recall per intent, and every miss
	@exec $(BIN)/python -m tests.corpus.reading

.PHONY: classifier
classifier: .venv/.dev  ## Learn anew what replies resemble, from the open files of the corpus
	@$(PIP) install --require-hashes -r requirements/training.txt
	@exec $(BIN)/python -m tests.corpus.training

.PHONY: sabotage
sabotage: .venv/.dev  ## Break each rule in a copy and see its test fail; writes docs/compliance.md
	@exec $(BIN)/python -m tests.compliance.sabotage

##--- running

.PHONY: demo
demo: .venv/.demo  ## Start everything with sample data; RESET=1 starts over
	@exec $(BIN)/python -m cli.main demo $(if $(RESET),--reset)

.PHONY: bench
bench: .venv/.dev  ## Run the benchmarks and print a table
	@exec $(BIN)/python -m bench

.PHONY: secrets
secrets:  ## Write the secrets that docker-compose.yml reads; existing ones stay
	@$(PYTHON) -m cli.secret_files secrets

SEED ?= 1
MINUTES ?= 5
.PHONY: chaos
chaos: .venv/.dev  ## Crashes and faults under load, counted by the carrier; SEED=1 MINUTES=5
	@exec $(BIN)/python -m tests.chaos --seed $(SEED) --minutes $(MINUTES)

##--- upkeep

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $(if $(UPGRADE),--upgrade)

.PHONY: lock
lock: .venv/.dev  ## Lock the requirements anew; UPGRADE=1 takes newer versions
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) --group pyproject.toml:build -o requirements/build.txt
	$(LOCK) pyproject.toml --extra embedded --group build -c requirements/runtime.txt -o requirements/demo.txt
	$(LOCK) pyproject.toml --extra embedded --group build --group dev -c requirements/demo.txt -o requirements/dev.txt
	$(LOCK) --group pyproject.toml:training -c requirements/dev.txt -o requirements/training.txt

.PHONY: clean
clean:  ## Delete what was set up here: .venv, caches, the demo's data
	@if [ -x $(BIN)/aftercare ] && [ -d .state ]; then $(BIN)/python -m cli.embedded .state; fi
	rm -rf .venv .state dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
