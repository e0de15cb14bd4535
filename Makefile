# make demo: a whole federation on this machine. make test: every check. Each sets everything up first.
PYTHON ?= $(firstword $(foreach p,python3.12 python3.11 python3,$(shell command -v $(p) 2>/dev/null)) no-python)
SHELL := /bin/bash
APE = . ./env.sh && ape

.PHONY: demo test lint setup clean

demo: setup
	$(APE) run demo

test: setup lint
	$(APE) test tests -q -n 2

lint: setup
	. ./env.sh && ruff check fl scripts tests tooling && mypy

setup:
	@command -v $(PYTHON) >/dev/null || { echo "set-up: no Python found: install Python 3.11 or 3.12, or name one with PYTHON=/path" >&2; exit 1; }
	@$(PYTHON) tooling/setup.py

clean:
	rm -rf .venv .solcx .openzeppelin .ape .cache node_modules contracts/.cache .build
