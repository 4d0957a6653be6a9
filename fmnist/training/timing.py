"""How long does a step of each recipe take on this machine, measured under the same conditions?

The times that runs note are of the moment at which they were trained: of a machine that was busier or idler, of another
number of threads. Here the real training loop is run for a few hundred steps of each recipe in turn, over several
rounds, and nothing is kept. What slows down the machine for a while then slows down all of them, and the spread over
the rounds says how much.

torch is imported when something is measured: pages only read what came out.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from fmnist.data.files import Dataset
from fmnist.recipe import Recipe
from fmnist.training.hardware import slots
from fmnist.words import as_number, digits

STEPS = 300
MIN_ROUNDS = 7
UNSTEADY = 1.5
"""Between the slowest and the quickest round of a recipe. Measured on two shared cores: 1.1 to 1.2 under a steady load,
1.6 to 2.1 while other programs began and ended."""
MAX_SECONDS = 3.0
"""Of training in one turn: with large batches a turn ends before it has its steps."""


@dataclass(frozen=True)
class Turn:
    """One recipe's steps in one round."""

    round: int  # 1 for the first; 0 is the warm-up, which does not count
    index: int  # of the recipe
    device: str  # "cpu", or the GPU's name
    threads: int
    seconds_per_step: float


@dataclass(frozen=True)
class Timing:
    """What came out for one recipe."""

    recipe: Recipe
    device: str
    threads: int
    steps_per_epoch: int
    seconds_per_step: tuple[float, ...]  # a value for each round

    @property
    def median(self) -> float:
        return statistics.median(self.seconds_per_step)

    @property
    def epoch(self) -> float:
        """Seconds of training in an epoch."""
        return self.median * self.steps_per_epoch


def usual_rounds(models: int) -> int:
    """Enough that of equally quick models one is called slower in at most 6 of 100 timings.

    One is, if it was slower than the one with the lowest median in every round. With five rounds, simulated, it would
    be in 14 of 100 timings of three models, and in 27 of five.
    """
    return MIN_ROUNDS + max(0, models - 2) // 2


def turns(recipes: Sequence[Recipe], data: Dataset, steps: int, rounds: int) -> Iterator[Turn]:
    """Train each recipe for some steps, one after the other, round after round; the first round is a warm-up.

    Args:
        steps: of one turn, at least; fewer where they take longer than `MAX_SECONDS`.
        rounds: that count.

    Raises:
        TrainingError: a recipe can't be trained here.
    """
    for number in range(rounds + 1):
        for index, recipe in enumerate(recipes):
            yield Turn(number, index, *_turn(recipe, data, steps if number else 1))


def _turn(recipe: Recipe, data: Dataset, steps: int) -> tuple[str, int, float]:
    """Device, threads and seconds per step of a piece of training, from its first report to the one that is enough."""
    from fmnist.training import loop
    from fmnist.training.events import Progress, Started

    long_enough = replace(recipe, epochs=1000)
    device, threads, done, seconds = "", 0, 0, 0.0
    first: Progress | None = None
    with closing(loop.train(long_enough, data, threads=slots())) as events:
        for event in events:
            match event:
                case Started():
                    device, threads = event.device, event.threads
                case Progress():
                    if first is None:
                        first = event  # The steps up to here are the turn's own warm-up.
                        continue
                    done, seconds = event.step - first.step, event.train_seconds - first.train_seconds
                    if done >= steps or seconds >= MAX_SECONDS:
                        break
    return device, threads, seconds / done


def timings(recipes: Sequence[Recipe], data: Dataset, turns: Sequence[Turn]) -> list[Timing]:
    """What came out for each recipe.

    Args:
        turns: of at least one round that counts.
    """
    found = []
    for index, recipe in enumerate(recipes):
        own = [turn for turn in turns if turn.index == index and turn.round]
        per_epoch = recipe.steps_per_epoch(len(data.train_images))
        values = tuple(turn.seconds_per_step for turn in own)
        found.append(Timing(recipe, own[0].device, own[0].threads, per_epoch, values))
    return found


def sentences(timings: Sequence[Timing], names: Sequence[str]) -> list[str]:
    """Each recipe against the quickest; per epoch where their steps have different numbers of images."""
    if len({timing.recipe.batch_size for timing in timings}) > 1:
        unit, costs = "epoch", [timing.epoch for timing in timings]
    else:
        unit, costs = "step", [timing.median for timing in timings]
    first = costs.index(min(costs))
    rounds = len(timings[first].seconds_per_step)
    how = f"median{'s' if len(timings) > 1 else ''} of {rounds} rounds in turn on this machine"
    if rounds == 1:
        how = "one round on this machine"
    if len(timings) == 1:
        low, high = min(timings[0].seconds_per_step), max(timings[0].seconds_per_step)
        return [f"{names[0]} takes {in_words(costs[0])} per step ({how}, {in_words(low)} to {in_words(high)})."]
    said = []
    for index, timing in enumerate(timings):
        if index == first:
            continue
        times = f"{in_words(costs[index])} to {in_words(costs[first])}"
        if _always_slower(timing, timings[first]):
            ratio = _short(_printed(costs[index]) / _printed(costs[first]))
            longer, than = ("hardly longer", "than") if ratio == "1" else (f"{ratio} times as long", "as")
            said.append(f"{names[index]} takes {longer} per {unit} {than} {names[first]} ({times}, {how}).")
        else:
            said.append(
                f"{names[index]} and {names[first]} can't be told apart: {times} per {unit} ({how}), "
                "and neither was quicker in every round."
            )
    return said


def unsteady(timings: Sequence[Timing]) -> str:
    """A sentence where the rounds differ so much that something else must have used the machine; else nothing."""
    ratio = max(max(timing.seconds_per_step) / min(timing.seconds_per_step) for timing in timings)
    if ratio <= UNSTEADY:
        return ""
    return (
        f"The rounds of one model differ by a factor of {ratio:.1f}: something else was using the machine. Time them "
        f"again when it is idle."
    )


def _always_slower(one: Timing, other: Timing) -> bool:
    """Whether an epoch of one took longer than of the other in each round."""
    pairs = zip(one.seconds_per_step, other.seconds_per_step, strict=True)
    return all(mine * one.steps_per_epoch > its * other.steps_per_epoch for mine, its in pairs)


def in_words(seconds: float) -> str:
    """A time with three digits: "0.187 ms", "2.31 s"."""
    number, unit = _digits(seconds)
    return f"{number} {unit}"


def _digits(seconds: float) -> tuple[str, str]:
    return (_short(seconds), "s") if seconds >= 1 else (_short(1000 * seconds), "ms")


def _short(number: float) -> str:
    """Three digits that count, without zeros at their end."""
    text = digits(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _printed(seconds: float) -> float:
    """A time as `in_words` says it."""
    number, unit = _digits(seconds)
    return as_number(number) / (1 if unit == "s" else 1000)
