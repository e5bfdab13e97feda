"""Training pictures a second of `fit` and of the way the field trains, same network, data and epochs, in one run.

The field's way: a torchvision Dataset of PIL pictures that crops, flips (and compresses) each picture anew in every
epoch, DataLoader workers, fp32, no channels_last. Both ways are timed over whole epochs, `fit` with all that it does
before the first; rounds alternate, and the best round of each counts. The last line is one JSON object.
"""

import argparse
import io
import json
import os
import time

import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from unlearnable.compute.devices import best_device, has_fast_bf16, name_of
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.images.imageset import ImageSet
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

COLUMNS = {"vanilla": "vanilla", "jpeg10": "jpeg:quality=10"}
DEVICE = best_device()


class PilPictures(datasets.VisionDataset):
    """Pictures as CIFAR-10 comes in torchvision: an array, a PIL picture at every access."""

    def __init__(self, data: ImageSet, transform: transforms.Compose) -> None:
        super().__init__(root="", transform=transform)
        self.pictures = data.images.permute(0, 2, 3, 1).numpy()
        self.labels = data.labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.pictures[index])), self.labels[index]


def compressed(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=10)
    return Image.open(buffer)


def train_as_usual(model: nn.Module, data: ImageSet, column: str, epochs: int, batch_size: int) -> None:
    steps = [compressed] if column == "jpeg10" else []
    steps += [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    dataset = PilPictures(data, transforms.Compose(steps))
    workers = min(4, os.cpu_count() or 1)
    loader = DataLoader(dataset, batch_size, shuffle=True, num_workers=workers, persistent_workers=True)
    model = model.to(DEVICE).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    for _ in range(epochs):
        for images, labels in loader:
            loss = F.cross_entropy(model(images.to(DEVICE)), labels.to(DEVICE))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    loss.item()


def seconds(function: object) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="toy:count=4000,size=32", help="training set, 32 px")
    parser.add_argument("--victim", default="resnet9")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    data, victim, batch = load(arguments.data), victim_named(arguments.victim), arguments.batch_size
    recipe = recipe_named(f"paper:epochs={arguments.epochs},long_epochs={arguments.epochs},batch_size={batch}")
    test = data[:2]
    result: dict[str, object] = {
        "device": name_of(DEVICE),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "fast_bf16": has_fast_bf16(DEVICE),
        "victim": arguments.victim,
        "pictures": len(data),
        "epochs": arguments.epochs,
        "batch_size": batch,
    }
    fit(victim, data[: 2 * batch], test, countermeasure_named("vanilla"), recipe)  # warm up
    for column, name in COLUMNS.items():
        plain, ours = [], []
        for _ in range(arguments.rounds):
            model = victim.build(len(data.classes), 32)
            plain.append(seconds(lambda: train_as_usual(model, data, column, arguments.epochs, batch)))  # noqa: B023
            ours.append(seconds(lambda: fit(victim, data, test, countermeasure_named(name), recipe)))  # noqa: B023
        pictures = arguments.epochs * len(data)
        result |= {
            f"plain_{column}": round(pictures / min(plain), 1),
            f"fit_{column}": round(pictures / min(ours), 1),
            f"ratio_{column}": round(min(plain) / min(ours), 2),
        }
        print(f"{column}: as usual {pictures / min(plain):.0f}/s, fit {pictures / min(ours):.0f}/s")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
