PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOWEST := .venv-lowest
RUN := runs/demo
SUITE := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test sweep test-anywhere test-lowest lint bench balance transfer scale workers deaths differential fuzz data clean

demo: $(READY)
	rm -rf $(RUN)
	$(BIN)/modelspec summary specs/digits_heads.yaml
	$(BIN)/modelspec train specs/digits_heads.yaml --data data/digits_heads.npz --run $(RUN) \
		--set training.validation_split=0.2
	$(BIN)/modelspec evaluate $(RUN) --data data/digits_heads.npz
	$(BIN)/modelspec predict $(RUN) --data data/digits_heads.npz -o $(RUN)/predictions.npz
	$(BIN)/modelspec runs

test: lint
	$(BIN)/python -m pytest $(SUITE)

# Long series of cases, which the suite has a few of.
sweep: $(READY)
	$(BIN)/python -m pytest -m sweep -n 2 --dist load

# As other machines run them: older instruction sets, one thread, busy cores.
test-anywhere: $(READY)
	$(BIN)/python tests/anywhere.py $(ANYWHERE)

# With the oldest versions that pyproject.toml admits.
test-lowest: $(LOWEST)/.ready
	$(LOWEST)/bin/python -m pytest $(SUITE)

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python tests/benchmarks/check.py
	$(BIN)/python tests/benchmarks/limits.py
	$(BIN)/python tests/benchmarks/training.py --output runs/benchmarks.md $(BENCH)
	$(BIN)/python tests/benchmarks/memory.py

balance: $(READY)
	$(BIN)/python tests/benchmarks/balance.py
	$(BIN)/python tests/benchmarks/balance_speed.py

transfer: $(READY)
	$(BIN)/python tests/benchmarks/transfer.py

# What several workers exchange: modelspec/SCALE.md.
scale: $(READY)
	$(BIN)/python tests/benchmarks/scale.py

# Several workers and devices against one process, and workers that are killed.
workers: $(READY)
	$(BIN)/python tests/support/worker_series.py --shipped --models 20
	$(BIN)/python tests/support/worker_deaths.py --kills 30

deaths: $(READY)
	$(BIN)/python tests/support/deaths.py --kills 100 --full-disks 20

differential: $(READY)
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -W ignore tests/support/differential.py --models 500

fuzz: $(READY)
	$(BIN)/python tests/support/fuzz.py --cases 20000 --seed 1

data: $(READY)
	$(BIN)/python data/make_data.py

clean:
	rm -rf $(VENV) $(LOWEST) runs

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	touch $@

$(LOWEST)/.ready: pyproject.toml tests/constraints-lowest.txt
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint tests/constraints-lowest.txt --editable '.[dev]'
	touch $@
