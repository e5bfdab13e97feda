"""The help of every command begins with a line that can be typed: its command and its options exist."""

import shlex

import pytest
from typer.main import get_command

from commands import runner
from unlearnable.cli import app


def commands(command, words=()):
    """Every command and every group of commands, the program itself included, with the words that call it."""
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*words, name))


COMMANDS = dict(commands(get_command(app)))


def shown(words):
    """The help as it is printed, each paragraph a line."""
    return runner.invoke(app, [*words, "--help"], env={"COLUMNS": "1000"}).output


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "unlearnable")
def test_help_begins_with_an_example_that_can_be_typed(words):
    usage, example, *_ = (line.strip() for line in shown(words).splitlines() if line.strip())
    assert usage.startswith("Usage:") and example.startswith("Example: unlearnable ")
    typed = shlex.split(example)[2:]
    called = next(found for found in sorted(COMMANDS, key=len, reverse=True) if found == tuple(typed[: len(found)]))
    assert called[: len(words)] == words and not hasattr(COMMANDS[called], "commands")
    COMMANDS[called].make_context(" ".join(called), typed[len(called) :])  # refuses unknown options and missing ones


def test_the_list_of_commands_says_what_each_does():
    """And not its example, which says it to nobody who does not know."""
    for words, command in COMMANDS.items():
        for name, child in getattr(command, "commands", {}).items():
            assert child.short_help and "Example" not in child.short_help
            assert f"{name} " in shown(words) and child.short_help in shown(words)
