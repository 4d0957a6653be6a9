"""How well does training use the machine, and how good is the time left that it shows?  python bench/trainer.py

A real scheduler process, already warm, on a store of its own. It trains the three models, then the three models with
five more seeds, side by side; the ratio is of the wall-clock times from the request to the last result. Meanwhile
each run is asked how long it will still take, as the Train page asks.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.common import descendants, kill, show
from fmnist.data import files
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.run import ACTIVE, Status
from fmnist.store.store import Store, store_path
from fmnist.training import estimate, hardware, launcher

SEEDS = 5
LONGEST = 1200.0  # Seconds that all of it may take.
SHARES = (0.1, 0.25, 0.5, 0.75)  # Of a run's steps: where its time left is noted.


def train(store: Store, seeds: range, epochs: int, root: Path) -> tuple[float, dict[tuple[str, float], list[float]]]:
    """Seconds until all is trained; and by model and share of steps the errors of the time left, as shares of it."""
    recipes = [Recipe(model, seed, epochs=epochs, device="cpu") for seed in seeds for model in ARCHITECTURES]
    started = time.perf_counter()
    store.enqueue([(recipe, recipe.key("bench")) for recipe in recipes], root)
    told: dict[tuple[int, float], tuple[float, float]] = {}
    ended: dict[int, float] = {}
    active: set[int] = set()
    while True:
        now, running = time.perf_counter(), store.runs(Status.RUNNING)
        ended |= dict.fromkeys(active - {run.id for run in running}, now)
        active = {run.id for run in running}
        for run in running:
            for share in SHARES:
                left = estimate.seconds_left(run)
                if run.steps and left is not None and run.step >= share * run.steps:
                    told.setdefault((run.id, share), (now, left))
        if not store.runs(*ACTIVE):
            break
        assert now - started < LONGEST, "the trainer does not come to an end: see its log"
        time.sleep(0.02)
    errors: dict[tuple[str, float], list[float]] = {}
    for (id, share), (when, left) in told.items():
        trained = store.run(id)
        assert trained and trained.status == Status.DONE, "the trainer failed: see its log"
        true = ended[id] - when
        errors.setdefault((trained.recipe.model, share), []).append(abs(left - true) / true)
    return time.perf_counter() - started, errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=3, help="of each run")
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(store_path(folder))
        launcher.start(store)
        try:
            train(store, range(1000, 1001), 1, options.data)  # Everything is loaded now.
            alone, errors = train(store, range(1), options.epochs, options.data)
            together, _ = train(store, range(1, 1 + SEEDS), options.epochs, options.data)
        finally:
            store.close()
            kill(descendants(os.getpid()))  # The trainer would stay.
    show(
        ["what", "measured"],
        [
            ["three models, one seed", f"{alone:.1f} s"],
            [f"three models, {SEEDS} seeds, {hardware.slots()} runs at once", f"{together:.1f} s"],
            [f"the same, as a share of {SEEDS} times one seed", f"{together / (SEEDS * alone):.0%}"],
            *(
                [f"error of the time left, {ARCHITECTURES[model].name}, {share:.0%} done", f"{max(found):.0%}"]
                for (model, share), found in sorted(errors.items())
            ),
        ],
    )


if __name__ == "__main__":
    main()
