# Nothing but Python 3.11+ and make is needed; everything else goes into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --build-constraint constraints.txt
SOURCES := pyproject.toml constraints.txt
EXTRAS := dask,dev,lab,parquet,pdf,pptx,watch,workshop

# Tests without a browser, a kernel or a whole run, with few examples of each property: for other versions than ours.
QUICK := --numprocesses logical --maxprocesses 4 --hypothesis-profile quick \
	tests/assessment tests/cli tests/excel tests/loss tests/register tests/test_files.py tests/test_house.py tests/test_sampling.py
# Notebooks that the documentation shows beside those of a run; the rest have widgets, or are a page for somebody.
SHOWN := $(filter-out assessment portfolio workshop ballot questionnaire trust_centre,$(basename $(notdir $(wildcard notebooks/*.ipynb))))
# Other Pythons than the one that is asked first, as far as this machine has them.
OTHERS ?= $(foreach version,3.12 3.13,$(lastword $(wildcard $(HOME)/.pyenv/versions/$(version).*/bin/python)))

.DEFAULT_GOAL := help
.PHONY: help run test test-lowest test-latest test-others lint lab docs audit bench clean

help: ## Say what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

run: $(VENV)/run ## Assess every unit of the sample register and write its pages
	$(BIN)/riskcalc run data

test: $(VENV)/dev lint ## Run all tests
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --nbval-lax --nbval-current-env tests notebooks

# $(call quick,NAME,PYTHON,HOW): the quick tests in an environment of their own, .venv-NAME.
define quick
$(PIP) uv
$(BIN)/uv venv --quiet --clear --python $(2) $(VENV)-$(1)
$(BIN)/uv pip install --quiet --python $(VENV)-$(1)/bin/python $(3) --editable '.[$(EXTRAS)]'
$(VENV)-$(1)/bin/python -m pytest $(QUICK)

endef

test-lowest: $(VENV)/run ## Quick tests with the oldest direct dependencies that pyproject.toml allows
	$(call quick,lowest,$(BIN)/python,--resolution lowest-direct)

test-latest: $(VENV)/run ## Quick tests with the newest versions of everything, whatever constraints.txt says
	$(call quick,latest,$(or $(lastword $(OTHERS)),$(BIN)/python),--upgrade)

test-others: $(VENV)/run ## Quick tests on the other Pythons of this machine
	$(foreach python,$(OTHERS),$(call quick,other,$(python),--constraint constraints.txt))

lint: $(VENV)/dev ## Check style, types and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/nbstripout --verify --keep-count --keep-id notebooks/*.ipynb

lab: $(VENV)/run ## Open the notebooks in JupyterLab
	$(BIN)/riskcalc lab

docs: $(VENV)/docs ## Build the documentation site, which opens offline
	rm -rf .docs && mkdir -p .docs/source/notebooks .docs/books
	cp -r docs/*.md docs/schemas CHANGELOG.md CONTRIBUTING.md SECURITY.md .docs/source
	$(BIN)/riskcalc run data --notebooks notebooks --out .docs/sample
	cp .docs/sample/*/payroll.ipynb .docs/books/assessment.ipynb
	cp .docs/sample/*/index.ipynb .docs/books/portfolio.ipynb
	for book in $(SHOWN); do $(BIN)/papermill --no-progress-bar notebooks/$$book.ipynb .docs/books/$$book.ipynb; done
	$(BIN)/sphinx-build --fail-on-warning --quiet -c docs .docs/source .docs/html
	@echo "Open .docs/html/index.html"

audit: $(VENV)/dev ## Look for known holes in the installed packages; needs an advisory database
	$(BIN)/python -m pip --disable-pip-version-check install --quiet pip-audit
	$(BIN)/pip-audit --local --skip-editable --progress-spinner off

bench: $(VENV)/dev ## Measure speed, as ratios within one run
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.workshop
	$(BIN)/python -m benchmarks.readers
	$(BIN)/python -m benchmarks.pages
	$(PIP) '.[bench]' && $(BIN)/python -m benchmarks.runs

clean: ## Remove what was built, but no reports
	rm -rf $(VENV) $(VENV)-* .docs .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("riskcalc needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run: $(VENV)/bin/python $(SOURCES)
	@echo "Installing riskcalc into $(VENV); the first time takes a minute or two."
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --upgrade pip setuptools
	$(PIP) --editable '.[lab,workshop]'
	@touch $@

$(VENV)/dev: $(VENV)/run $(SOURCES)
	$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@

$(VENV)/docs: $(VENV)/run $(SOURCES)
	$(PIP) --editable '.[docs,lab,workshop]'
	@touch $@
