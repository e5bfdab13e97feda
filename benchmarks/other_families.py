"""Train small backbones of other families, which nothing was made against, and say how good they are.

    python benchmarks/other_families.py --photos ../shared/data/imagenette --weights weights --out results/families.json

A residual network, a ConvNeXt and a vision transformer learn ten ImageNet classes from the clean pictures that
`plans/families_quick.yaml` does not publish, at 96 px. They are no ImageNet backbones, and weaker: few
pictures taught them. What the plan's probes of them get from clean pictures stands in its first row. One JSON object a
line of the file, with the accuracy on test pictures; a network whose file of weights is there is not trained again.
"""

import argparse
import time
from pathlib import Path

import torch
from lines import Lines

from unlearnable.compute.devices import best_device, name_of
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.datasets.imagenet import ImageNet
from unlearnable.images.decode import square, stacked
from unlearnable.images.imageset import ImageSet
from unlearnable.storage.provenance import __version__
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.features import save_weights

SIDE = 96
PUBLISHED = 0.24  # of the pictures, by the plan
FAMILIES = {
    "resnet": ("resnet18:multiplier=0.5", "quick:epochs={epochs},long_epochs=0"),
    "convnext": ("convnext_atto", "transformer:epochs={epochs},long_epochs=0,batch_size=32"),
    "vit": ("vit:multiplier=0.5,patch=8", "transformer:epochs={epochs},long_epochs=0,batch_size=32"),
}


def unpublished(root: str) -> ImageSet:
    """The training pictures that the plan does not draw."""
    by_class = ImageNet(root, classes=10, fraction=1).files()
    drawn = {file for files in ImageNet(root, classes=10, fraction=PUBLISHED).files().values() for file in files}
    rest = [(file, label) for label, files in enumerate(by_class.values()) for file in files if file not in drawn]
    images = stacked(lambda pair: square(pair[0], SIDE), rest, SIDE)
    return ImageSet(images, torch.tensor([label for _, label in rest]), tuple(by_class))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, help="an `imagenet` folder, with train and val")
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--weights", type=Path, required=True, help="folder for the networks")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    options.weights.mkdir(parents=True, exist_ok=True)
    train = unpublished(options.photos)
    test = load(f"imagenet:root={options.photos},classes=10,size={SIDE},split=val,fraction=1")
    lines = Lines(options.out)
    for family in options.families:
        file = options.weights / f"{family}.safetensors"
        if file.exists():
            continue
        victim, recipe = FAMILIES[family]
        start, recipe = time.perf_counter(), recipe.format(epochs=options.epochs)
        trained = fit(victim_named(victim), train, test, countermeasure_named("vanilla"), recipe_named(recipe), seed=0)
        save_weights(trained.model, file, train.classes)
        line = {"family": family, "victim": victim, "recipe": recipe, "pictures": len(train), "side": SIDE}
        line |= {"accuracy": round(trained.final, 4), "seconds": round(time.perf_counter() - start)}
        lines.add(line | {"version": __version__, "device": name_of(best_device())})


if __name__ == "__main__":
    main()
