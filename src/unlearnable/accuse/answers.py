"""What a model answered, from a CSV file: a class for every picture, or a number for every class."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

Kind = Literal["labels", "probabilities", "logits"]
PICTURE, ANSWER = "picture", "answer"  # the columns of a file of labels


@dataclass(frozen=True)
class Answers:
    """A model's answers, one row a picture, in the order of the sealed record.

    Attributes:
        kind: ``labels``; ``probabilities``, which may also be those of independent classes; or ``logits``.
        names: of the answers.
        scores: of every answer, from 0 to 1: a label is 1 for what was named; logits have become probabilities.
    """

    kind: Kind
    names: tuple[str, ...]
    scores: Float[ndarray, "probes answers"]

    @classmethod
    def of_labels(cls, labels: Sequence[str]) -> "Answers":
        """One label a picture."""
        names = tuple(sorted(set(labels)))
        return cls("labels", names, np.array([[float(label == name) for name in names] for label in labels]))

    @classmethod
    def of_numbers(cls, names: Sequence[str], numbers: Float[ndarray, "probes answers"]) -> "Answers":
        """A number for every picture and answer: probabilities where all lie from 0 to 1, else logits.

        Raises:
            ValueError: one is not finite.
        """
        if not np.isfinite(numbers).all():
            row, column = np.argwhere(~np.isfinite(numbers))[0]
            raise ValueError(
                f"expected finite numbers, got {numbers[row, column]} for the answer {names[column]} to picture "
                f"{row + 1} of the sealed record"
            )
        if numbers.min() >= 0 and numbers.max() <= 1:
            return cls("probabilities", tuple(names), numbers)
        raised = np.exp(numbers - numbers.max(1, keepdims=True))
        return cls("logits", tuple(names), raised / raised.sum(1, keepdims=True))

    @classmethod
    def read(cls, file: Path, pictures: Sequence[str]) -> "Answers":
        """Read a CSV file with a row for every picture, in any order.

        The first column is ``picture``. A second one, ``answer``, alone holds the class that was named; else every
        further column is named after a class and holds its probability or logit.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it has not exactly the pictures, or something in it is no answer.
        """
        head, *rows = read_rows(file)
        if head[:1] != [PICTURE] or len(head) < 2:
            raise ValueError(f"expected columns {PICTURE},{ANSWER} or {PICTURE},CLASS,CLASS,… in {file}, got {head}")
        if len(set(head)) < len(head):
            raise ValueError(f"expected every column of {file} once, got {head}")
        if wrong := next((row for row in rows if len(row) != len(head)), None):
            raise ValueError(f"expected {len(head)} values in every row of {file}, got {len(wrong)} for {wrong[0]}")
        by_picture = {row[0]: row[1:] for row in rows}
        _check_pictures(file, [row[0] for row in rows], pictures)
        ordered = [by_picture[picture] for picture in pictures]
        if head[1:] == [ANSWER]:
            if empty := [picture for picture in pictures if not by_picture[picture][0].strip()]:
                raise ValueError(f"expected an answer to every picture in {file}, got none to {empty[0]}")
            return cls.of_labels([row[0].strip() for row in ordered])
        return cls.of_numbers(head[1:], _numbers(file, ordered))

    def write(self, file: Path, pictures: Sequence[str]) -> None:
        """Write what `read` reads."""
        with file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as lines:
            writer = csv.writer(lines)
            if self.kind == "labels":
                writer.writerow([PICTURE, ANSWER])
                named = [self.names[place] for place in self.scores.argmax(1)]
                writer.writerows(zip(pictures, named, strict=True))
            else:
                writer.writerow([PICTURE, *self.names])
                rows = zip(pictures, self.scores.tolist(), strict=True)
                writer.writerows([picture, *(f"{score:.7g}" for score in row)] for picture, row in rows)


def read_rows(file: Path) -> list[list[str]]:
    """The rows of a CSV file without empty ones, at least one; the names of its columns without spaces around them.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no CSV file.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as lines:
            head, *rows = [row for row in csv.reader(lines, strict=True) if row] or [[]]
    except csv.Error as error:
        raise ValueError(f"{file} is no CSV file: {error}") from None
    return [[name.strip() for name in head], *rows]


def _check_pictures(file: Path, given: Sequence[str], wanted: Sequence[str]) -> None:
    unknown, missing = sorted(set(given) - set(wanted)), sorted(set(wanted) - set(given))
    if unknown:
        raise ValueError(f"{file} has answers to {len(unknown)} pictures that were never shown, such as {unknown[0]}")
    if missing:
        raise ValueError(
            f"expected answers to all {len(wanted)} pictures in {file}, {len(missing)} are missing, such as "
            f"{missing[0]}: which are left out must not be chosen"
        )
    if len(given) > len(wanted):
        raise ValueError(f"expected one answer to every picture in {file}, got {len(given)} to {len(wanted)}")


def _numbers(file: Path, rows: Sequence[Sequence[str]]) -> Float[ndarray, "probes answers"]:
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"expected numbers in {file} beside the pictures' names: {error}") from None
