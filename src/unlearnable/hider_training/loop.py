"""A training of the hiding network in progress: its steps, by eqs. 5 to 8 and what outlives handling, and its state.

The optimiser is the paper's (section 4.1: Adam, betas 0.5 and 0.999, eps 1e-6). Invertible hiding networks are
known to explode (HiNet's own log does, twice), so gradients are clipped, the rate warms up, and a loss or
gradient that is not finite, or a loss far above its recent level, rolls the network back to its last good
state and halves the rate.
"""

import json
import math
import time
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from unlearnable.compute.devices import DivergedError, fastest_dtype
from unlearnable.hider_training.config import HiderConfig
from unlearnable.hider_training.distortions import Distortion
from unlearnable.hider_training.extractor import Extractor
from unlearnable.hider_training.losses import (
    concentration_loss,
    hiding_loss,
    low_frequency_loss,
    outliving_loss,
    revealing_loss,
)
from unlearnable.hider_training.publishing import Publishing
from unlearnable.hiding.network import DenseBlock, Hider, latent_noise
from unlearnable.images.imageset import Images
from unlearnable.storage.checkpoint import Checkpoint, Saved, State, restore, state_of
from unlearnable.storage.decode import from_json

SNAPSHOT_SECONDS = 15
SNAPSHOT_STEPS = 50
MAX_ROLLBACKS = 12

Labels = Int64[Tensor, " n"]


@dataclass(frozen=True)
class StepProgress:
    """The state of a training that a progress line shows. RMS is in grey levels, PSNRs in dB."""

    step: int
    steps: int
    loss: float
    rms: float
    stego_psnr: float
    secret_psnr: float
    rollbacks: int


class _ExplosionError(ArithmeticError):
    """One step's loss or gradient is not finite, or far above its recent level."""


