"""What a model answered, as it comes back in a file."""

import numpy as np
import pytest

from unlearnable.accuse.answers import Answers
from unlearnable.accuse.judge import read_mapping

PICTURES = ["1.png", "2.png", "3.png"]


@pytest.fixture
def file(tmp_path):
    def write(text):
        (tmp_path / "answers.csv").write_text(text)
        return tmp_path / "answers.csv"

    return write


def test_labels_come_in_the_order_of_the_record(file):
    answers = Answers.read(file("picture,answer\n3.png,dog\n1.png, cat\n2.png,dog\n"), PICTURES)
    assert (answers.kind, answers.names) == ("labels", ("cat", "dog"))
    assert answers.scores.tolist() == [[1, 0], [0, 1], [0, 1]]


def test_probabilities_stay_and_logits_become_probabilities(file):
    head = "picture,cat,dog\n"
    given = Answers.read(file(head + "1.png,0.2,0.8\n2.png,0.5,0.9\n3.png,0,1\n"), PICTURES)
    assert given.kind == "probabilities"
    assert given.scores[1].tolist() == [0.5, 0.9]  # of independent classes
    logits = Answers.read(file(head + "1.png,0,0\n2.png,800,-800\n3.png,1,0\n"), PICTURES)
    assert logits.kind == "logits"
    assert logits.scores.sum(1) == pytest.approx(1)
    assert logits.scores[2, 0] == pytest.approx(np.e / (1 + np.e))


@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_what_is_written_is_read_again(tmp_path, kind):
    rows = np.random.default_rng(0).dirichlet([1, 1, 1], 3)
    answers = Answers.of_labels(["b", "a", "b"]) if kind == "labels" else Answers.of_numbers("abc", rows)
    answers.write(tmp_path / "x.csv", PICTURES)
    again = Answers.read(tmp_path / "x.csv", PICTURES)
    assert (again.kind, again.names) == (answers.kind, answers.names)
    assert again.scores == pytest.approx(answers.scores, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected columns"),
        ("file,answer\n1.png,a\n", "expected columns"),
        ("picture\n1.png\n", "expected columns"),
        ("picture,a,a\n1.png,1,2\n", "every column"),
        ("picture,answer\n1.png,a\n2.png,b\n", "1 are missing, such as 3.png"),
        ("picture,answer\n1.png,a\n2.png,b\n3.png,b\n4.png,b\n", "never shown, such as 4.png"),
        ("picture,answer\n1.png,a\n1.png,b\n2.png,b\n3.png,b\n", "one answer to every picture"),
        ("picture,answer\n1.png,a\n2.png,\n3.png,b\n", "got none to 2.png"),
        ("picture,answer\n1.png,a\n2.png,b,c\n3.png,b\n", "expected 2 values in every row"),
        ('picture,answer\n1.png,"a\n', "no CSV file"),
        ("picture,a,b\n1.png,1,2\n2.png,nan,1\n3.png,1,1\n", "got nan for the answer a to picture 2"),
        ("picture,a,b\n1.png,1,2\n2.png,inf,1\n3.png,1,1\n", "expected finite numbers"),
        ("picture,a,b\n1.png,1,2\n2.png,many,1\n3.png,1,1\n", "expected numbers"),
    ],
)
def test_what_is_no_answer_is_refused(file, text, message):
    with pytest.raises(ValueError, match=message):
        Answers.read(file(text), PICTURES)


def test_a_mapping_has_two_columns(file):
    assert read_mapping(file("class,answer\ncat,n0123\n dog ,n7 \n")) == {"cat": "n0123", "dog": "n7"}
    with pytest.raises(ValueError, match="class,answer"):
        read_mapping(file("cat,n0123\n"))
