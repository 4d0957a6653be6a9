"""Run: what a store tells of a training, and the points of its curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe

CLOSING_SECONDS = 0.3  # For the result after the last step: answers are timed twice, for a tenth of a second each.


@dataclass(frozen=True)
class Run:
    """One row of the table `runs`."""

    id: int
    key: str
    recipe: Recipe
    data_root: str
    status: str
    stop: bool
    created: float
    started: float | None
    updated: float | None
    finished: float | None
    device: str | None
    threads: int | None
    machine: str | None
    versions: dict[str, str]
    parameters: int | None
    multiply_adds: int | None
    steps: int | None
    step: int
    images_per_second: float | None
    result: dict[str, Any] | None
    error: str | None
    cluster: str | None = None  # the address of the Ray cluster that shall train it; None: this machine
    node: str | None = None  # where on the cluster it runs
    source: str = "own"  # or "reference"

    @property
    def address(self) -> str:
        """A name that says which store the run is in: "12", or "reference-3"."""
        return str(self.id) if self.source == "own" else f"{self.source}-{self.id}"

    @property
    def name(self) -> str:
        """For people: "Model 2, seed 0"."""
        return f"{ARCHITECTURES[self.recipe.model].name}, seed {self.recipe.seed}"

    @property
    def where(self) -> str:
        """Where it really ran, for people: "CPU", or the GPU's name."""
        return "CPU" if self.device == "cpu" else self.device or ""

    @property
    def seconds_left(self) -> float | None:
        """How long a running run will still take at the mean speed so far; None before its first report."""
        if not (self.steps and self.images_per_second):
            return None
        left = self.recipe.image_passes(self.steps, self.steps) - self.recipe.image_passes(self.step, self.steps)
        return left / self.images_per_second + CLOSING_SECONDS

    @property
    def trouble(self) -> str:
        """What is wrong with a finished run, in a few words; nothing for a healthy one."""
        result = self.result or {}
        if result.get("dead"):
            return "dead: it gives every image the same class"
        if classes := result.get("never_predicted"):
            return f"never predicts {', '.join(self.recipe.info.classes[index] for index in classes)}"
        return ""

    @property
    def conditions(self) -> str:
        """Under which its time was measured, in words: times can be compared where these are equal.

        A run that is alone has the whole machine, of which it uses as many threads as its model can.
        """
        at_once = (self.result or {}).get("at_once", 1)
        said = [f"{self.where} of {self.machine}" if self.device == "cpu" else self.where]
        said.append(f"{at_once} runs at once" if at_once > 1 else "alone")
        if self.device == "cpu" and at_once > 1:
            said.append(f"{self.threads} thread{'s' if self.threads != 1 else ''}")
        return ", ".join(said)


class RunState(NamedTuple):
    """How a run stands, in a few numbers: of a thousand runs, more is read of those alone that are shown."""

    id: int
    status: str
    step: int
    finished: float | None


@dataclass(frozen=True)
class Point:
    """One point of a curve."""

    split: str  # "train" (mean since the last point) or "test" (all test images, after an epoch)
    step: int
    epoch: int
    seconds: float
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Record:
    """All that a store holds of a finished run, to be put into another one."""

    columns: dict[str, Any]  # `checksums.COLUMNS`, and result: as they stand in the table `runs`
    points: list[tuple]  # (split, step, epoch, seconds, loss, accuracy)
    artifacts: dict[str, bytes]
    identity: str  # `checksums.identity`