class HiderTraining:
    """A training in progress: the network, its optimiser and what has to survive a kill.

    Args:
        recipe: network, losses and schedule.
        device: of the network.
    """

    def __init__(self, recipe: HiderConfig, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device = recipe, device
        hider = _beginning(recipe).to(device).to(memory_format=torch.channels_last)
        self.hider = hider.compute_in(fastest_dtype(device))
        self.optimizer = torch.optim.Adam(self.hider.parameters(), betas=(0.5, 0.999), eps=1e-6)
        self.publish = Publishing(recipe.eps)
        self.handle = Distortion(recipe.handled)
        self.extractor = Extractor.named(recipe.extractor).to(device) if recipe.concentration else None
        self.step = 0
        self.slowdown = 1.0
        self.rollbacks = 0
        self.level = math.inf  # running mean of the loss, for the explosion guard
        self.history: list[dict[str, float]] = []
        self.snapshot, self.taken = self.state(), time.monotonic()

    def state(self) -> Saved:
        """A copy of everything that a resumed training needs."""
        noted = {name: getattr(self, name) for name in ("step", "slowdown", "rollbacks", "level", "history")}
        return Saved(self.tensors(), {name: json.dumps(value) for name, value in noted.items()})

    def tensors(self) -> State:
        """A copy of weights and Adam's moments under flat names."""
        state = state_of(self.hider, self.optimizer)
        return {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the last state whose loss and gradient were good."""
        checkpoint.save(self.snapshot.state, **self.snapshot.notes)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from what was saved, if anything was; see `Checkpoint.load`."""
        saved = checkpoint.load()
        if saved is None:
            return
        restore(saved.state, self.hider, self.optimizer)
        self.step, self.rollbacks = (from_json(saved.notes[name], int) for name in ("step", "rollbacks"))
        self.slowdown, self.level = (from_json(saved.notes[name], float) for name in ("slowdown", "level"))
        self.history = from_json(saved.notes["history"], list[dict[str, float]])
        self.snapshot = self.state()

    def advance(self, cover: Images, secret: Images, labels: Labels) -> StepProgress:
        """One step on one batch, with the secrets' classes; on an explosion roll back instead.

        Raises:
            DivergedError: it has rolled back too often.
        """
        try:
            progress = self._optimise(cover, secret, labels)
        except _ExplosionError as explosion:
            self.rollbacks += 1
            self.slowdown /= 2
            if self.rollbacks > MAX_ROLLBACKS:
                raise DivergedError(f"{explosion} after {MAX_ROLLBACKS} rollbacks; lower the learning rate") from None
            restore(self.snapshot.state, self.hider, self.optimizer)
            nothing = float("nan")
            progress = StepProgress(self.step, self.recipe.steps, nothing, nothing, nothing, nothing, self.rollbacks)
        self.step += 1
        return progress

    def _optimise(self, cover: Images, secret: Images, labels: Labels) -> StepProgress:
        recipe = self.recipe
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step)
        stego = self.hider.hide(cover, secret)
        latent = latent_noise(cover, generator)
        received, untouched = stego, cover
        if recipe.published:
            received, untouched = self._handled(self.publish(stego, cover, generator), cover, generator)
        _, revealed = self.hider.reveal(received, latent)
        revealing = revealing_loss(revealed, secret)
        loss = (
            recipe.hiding * hiding_loss(stego, cover, recipe.eps)
            + recipe.low_frequency * low_frequency_loss(stego, cover)
            + recipe.revealing * revealing
            + recipe.outliving * outliving_loss(received - untouched, secret, recipe.eps)
        )
        if self.extractor is not None:
            features = self.extractor(received - untouched, recipe.eps)
            loss = loss + recipe.concentration * concentration_loss(features, labels)
        value = loss.item()
        if not math.isfinite(value) or value > 10 * self.level:
            raise _ExplosionError(f"loss {value:.3g} at step {self.step}")
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.hider.parameters(), recipe.clip)
        if not math.isfinite(norm.item()):
            raise _ExplosionError(f"gradient {norm.item()} at step {self.step}")
        if self.step % SNAPSHOT_STEPS == 0 or time.monotonic() - self.taken > SNAPSHOT_SECONDS:
            self.snapshot, self.taken = self.state(), time.monotonic()  # these weights have just proved good
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate(self.step) * self.slowdown
        self.optimizer.step()
        self.level = value if math.isinf(self.level) else 0.98 * self.level + 0.02 * value
        mse = (stego.detach() - cover).square().mean().item()
        return StepProgress(
            self.step, recipe.steps, value, 255 * math.sqrt(mse), _psnr(mse), _psnr(revealing.item()), self.rollbacks
        )

    def _handled(self, published: Images, cover: Images, generator: torch.Generator) -> tuple[Images, Images]:
        """Both after one countermeasure of one strength; the cover is spared where nothing looks at it."""
        twin = torch.Generator()
        twin.set_state(generator.get_state())
        handled = self.handle(published, generator)
        looked_at = self.recipe.outliving or self.recipe.concentration
        return handled, self.handle(cover, twin) if looked_at else cover


def _beginning(recipe: HiderConfig) -> Hider:
    """The network as training finds it.

    Raises:
        ValueError: the weights to begin with are of another network.
    """
    hider = Hider(recipe.blocks, recipe.growth, mask=recipe.mask)
    if not recipe.start:
        return _awake(hider)
    start = Hider.load(recipe.start)
    if start.config != hider.config:
        raise ValueError(f"expected {hider.config} as the recipe says, got {start.config} in {recipe.start}")
    return start


def _awake(hider: Hider) -> Hider:
    """Draw the inner layers at full scale (He et al., 2015); it is still the identity.

    HiNet's 0.01 N(0, 1) shrinks every layer's signal about tenfold. Measured over the first 160 steps on crops of
    32 and 64 px at one rate: secret PSNR 11.9 dB from HiNet's start, 14.0 dB from this one.
    """
    for module in hider.modules():
        if isinstance(module, DenseBlock):
            for conv in module.convs[:4]:
                nn.init.kaiming_normal_(conv.weight, a=0.01)
                nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return hider


def _psnr(mse: float) -> float:
    return -10 * math.log10(max(mse, 1e-12))
