import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearnable.audit.outcome import AuditRow, Outcome, PublishedFolder
from unlearnable.audit.verdict import LIMITS, by_status, status, verdict
from unlearnable.bench.cell import Cell, Result
from unlearnable.images.quality import Quality
from unlearnable.training.history import Epoch


def matrix(accuracy, classes, answer=None):
    """100 pictures a class; what is wrong goes to the next class, or to ``answer``."""
    right = round(100 * accuracy)
    counts = np.zeros((classes, classes), int)
    for label in range(classes):
        counts[label, label] += right
        counts[label, (label + 1) % classes if answer is None else answer] += 100 - right
    return tuple(map(tuple, counts.tolist()))


def result(peak, final=None, classes=10, seed=0, answer=None):
    cell = Cell(
        train="a", test="b", clean="", weights="", size=32, victim="v", countermeasure="c", recipe="r", seed=seed
    )
    final = peak if final is None else final
    confusions = matrix(final, classes, answer), matrix(peak, classes)
    return Result(
        cell,
        (Epoch(1.0, 0.9, peak, (peak,) * classes), Epoch(0.5, 0.9, final, (final,) * classes)),
        *confusions,
        60.0,
        "a processor",
        {},
    )


def row(name, clean, got, classes=10, seeds=1, protected=()):
    return AuditRow(
        name,
        tuple(result(clean, classes=classes, seed=seed) for seed in range(seeds)),
        tuple(result(got, classes=classes, seed=seed) for seed in range(seeds)),
        protected,
    )


def outcome(*rows, classes=10, **fields):
    made = Outcome(
        classes=tuple("abcdefghijklmnopqrst"[:classes]),
        protected_classes=(),
        train_count=1000,
        test_count=1000,
        size=32,
        victim="resnet9",
        recipe="quick",
        epochs=2,
        seeds=1,
        rows=rows,
        missing={},
        published=PublishedFolder(count=1000, qualities=(), budget=None, over_budget=0, samples=()),
        command="unlearnable audit",
    )
    return replace(made, **fields)


def verdict_text(*rows, **fields):
    return " ".join(verdict(outcome(*rows, **fields)))


VANILLA = row("vanilla", 0.86, 0.15)


def test_the_worst_case_of_each_kind_of_trainer_comes_first():
    rows = (VANILLA, row("gray", 0.8, 0.6), row("mix", 0.8, 0.76), row("class_mean", 0.8, 0.2), row("bridge", 0.5, 0.4))
    assert verdict(outcome(*rows))[:3] == [
        "In the worst case that was measured, a trainer gets of what clean pictures give him: with the published "
        "pictures alone 75.0 %; with clean pictures of his own 95.0 %; with leaked originals 80.0 %.",
        "That is, of the test pictures at the best epoch: gray 60.0 % right, clean 80.0 %; mix 76.0 % right, clean "
        "80.0 %; bridge 40.0 % right, clean 50.0 %. Guessing gets 10.0 %. Not tried: a trainer with a pretrained "
        "network.",
        "Ordinary training, without any countermeasure, gets 15.0 % with the published pictures and 86.0 % with clean "
        "ones.",
    ]


def test_a_victim_with_weights_makes_every_trainer_one_with_a_pretrained_network():
    of = outcome(VANILLA, row("mix", 0.8, 0.7), victim="resnet9:pretrained=somebodys.safetensors")
    assert [(case.advantage, case.countermeasure) for case in of.worst_cases.values()] == [("pretrained", "mix")]


def test_the_pretrained_networks_that_were_tried_are_named():
    probes = ["probe:weights=efficientnet_lite0", "jpeg:quality=50+probe:weights=own.safetensors", "mix"]
    rows = [row(name, 0.8, 0.7) for name in probes]
    said = "Pretrained networks that were tried: efficientnet_lite0, own.safetensors. What stops one"
    assert said in verdict_text(VANILLA, *rows)
    begun = verdict_text(VANILLA, row("mix", 0.8, 0.7), victim="resnet9:pretrained=somebodys.safetensors")
    assert "that were tried: somebodys.safetensors. What" in begun
    control = row("only_clean+probe:weights=efficientnet_lite1", 0.8, 0.7)
    assert "Pretrained networks" not in verdict_text(VANILLA, row("mix", 0.8, 0.7), control)


def test_vanilla_is_stated_once():
    text = verdict_text(VANILLA, row("gray", 0.8, 0.12))
    assert "ordinary training 15.0 % right, clean 86.0 %." in text
    assert text.count("15.0 %") == 1


def test_the_peak_counts_and_not_the_end():
    early = AuditRow("vanilla", VANILLA.clean, (result(peak=0.7, final=0.1),))
    assert status(early, 0.1) == "weakened"
    assert "70.0 %" in verdict_text(early)


