"""Outlines in drawings, and what they enclose: people draw an outline first, and the models know filled shapes.

What counts is the geometry of the lines alone. A line is an outline if it ends near where it began, seen from its size
(`NEARLY`), and encloses a good part of the rectangle around it (`ROOM`): a line that goes there and back does not.
Several lines drawn one after the other are taken as one where each goes on near an end of those before it.

Seams, buttons and collars are lines within an outline. In its own shade they would vanish in the filling, so that is
`LIGHTER` then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fmnist.predict.drawing import PAPER, Point, Stroke

NEARLY = 0.15
"""Of the diagonal of the rectangle around an outline: so wide may the gap be, or as wide as the brush."""
ROOM = 0.2
"""Of the area of that rectangle, at least so much is enclosed."""
THICK = 4
"""Brush widths that the diagonal has at least: in less there is nothing to be filled."""
MAX_LINES = 8
"""That make one outline."""
LIGHTER = 0.25
"""Of the way to white, so much lighter than its outline is a filling in which there are lines."""
WITHIN = 0.8
"""Of the points of a line within an outline, so many are, its ends left out."""


def fillings(strokes: Sequence[Stroke]) -> dict[int, Stroke]:
    """What the outlines of a drawing enclose: polygons, by the place of the stroke with which the outline begins."""
    found: dict[int, Stroke] = {}
    place = 0
    while place < len(strokes):
        count, corners = _outline(strokes[place : place + MAX_LINES])
        if count:
            shade, others = strokes[place].shade, [*strokes[:place], *strokes[place + count :]]
            if any(stroke.shade == shade and _is_within(stroke, corners) for stroke in others):
                shade += round(LIGHTER * (PAPER - shade))
            found[place] = Stroke("polygon", corners, shade, strokes[place].width)
        place += max(1, count)
    return found


def filled(strokes: Sequence[Stroke], found: Mapping[int, Stroke]) -> list[Stroke]:
    """A drawing with fillings, each below the outline that it belongs to."""
    drawn = []
    for place, stroke in enumerate(strokes):
        drawn += [found[place], stroke] if place in found else [stroke]
    return drawn


def is_filled(stroke: Stroke) -> bool:
    """Whether a stroke leaves a filled shape."""
    return stroke.kind != "brush" and stroke.shade != PAPER


def _outline(strokes: Sequence[Stroke]) -> tuple[int, tuple[Point, ...]]:
    """How many of these strokes, from the first one on, are an outline together, and its corners; 0 for none."""
    line: list[Point] = []
    for count, stroke in enumerate(strokes, 1):
        if stroke.kind != "brush" or stroke.shade == PAPER or stroke.shade != strokes[0].shade:
            break
        joined = _joined(line, list(stroke.points), stroke.width)
        if joined is None:
            break
        line = joined
        if _encloses(line, stroke.width):
            return count, tuple(line)
    return 0, ()


def _joined(line: list[Point], other: list[Point], width: float) -> list[Point] | None:
    """Both lines as one, from an end of the one to the nearest end of the other; None if no ends are near."""
    if not line:
        return other
    ways = [a + b for a in (line, line[::-1]) for b in (other, other[::-1])]
    gap, best = min(((math.dist(way[len(line) - 1], way[len(line)]), way) for way in ways), key=lambda pair: pair[0])
    return best if gap <= max(width, NEARLY * _diagonal(best)) else None


def _encloses(line: Sequence[Point], width: float) -> bool:
    diagonal = _diagonal(line)
    if len(line) < 3 or diagonal < THICK * width or math.dist(line[0], line[-1]) > max(width, NEARLY * diagonal):
        return False
    across, down = _extent(line)
    return min(across, down) > 2 * width and _area(line) >= ROOM * across * down


def _is_within(stroke: Stroke, corners: Sequence[Point]) -> bool:
    """Whether a line lies within a closed one; its ends may lie on that."""
    middle = stroke.points[1:-1] or stroke.points
    inside = sum(_winds_around(corners, point) for point in middle)
    return stroke.kind == "brush" and inside >= WITHIN * len(middle)


def _winds_around(corners: Sequence[Point], point: Point) -> bool:
    """Whether a closed line encloses a point: a ray from it to the right crosses the line an odd number of times."""
    x, y = point
    crossings = 0
    for (left, top), (right, bottom) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if (top > y) != (bottom > y) and x < left + (y - top) / (bottom - top) * (right - left):
            crossings += 1
    return crossings % 2 == 1


def _extent(line: Sequence[Point]) -> tuple[float, float]:
    columns, rows = zip(*line, strict=True)
    return max(columns) - min(columns), max(rows) - min(rows)


def _diagonal(line: Sequence[Point]) -> float:
    return math.hypot(*_extent(line))


def _area(line: Sequence[Point]) -> float:
    """What a closed line encloses (the shoelace formula)."""
    following = [*line[1:], line[0]]
    return abs(sum(x * below - right * y for (x, y), (right, below) in zip(line, following, strict=True))) / 2
