"""Sets that cannot be compared are refused; what they share is counted."""

from dataclasses import replace

import pytest
import torch

from sets import labelled, noisy
from unlearnable import load
from unlearnable.datasets.checks import check_counts, counts, duplicates, matched


@pytest.fixture(scope="module")
def train():
    return labelled(noisy(12, seed=0))


@pytest.fixture(scope="module")
def test():
    return labelled(noisy(8, seed=1))


def test_duplicates_are_those_of_every_pixel(train, test):
    assert duplicates(train, test) == 0
    leaking = test.joined(train[torch.tensor([3, 5])])
    assert duplicates(train, leaking) == 2
    assert duplicates(train.joined(train[torch.tensor([3])]), leaking) == 3
    nearly = leaking.images.clone()
    nearly[-1, 0, 0, 0] ^= 1
    assert duplicates(train, replace(leaking, images=nearly)) == 1


def test_classes_in_another_order_are_matched(train, test):
    turned = test.relabelled(test.classes[::-1])
    assert turned.classes != train.classes
    again = matched(train, turned)
    assert again.classes == train.classes and torch.equal(again.labels, test.labels)


def test_classes_that_differ(train, test):
    other = replace(test, classes=("a", "b", "c", "x"))
    with pytest.raises(ValueError, match=r"got 4 and 4; only one of them has d, x"):
        matched(train, other)
    with pytest.raises(ValueError, match=r"got 4 and 5; only one of them has e"):
        matched(train, replace(test, classes=tuple("abcde")))


def test_an_empty_class(train, test):
    with pytest.raises(ValueError, match=r"training set, found none of b among 9"):
        matched(train[train.labels != 1], test)
    with pytest.raises(ValueError, match=r"test set, found none of a, d among 4"):
        matched(train, test[(test.labels == 1) | (test.labels == 2)])


def test_counts_that_are_known(train):
    assert counts(train) == {"a": 3, "b": 3, "c": 3, "d": 3}
    check_counts(train, classes=4, per_class=3, what="it")
    with pytest.raises(ValueError, match=r"expected 5 classes in it, got 4"):
        check_counts(train, classes=5, per_class=3, what="it")
    with pytest.raises(ValueError, match=r"expected 12 pictures in it, 3 of every class, got 11, among them 2 of a;"):
        check_counts(train[1:], classes=4, per_class=3, what="it")


def test_cifar10_shares_no_picture(data):
    train, test = (load(f"cifar10:root={data / 'cifar10'},split={split}") for split in ("train", "test"))
    assert duplicates(train, test) == 0
    assert torch.equal(matched(train, test).labels, test.labels)
