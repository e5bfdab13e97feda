"""The claim itself, end to end and in seconds: a network trained on protected pictures learns the hidden ones."""

from unlearnable import (
    countermeasure_named,
    fit,
    load,
    protection_named,
    recipe_named,
    victim_named,
)


def test_protection_makes_a_set_unlearnable():
    clean, test = load("toy"), load("toy:seed=1,count=1000")
    protected = protection_named("deep_hiding")(clean)
    on_clean, on_protected = (
        fit(
            victim_named("resnet9:width=8"),
            data,
            test,
            countermeasure_named("vanilla"),
            recipe_named("quick:epochs=12,batch_size=32"),
        )
        for data in (clean, protected)
    )
    assert on_clean.final > 0.6  # the task can be learnt
    assert on_protected.final < 0.4  # chance is 0.25
    assert on_protected.epochs[-1].train_accuracy > 0.9  # something was learnt: what is hidden
