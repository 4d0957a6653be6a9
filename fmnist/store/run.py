"""Run: what a store tells of a training - how it stands, where it is trained, what came out - and of its curves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.label import NO_LABEL, Label


class Status(StrEnum):
    """How a run stands. The words are those of the store's file."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def word(self) -> str:
        """For people."""
        return "stopped" if self is Status.CANCELLED else self.value


ACTIVE = (Status.QUEUED, Status.RUNNING)
"""A trainer works on it, or will."""
RESUMABLE = (Status.CANCELLED, Status.INTERRUPTED)
"""Ended before it was done, and can go on from its last finished epoch."""
UNFINISHED = (Status.FAILED, *RESUMABLE)
"""Ended without a result."""

TIMES = ("train_seconds", "eval_seconds", "image_seconds", "single_seconds")
"""What depends on where a run was trained: fields of its result, and columns of the tables of runs."""

SIZES = ("parameters", "multiply_adds")
"""Of the model: fields of a run, and columns of the tables of runs."""


@dataclass(frozen=True)
class Start:
    """Where a run is trained and what is known once its model stands there: columns of the table `runs`."""

    device: str  # "cpu", or the GPU's name
    threads: int  # CPU threads of one step
    machine: str  # the processor's name
    versions: dict[str, str]  # of python, torch ...
    parameters: int
    multiply_adds: int | None  # of one image's forward pass; None: not counted
    steps: int  # of the whole run
    step: int  # done before: more than 0 when resuming
    node: str | None = None  # of a cluster


