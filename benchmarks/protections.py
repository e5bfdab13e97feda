"""Pictures a second of every protection, and how many times a textbook form of the same algorithm it is, in one run.

    python benchmarks/protections.py --out results/protections.json

One JSON object a line and method. Both answer with changes of pictures, before the budget and the rounding. Textbook
forms are slow, so they are timed on few pictures, and ours on many: ratios are of the time per picture. The cheap
methods and their textbook forms take five turns, EM and TAP three, one after the other, and the best of each counts:
whatever else runs on the machine slows both. Methods that optimise take few pictures and steps; their rates are
gradient steps of one picture a second, of the surrogate's training and of the changes.

Where the time of the cheap ones goes, by a profile of one core and 10,000 pictures of 32 px, made once by hand: OPS
takes 24 ms, of which 14 are sums over all pictures (4 to gather a class's, 2 to make them floats, 7 for the sums) and 7
the system's, to clear the memory of what is added; LSP 26 ms, of which 15 write what is added, once, and 6 draw it.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import make_classification
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.compute.devices import best_device, has_fast_bf16, name_of
from unlearnable.datasets import load
from unlearnable.images.imageset import ImageSet
from unlearnable.protections import Protection, protection_named, protections
from unlearnable.protections.ar import processes
from unlearnable.registry import spec_of
from unlearnable.storage.atomic import write
from unlearnable.victims.architectures import victim_named

COLOURS = np.array(list(np.ndindex(2, 2, 2)), np.float64)
PASSES = 4  # of the changes' optimisation
STEP, RADIUS = 0.4 / 255, 8 / 255
DEVICE = best_device()

Plain = tuple[int, Callable[[], object]]


@dataclass(frozen=True)
class Case:
    """How a method is timed.

    Attributes:
        spec: its parameters, where they are not the defaults.
        pictures: that are protected, at most; 0 for all.
        turns: of which the best counts, of ours and of the plain form.
        steps: gradient steps of every picture, 0 where nothing is optimised.
        textbook: prepares the plain form, given the name of the surrogate, too: how many pictures it takes, and
            what is timed.
        baseline: what that is, in words.
    """

    spec: str = ""
    pictures: int = 0
    turns: int = 5
    steps: int = 0
    textbook: Callable[[ImageSet, str], Plain] | None = None
    baseline: str = ""


def autoregressive(windows: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """AR: every pixel is the weighted sum of those before it in its window."""
    noise = rng.standard_normal((3, height + 4, width + 4))
    for channel in range(3):
        for row in range(2, height + 4):
            for column in range(2, width + 4):
                window = noise[channel, row - 2 : row + 1, column - 2 : column + 1]
                noise[channel, row, column] = (window * windows[channel]).sum()
    noise = noise[:, 4:, 4:]
    return noise / np.linalg.norm(noise)


def pixel_by_pixel(data: ImageSet, surrogate: str) -> Plain:
    windows, rng = processes(len(data.classes), 0), np.random.default_rng(0)
    labels, size = data.labels[:10].tolist(), data.images.shape[-2:]
    return len(labels), lambda: [autoregressive(windows[label], *size, rng) for label in labels]


def brute_force(images: np.ndarray) -> tuple[int, int, int]:
    """OPS, algorithm 1, for the pictures (in [0, 1]) of one class: the best colour, row and column."""
    best, chosen = -1.0, (0, 0, 0)
    for row, column in np.ndindex(images.shape[2:]):
        for colour, values in enumerate(COLOURS):
            distance = np.abs(values - images[:, :, row, column])
            score = distance.mean() / max(distance.std(), 1e-9)
            if score > best:
                best, chosen = score, (colour, row, column)
    return chosen


def every_pixel_and_colour(data: ImageSet, surrogate: str) -> Plain:
    own = data.images[data.labels == data.labels[0]].numpy() / 255
    return len(own), lambda: brute_force(own)


def linearly_separable(data: ImageSet, patch: int = 8) -> np.ndarray:
    """LSP: scikit-learn draws the points of all pictures at once; blocks and norm, one picture after the other."""
    height, width = data.images.shape[-2:]
    rows, columns = -(-height // patch), -(-width // patch)
    features, classes = rows * columns * 3, len(data.classes)
    points, labels = make_classification(
        len(data) + classes,
        features,
        n_informative=features,
        n_redundant=0,
        n_classes=classes,
        n_clusters_per_class=1,
        flip_y=0,
        class_sep=10,
        shuffle=False,
        random_state=1,
    )
    own, used = [points[labels == label] for label in range(classes)], [0] * classes
    changes = np.empty((len(data), height, width, 3), np.float32)
    for index, label in enumerate(data.labels.tolist()):
        point = own[label][used[label] % len(own[label])].reshape(rows, columns, 3)
        used[label] += 1
        pattern = point.repeat(patch, axis=0).repeat(patch, axis=1)[:height, :width]
        changes[index] = pattern * (6 * np.sqrt(pattern.size) / np.linalg.norm(pattern))
    return changes


def picture_by_picture(data: ImageSet, surrogate: str) -> Plain:
    return len(data), lambda: linearly_separable(data)


def learn(model: nn.Module, optimizer: torch.optim.SGD, picture: Tensor, label: Tensor) -> None:
    optimizer.zero_grad()
    F.cross_entropy(model.train()(picture), label).backward()
    optimizer.step()


def shifted(picture: Tensor) -> Tensor:
    """Moved by up to an eighth of the side, as a grid is sampled, and mirrored or not."""
    affine = torch.eye(2, 3, device=picture.device)[None].clone()
    affine[0, :, 2] = (2 * torch.rand(2) - 1) / 4
    if torch.rand(()) < 0.5:
        affine[0, 0, 0] = -1
    return F.grid_sample(picture, F.affine_grid(affine, list(picture.shape), align_corners=False), align_corners=False)


def descend(model: nn.Module, picture: Tensor, label: Tensor, move: Callable[[Tensor], Tensor]) -> Tensor:
    change = torch.zeros_like(picture)
    for _ in range(PASSES):
        change.requires_grad_()
        loss = F.cross_entropy(model.eval()(move((picture + change).clamp(0, 1))), label)
        (gradient,) = torch.autograd.grad(loss, change)
        change = (change.detach() - STEP * gradient.sign()).clamp(-RADIUS, RADIUS)
        change = (picture + change).clamp(0, 1) - picture
    return change


def one_by_one(data: ImageSet, surrogate: str, move: Callable[[Tensor], Tensor], ahead: int = 0) -> Plain:
    """EM, TAP: for each picture a step of the surrogate, then signed steps towards the class that many ``ahead``."""
    model = victim_named(surrogate).build(len(data.classes), data.images.shape[-1]).to(DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    few = data[:4].to(DEVICE)
    pairs = list(zip((few.images.float() / 255).split(1), few.labels.split(1), strict=True))
    learn(model, optimizer, *pairs[0])  # warm up

    def run() -> None:
        for picture, label in pairs:
            learn(model, optimizer, picture, label)
        for picture, label in pairs:
            descend(model, picture, (label + ahead) % len(data.classes), move)

    return len(pairs), run


ONE_BY_ONE = "same steps, one picture at a time, fp32, contiguous"
TRAINED = "recipe=paper:epochs=1"
CASES = {
    "ar": Case(textbook=pixel_by_pixel, baseline="pixel by pixel in NumPy, 10 pictures"),
    "ops": Case(textbook=every_pixel_and_colour, baseline="every pixel and colour in NumPy, the pictures of one class"),
    "lsp": Case(
        textbook=picture_by_picture,
        baseline="make_classification once for all pictures as the authors do, blocks and norm picture by picture",
    ),
    "cuda": Case(),
    "noise": Case(),
    "deep_hiding": Case(pictures=200, turns=1),
    "em": Case(
        f"rounds=1,train_steps=1,steps={PASSES},stop=1,batch_size=512",
        200,
        3,
        1 + PASSES,
        lambda data, surrogate: one_by_one(data, surrogate, lambda seen: seen),
        f"{ONE_BY_ONE}, 4 pictures",
    ),
    "tap": Case(
        f"{TRAINED},nesterov=true,passes={PASSES},restarts=1",
        200,
        3,
        1 + PASSES,
        lambda data, surrogate: one_by_one(data, surrogate, shifted, 1),
        f"{ONE_BY_ONE}, 4 pictures",
    ),
    "entf": Case(f"{TRAINED},passes={PASSES}", 200, 1, 10 + 1 + PASSES),  # ten steps of the trainer's adversary
    "rem": Case(
        "iterations=1,batch_size=512,steps=1,draws=2,adversary_steps=2", 200, 1, 2 * 2 * (2 + 1) + 2 + 1
    ),  # noise twice, on which the surrogate is trained and which is kept; then the trainer's adversary
    "sem": Case("iterations=1,batch_size=512,steps=1,draws=2,adversary_steps=2", 200, 1, 2 * 2 + 2 + 1),
}


def seconds(function: Callable[[], object]) -> float:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def case_of(name: str, surrogate: str) -> tuple[Case, Protection]:
    case = CASES.get(name, Case())
    protection = protection_named(f"{name}:{case.spec}" if case.spec else name)
    return case, replace(protection, surrogate=surrogate) if case.steps else protection


def measured(name: str, data: ImageSet, surrogate: str) -> dict[str, object]:
    """A line of the output."""
    case, protection = case_of(name, surrogate)
    some = data[: case.pictures or len(data)]
    protection.changes(data[: 2 * len(data.classes)], 0)  # warm up
    pictures, textbook = case.textbook(data, surrogate) if case.textbook else (0, None)
    turns = [
        (seconds(lambda: protection.changes(some, 0)), seconds(textbook) if textbook else 0.0)
        for _ in range(case.turns)
    ]
    ours = min(own for own, _ in turns) / len(some)
    line: dict[str, object] = {
        "method": spec_of(name, protection),
        "pictures": len(some),
        "images_per_second": round(1 / ours, 2),
    }
    if case.steps:
        line["image_steps_per_second"] = round(case.steps / ours, 2)
    if textbook:
        plain = min(plain for _, plain in turns) / pictures
        line |= {
            "ratio": round(plain / ours, 2),
            "baseline": case.baseline,
            "baseline_pictures": pictures,
            "baseline_images_per_second": round(1 / plain, 2),
        }
        if case.steps:
            line["baseline_image_steps_per_second"] = round(case.steps / plain, 2)
    return line


def synthetic(count: int, size: int = 32) -> ImageSet:
    """Smooth random pictures in ten classes."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (count, 3, size + 4, size + 4), generator=generator, dtype=torch.uint8)
    images = F.avg_pool2d(noise.float(), 5, 1).byte()
    return ImageSet(images, torch.arange(count) % 10, tuple("abcdefghij"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="", help="such as cifar10:root=DIR; empty for smooth random pictures, 32 px")
    parser.add_argument("--count", type=int, default=10_000, help="pictures; methods that optimise take up to 200")
    parser.add_argument("--methods", default=",".join(protections))
    parser.add_argument("--surrogate", default="resnet18", help="of the methods that optimise")
    parser.add_argument("--out", type=Path, help="file for all lines and the machine")
    arguments = parser.parse_args()
    data = load(arguments.data) if arguments.data else synthetic(arguments.count)
    data = data[torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[: arguments.count]]
    lines = []
    for name in arguments.methods.split(","):
        lines.append(measured(name, data, arguments.surrogate))
        print(json.dumps(lines[-1]), flush=True)
    if arguments.out:
        result = {
            "data": arguments.data or "smooth random pictures",
            "size": data.images.shape[-1],
            "classes": len(data.classes),
            "device": name_of(DEVICE),
            "threads": torch.get_num_threads(),
            "fast_bf16": has_fast_bf16(DEVICE),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "methods": lines,
        }
        write(arguments.out, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
