import numpy as np
import pytest

from unlearnable.keys import Key
from unlearnable.semantics.identify import MAX_GROUPS, score_key
from unlearnable.semantics.render import render
from unlearnable.semantics.secrets import RenderedSecrets

KEY, OTHER = Key(bytes(range(32))), Key(bytes(32))


@pytest.mark.parametrize("side", [32, 64, 300])
def test_the_right_key_scores_far_above_decoys_and_a_wrong_one_does_not(side):
    rng = np.random.default_rng(0)
    noisy = {
        (label, side, side): RenderedSecrets(KEY).seen(
            np.clip(render(KEY, label, 5, side, side) + rng.normal(0, 60, (3, side, side)), 0, 255).astype(np.uint8)
        )
        for label in range(3)
    }
    right, wrong = (score_key(RenderedSecrets(key), noisy, decoys=100) for key in (KEY, OTHER))
    assert right.beaten == 100
    assert right.p_value == pytest.approx(1 / 101)
    assert right.deviations > 4
    assert wrong.p_value > 1 / 101
    with pytest.raises(ValueError, match="got none"):
        score_key(RenderedSecrets(KEY), {})


def test_no_more_than_the_first_groups_are_looked_at():
    secrets = RenderedSecrets(KEY)
    groups = {(label, 40, 40): secrets.shape(label, 40, 40) for label in range(MAX_GROUPS)}
    more = groups | {(label, 40, 40): -secrets.shape(label, 40, 40) for label in range(50, 60)}
    assert score_key(secrets, more, decoys=9) == score_key(secrets, groups, decoys=9)
