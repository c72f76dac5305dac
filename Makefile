PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN := runs/demo

.PHONY: demo test lint bench fuzz data clean

demo: $(READY)
	rm -rf $(RUN)
	$(BIN)/modelspec summary specs/digits.yaml
	$(BIN)/modelspec train specs/digits.yaml --data data/digits.npz --run $(RUN)
	$(BIN)/modelspec evaluate $(RUN) --data data/digits.npz
	$(BIN)/modelspec predict $(RUN) --data data/digits.npz -o $(RUN)/predictions.npz

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python tests/benchmarks/check.py

fuzz: $(READY)
	$(BIN)/python tests/fuzz.py --cases 20000 --seed 1

data: $(READY)
	$(BIN)/python data/make_data.py

clean:
	rm -rf $(VENV) runs

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	touch $@
