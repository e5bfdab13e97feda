"""A training of the hiding network in progress: its steps, by eqs. 5 to 8 and what survives distortions, and its state.

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

from unlearnable.compute.devices import DivergedError, fastest_dtype, seeded
from unlearnable.hider_training.config import HiderConfig
from unlearnable.hider_training.distortions import Distortion
from unlearnable.hider_training.extractor import Extractor
from unlearnable.hider_training.losses import (
    concentration_loss,
    hiding_loss,
    low_frequency_loss,
    revealing_loss,
    semantic_loss,
    surviving_loss,
    waves_in_planes,
)
from unlearnable.hider_training.publication import Publication
from unlearnable.hiding.network import DenseBlock, Hider, latent_noise
from unlearnable.hiding.surrogates import SIDE, features_of, network_named, resized
from unlearnable.images.imageset import Images
from unlearnable.semantics.render import STYLES, slowest_wave
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
        config: network, losses and schedule.
        device: of the network.
    """

    def __init__(self, config: HiderConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        with seeded(config.seed, device):
            hider = _initial_hider(config)
            self.extractor = Extractor.named(config.extractor).to(device) if config.concentration else None
        names = config.backbones.split("+") if config.semantic else []
        self.backbones = [network_named(name, device) for name in names]
        self.hider = hider.to(device).to(memory_format=torch.channels_last).compute_in(fastest_dtype(device))
        self.optimizer = torch.optim.Adam(self.hider.parameters(), betas=(0.5, 0.999), eps=1e-6)
        self.publish = Publication(config.eps, weakest=config.weakest)
        self.distort = Distortion(config.distorted)
        self.step = 0
        self.rate_factor = 1.0
        self.rollbacks = 0
        self.mean_loss = math.inf  # running, for the explosion guard
        self.history: list[dict[str, float]] = []
        self.snapshot, self.snapshot_time = self.state(), time.monotonic()

    def state(self) -> Saved:
        """A copy of everything that a resumed training needs."""
        noted = {name: getattr(self, name) for name in ("step", "rate_factor", "rollbacks", "mean_loss", "history")}
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
        self.rate_factor, self.mean_loss = (
            from_json(saved.notes[name], float) for name in ("rate_factor", "mean_loss")
        )
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
            self.rate_factor /= 2
            if self.rollbacks > MAX_ROLLBACKS:
                raise DivergedError(f"{explosion} after {MAX_ROLLBACKS} rollbacks; lower the learning rate") from None
            restore(self.snapshot.state, self.hider, self.optimizer)
            nothing = float("nan")
            progress = StepProgress(self.step, self.config.steps, nothing, nothing, nothing, nothing, self.rollbacks)
        self.step += 1
        return progress

    def _optimise(self, cover: Images, secret: Images, labels: Labels) -> StepProgress:
        config = self.config
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        stego = self.hider.hide(cover, secret)
        latent = latent_noise(cover, generator)
        received, reference = stego, cover
        if config.published:
            received, reference = self._distorted(self.publish(stego, cover, generator), cover, generator)
        _, revealed = self.hider.reveal(received, latent)
        revealing = revealing_loss(revealed, secret)
        loss = (
            config.hiding * hiding_loss(stego, cover, config.eps)
            + config.low_frequency * low_frequency_loss(stego, cover)
            + config.revealing * revealing
            + config.surviving * surviving_loss(received - reference, self._to_survive(secret), config.eps)
        )
        if self.extractor is not None:
            features = self.extractor(received - reference, config.eps)
            loss = loss + config.concentration * concentration_loss(features, labels)
        if self.backbones:
            backbone = self.backbones[self.step % len(self.backbones)]
            seen, own, hidden = (features_of(backbone, resized(p, SIDE)) for p in (received, reference, secret))
            loss = loss + config.semantic * semantic_loss(seen, own.detach(), hidden.detach())
        value = loss.item()
        if not math.isfinite(value) or value > 10 * self.mean_loss:
            raise _ExplosionError(f"loss {value:.3g} at step {self.step}")
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.hider.parameters(), config.clip)
        if not math.isfinite(norm.item()):
            raise _ExplosionError(f"gradient {norm.item()} at step {self.step}")
        if self.step % SNAPSHOT_STEPS == 0 or time.monotonic() - self.snapshot_time > SNAPSHOT_SECONDS:
            self.snapshot, self.snapshot_time = self.state(), time.monotonic()  # these weights have just proved good
        for group in self.optimizer.param_groups:
            group["lr"] = config.rate(self.step) * self.rate_factor
        self.optimizer.step()
        self.mean_loss = value if math.isinf(self.mean_loss) else 0.98 * self.mean_loss + 0.02 * value
        mse = (stego.detach() - cover).square().mean().item()
        return StepProgress(
            self.step, config.steps, value, 255 * math.sqrt(mse), _psnr(mse), _psnr(revealing.item()), self.rollbacks
        )

    def _to_survive(self, secret: Images) -> Images:
        """What of a secret has to be seen in the change: in planes its waves, of which the eye sees least."""
        if not self.config.planes:
            return secret
        height, width = secret.shape[-2:]
        return waves_in_planes(secret, slowest_wave(height, width, STYLES[self.config.drawings]))

    def _distorted(self, published: Images, cover: Images, generator: torch.Generator) -> tuple[Images, Images]:
        """Both after one countermeasure of one strength; the cover is spared where no loss needs it."""
        twin = torch.Generator()
        twin.set_state(generator.get_state())
        distorted = self.distort(published, generator)
        needed = self.config.surviving or self.config.concentration
        return distorted, self.distort(cover, twin) if needed else cover


def _initial_hider(config: HiderConfig) -> Hider:
    """The network as training finds it.

    Raises:
        ValueError: the weights to begin with are of another network.
    """
    hider = Hider(config.blocks, config.growth, mask=config.mask, planes=config.planes, drawings=config.drawings)
    if not config.start:
        return _at_full_scale(hider)
    start = Hider.load(config.start)
    if start.config != hider.config:
        raise ValueError(f"expected {hider.config} as configured, got {start.config} in {config.start}")
    return start


def _at_full_scale(hider: Hider) -> Hider:
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
