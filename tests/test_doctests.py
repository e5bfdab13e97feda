"""Every public name has an example in its docstring, and every such example says what is so."""

import doctest
import inspect
import os

import pytest

import unlearnable

NAMES = sorted(set(unlearnable.__all__) - {"__version__"})
FINDER = doctest.DocTestFinder(exclude_empty=False)
RUNNER_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", NAMES)
def test_examples_run_as_they_stand(name, tmp_path, monkeypatch):
    """In an empty folder, and with nothing imported but by themselves: as somebody would paste them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")
    runner, said = doctest.DocTestRunner(optionflags=RUNNER_FLAGS), []
    public = getattr(unlearnable, name)
    first, *methods = FINDER.find(public, name, module=inspect.getmodule(public), globs={})
    assert first.name == name and len(first.examples) >= 2, f"expected an example that imports and shows {name}"
    for test in (first, *methods):
        runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_name_arguments_and_errors(name):
    """A function says what it takes where it takes more than one thing, and what it raises where it raises."""
    public = getattr(unlearnable, name)
    if inspect.isfunction(public):
        text, source = inspect.getdoc(public), inspect.getsource(public)
        assert "Raises:" in text or "raise " not in source
        for argument in inspect.signature(public).parameters.values():
            alone = len(inspect.signature(public).parameters) == 1
            assert alone or f"{argument.name}: " in text, argument.name
