"""Steps of the paper's training, by how many processes share one device, in one run.

So many processes train at the same time, each a victim of its own on random pictures; the ratios are to the first
phase, by default one process alone. The last line is one JSON object.
"""

import argparse
import json
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import torch
from torch.multiprocessing import get_context, spawn

from unlearnable.compute.devices import best_device, name_of, seeded
from unlearnable.countermeasures import countermeasure_named
from unlearnable.images.imageset import ImageSet
from unlearnable.training.loop import train_epoch
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

CLASSES = tuple("abcdefghij")


def train(rank: int, phases: list[int], victim: str, pictures: int, barrier: Barrier, seconds: Queue) -> None:
    """One process: in every phase of which it is a part, an epoch, timed."""
    torch.set_num_threads(1)
    device, recipe, vanilla = best_device(), recipe_named("paper"), countermeasure_named("vanilla")
    with seeded(rank, device):
        images = torch.randint(0, 256, (pictures, 3, 32, 32), dtype=torch.uint8)
        data = ImageSet(images, torch.randint(0, len(CLASSES), (pictures,)), CLASSES).to(device)
        model = victim_named(victim).build(len(CLASSES), 32).to(device).to(memory_format=torch.channels_last)
        optimizer = recipe.optimizer(model)
        train_epoch(model, optimizer, data[: 2 * recipe.batch_size], vanilla, recipe, 0)  # warm up
        for processes in phases:
            barrier.wait()
            if rank < processes:
                start = time.perf_counter()
                train_epoch(model, optimizer, data, vanilla, recipe, 0)
                seconds.put((processes, time.perf_counter() - start))
            barrier.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--victim", default="resnet18")
    parser.add_argument("--pictures", type=int, default=12800, help="of an epoch, in batches of 128")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 3, 4, 6])
    arguments = parser.parse_args()
    phases, context = arguments.processes, get_context("spawn")
    barrier, seconds = context.Barrier(max(phases)), context.Queue()
    spawn(train, (phases, arguments.victim, arguments.pictures, barrier, seconds), max(phases))
    taken = [seconds.get() for _ in range(sum(phases))]
    slowest = {phase: max(took for processes, took in taken if processes == phase) for phase in phases}
    steps = arguments.pictures / recipe_named("paper").batch_size
    rates = {phase: phase * steps / slowest[phase] for phase in phases}
    result = {
        "device": name_of(best_device()),
        "torch": torch.__version__,
        "victim": arguments.victim,
        "ms_a_step": {phase: round(1000 * slowest[phase] / steps, 2) for phase in phases},
        "ratio": {phase: round(rates[phase] / rates[phases[0]], 2) for phase in phases},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
