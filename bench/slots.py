"""How many runs are worth training at once?  python bench/slots.py

On one core, on two, on four, as far as this machine has them: some runs of a model, which differ by their seed, train
at the same time on those cores alone, each in a process of its own with as many threads as the scheduler would give it.
What they train together in a second, compared with one run that has these cores for itself, says how many pay: `slots`
in fmnist/training/hardware.py follows from it. The time is that from the moment when all train to the end of the last.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.common import show
from fmnist.data import files
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.training import loop
from fmnist.training.events import EpochEnd

IMAGES = 12_800
EPOCHS = {"2": 2}
MORE_EPOCHS = 20  # Of a model that takes a tenth of the time.
CORES = (1, 2, 4)


def train(recipe: Recipe, root: Path, threads: int, ready: Barrier, times: SimpleQueue[tuple[float, float]]) -> None:
    """Train in a process of its own, an epoch until all are there, and then those that count; puts when they did."""
    with tempfile.TemporaryDirectory() as cache:
        data = files.load(recipe.dataset, root, Path(cache))
    data = dataclasses.replace(
        data,
        train_images=data.train_images[:IMAGES],
        train_labels=data.train_labels[:IMAGES],
        test_images=data.test_images[:100],
        test_labels=data.test_labels[:100],
    )
    began = 0.0
    for event in loop.train(recipe, data, threads=threads):
        if isinstance(event, EpochEnd) and event.epoch == 1:
            ready.wait()
            began = time.monotonic()  # The same clock in all processes.
        elif isinstance(event, EpochEnd) and event.epoch == recipe.epochs:
            times.put((began, time.monotonic()))


def together(model: str, root: Path, cores: list[int], at_once: int) -> float:
    """The images per second that so many runs train together on these cores."""
    context = multiprocessing.get_context("spawn")
    ready, times = context.Barrier(at_once), context.SimpleQueue()
    epochs = EPOCHS.get(model, MORE_EPOCHS)
    threads = max(1, min(ARCHITECTURES[model].parts, len(cores) // at_once))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # The processes that are started now are bound to them.
    try:
        runs = [
            context.Process(
                target=train,
                args=(Recipe(model, seed=seed, epochs=1 + epochs, device="cpu"), root, threads, ready, times),
            )
            for seed in range(at_once)
        ]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
    finally:
        os.sched_setaffinity(0, before)
    begins, ends = zip(*(times.get() for _ in runs), strict=True)
    return at_once * epochs * IMAGES / (max(ends) - min(begins))


def rows(root: Path, repeats: int) -> Iterator[tuple[str, ...]]:
    usable = sorted(os.sched_getaffinity(0))
    for count in (count for count in CORES if count <= len(usable)):
        for model, architecture in ARCHITECTURES.items():
            numbers = sorted({1, 2, count, 2 * count})
            # In turn, and compared within a turn: the machine's speed drifts.
            turns = [
                {at_once: together(model, root, usable[:count], at_once) for at_once in numbers} for _ in range(repeats)
            ]
            for at_once in numbers:
                yield (
                    str(count),
                    architecture.name,
                    str(at_once),
                    f"{median(turn[at_once] for turn in turns):,.0f}",
                    f"{median(turn[at_once] / turn[1] for turn in turns):.2f}",
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    show(
        ["cores", "model", "runs at once", "images per second, together", "of one at a time"],
        rows(options.data, options.repeats),
    )


if __name__ == "__main__":
    main()
