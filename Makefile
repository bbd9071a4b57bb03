SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
BASE_PYTHON = $(shell for python in python3.11 python3; do $$python -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q
LOCKED := .venv/.locked
PROJECT := .venv/.project
PEER := tests/bench/medplum/node_modules/.built
COMPILE := $(BIN)/uv pip compile -q --system-certs --universal --generate-hashes --python-version 3.11

.PHONY: help setup run test check fix bench load faults corpus fuzz migrate migration docs pictures lock clean system-packages

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(PROJECT)  ## Make the environment: locked Python packages, front-end files, the project itself

run: setup  ## Start the whole system with its demo hospital on this machine
	@tests/setup/packages.sh run
	@$(BIN)/python manage.py run

test: setup system-packages  ## Run the tests on SQLite, PostgreSQL and in a browser
	$(BIN)/pytest -n 2

check: setup  ## Lint, format, types, floors and the rules of the house
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

fix: setup  ## Repair what the linter and the formatter can repair
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup system-packages  ## Measure the listener, the sender and the pages
	$(BIN)/python -m tests.bench

load: setup system-packages  ## Let thirty clerks book at once for a minute, and look for what was booked twice or lost
	$(BIN)/python -m tests.load

faults: setup system-packages  ## Kill, cut and fill what the program stands on
	$(BIN)/pytest -m fault

corpus: setup system-packages  ## Send the messages that others wrote through the listener
	$(BIN)/pytest -m corpus -s

fuzz: setup  ## Look for bytes that break the framer and the reader, two minutes long (Linux on x86-64)
	@$(PIP) install --require-hashes --only-binary :all: -r requirements-fuzz.lock
	$(BIN)/python -m tests.fuzz

migrate: setup  ## Bring the database to the newest schema
	$(BIN)/python manage.py db upgrade

migration: setup  ## Write the migration of a changed model: make migration m="what changes"
	@test -n '$(m)' || { echo 'Say what changes: make migration m="add a column"' >&2; exit 1; }
	$(BIN)/alembic revision --autogenerate -m '$(m)'

docs: setup  ## Draw what follows from the code's tables, and check that every link leads somewhere
	$(BIN)/python -m tests.architecture.drawn
	$(BIN)/pytest -q tests/architecture/test_docs.py

pictures: setup system-packages  ## Take the pictures of the README and of the role pages anew
	$(BIN)/python -m tests.browser.pictures

lock: setup  ## Resolve all versions anew and write the lock files
	$(COMPILE) --upgrade --group dev pyproject.toml -o requirements.lock
	$(COMPILE) --upgrade --group node -o requirements-node.lock
	$(COMPILE) --upgrade --group fuzz -o requirements-fuzz.lock
	npm install --package-lock-only --ignore-scripts --no-audit --no-fund
	npm install --prefix tests/bench/medplum --package-lock-only --ignore-scripts --no-audit --no-fund

clean:  ## Remove what set-up and tests made; databases stay
	rm -rf .venv build dist test-output ris/web/static/vendor
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

system-packages:
	@tests/setup/packages.sh tests

$(BIN)/python:
	@test -n '$(BASE_PYTHON)' || { echo 'Python 3.11 or newer is needed: apt-get install python3' >&2; exit 1; }
	@$(BASE_PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || tests/setup/packages.sh python "$$($(BASE_PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
	@echo 'Making the environment in .venv'
	@$(BASE_PYTHON) -m venv --clear .venv

$(PEER): tests/bench/medplum/package-lock.json $(PROJECT)
	@echo 'Building the server to measure against (a minute)'
	@cd tests/bench/medplum && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --no-audit --no-fund
	@touch $@

# hl7apy is published as source only; everything else must be a wheel, so that nothing is compiled here.
$(LOCKED): requirements.lock requirements-node.lock | $(BIN)/python
	@echo 'Installing the locked Python packages (half a minute to two)'
	@$(PIP) install --require-hashes --only-binary :all: --no-binary hl7apy -r requirements.lock
	@command -v npm >/dev/null 2>&1 || { echo 'No npm here: installing a wheel that holds it'; \
	  $(PIP) install --require-hashes --only-binary :all: -r requirements-node.lock; }
	@touch $@

$(PROJECT): $(LOCKED) pyproject.toml hatch_build.py assets.toml package.json package-lock.json .npmrc
	@echo 'Installing the project and its front-end files'
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
