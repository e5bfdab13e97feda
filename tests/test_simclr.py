import pytest
import torch
from torch.nn import functional as F

from sets import tinted
from unlearnable.countermeasures import countermeasure_named
from unlearnable.countermeasures.simclr import nt_xent, view
from unlearnable.datasets import load
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

VICTIM = victim_named("resnet9:width=4")


def test_nt_xent_is_equation_1():
    compared = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    losses = []
    for i, j in ((0, 3), (3, 0), (1, 4), (4, 1), (2, 5), (5, 2)):
        similar = {k: (F.cosine_similarity(compared[i], compared[k], dim=0) / 0.5).exp() for k in range(6) if k != i}
        losses.append(-(similar[j] / sum(similar.values())).log())
    torch.testing.assert_close(nt_xent(compared, 0.5), torch.stack(losses).mean())


def test_views_are_drawn_for_every_picture():
    torch.manual_seed(0)
    images = tinted(8, side=16).images[:1].expand(16, -1, -1, -1).contiguous()
    views = view(images)
    assert views.shape == images.shape and views.min() >= 0 and views.max() <= 1
    assert len({tuple(picture.flatten().tolist()) for picture in views}) == 16


def test_only_the_last_layer_learns_after_the_pretraining():
    data = load("toy:count=64")
    model = VICTIM.build(4, 16)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(0)
    prepared = countermeasure_named("simclr:epochs=1").prepare(model, data)
    learning = [name for name, parameter in prepared.named_parameters() if parameter.requires_grad]
    assert learning == ["model.head.weight"]
    assert torch.equal(before["head.weight"], prepared.state_dict()["model.head.weight"])
    assert not torch.equal(before["features.0.0.weight"], prepared.state_dict()["model.features.0.0.weight"])


def probe(seed: int) -> float:
    simclr, recipe = countermeasure_named("simclr:epochs=15,batch_size=32"), recipe_named("quick:epochs=10")
    data = tinted(192, side=16)
    test = data[128:]
    return fit(VICTIM, data[:128], test, simclr, recipe, seed).final


def test_a_probe_beats_chance_and_the_seed_decides():
    first = probe(1)
    assert first > 0.5  # chance is 0.25
    assert probe(1) == first


@pytest.mark.parametrize("text, before", [("simclr:epochs=7", 21), ("simclr:epochs=7+gray+dvae:steps=200", 28)])
def test_what_it_costs(text, before):
    assert countermeasure_named(text).effort_before == before