def test_how_many_countermeasures_it_holds_against():
    rows = (VANILLA, row("gray", 0.8, 0.44), row("bdr", 0.8, 0.46), row("mean", 0.8, 0.75), row("at", 0.8, 0.8))
    assert (
        "Countermeasures measured: 4. The protection holds against 1, is weakened by 1 and gone with 2. Gone with: at; "
        "mean. It is said to hold where the trainer's best stays nearer to guessing than to what clean pictures give, "
        "and to be gone where it comes within 5 points of that."
    ) in verdict_text(*rows)


def test_what_says_nothing_of_the_published_pictures_is_not_counted():
    rows = (VANILLA, row("gaussf", 0.86, 0.15), row("only_clean:per_class=50", 0.45, 0.45))
    text = verdict_text(*rows)
    assert "No countermeasure was measured, so nothing is known of a trainer who tries one." in text
    assert (
        "Without any published picture, from the few clean ones of only_clean:per_class=50 alone, a trainer gets "
        "45.0 %; so much says nothing about the protection."
    ) in text
    assert "ordinary training 15.0 % right" in text
    assert [status(row, 0.1) for row in rows] == ["holds", "control", "control"]
    assert by_status(outcome(VANILLA, row("gaussf:sigma=0.8", 0.8, 0.2)))["holds"] == ["gaussf:sigma=0.8"]


@pytest.mark.parametrize(
    "name", ["gaussf:sigma=0.1", "bdr:bits=8", "vanilla+mean:kernel=1", "only_clean", "gray+only_clean"]
)
def test_controls_are_counted_nowhere(name):
    counted = outcome(VANILLA, row("gray", 0.8, 0.2))
    of = outcome(*counted.rows, row(name, 0.86, 0.84))
    assert status(of.rows[-1], 0.1) == "control"
    assert by_status(of) == by_status(counted) and by_status(of)["holds"] == ["gray"]
    assert of.worst_cases == counted.worst_cases and of.means == counted.means


def test_countermeasures_that_ruin_clean_pictures_are_not_judged():
    text = verdict_text(VANILLA, row("mean:kernel=9", 0.15, 0.1))
    assert (
        "holds against 0, is weakened by 0 and gone with 0; 1 cannot be judged, as clean pictures give too little"
        in text
    )


@pytest.mark.parametrize(
    "got, word", [(0.47, "holds"), (0.48, "weakened"), (0.79, "weakened"), (0.8, "gone"), (0.9, "gone")]
)
def test_where_the_words_begin(got, word):
    assert status(row("at", 0.85, got), 0.1) == word


def test_bluntly_when_vanilla_breaks_it():
    for got in (0.6, 0.85):
        text = verdict(outcome(row("vanilla", 0.86, got), row("gray", 0.8, 0.2)))
        assert text[0] == (
            "The protection does not hold even against ordinary training: without any countermeasure a trainer gets "
            f"{100 * got:.1f} % of the test pictures right with the published pictures and 86.0 % with clean ones."
        )


def test_bluntly_when_nothing_is_learnt_from_clean_pictures():
    blunt = (
        "This audit can say nothing about the protection: even on clean pictures the training gets only 15.0 % of the "
        "test pictures right, and guessing 10.0 %. Audit with more pictures or more epochs."
    )
    for name in ("vanilla", "gray"):
        assert verdict(outcome(row(name, 0.15, 0.12)))[0] == blunt


def test_without_vanilla():
    assert "Ordinary training, without any countermeasure, was not measured." in verdict_text(row("gray", 0.8, 0.2))


def test_nothing_measured():
    for rows in ((), (row("only_clean", 0.4, 0.4),), (row("gaussf", 0.8, 0.4),)):
        sentences = verdict(outcome(*rows, missing={"at": "no time"}))
        assert sentences == [
            "Nothing was measured: no training on published pictures has ended; nothing is known of the protection.",
            "Not measured, though asked for: at. Nothing is known of a trainer who uses it.",
            LIMITS,
        ]


def test_what_was_not_measured():
    missing = {"at:steps=10,step=2": "no time left", "inverse": "no key", "vanilla": "the second seed is missing"}
    assert (
        "Not measured, though asked for: at:steps=10,step=2; inverse. Nothing is known of a trainer who uses one of "
        "these."
    ) in verdict_text(VANILLA, missing=missing)


def test_seeds():
    assert "single training (one seed), so differences of a few points mean nothing" in verdict_text(VANILLA)
    three = row("vanilla", 0.86, 0.15, seeds=3)
    assert "Each figure is the mean of 3 trainings with different seeds." in verdict_text(three, seeds=3)
    assert "the mean of 2 to 3, with different seeds." in verdict_text(three, row("at", 0.8, 0.2, seeds=2), seeds=3)
    assert "the mean of 1 to 3, with different seeds; where there is one alone, differences of a few" in verdict_text(
        three, row("at", 0.8, 0.2), seeds=3
    )


def test_the_owners_case():
    text = verdict_text(row("vanilla", 0.86, 0.15, protected=(2, 5)), protected_classes=(2, 5))
    assert "That is, of the test pictures of the protected classes at the best epoch:" in text
    assert (
        "Only 2 of 10 classes are protected; every accuracy given here is over the test pictures of those alone (their "
        "recall)."
    ) in text


