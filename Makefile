# `make demo` and `make test` are all a newcomer needs; both make .venv on their first run and never again
# unless pyproject.toml or constraints.txt changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test docs benchmark clean

demo: $(VENV)/installed
	$(BIN)/python examples/demo.py --out demo $(if $(PHOTOS),--photos "$(PHOTOS)")
	$(if $(PHOTOS),,$(BIN)/python examples/audit_digits.py demo)
	$(if $(PHOTOS),,$(BIN)/python examples/accuse_digits.py demo)

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto --dist loadgroup

docs: $(VENV)/installed-dev
	$(BIN)/python docs/build_site.py

benchmark: $(VENV)/installed
	$(BIN)/python benchmarks/hide.py

clean:
	rm -rf demo site .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing (once, about 7 GB with torch) ..."
	$(INSTALL) --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) --editable ".[dev]"
	@touch $@
