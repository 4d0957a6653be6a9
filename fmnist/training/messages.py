"""What the scheduler and its workers say to each other: frozen records, the same for this machine and for clusters."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fmnist.models.registry import Architecture
from fmnist.recipe import Recipe
from fmnist.store.run import Point, Result, Start, Status

# --- To a worker ---


@dataclass(frozen=True)
class Prepare:
    """Load what a run on these data will need."""

    dataset: str
    data_root: Path
    cache: Path  # the folder of the store, where sample data are kept


@dataclass(frozen=True)
class Order:
    """Train this."""

    run: int  # its id, under which reports come back
    recipe: Recipe
    architecture: Architecture  # of its model; a custom one with its code, so that a worker needs no file for it
    data_root: Path
    cache: Path
    checkpoint: bytes | None  # `save_checkpoint`; go on from there
    threads: int  # CPU threads that a step may use
    compiled: bool | None  # of a run that goes on: whether it began by compiled kernels
    log: Path  # where the details of a fault can be read, for the sentence about it

    @property
    def unless_begun(self) -> Status:
        """How the run ends if it can't begin here, because its data or its device are missing, say. What was trained of
        it before is not lost by that."""
        return Status.INTERRUPTED if self.checkpoint else Status.FAILED


@dataclass(frozen=True)
class Stop:
    """This run is no longer wanted. What it has reported stays."""

    run: int


Message = Prepare | Order | Stop


@dataclass(frozen=True)
class ProgressReport:
    """What is new since the last report: the arguments of `Store.record`."""

    points: list[Point]
    images_per_second: float | None
    """Mean since the beginning, of `estimate.image_passes`: the time left follows from it."""
    artifacts: dict[str, bytes]


@dataclass(frozen=True)
class EndReport:
    """The end of a run, with what was not reported yet: the arguments of `Store.finish`."""

    status: Status
    error: str | None = None
    points: list[Point] = field(default_factory=list)
    result: Result | None = None
    artifacts: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class LostReport:
    """The place where the run was trained is gone: it has to go on elsewhere. Only clusters lose runs."""

    reason: str


Report = Start | ProgressReport | EndReport | LostReport
"""Comes with the id of its run: (id, report)."""


@dataclass(frozen=True)
class Node:
    """A machine of a cluster."""

    name: str
    cpus: int
    gpus: int


@dataclass(frozen=True)
class ClusterState:
    """A cluster as its scheduler sees it; kept in the store as JSON, for the pages."""

    address: str
    nodes: tuple[Node, ...] = ()
    problem: str | None = None  # why it can't be used, in a sentence

    @property
    def slots(self) -> int:
        """How many runs find room, if each takes one core."""
        return sum(node.cpus for node in self.nodes)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ClusterState:
        values = json.loads(text)
        return cls(values["address"], tuple(Node(**node) for node in values["nodes"]), values["problem"])
