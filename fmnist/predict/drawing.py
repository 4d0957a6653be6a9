"""Drawings: lists of strokes, and the pictures that they make. No torch, no Streamlit.

A drawing is kept as what the hand did, not as pixels: it is small, can be undone stroke by stroke, and is drawn here on
the server, so that nothing that a browser sends is a picture to be decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from PIL import Image, ImageDraw

SIDE = 280  # Of the pad, in its own units: ten for each of the 28 pixels.
PAPER = 255  # White, as the background of the photos that FashionMNIST was made from.
KINDS = ("brush", "polygon", "box", "circle")
MAX_STROKES = 500
MAX_POINTS = 20_000  # Of all strokes: an hour of drawing.
WIDEST = 100
FINER = 2  # Drawn so many times as large, and reduced: smooth edges.

Point = tuple[float, float]


class DrawingError(ValueError):
    """What was sent is no drawing. The message is a sentence."""


@dataclass(frozen=True)
class Stroke:
    """One thing that the hand did.

    kind: one of KINDS. The brush leaves a line; the others are filled: a polygon by its corners, a box and a circle
        (an ellipse) by two opposite corners of the rectangle around them.
    points: in units of the pad, which reaches from 0 to SIDE both ways; beyond it nothing shows.
    shade: 0 for black to 255 for white, which erases.
    width: of the brush, in units of the pad.
    """

    kind: str
    points: tuple[Point, ...]
    shade: int
    width: float


def read(sent: object) -> list[Stroke]:
    """The strokes that a browser or a file sends: a list of objects with the fields of `Stroke`.

    Raises:
        DrawingError: it is anything else, or too much.
    """
    if not isinstance(sent, list) or len(sent) > MAX_STROKES:
        raise DrawingError(f"A drawing is a list of at most {MAX_STROKES} strokes.")
    strokes = [_stroke(each) for each in sent]
    if sum(len(stroke.points) for stroke in strokes) > MAX_POINTS:
        raise DrawingError(f"A drawing has at most {MAX_POINTS:,} points: clear it and start again.")
    return strokes


def _stroke(sent: Any) -> Stroke:
    try:
        kind, shade, width = sent["kind"], int(sent["shade"]), float(sent["width"])
        points = tuple((float(x), float(y)) for x, y in sent["points"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DrawingError("A stroke has a kind, a shade, a width and points.") from error
    numbers = [width, *(number for point in points for number in point)]
    # Also false where a number is not one; far outside of the pad are only hands that slipped, and nothing shows.
    if not all(abs(number) <= 10 * SIDE for number in numbers):
        raise DrawingError("The points of a stroke lie on the pad or near it.")
    if kind not in KINDS or not points or not 0 <= shade <= 255 or not 0 < width <= WIDEST:
        raise DrawingError(f"A stroke is one of {', '.join(KINDS)}, from black to white, and has a point.")
    return Stroke(kind, points, shade, width)


def picture(strokes: Sequence[Stroke]) -> Image.Image:
    """The drawing on white paper, mode RGB, SIDE x SIDE."""
    image = Image.new("L", (SIDE * FINER, SIDE * FINER), PAPER)
    pen = ImageDraw.Draw(image)
    for stroke in strokes:
        DRAW[stroke.kind](pen, [(x * FINER, y * FINER) for x, y in stroke.points], stroke)
    return image.reduce(FINER).convert("RGB")


def _brush(pen: ImageDraw.ImageDraw, points: list[Point], stroke: Stroke) -> None:
    """A line with round ends and corners: thick segments, and a disc on every point."""
    radius = stroke.width * FINER / 2
    for start, end in pairwise(points):
        pen.line([start, end], fill=stroke.shade, width=round(2 * radius))
    for x, y in points:
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=stroke.shade)


def _polygon(pen: ImageDraw.ImageDraw, points: list[Point], stroke: Stroke) -> None:
    if len(points) > 2:
        pen.polygon(points, fill=stroke.shade)


def _box(pen: ImageDraw.ImageDraw, points: list[Point], stroke: Stroke) -> None:
    pen.rectangle(_around(points), fill=stroke.shade)


def _circle(pen: ImageDraw.ImageDraw, points: list[Point], stroke: Stroke) -> None:
    pen.ellipse(_around(points), fill=stroke.shade)


def _around(points: list[Point]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the first and the last point."""
    (x, y), (other_x, other_y) = points[0], points[-1]
    return min(x, other_x), min(y, other_y), max(x, other_x), max(y, other_y)


DRAW = {"brush": _brush, "polygon": _polygon, "box": _box, "circle": _circle}
