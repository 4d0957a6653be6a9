"""How good does the best of many equal settings look, and what is said of it:  python -m bench.campaigns.choosing

Simulates sweeps of 24 settings that differ in nothing, the first of them the published recipe. Accuracies are those of
the reference runs of a model, drawn with replacement; on the held-out images they have the sampling noise of 10,000
images besides. Chosen, confirmed and compared by the functions that the page uses. No setting is better than another,
so the confirmed figure should be the mean of the reference runs, and of few choices may it be said that they beat the
published recipe: 2.5% if the test held its level exactly.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from statistics import fmean
from typing import NamedTuple

import numpy as np

from bench.common import show
from fmnist.compare import choosing
from fmnist.compare.choosing import BySeed
from fmnist.compare.confirmation import FIRST_SEED, USUAL_SEEDS, Confirmation
from fmnist.recipe import Recipe
from fmnist.store.store import REFERENCE, Store

SETTINGS = 24
SEEDS = (1, 3, 5)
HELD_OUT = 10_000
TESTED = 10  # The pairs within a sweep are tested in one of so many: there are 23.


class Sweeps(NamedTuple):
    """What came out of many simulated sweeps; means, in points of per cent but for the last two."""

    looks_better: float  # chosen on held-out images, by how much above what it is
    off: float  # the confirmed figure, above what it is
    not_told_apart: float  # of the 23 others
    named_better: float  # the share of sweeps of which the choice is said to beat the published recipe


def known_accuracies() -> dict[str, np.ndarray]:
    """The test accuracies of the reference runs, by model."""
    known: dict[str, list[float]] = {}
    for run in Store(REFERENCE, read_only=True).finished():
        known.setdefault(run.recipe.model, []).append(run.finished_result.test_accuracy)
    return {model: np.array(values) for model, values in sorted(known.items())}


def simulate(model: str, values: np.ndarray, seeds: int, sweeps: int, rng: np.random.Generator) -> Sweeps:
    """Choose and confirm again and again.

    Args:
        values: accuracies that runs of every setting may have, shares of 1.
        seeds: of each setting, to choose by.
    """
    truth = float(values.mean())
    better, off, unsure, named = [], [], [], []
    for number in range(sweeps):
        seen = rng.binomial(HELD_OUT, rng.choice(values, (SETTINGS, seeds))) / HELD_OUT
        settings: list[BySeed] = [dict(enumerate(row.tolist())) for row in seen]
        best = choosing.best(settings)
        better.append(fmean(settings[best].values()) - truth)
        if number % TESTED == 0:
            unsure.append(choosing.not_told_apart(settings, best))
        published, chosen = (dict(enumerate(row.tolist(), FIRST_SEED)) for row in rng.choice(values, (2, USUAL_SEEDS)))
        recipe = Recipe(model, learning_rate=0.2) if best else Recipe(model)
        found = Confirmation(recipe, chosen if best else published, published)
        off.append(found.accuracy - truth)
        named.append(found.better)
    return Sweeps(100 * fmean(better), 100 * fmean(off), fmean(unsure), fmean(named))


def rows(sweeps: int, seed: int = 0) -> Iterator[tuple[str, ...]]:
    """A row for each model and number of seeds."""
    rng = np.random.default_rng(seed)
    for model, values in known_accuracies().items():
        for seeds in SEEDS:
            found = simulate(model, values, seeds, sweeps, rng)
            unsure = f"{found.not_told_apart:.1f} of {SETTINGS - 1}" if seeds > 1 else "–"
            yield (
                f"Model {model}, {seeds} seed{'s' if seeds > 1 else ''}",
                *(f"{found.looks_better:+.2f}", unsure, f"{found.off:+.2f}", f"{found.named_better:.1%}"),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=2_000, help="for each row")
    sweeps = parser.parse_args().sweeps
    titles = ["Chosen by", "looks better by", "not told apart", "confirmed figure off by", "named better"]
    show(titles, rows(sweeps))


if __name__ == "__main__":
    main()
