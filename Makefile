# Presparse: everything a fresh machine needs. It must have Python 3.11 or newer, g++, make and perl;
# the rest comes from pip into .venv, once. A stamp file says what is installed, so a second run
# installs nothing until pyproject.toml changes.

# The newest of these that is 3.11 or newer; `make PYTHON=/path/to/python` chooses another.
PYTHON  ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
             $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Processes that run tests, proofs, mutants.
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
# More options for pytest, for example `make test ARGS="-k pattern"`.
ARGS    ?=

BIN     := .venv/bin
DEMO    := .venv/installed-demo
DEV     := .venv/installed-dev

.PHONY: help demo check test sim formal mutants faults kills fuzz coverage soak nightly nightly-mnist bench accuracy calibrate lint docs format clean
.DELETE_ON_ERROR:

help:
	@echo "make demo     train a sparse network, run it on a simulated board, check every bit, write report.html"
	@echo "make check    lint and the quick tests: what to run before a commit"
	@echo "make test     all tests (a seeded subset of the random networks)"
	@echo "make lint     ruff, pyright, import-linter"
	@echo "make docs     the site with the API reference, in docs/_build/html; a warning is an error"
	@echo "make bench    training speed of the core, its links, plain C and PyTorch, side by side; when a sparse layer pays"
	@echo "make accuracy accuracy on held-out digits: trained on the board, in PyTorch, quantized; mean of SPLITS=10 splits"
	@echo "make sim      lane, junctions, core and pins of a small network against the reference, in Verilator and Icarus"
	@echo "make formal   proofs of the control logic"
	@echo "make faults   100,000 harmed frames, boards that lie, hosts that vanish: nothing is lost or done twice"
	@echo "make kills    500 programs killed at random moments: nothing is lost, nothing hangs, nobody is left behind"
	@echo "make fuzz     every reader of files and of a board's bytes, SECONDS=60 each, guided by what inputs reach"
	@echo "make coverage what tests run of the host's code, and random workloads of the gateware"
	@echo "make soak     an hour of everything at once (SECONDS=3600): state and memory as they should be"
	@echo "make mutants  seeded faults in gateware, schedule and arithmetic: do tests and proofs notice every one?"
	@echo "make nightly  many more random networks (NETWORKS=500), and bitstreams of the shipped ones"
	@echo "make nightly-mnist  15 epochs of MNIST, bit for bit as the board does (PRESPARSE_DATA names the folder)"
	@echo "make calibrate  real builds that the estimate is fitted to: make calibrate BUILDS=4 runs four at once"
	@echo "make format   let ruff format the code"
	@echo "make clean    remove .venv and everything that tools made"

demo: $(DEMO)
	$(BIN)/presparse demo

check: lint
	$(BIN)/pytest -n $(JOBS) --dist loadgroup -m "not slow" $(ARGS)

test: $(DEV)
	$(BIN)/pytest -n $(JOBS) --dist loadgroup $(ARGS)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

docs: $(DEV)
	$(BIN)/python -m sphinx --builder html --nitpicky --fail-on-warning --keep-going --quiet docs docs/_build/html

format: $(DEV)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(DEV)
	$(BIN)/presparse bench

accuracy: $(DEV)
	$(BIN)/python -m presparse.demo.accuracy --splits $(or $(SPLITS),10)

sim: $(DEV)
	$(BIN)/presparse sim --simulator verilator
	$(BIN)/presparse sim --simulator icarus

formal: $(DEV)
	$(BIN)/python -m tests.verification.formal --jobs $(JOBS) $(ARGS)

faults: $(DEV)
	$(BIN)/python -m presparse_sim.campaigns.faults $(ARGS)

kills: $(DEV)
	$(BIN)/python -m presparse_sim.campaigns.kills --jobs $(JOBS) $(ARGS)

fuzz: $(DEV)
	$(BIN)/python -m tests.verification.fuzz --seconds $(or $(SECONDS),60) $(ARGS)

coverage: $(DEV)
	$(BIN)/python -m tests.verification.coverage --jobs $(JOBS) $(ARGS)

soak: $(DEV)
	$(BIN)/python -m presparse_sim.campaigns.soak --seconds $(or $(SECONDS),3600) $(ARGS)

mutants: $(DEV)
	$(BIN)/python -m tests.verification.mutants --jobs $(JOBS) $(ARGS)

nightly: $(DEV)
	$(BIN)/pytest -n $(JOBS) --nightly --networks $(or $(NETWORKS),500) $(ARGS)

nightly-mnist: $(DEV)
	$(BIN)/python -m presparse.demo.mnist --check --output mnist-run

calibrate: $(DEV)
	$(BIN)/python -m presparse_boards.calibration.calibrate --jobs $(or $(BUILDS),1) --json docs/estimate.json --plot docs/estimate.png

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An editable install: the four source folders on the path, and the extras that the target needs.
$(DEMO): pyproject.toml | .venv/made
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(DEV): pyproject.toml | .venv/made
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(DEMO)

# Last of all the stamp: an environment whose making was cut off is completed by the next run.
.venv/made:
	@test -n "$(PYTHON)" || { echo "Presparse needs Python 3.11 or newer: install it, or run make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up .venv (once, a few minutes: PyTorch is large) ..."
	@$(PYTHON) -m venv .venv || { echo "Python cannot make a virtual environment; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	@touch $@
