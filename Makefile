# Nothing but Python 3.11+ and make is needed; everything else goes into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --build-constraint constraints.txt
SOURCES := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run test lint lab audit bench clean

help: ## Say what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

run: $(VENV)/run ## Assess every unit of the sample register and write its pages
	$(BIN)/riskcalc run data

test: $(VENV)/dev lint ## Run all tests
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile
	$(BIN)/python -m pytest --nbval-lax --nbval-current-env notebooks

lint: $(VENV)/dev ## Check style, types and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/nbstripout --verify --keep-count --keep-id notebooks/*.ipynb

lab: $(VENV)/run ## Open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

audit: $(VENV)/dev ## Look for known holes in the installed packages; needs an advisory database
	$(BIN)/python -m pip --disable-pip-version-check install --quiet pip-audit
	$(BIN)/pip-audit --local --skip-editable --progress-spinner off

bench: $(VENV)/dev ## Measure speed, as ratios within one run
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.workshop
	$(BIN)/python -m benchmarks.readers
	$(PIP) '.[bench]' && $(BIN)/python -m benchmarks.runs

clean: ## Remove what was built, but no reports
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("riskcalc needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run: $(VENV)/bin/python $(SOURCES)
	@echo "Installing riskcalc into $(VENV); the first time takes a minute or two."
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --upgrade pip setuptools
	$(PIP) --editable '.[lab,workshop]'
	@touch $@

$(VENV)/dev: $(VENV)/run $(SOURCES)
	$(PIP) --editable '.[dask,dev,lab,pdf,pptx,workshop]'
	@touch $@
