"""What a browser has to be told to draw curves that grow: of lines that it has, only what is new.

A browser says which lines it has, and up to which step ("marks"). So nothing has to be remembered here of anybody, and
a browser that has lost its lines gets them by saying so.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fmnist.compare.thinning import kept, settled, width_of
from fmnist.store.growing_curves import GrowingCurve

CURVES = 2  # Loss and accuracy, which share a line's steps.
MAX_NEWS = 50_000  # Characters in one message, as soon as a browser has the lines in some version: the rest can wait.


@dataclass(frozen=True)
class Line:
    """A curve as it is drawn."""

    version: str  # As long as it stays the same, points up to `settled` stay too.
    points: np.ndarray  # float64 (K, 4): step, seconds, loss, accuracy
    settled: int  # the step up to which it is decided which points are drawn; -1 for none
    is_thinned: bool  # Not all points are drawn.


def line(curve: GrowingCurve) -> Line:
    """A curve with at most `thinning.MAX_POINTS` points."""
    points = curve.points
    decided = settled(len(points), CURVES)
    return Line(
        f"{curve.reading}-{width_of(len(points), CURVES)}",
        points[kept(points[:, 2], points[:, 3])],
        int(points[decided - 1, 0]) if decided else -1,
        width_of(len(points), CURVES) > 1,
    )


def news(lines: Mapping[str, Line], marks: object) -> dict[str, dict[str, Any]]:
    """What somebody has to be told who has some of the lines.

    Args:
        lines: as they are now, by name.
        marks: what is there: for each name [version, settled] of what was told last. Comes from a browser; whatever is
            no such thing counts as nothing.

    Returns:
        For each line that has changed: version and settled as in `Line`; `after`, the step up to which what is there
        stays (-1: nothing does); `points`, what follows, as `encoded`.
    """
    told: dict[str, dict[str, Any]] = {}
    size = 0
    for name, now in lines.items():
        version, mark = _mark(marks, name)
        after = mark if version == now.version and mark <= now.settled else -1
        new = now.points[now.points[:, 0] > after]
        if not len(new) or (version and size > MAX_NEWS):
            continue
        points = encoded(new)
        size += len(points)
        told[name] = {"version": now.version, "settled": now.settled, "after": after, "points": points}
    return told


def _mark(marks: object, name: str) -> tuple[str, int]:
    """Version and step that somebody has of a line; no version where there is none."""
    match marks.get(name) if isinstance(marks, Mapping) else None:
        case [str(version), int(step)]:
            return version, step
    return "", -1


def encoded(points: np.ndarray) -> str:
    """Points for live_chart.js: base64 of K steps as int32, then K seconds, K losses and K accuracies as float32, all
    little-endian. A third of the length of the same numbers in JSON, which has no infinity besides."""
    with np.errstate(over="ignore"):  # A loss that has exploded is drawn as infinite: not at all.
        rest = points[:, 1:].T.astype("<f4")
    return base64.b64encode(points[:, 0].astype("<i4").tobytes() + rest.tobytes()).decode()
