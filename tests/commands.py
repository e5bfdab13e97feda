"""Commands as a user types them."""

from typer.testing import CliRunner, Result

from unlearnable.cli import app

runner = CliRunner()


def run(*words: object, code: int = 0) -> Result:
    """Run a command and look at its exit code."""
    result = runner.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result
