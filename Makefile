# `make test` and `make repro` are the two commands of the README; each sets up the environment where it has to.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Threads that wait asleep: tests and stages then share a machine's cores instead of stopping each other.
export OMP_WAIT_POLICY = PASSIVE
# What an account may say to every Python, test and figure is not meant for these, nor a hook's own repository.
KEPT = PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHONFAULTHANDLER PYTHONUNBUFFERED
unexport $(filter-out $(KEPT), $(filter PYTHON% PYTEST_% MPL%, $(.VARIABLES))) GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

# Whether somebody named a scale: `make verify BITS=portable` has another default.
SCALE_GIVEN := $(SCALE)
SCALE ?= miniature
VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
BREW = $(PYTHON) -m brew

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## build .venv from requirements.lock

# The first Python that the lock covers; `uv` comes from the lock too, by its hash, and then installs the rest.
# An environment whose Python does not run is built anew; a half installed one is completed. Bytecode is made here, once:
# in a container that forbids Python to write it, each of a dozen notebooks would compile all that it imports.
# `brew.pth` lets a notebook that an editor starts in its own folder find this tree's `brew`.
$(READY): requirements.lock
	@set -e; \
	if ! $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	  rm -rf $(VENV); \
	  for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	    if $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then \
	      echo "setup: $$($$python --version) in $(VENV)"; \
	      $$python -m venv $(VENV) || { \
	        echo "setup: $(VENV) cannot be made here; a file system without symbolic links cannot hold it: make" \
	          "VENV=/elsewhere/brew, with every command" >&2; rm -rf $(VENV); exit 1; \
	      }; \
	      break; \
	    fi; \
	  done; \
	  if ! [ -x $(PYTHON) ]; then \
	    echo "setup: found no Python from 3.11 to 3.14 with the modules venv and ensurepip; install one" >&2; exit 1; \
	  fi; \
	fi; \
	awk '/^[^ ]/ {keep = /^uv==/} keep' requirements.lock > $(VENV)/uv.txt; \
	$(PYTHON) -m pip install -qq --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt; \
	echo "setup: installing requirements.lock (about 5 GB where none is cached)"; \
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip sync --quiet --compile-bytecode --python $(PYTHON) --require-hashes requirements.lock; \
	$(PYTHON) -c 'import os, sysconfig as s; open(s.get_path("purelib") + "/brew.pth", "w").write(os.getcwd() + "\n")'; \
	touch $@

repro: $(READY)  ## run what changed, at SCALE=miniature (default) or another scale of scales/
	@$(BREW) repro $(SCALE)

plan: $(READY)  ## what SCALE needs, what of it is here, and what it would cost
	@$(BREW) plan $(SCALE)

report: $(READY)  ## the report of SCALE as one HTML file that opens anywhere: scratch/report-SCALE.html
	@$(BREW) report $(SCALE) --one-file

rehearse: $(READY)  ## run every step of SCALE in small, on files and random weights made here
	@$(BREW) rehearse $(SCALE)

sync: $(READY)  ## write dvc.yaml and scales/*/ from the table of stages, notebooks' imports and parameters
	@$(BREW) sync

# Runs of whole pipelines wait for processes most of the time, so the other tests run beside them, one a core. A worker
# that is done takes tests from another, so the machine's cores end together; a pipeline would then run in each worker.
PIPELINES := tests/test_end_to_end.py tests/test_rehearse.py
test: lint  ## everything that has to hold before a change is kept
	@OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q $(PIPELINES) > $(VENV)/pipelines.log 2>&1 & beside=$$!; \
	trap 'kill $$beside' INT TERM; \
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -n logical --maxprocesses 4 --dist worksteal \
	  $(PIPELINES:%=--ignore %); status=$$?; \
	wait $$beside || status=1; cat $(VENV)/pipelines.log; exit $$status

# The committed tests try a dozen odd inputs at each door; FLOOD says how many here.
FLOOD ?= 100
flood: $(READY)  ## try many odd inputs at every door: make flood FLOOD=100
	@BREW_FLOOD=$(FLOOD) OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q tests/test_odd_input.py tests/data/sources/test_odd_files.py

# How many moments of each kind: SIGKILL, SIGTERM, SIGINT, no memory, full disk and so on.
MOMENTS ?= 50
soak: $(READY)  ## disturb scale tiny at random moments and see that it recovers; goes on where it was stopped
	@$(PYTHON) -m tests.soak --moments $(MOMENTS)

lint: $(READY)  ## style, types and the direction of imports; prints the layers, highest first
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --check --quiet . || { echo "lint: run 'ruff format .'" >&2; exit 1; }
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-logo > $(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log; exit 1; }
	@awk '/^id = "rooms"/ {on = 1} on && /^]/ {exit} on && /^    "/ {gsub(/[",]/, ""); print "layer:" $$0}' pyproject.toml
	@sed -n '/KEPT$$/p' $(VENV)/lint-imports.log

# JupyterLab refuses to run as root, as containers do: make lab OPTIONS="--allow-root --ip 0.0.0.0"
lab: $(READY)  ## JupyterLab; saving a notebook scrubs its outputs
	@PYTHONPATH="$$PWD" JUPYTER_CONFIG_PATH="$$PWD/.jupyter" MATPLOTLIBRC="$$PWD/matplotlibrc" $(PYTHON) -m jupyterlab notebooks $(OPTIONS)

audit: $(READY)  ## look for known advisories on the lock's packages, if the network has them
	@$(BREW) audit

lock: $(READY)  ## resolve requirements.in into requirements.lock; what is pinned stays where it can
	@$(VENV)/bin/uv pip compile requirements.in --quiet --universal --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --python-version 3.11 --output-file requirements.lock

# Of fmow and ssl4eo a part can be fetched: make data BENCHMARK=fmow CATEGORIES="port zoo" COUNT=1000
data: $(READY)  ## fetch a benchmark's files into BREW_DATA: make data BENCHMARK=m-eurosat
	@$(BREW) data $(BENCHMARK) $(if $(SPLITS),--splits $(SPLITS)) $(if $(CATEGORIES),--categories $(CATEGORIES)) \
	  $(if $(COUNT),--count $(COUNT))

teacher: $(READY)  ## train the miniature's optical teacher again
	@$(BREW) teacher

# What a test compares with: run this once a change of code changes results, and commit scales/tiny/dvc.lock.
lock-tiny: $(READY)  ## run scale tiny from nothing in a clone, and keep its lock, the same on every processor
	@$(BREW) lock tiny

verify: $(READY)  ## regenerate in a scratch clone and judge it, byte by byte if BITS=portable: SCALE=, BITS=
	@$(BREW) verify $(if $(BITS),--bits $(BITS)) $(if $(SCALE_GIVEN),$(SCALE))

noise: $(READY)  ## measure how far rounding alone carries every score of SCALE: reports/<scale>/noise.csv
	@$(BREW) noise $(SCALE)

bench: $(READY)  ## measure speed on a quiet machine and write docs/performance.md
	@$(PYTHON) -m benchmarks.all

clean:  ## remove working files; results, the DVC cache and the environment stay
	@for disk in scratch/soak/*/tree; do umount "$$disk" 2>/dev/null || true; done
	@rm -rf scratch .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find brew tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup repro plan report rehearse sync test flood soak lint lab audit lock data teacher lock-tiny verify noise bench clean