def test_a_broken_budget():
    published = PublishedFolder(count=9000, qualities=(), budget="rms:8", over_budget=1200, samples=())
    assert "The budget is broken: 1,200 of 9,000 files measured changed more than the promised rms:8." in verdict_text(
        VANILLA, published=published
    )
    some = replace(published, qualities=(Quality(9, 9.0, 29.0, 0.9), Quality(9, 7.0, 31.0, 0.9)), over_budget=1)
    assert "1 of 2 files measured" in verdict_text(VANILLA, published=some)
    assert "budget" not in verdict_text(VANILLA, published=replace(published, over_budget=0))


def collapsed(*answers, shares=1.0, seeds=1, protected=()):
    """Vanilla, after which one class stands in for a share of all; several take turns by true class."""
    trainings = []
    for seed in range(seeds):
        counts = np.full((10, 10), 0)
        for label in range(10):
            counts[label, answers[label % len(answers)]] += round(100 * shares)
            counts[label, 9 - label] += 100 - round(100 * shares)
        trainings.append(replace(result(0.12, seed=seed), confusion=tuple(map(tuple, counts.tolist()))))
    return AuditRow("vanilla", (result(0.86),) * seeds, tuple(trainings), protected)


def test_collapse():
    sentence = "After ordinary training the network takes {} of the test pictures for {}: a trainer who looks at its "
    assert sentence.format("96.4 %", "one class") in verdict_text(collapsed(3, shares=0.96))
    assert sentence.format("100.0 %", "two classes") in verdict_text(collapsed(3, 5))
    assert sentence.format("100.0 %", "one class") in verdict_text(collapsed(3, seeds=2), seeds=2)
    for healthy in (VANILLA, collapsed(3, shares=0.8), collapsed(1, 2, 3)):
        assert "looks at its answers" not in verdict_text(healthy)


def test_collapse_in_the_owners_case():
    whole = verdict_text(collapsed(3, protected=(0, 1)), protected_classes=(0, 1))
    assert "100.0 % of the test pictures of the protected classes for one class" in whole
    right = verdict_text(collapsed(3, protected=(3,)), protected_classes=(3,))
    assert "looks at its answers" not in right


accuracies = st.integers(0, 100).map(lambda percent: percent / 100)
names = st.sampled_from(["vanilla", "gray", "at", "gaussf", "only_clean", "gray+resize", "early"])
plans = st.fixed_dictionaries(
    {
        "classes": st.integers(2, 12),
        "seeds": st.integers(1, 2),
        "protected": st.sampled_from([(), (0,), (0, 1)]),
        "chosen": st.dictionaries(names, st.tuples(accuracies, accuracies), max_size=5),
        "missing": st.lists(names, unique=True, max_size=3),
        "over_budget": st.integers(0, 2000),
    }
)


def planned(classes, seeds, protected, chosen, missing, over_budget):
    """Outside the strategy, in which nothing may be drawn at random: beartype does."""
    return outcome(
        *(row(name, clean, got, classes, seeds, protected) for name, (clean, got) in chosen.items()),
        classes=classes,
        protected_classes=protected,
        seeds=seeds,
        missing=dict.fromkeys(missing, "no time"),
        published=PublishedFolder(2000, (), "rms:8", over_budget, ()),
    )


def figures(of):
    """Every number that may be said of an outcome."""
    shares = [case.share or 0.0 for case in of.worst_cases.values()]
    shares += [of.chance, *(score.mean for row in of.rows for score in (row.clean_peak, row.peak))]
    for training in (training for row in of.rows for training in row.protected):
        rows = np.array(training.confusion)[list(of.protected_classes or range(len(of.classes)))]
        answers = np.sort(rows.sum(0) / rows.sum())
        shares += [answers[-1], answers[-2:].sum()]
    counts = [len(of.classes), len(of.protected_classes), of.seeds, of.published.over_budget, of.published.count]
    counts += [len(names) for names in by_status(of).values()] + [sum(map(len, by_status(of).values()))]
    return {f"{100 * share:.1f}" for share in shares} | {f"{count:,}" for count in counts} | {"5"}


@given(plans)
def test_no_more_is_claimed_than_was_measured(plan):
    of = planned(**plan)
    sentences = verdict(of)
    text = " ".join(sentences)
    assert sentences[-1] == LIMITS
    assert "does not stop a determined trainer" in text
    assert not re.search(r"unlearnable|stops|guarantee|prevent|secure|impossible|safe", text)
    assert all(sentence.endswith(".") for sentence in sentences)
    assert set(re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text.replace("promised rms:8", ""))) <= figures(of)


@given(plans)
def test_every_row_is_judged_and_the_gone_are_named(plan):
    of = planned(**plan)
    text = " ".join(verdict(of))
    for row in of.rows:
        word = status(row, of.chance)
        assert word in ("holds", "weakened", "gone", "undecided", "control")
        if word == "gone" and row.countermeasure != "vanilla":
            assert re.search(rf"Gone with: [^.]*{re.escape(row.countermeasure)}", text)
