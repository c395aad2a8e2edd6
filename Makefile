# The commands people type. `make demo` and `make test` do all the set-up they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILT := $(VENV)/.built
# How long `make fuzz` looks for bad input, all its targets together.
SECONDS ?= 90
JOBS ?= 1
# How many kills `make faults` does (its other faults take shares of that), and the seed of a run before.
ROUNDS ?= 200
SEED ?=
# Of `make bench`: names of workloads, or how they begin; FULL=1 measures the goals at their full length (about two hours).
ONLY ?=
FULL ?=
SOURCES := pyproject.toml setup.py $(shell find core ingest -name '*.pyx' -o -name '*.pxd' -o -name '*.h')

.PHONY: install demo serve test test-all faults fuzz bench lint format clean

install: $(BUILT)

$(BIN)/python:
	@sh scripts/preflight.sh $(PYTHON)
	$(PYTHON) -m venv $(VENV)

$(VENV)/.packages: pyproject.toml | $(BIN)/python
	@sh scripts/preflight.sh $(PYTHON)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "setuptools>=66" wheel "cython>=3.3,<3.4"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --config-settings editable_mode=compat --editable ".[dev]"
	@touch $@

$(BUILT): $(SOURCES) | $(VENV)/.packages
	$(BIN)/python -W ignore setup.py --quiet build_ext --inplace
	@touch $@

demo: install
	@$(BIN)/pilestream demo

serve: install
	@$(BIN)/pilestream serve

test: install
	@sh scripts/browser.sh
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not long" tests

test-all: install
	@sh scripts/browser.sh
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder tests
	$(MAKE) faults
	$(MAKE) fuzz SECONDS=600

faults: install
	$(BIN)/python -m tests.faults --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

$(VENV)/.fuzzer: $(VENV)/.packages
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "atheris>=3,<4"
	@touch $@

fuzz: install $(VENV)/.fuzzer
	$(BIN)/python scripts/fuzz.py --seconds $(SECONDS) --jobs $(JOBS)

bench: install
	$(BIN)/python -m benchmarks.report $(if $(ONLY),--only $(ONLY)) $(if $(FULL),--full)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

format: install
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build data *.egg-info
	find core ingest \( -name '*.so' -o -name '*.c' -o -name '*.html' \) -delete
