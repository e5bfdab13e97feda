import numpy as np
import pytest

from unlearnable.keys import Key
from unlearnable.semantics.identify import MAX_GROUPS, score_key
from unlearnable.semantics.render import STYLES
from unlearnable.semantics.secrets import RenderedSecrets

KEY, OTHER = Key(bytes(range(32))), Key(bytes(32))


@pytest.mark.parametrize("style", STYLES.values(), ids=lambda style: f"render-{style.version}")
@pytest.mark.parametrize("side", [32, 64, 300])
def test_the_right_key_scores_far_above_decoys_and_a_wrong_one_does_not(side, style):
    secrets = RenderedSecrets(KEY, style)
    rng = np.random.default_rng(0)
    noisy = {
        (label, side, side): [
            secrets.seen(np.clip(drawn + rng.normal(0, 60, drawn.shape), 0, 255).astype(np.uint8))
            for drawn in (secrets.draw(label, index, side, side) for index in (5, 6))
        ]
        for label in range(3)
    }
    right, wrong = (score_key(secrets.with_key(key), noisy, decoys=100) for key in (KEY, OTHER))
    assert right.beaten == 100
    assert right.p_value == pytest.approx(1 / 101)
    assert right.deviations > 4
    assert wrong.p_value > 1 / 101
    with pytest.raises(ValueError, match="got none"):
        score_key(secrets, {})


def test_no_more_than_the_first_groups_are_looked_at():
    secrets = RenderedSecrets(KEY)
    groups = {(label, 40, 40): [secrets.shape(label, 40, 40)] for label in range(MAX_GROUPS)}
    more = groups | {(label, 40, 40): [-secrets.shape(label, 40, 40)] for label in range(50, 60)}
    assert score_key(secrets, more, decoys=9) == score_key(secrets, groups, decoys=9)


def test_the_reading_that_fits_best_counts_for_every_key():
    secrets = RenderedSecrets(KEY)
    right, wrong = {(1, 40, 40): [secrets.shape(1, 40, 40)]}, {(1, 40, 40): [secrets.shape(30, 40, 40)]}
    both, alone = score_key(secrets, wrong, right, decoys=50), score_key(secrets, right, decoys=50)
    assert both.similarity == alone.similarity and both.beaten == 50
    assert "none of 50 others" in both.verdict
    assert "proves nothing" in score_key(secrets.with_key(OTHER), right, decoys=50).verdict
