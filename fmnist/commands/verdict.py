"""What `verify` says of a run: a verdict with all that does not agree."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Disagreement:
    """A stored figure that is not what it should be."""

    figure: str  # as `checksums.contents` names it
    stored: Any  # None for what is not there, or is no single figure
    recomputed: Any  # None where nothing but the seal tells
    sentence: str
    changed: bool | None = None  # whether it is not what it was when the run ended; None without a seal


@dataclass
class Verdict:
    """What came out for one run."""

    address: str
    name: str
    recomputed: int = 0  # how many figures were computed again; all logits, and all predictions of an epoch, are one
    sealed: int | None = None  # how many things the seal covers; None without one
    disagreements: list[Disagreement] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.disagreements

    @property
    def text(self) -> str:
        """For people: a line, and one more for each thing to be said."""
        compared = "" if self.sealed is None else f", {self.sealed} compared with their checksums"
        count = len(self.disagreements)
        answer = "agrees" if self.agrees else f"{count} figure{'s do' if count > 1 else ' does'} not match"
        lines = [f"{self.address} {self.name}: {answer} ({self.recomputed} figures recomputed{compared})"]
        lines += [f"    {disagreement.sentence}" for disagreement in self.disagreements]
        return "\n".join([*lines, *(f"    {remark}" for remark in self.remarks)])

    @property
    def facts(self) -> dict[str, Any]:
        """For programs, as JSON takes it."""
        return {"run": self.address, "name": self.name, "agrees": self.agrees} | {
            name: value for name, value in asdict(self).items() if name not in ("address", "name")
        }
