# `make demo` and `make test` on a fresh machine are all the set-up there is.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# two workers, each with whole files, whose tests share meshes and processes
PARALLEL := --numprocesses 2 --dist loadscope
CODE   := mpyc_core transport protocols ml privacy grid examples tests bench

.PHONY: help demo demo-mnist test test-full lint types wheel docs bench clean

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/demo.stamp: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/test.stamp: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[demo,test]'
	@touch $@

$(VENV)/docs.stamp: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[demo,docs]'
	@touch $@

demo: $(VENV)/demo.stamp        ## three hospitals train one tumour classifier, encrypted
	$(BIN)/python -m mpyc_core demo tumour

demo-mnist: $(VENV)/demo.stamp  ## encrypted MNIST inference and training (DATA=folder of IDX files)
	$(BIN)/python -m mpyc_core demo mnist $(if $(DATA),--data $(DATA))

test: $(VENV)/test.stamp lint types wheel  ## the whole test-suite
	$(BIN)/python -m mpyc_core warm
	$(BIN)/python -m pytest $(PARALLEL) -m "not alone"
	$(BIN)/python -m pytest -m alone

test-full: $(VENV)/test.stamp   ## the long sweeps too
	$(BIN)/python -m mpyc_core warm
	$(BIN)/python -m pytest $(PARALLEL) -m "not alone" --full
	$(BIN)/python -m pytest -m alone --full

lint: $(VENV)/test.stamp        ## ruff, lint and format
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: $(VENV)/test.stamp       ## mypy, strict
	$(BIN)/mypy

wheel: $(VENV)/test.stamp       ## build the wheel, install it elsewhere, run the fast tests against it
	rm -rf build dist
	$(BIN)/python -m build --quiet --wheel --sdist
	$(BIN)/python tests/check_wheel.py dist

docs: $(VENV)/docs.stamp        ## the documentation as HTML in docs/_build
	$(BIN)/python -m sphinx -q -W -b html docs docs/_build

bench: $(VENV)/demo.stamp       ## measure kernels, protocols and models
	$(BIN)/python -m bench

clean:           ## remove what the targets above made
	rm -rf $(VENV) build dist docs/_build *.egg-info
