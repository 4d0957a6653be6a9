"""How often are two groups called different that come from one distribution?

For each source of accuracies and each pair of sizes, many pairs of groups are drawn, compared as Compare compares them,
and counted where a sentence says that one beats the other. Sources: a normal distribution; the accuracies of the
reference runs of each model, with replacement; and how far these lie from the mean of their model, all together. Groups
of one size have the same seeds and are paired, others are not.

Usage:
    python -m bench.campaigns.statistics [--pairs 10000]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from bench.common import show
from fmnist.compare import sentences
from fmnist.compare.statistics import difference
from fmnist.store.store import REFERENCE, Store

SIZES = ((3, 3), (5, 5), (3, 10), (5, 20))
Draw = Callable[[np.random.Generator, int], np.ndarray]
"""Makes that many accuracies."""


def sources() -> Mapping[str, Draw]:
    """What accuracies are drawn from, by name."""
    known: dict[str, list[float]] = {}
    for run in Store(REFERENCE, read_only=True).finished():
        known.setdefault(run.recipe.model, []).append(run.finished_result.test_accuracy)
    around = np.concatenate([0.8 + np.array(values) - np.mean(values) for values in known.values()])
    real = {f"seeds of Model {model}": np.array(values) for model, values in sorted(known.items())}
    return {"normal": lambda rng, count: rng.normal(0.8, 0.02, count)} | {
        name: (lambda rng, count, values=values: rng.choice(values, count))
        for name, values in (real | {"all seeds, around their means": around}).items()
    }


def called_different(draw: Draw, sizes: tuple[int, int], pairs: int, rng: np.random.Generator) -> float:
    """The share of pairs of groups from one distribution of which it is said that one beats the other."""
    count = 0
    for _ in range(pairs):
        first, second = (dict(enumerate(draw(rng, size).tolist())) for size in sizes)
        count += " beats " in sentences.say_difference("A", "B", difference(first, second), None)
    return count / pairs


def rows(pairs: int, seed: int = 0) -> Iterator[tuple[str, ...]]:
    """A row for each source: its name, and for each of `SIZES` the share that is called different."""
    rng = np.random.default_rng(seed)
    for name, draw in sources().items():
        yield name, *(f"{called_different(draw, sizes, pairs, rng):.1%}" for sizes in SIZES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10_000, help="of groups, for each cell")
    pairs = parser.parse_args().pairs
    show(["From", *(f"{first} + {second}" for first, second in SIZES)], rows(pairs))


if __name__ == "__main__":
    main()
