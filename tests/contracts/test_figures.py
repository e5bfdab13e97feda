"""What every figure promises."""

import io
import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from panels import panels
from unlearnable.figures import figure_named, figures

SMALL = {"tsne": "tsne:points=40,perplexity=5"}


@pytest.fixture(params=list(figures))
def figure(request):
    return figure_named(SMALL.get(request.param, request.param))


def test_draws_a_page_wide_picture_the_same_every_time(figure):
    drawing = figure(panels())
    picture = Image.open(io.BytesIO(drawing.png))
    assert picture.format == "PNG" and picture.width == 1500
    assert len(picture.convert("L").getcolors(256)) > 10
    assert drawing.numbers and json.loads(json.dumps(drawing.numbers)) == list(drawing.numbers)
    assert figure(panels()) == drawing


def test_needs_models_only_where_it_says_so(figure):
    if figure.trains:
        with pytest.raises(ValueError, match="shows trained models, and the panel of 'clean' has none"):
            figure(panels(trained=False))
    else:
        figure(panels(trained=False))


def test_refuses_what_cannot_be_compared(figure):
    with pytest.raises(ValueError, match="at least one panel"):
        figure([])
    first, second = panels()
    other = replace(second, test=second.test[1:])
    with pytest.raises(ValueError, match="expected panels of the same pictures, got others in 'stripes"):
        figure([first, other])


def test_leaves_models_and_gradients_as_they_were(figure):
    given = panels()
    before = {name: tensor.clone() for name, tensor in given[0].model.state_dict().items()}
    with torch.no_grad():  # whoever draws may not be training
        figure(given)
    assert all(torch.equal(tensor, before[name]) for name, tensor in given[0].model.state_dict().items())
    assert all(parameter.grad is None for parameter in given[0].model.parameters())
