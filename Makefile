# Each target sets up all it needs: a .venv with the pinned versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
RUN ?= runs/demo
# Test files shared by so many processes; each computes with one thread.
JOBS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

.PHONY: help setup demo test check check-all lint types format clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: .venv/.ready ## make .venv with the pinned versions

.venv/.ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "stgcn-lens needs Python 3.11 or later; say which one: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo "this Python has no venv; on Debian: apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup ## analyse the demo network, open the app
	$(BIN)/stgcn-lens demo --out $(RUN)

test: setup ## tests, less those marked long (under 10 minutes on two cores)
	$(PYTEST) -m "not long" $(ARGS)

check: lint types test ## what CI runs

check-all: lint types ## everything, the long tests too
	$(PYTEST) $(ARGS)

lint: setup ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy
	$(BIN)/mypy

format: setup ## ruff, changing files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove .venv, caches and runs
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build *.egg-info runs
