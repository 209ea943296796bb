# Needs Python 3.11 or newer, git and make; everything else goes into .venv on first use.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3; do \
	"$$each" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; \
	done)
DEMO := fixtures/repositories/classifier
# JAX, torch and TensorFlow each start a thread per core; test processes share the cores among themselves. XLA compiles
# thousands of programs that run once for microseconds: they are kept and shared, at the optimization that users have.
TEST_ENVIRONMENT := OMP_NUM_THREADS=1 TF_CPP_MIN_LOG_LEVEL=3 JAX_PLATFORMS=cpu \
	JAX_COMPILATION_CACHE_DIR=$(CURDIR)/$(VENV)/compiled \
	JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1

.PHONY: help install demo test test-slow lint bench conformance sweep e2e clean

help:
	@echo "make demo         convert and verify an example repository"
	@echo "make test         lint, types and the everyday tests"
	@echo "make test-slow    the long sweeps"
	@echo "make bench        the cost of a conversion, of the command and of converted models"
	@echo "make conformance  every operation, module and optimizer of torch's test databases, converted and compared"
	@echo "make sweep        convert whole packages of other people's code (downloads them once; an hour)"
	@echo "make e2e          models of other people's packages, converted, run and trained (downloads them once)"
	@echo "make clean        remove what these targets made"

install: $(STAMP)

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed: install it, or name it with make PYTHON=/path/to/python3"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@mkdir -p $(VENV)/source && ln -sfn ../.. $(VENV)/source/ivy_convert
	@touch $(STAMP)

demo: $(STAMP)
	rm -rf demo_output
	JAX_PLATFORMS=cpu $(BIN)/ivy-convert $(DEMO) --to jax -o demo_output --verify --report demo_output/REPORT.md
	@echo; cat demo_output/REPORT.md

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -q -n 2

test-slow: $(STAMP)
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -q -n 2 -m slow

bench: $(STAMP)
	$(BIN)/python -m benchmarks.conversion
	$(BIN)/python -m benchmarks.command_line
	$(BIN)/python -m benchmarks.models

conformance: $(STAMP)
	$(TEST_ENVIRONMENT) $(BIN)/python -m benchmarks.conformance.modules --write
	$(TEST_ENVIRONMENT) $(BIN)/python -m benchmarks.conformance.optimizers --write
	$(TEST_ENVIRONMENT) $(BIN)/python -m benchmarks.conformance --write
	$(BIN)/python -m benchmarks.helper_share --write

sweep: $(STAMP)
	$(BIN)/python -m benchmarks.sweep --write

e2e: $(STAMP)
	$(TEST_ENVIRONMENT) $(BIN)/python -m benchmarks.e2e --write

clean:
	rm -rf $(VENV) demo_output build *.egg-info .pytest_cache .mypy_cache .ruff_cache
