from dataclasses import replace

import pytest
import torch

from panels import panels
from sets import smooth
from unlearnable.figures import Panel, figure_named, perturbation_maps
from unlearnable.protections import protection_named


@pytest.fixture
def drawn(monkeypatch):
    """What a figure lays out: title, columns and rows."""
    seen = []
    monkeypatch.setattr(perturbation_maps, "draw_grid", lambda *laid_out: seen.append(laid_out) or b"")
    return seen


@pytest.mark.parametrize("view, changed, same", [("absolute", 255, 0), ("signed", 192, 128)])
def test_layout_and_pixels(drawn, view, changed, same):
    figure_named(f"maps:pictures=3,view={view}")(panels(trained=False))
    ((_, columns, rows),) = drawn
    assert columns == ["a", "b", "c"] and [name for name, _ in rows] == ["clean", "stripes:levels=8"]
    for label, tile in enumerate(rows[1][1]):
        assert (tile.picture[:, label] == changed).all()
        assert (tile.picture[:, label + 1 :] == same).all() and (tile.picture[:, :label] == same).all()
        assert tile.caption == f"RMS {8 / 8**0.5:.1f}, L-inf 8"


def test_numbers():
    numbers = figure_named("maps:pictures=2")(panels(trained=False)).numbers
    assert numbers[1] == {
        "protection": "stripes:levels=8",
        "picture": 1,
        "class": "b",
        "rms": round(8 / 8**0.5, 4),
        "linf": 8,
    }


def test_hidden_pictures_stand_below_their_perturbation(drawn):
    _, panel = panels(trained=False)
    hidden = 100 + (panel.protected.images - panel.clean.images)
    numbers = figure_named("maps:pictures=2")([panel, replace(panel, hidden=hidden)]).numbers
    ((_, _, rows),) = drawn
    assert [name for name, _ in rows] == ["clean", *2 * [panel.protection], "hidden in these"]
    assert torch.equal(torch.from_numpy(rows[3][1][1].picture), hidden[1].permute(1, 2, 0))
    assert rows[3][1][1].caption == "correlation 1.00" and numbers[3]["likeness"] == 1
    assert "likeness" not in numbers[1]


def test_deep_hiding_says_what_it_hides(weights):
    data = smooth(8)
    shared, own = (protection_named(f"deep_hiding:weights={weights},per={per}") for per in ("class", "sample"))
    hidden = shared.hidden(data, 3)
    assert hidden.shape == data.images.shape and hidden.dtype == torch.uint8
    assert torch.equal(hidden[:4], hidden[4:]) and not torch.equal(hidden[0], hidden[1])  # four classes in turn
    assert not torch.equal(hidden, shared.hidden(data, 4))
    assert not torch.equal(own.hidden(data, 3)[:4], own.hidden(data, 3)[4:])
    assert protection_named("lsp").hidden(data, 3) is None
    Panel("deep_hiding", data, shared(data, 3), data, hidden=hidden)


def test_nothing_to_see():
    with pytest.raises(ValueError, match="expected a protection that changes pictures, got none"):
        figure_named("maps")(panels()[:1])