@dataclass(frozen=True)
class Result:
    """What came out of a finished run: the JSON in the column `result`."""

    test_loss: float
    test_accuracy: float  # a share of 1
    train_seconds: float  # of optimisation alone
    eval_seconds: float  # of all evaluations
    image_seconds: float  # inference time per image, in batches of 1,000
    dead: bool  # whether it gives every image the same class: here and below the held-out ones, where there are any
    single_seconds: float | None = None
    """Inference time of one image alone, as when somebody asks about one. Not measured by earlier versions."""
    never_predicted: tuple[int, ...] = ()  # classes
    zero_layers: tuple[str, ...] = ()  # layers of which every unit is zero for every image
    at_once: int = 1  # the most runs that were trained at the same time on the same machine, itself included
    validation_loss: float | None = None  # on the held-out images; None without any
    validation_accuracy: float | None = None
    kept_epoch: int | None = None  # the best one, whose weights were kept; None for the last

    @property
    def accuracy_to_choose_by(self) -> float:
        """On the held-out images, and where there are none on the test images: what choices among runs are made by."""
        return self.test_accuracy if self.validation_accuracy is None else self.validation_accuracy

    @property
    def loss_to_choose_by(self) -> float:
        """On the same images."""
        return self.test_loss if self.validation_loss is None else self.validation_loss

    def to_json(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def from_json(cls, text: str) -> Result:
        """The result that was stored.

        Raises:
            ValueError: as `from_fields`, or it is no JSON.
        """
        fields = json.loads(text)
        return cls.from_fields(fields if isinstance(fields, dict) else {})

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Result:
        """A result from a mapping that has its fields, as JSON gives them, among others.

        Raises:
            ValueError: one of them is not what it should be.
        """
        if faults := cls.faults(fields):
            raise ValueError(f"no {' or '.join(faults)}")
        found: dict[str, Any] = {name: fields[name] for name in FIELDS if name in fields}
        found |= {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
        return cls(**found)

    @staticmethod
    def faults(fields: Mapping[str, Any]) -> list[str]:
        """The fields of a result that a mapping does not have, or with another type."""
        return [
            name for name, holds in FIELDS.items() if not (holds(fields[name]) if name in fields else name in OPTIONAL)
        ]


OPTIONAL = (
    *("single_seconds", "never_predicted", "zero_layers", "at_once"),
    *("validation_loss", "validation_accuracy", "kept_epoch"),
)
"""Fields that a result may not have: earlier versions did not measure them, or there are no held-out images."""


LARGEST = 1e15
"""More than any time or loss can be; sums and squares of thousands are still numbers."""


def _is_number(value: object) -> bool:
    """Also whether it is one that can be added to others."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_time(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


FIELDS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(TIMES, _is_time),
    "test_loss": _is_number,
    "test_accuracy": _is_share,
    "validation_loss": _is_number,
    "validation_accuracy": _is_share,
    "dead": lambda value: isinstance(value, bool),
    "never_predicted": lambda value: isinstance(value, list) and all(_is_whole(one) and 0 <= one < 10 for one in value),
    "zero_layers": lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    **dict.fromkeys(("at_once", "kept_epoch"), lambda value: _is_whole(value) and value >= 1),
}
"""The fields of a `Result`, and what tells whether a value read from JSON can be one."""


@dataclass(frozen=True)
class Run:
    """One row of the table `runs`."""

    id: int
    key: str
    recipe: Recipe
    data_root: str
    status: Status
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
    images_per_second: float | None  # mean of a running run so far, evaluations included: `training.estimate`
    result: Result | None
    error: str | None
    cluster: str | None = None  # the address of the Ray cluster that shall train it; None: this machine
    node: str | None = None  # where on the cluster it runs
    rounded: bool = False
    """Whether what is counted over its answers comes from logits that an earlier version rounded to float16."""
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
    def kept_epoch(self) -> int:
        """After which epoch the weights of a finished run were kept."""
        return self.finished_result.kept_epoch or self.recipe.epochs

    @property
    def where(self) -> str:
        """Where it really ran, for people: "CPU", or the GPU's name."""
        return "CPU" if self.device == "cpu" else self.device or ""

    @property
    def finished_result(self) -> Result:
        """The result of a run that is done; no other has one."""
        assert self.result is not None, f"run {self.address} is {self.status}"
        return self.result

    @property
    def trouble(self) -> str:
        """What is wrong with a finished run, in a few words; nothing for a healthy one."""
        if self.result and self.result.dead:
            return "failed to learn (dead): it answers the same class for every image"
        if self.result and self.result.never_predicted:
            classes = self.recipe.info.classes
            return f"never predicts {', '.join(classes[index] for index in self.result.never_predicted)}"
        return ""

    @property
    def compiled(self) -> bool:
        """Whether its gradients were computed by compiled kernels, not by autograd."""
        return "numba" in self.versions

    @property
    def conditions(self) -> str:
        """Under which its time was measured, in words: times can be compared where these are equal.

        A run that is alone has the whole machine, of which it uses as many threads as its model can. Autograd is a
        condition for a model alone that compiled kernels would have trained faster.
        """
        at_once = self.result.at_once if self.result else 1
        said = [f"{self.where} of {self.machine}" if self.device == "cpu" else self.where]
        said.append(f"{at_once} runs at once" if at_once > 1 else "alone")
        if self.device == "cpu" and at_once > 1:
            said.append(f"{self.threads} thread{'s' if self.threads != 1 else ''}")
        if self.device == "cpu" and ARCHITECTURES[self.recipe.model].compiled and not self.compiled:
            said.append("without compiled kernels")
        return ", ".join(said)


class RunState(NamedTuple):
    """How a run stands, in a few numbers: of a thousand runs, more is read of those alone that are shown."""

    id: int
    status: Status
    step: int
    finished: float | None


SPLITS = ("train", "validation", "test")
"""On which images a point of a curve was measured: those trained on since the last point; all held-out images after an
epoch; all test images after an epoch, or where images are held out at the end alone."""


@dataclass(frozen=True)
class Point:
    """One point of a curve."""

    split: str  # one of `SPLITS`
    step: int
    epoch: int
    seconds: float
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Record:
    """All that a store holds of a finished run, to be put into another one."""

    columns: dict[str, Any]  # `checksums.COLUMNS`, and result: as they stand in the table `runs`
    points: list[tuple[Any, ...]]  # (split, step, epoch, seconds, loss, accuracy)
    artifacts: dict[str, bytes]
    identity: str  # `checksums.identity` of its `checksums.lasting`
    rounded: int  # as of a `Run`
    label: Label = NO_LABEL
