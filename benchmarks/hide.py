"""Pictures a second of the shipped path and of the plain one, on the paper's 16x32 network, in one run.

The plain path is the network as everybody writes it: eager, fp32, NCHW, one concatenation before every convolution.
Both get the same weights, pictures and batches; rounds alternate, and the best round of each counts. The last line
is one JSON object.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearnable.compute.devices import best_device, has_fast_bf16
from unlearnable.hiding.inference import perturbations, prepare
from unlearnable.hiding.network import DenseBlock, Hider
from unlearnable.hiding.wavelet import haar, inverse_haar

BATCHES = {32: 64, 224: 4, 512: 1}
MACS_PER_BAND_PIXEL = 4_043_520  # 16 blocks x 3 dense blocks x 9 taps x (12+44+76+108) x 32 + 140 x 12 channels


def plain_perturbation(hider: Hider, covers: Tensor, secrets: Tensor) -> Tensor:
    """Eq. 3 without any care for speed."""

    def dense(block: DenseBlock, x: Tensor) -> Tensor:
        features = [x]
        for index, conv in enumerate(block.convs):
            out = F.conv2d(torch.cat(features, 1), conv.weight, conv.bias, padding=1)
            features.append(F.leaky_relu(out, 0.01) if index < 4 else out)
        return features[-1]

    cover, secret = covers.float() / 255, secrets.float() / 255
    x, h = haar(cover), haar(secret)
    for block in hider.blocks:
        x = x + dense(block.phi, h)
        h = h * torch.exp(2 * block.alpha * (torch.sigmoid(dense(block.rho, x)) - 0.5)) + dense(block.eta, x)
    return (inverse_haar(x) - cover) * 255


def spread_weights(hider: Hider, rms: float = 8.0) -> Hider:
    """Random last layers, scaled so that the perturbation has about the budget's size."""
    torch.manual_seed(0)
    for name, parameter in hider.named_parameters():
        if ".convs.4.weight" in name:
            torch.nn.init.normal_(parameter, std=0.01)
    pictures = torch.randint(0, 256, (2, 2, 3, 64, 64), dtype=torch.uint8)
    for _ in range(5):
        with torch.inference_mode():
            size = plain_perturbation(hider, *pictures).square().mean().sqrt().item()
        for block in hider.blocks:
            block.phi.convs[4].weight.data *= rms / size
    return hider


def best_seconds(functions: list[Callable[[], object]], rounds: int) -> list[float]:
    """Best time of each over alternating rounds, after one round to warm up."""
    best = [float("inf")] * len(functions)
    for turn in range(rounds + 1):
        for index, function in enumerate(functions):
            start = time.perf_counter()
            function()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                best[index] = min(best[index], time.perf_counter() - start)
    return best


def bf16_convolution_rate(device: torch.device) -> float:
    """The machine's own rate on a 3x3 bf16 convolution that suits it, in GFLOP/s."""
    kind = {"dtype": torch.bfloat16, "device": device}
    x = torch.randn(1, 256, 112, 112, **kind).contiguous(memory_format=torch.channels_last)
    w = torch.randn(256, 256, 3, 3, **kind).contiguous(memory_format=torch.channels_last)
    (seconds,) = best_seconds([lambda: F.conv2d(x, w, padding=1)], 8)
    return 2 * 9 * 256 * 256 * 112 * 112 / seconds / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    device = best_device()
    hider = spread_weights(Hider(blocks=16, growth=32)).to(device)
    shipped = prepare(hider, device)
    with torch.inference_mode():
        rate = bf16_convolution_rate(device)
        result: dict[str, object] = {
            "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or "cpu",
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "fast_bf16": has_fast_bf16(device),
            "bf16_gflops": round(rate),
        }
        for side, count in BATCHES.items():
            covers, secrets = torch.randint(0, 256, (2, count, 3, side, side), dtype=torch.uint8, device=device)
            covers = F.avg_pool2d(covers.float(), 5, 1, 2).byte()  # as smooth as photographs, more or less
            plain, ours = best_seconds(
                [
                    lambda: plain_perturbation(hider, covers, secrets),  # noqa: B023
                    lambda: perturbations(shipped, covers, secrets),  # noqa: B023
                ],
                arguments.rounds,
            )
            gap = perturbations(shipped, covers, secrets) - plain_perturbation(hider, covers, secrets).cpu()
            flops = 2 * MACS_PER_BAND_PIXEL * count * side * side / 4
            result |= {
                f"plain_{side}": round(count / plain, 2),
                f"shipped_{side}": round(count / ours, 2),
                f"ratio_{side}": round(plain / ours, 2),
                f"share_of_bf16_{side}": round(flops / ours / 1e9 / rate, 2),
                f"rms_error_{side}": round(gap.square().mean().sqrt().item(), 3),
                f"max_error_{side}": round(gap.abs().max().item(), 3),
            }
            print(f"{side} px, batch {count}: plain {count / plain:.2f}/s, shipped {count / ours:.2f}/s")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
