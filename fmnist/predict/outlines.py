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

import numpy as np
from PIL import Image, ImageDraw

from fmnist.predict.drawing import PAPER, SIDE, Point, Stroke

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
    middles = [_middle(stroke) for stroke in strokes]
    place = 0
    while place < len(strokes):
        count, corners = _outline(strokes[place : place + MAX_LINES])
        if count:
            shade, inside = strokes[place].shade, _inside(corners)
            others = {*range(len(strokes))} - {*range(place, place + count)}
            if any(strokes[other].shade == shade and _is_within(middles[other], inside) for other in others):
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


def _middle(stroke: Stroke) -> np.ndarray:
    """The points of a line without its ends, which may lie on an outline; of any other stroke none.

    Returns:
        int (N, 2), columns and rows of what `_inside` gives.
    """
    points = (stroke.points[1:-1] or stroke.points) if stroke.kind == "brush" else ()
    return np.clip(np.array(points, float).reshape(-1, 2), -1, SIDE).astype(int) + 1


def _inside(corners: Sequence[Point]) -> np.ndarray:
    """What a closed line encloses: bool (SIDE + 2, SIDE + 2), by row and column, with a border around the pad.

    As a picture, because there may be thousands of corners and of points that are looked for between them.
    """
    picture = Image.new("1", (SIDE + 2, SIDE + 2))
    ImageDraw.Draw(picture).polygon([(x + 1, y + 1) for x, y in corners], fill=1, outline=0)
    enclosed = np.zeros((SIDE + 2, SIDE + 2), bool)
    enclosed[1:-1, 1:-1] = np.asarray(picture)[1:-1, 1:-1]
    return enclosed


def _is_within(middle: np.ndarray, inside: np.ndarray) -> bool:
    """Whether a line, as `_middle` gives it, lies within a closed one."""
    return len(middle) > 0 and bool(inside[middle[:, 1], middle[:, 0]].mean() >= WITHIN)


def _extent(line: Sequence[Point]) -> tuple[float, float]:
    columns, rows = zip(*line, strict=True)
    return max(columns) - min(columns), max(rows) - min(rows)


def _diagonal(line: Sequence[Point]) -> float:
    return math.hypot(*_extent(line))


def _area(line: Sequence[Point]) -> float:
    """What a closed line encloses (the shoelace formula)."""
    following = [*line[1:], line[0]]
    return abs(sum(x * below - right * y for (x, y), (right, below) in zip(line, following, strict=True))) / 2
