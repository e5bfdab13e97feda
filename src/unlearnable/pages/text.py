"""Figures and names as every report writes them."""

from unlearnable.pages.score import Score

MISSING = "–"  # in place of a figure that is not there


def score(value: Score) -> str:
    """Percent without the sign, with the deviation where there is one."""
    spread = "" if value.deviation is None else f" ± {100 * value.deviation:.1f}"
    return f"{100 * value.mean:.1f}{spread}"


def percent(share: float | None) -> str:
    """Percent without the sign; a dash for what is not there."""
    return MISSING if share is None else f"{100 * share:.1f}"


def points(share: float | None) -> str:
    """A difference in points, with its sign; a dash for what is not there."""
    if share is None:
        return MISSING
    return f"{round(100 * share, 1) + 0:+.1f}".replace("-", "\N{MINUS SIGN}")


def duration(seconds: float) -> str:
    """In seconds, minutes or hours."""
    hours, minutes = divmod(round(seconds / 60), 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def markdown_cell(text: str) -> str:
    """Text inside a Markdown table: one line, without marks."""
    for sign in "\\`*|<[":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def as_utf8(text: str) -> str:
    """Without the halves of characters that stand for bytes of file names that are no UTF-8."""
    return text.encode(errors="replace").decode()
