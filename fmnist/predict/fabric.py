"""Drawings as Fabric.js, on which streamlit-drawable-canvas rests, has them: JSON of objects, to our strokes and back.

What comes from the browser is checked and bounded, here and in `drawing.read`; no picture of its is decoded.
Fabric places an object by an origin, `left` and `top`; scales, skews and turns it about its centre (Fabric.js 7,
`util.composeMatrix`). `left` and `top` are those of the centre unless `originX` and `originY` say otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any

from fmnist.predict import drawing
from fmnist.predict.drawing import MAX_POINTS, MAX_STROKES, SIDE, WIDEST, DrawingError, Point, Stroke

LASSO_WIDTH = 2
"""Pixels. A lasso is a thin line whose colour is marked (`colour`), and which we fill."""
SAME = 1
"""Units of the pad within which a point of a line says nothing new: a tenth of a pixel of the image."""
ORIGIN = {"left": 0.5, "top": 0.5, "center": 0.0, "right": -0.5, "bottom": -0.5}
BENDS = 4
"""Straight pieces that stand for a piece of a curve, and eight times as many for a turned ellipse."""

Matrix = tuple[float, float, float, float]
"""a, b, c, d: (x, y) becomes (a x + c y, b x + d y)."""


def colour(shade: int, lasso: bool = False) -> str:
    """Of a tool on the canvas. A lasso's has a bit more or less blue, which nobody sees."""
    blue = shade if not lasso else shade + (1 if shade < 255 else -1)
    return f"#{shade:02x}{shade:02x}{blue:02x}"


def read(sent: object, side: int) -> tuple[list[Stroke], frozenset[int]]:
    """The strokes of a canvas, and the places of those that are lassos: the canvas shows them as lines only.

    Args:
        sent: `json_data` of the canvas.
        side: of the canvas, in pixels.

    Raises:
        DrawingError: it is anything else, or too much.
    """
    objects = sent.get("objects") if isinstance(sent, dict) else None
    if not isinstance(objects, list) or len(objects) > MAX_STROKES:
        raise DrawingError(f"A drawing is a list of at most {MAX_STROKES} objects.")
    if sum(map(_size, objects)) > MAX_POINTS:  # Before time is spent on them.
        raise DrawingError(f"A drawing has at most {MAX_POINTS:,} points: clear it and start again.")
    found: list[dict[str, Any]] = []
    lassos: set[int] = set()
    for each in objects:
        try:
            stroke, lasso = _stroke(each, SIDE / side)
        except (KeyError, TypeError, ValueError, OverflowError, IndexError, AttributeError) as error:
            raise DrawingError("An object of a drawing is a path, line, box, circle or polygon.") from error
        if stroke is not None:
            lassos |= {len(found)} if lasso else set()
            found.append(stroke)
    return drawing.read(found), frozenset(lassos)


def write(strokes: Sequence[Stroke], side: int) -> dict[str, Any]:
    """An `initial_drawing` that shows these strokes on a canvas.

    Args:
        side: of the canvas, in pixels.
    """
    return {"objects": [_object(stroke, side / SIDE) for stroke in strokes]}


def _object(stroke: Stroke, scale: float) -> dict[str, Any]:
    points = [(x * scale, y * scale) for x, y in stroke.points]
    fill: dict[str, Any] = {"fill": colour(stroke.shade), "stroke": None, "strokeWidth": 0}
    if stroke.kind == "brush":
        if len(points) == 1:
            points *= 2  # Or there is no line, and so no dot.
        path = [["M", *points[0]], *(["L", x, y] for x, y in points[1:])]
        look = {"fill": None, "stroke": colour(stroke.shade), "strokeWidth": stroke.width * scale}
        return {"type": "Path", "path": path, "strokeLineCap": "round", "strokeLineJoin": "round", **look}
    if stroke.kind == "polygon":
        return {"type": "Polygon", "points": [{"x": x, "y": y} for x, y in points], **fill}
    (left, right), (top, bottom) = (sorted((points[0][axis], points[-1][axis])) for axis in (0, 1))
    width, height = right - left, bottom - top
    if stroke.kind == "box":
        place = {"originX": "left", "originY": "top", "left": left, "top": top}
        return {"type": "Rect", **place, "width": width, "height": height, **fill}
    place = {"originX": "center", "originY": "center", "left": left + width / 2, "top": top + height / 2}
    return {"type": "Circle", **place, "radius": 50, "scaleX": width / 100, "scaleY": height / 100, **fill}


def _size(sent: object) -> int:
    """How many pieces and corners an object has."""
    parts = [sent.get(name) for name in ("path", "points")] if isinstance(sent, dict) else []
    return sum(len(part) for part in parts if isinstance(part, Sized))


def _stroke(sent: Mapping[str, Any], scale: float) -> tuple[dict[str, Any] | None, bool]:
    """A stroke as `drawing.read` takes it, or None where nothing shows; and whether it is a lasso."""
    kind, points, width, height = SHAPES[sent["type"]](sent)
    matrix = _matrix(sent)
    thick = _number(sent, "strokeWidth", 0)
    centre = _centre(sent, width, height, thick)
    if kind == "circle" and _stays_round(matrix):
        matrix = (math.hypot(matrix[0], matrix[1]), 0, 0, math.hypot(matrix[2], matrix[3]))
    moved = [_moved(point, matrix, centre, scale) for point in points]
    upright = not (matrix[1] or matrix[2])
    lasso = False
    if kind == "brush":
        shade, lasso = _shade(sent["stroke"])
        thick *= scale * math.sqrt(abs(matrix[0] * matrix[3] - matrix[1] * matrix[2]))
        if lasso:
            kind = "polygon"
        moved = _thinned(moved)
    else:
        shade, _ = _shade(sent["stroke"] if sent["type"] == "Line" else sent["fill"])
        if min(width, height) <= 0 and sent["type"] != "Line":
            return None, False
        if kind in ("box", "circle") and upright:
            moved = _around(moved)
        else:
            kind = "polygon"
    if kind == "polygon" and len(moved) < 3:
        return None, False
    width = min(max(thick, 0.1), WIDEST)
    return {"kind": kind, "points": moved, "shade": shade, "width": width}, lasso


def _path(sent: Mapping[str, Any]) -> tuple[str, list[Point], float, float]:
    """The points of a freehand line, from the middle of the rectangle around it."""
    points: list[Point] = []
    for name, *numbers in sent["path"]:
        values = [float(number) for number in numbers]
        if name in ("M", "L") and len(values) == 2:
            points.append((values[0], values[1]))
        elif name == "Q" and len(values) == 4 and points:
            points += _curve(points[-1], (values[0], values[1]), (values[2], values[3]))
        elif name not in ("z", "Z"):
            raise ValueError(name)
    return "brush", *_from_middle(points)


def _curve(start: Point, bend: Point, end: Point) -> list[Point]:
    """Points of a quadratic Bézier curve, without its start."""
    found = []
    for piece in range(1, BENDS + 1):
        t = piece / BENDS
        weights = ((1 - t) ** 2, 2 * t * (1 - t), t**2)
        x, y = (sum(w * p[axis] for w, p in zip(weights, (start, bend, end), strict=True)) for axis in (0, 1))
        found.append((x, y))
    return found


def _polygon(sent: Mapping[str, Any]) -> tuple[str, list[Point], float, float]:
    return "polygon", *_from_middle([(float(point["x"]), float(point["y"])) for point in sent["points"]])


def _line(sent: Mapping[str, Any]) -> tuple[str, list[Point], float, float]:
    """A straight line has flat ends: a rectangle, as wide as the brush."""
    start, end = ((_number(sent, f"x{end}"), _number(sent, f"y{end}")) for end in (1, 2))
    along = (end[0] - start[0], end[1] - start[1])
    half = _number(sent, "strokeWidth") / 2 / (math.hypot(*along) or 1)
    across = (-along[1] * half, along[0] * half)
    corners = [
        (x + sign * across[0], y + sign * across[1]) for (x, y), sign in ((start, 1), (end, 1), (end, -1), (start, -1))
    ]
    return "polygon", corners, abs(along[0]), abs(along[1])


def _rect(sent: Mapping[str, Any]) -> tuple[str, list[Point], float, float]:
    width, height = _number(sent, "width"), _number(sent, "height")
    corners = [(x * width / 2, y * height / 2) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return "box", corners, width, height


def _circle(sent: Mapping[str, Any]) -> tuple[str, list[Point], float, float]:
    radius = _number(sent, "radius")
    turns = [math.tau * piece / (8 * BENDS) for piece in range(8 * BENDS)]
    around = [(radius * math.cos(turn), radius * math.sin(turn)) for turn in turns]
    return "circle", around, 2 * radius, 2 * radius


SHAPES: dict[str, Callable[[Mapping[str, Any]], tuple[str, list[Point], float, float]]] = {
    "Path": _path,
    "Line": _line,
    "Rect": _rect,
    "Circle": _circle,
    "Polygon": _polygon,
}
"""By Fabric's type: the kind of stroke, its points from the object's centre before it is changed, width and height."""


def _matrix(sent: Mapping[str, Any]) -> Matrix:
    """How an object is flipped, scaled, skewed and turned."""
    cosine, sine = _turn(sent)
    return _times((cosine, sine, -sine, cosine), _unturned(sent))


def _turn(sent: Mapping[str, Any]) -> Point:
    """Cosine and sine of the angle by which an object is turned: exactly 1 and 0 for whole turns."""
    angle = math.radians(math.fmod(_number(sent, "angle", 0), 360))
    return math.cos(angle), math.sin(angle)


def _unturned(sent: Mapping[str, Any]) -> Matrix:
    across = _number(sent, "scaleX", 1) * (-1 if sent.get("flipX") else 1)
    down = _number(sent, "scaleY", 1) * (-1 if sent.get("flipY") else 1)
    skew_x, skew_y = (math.tan(math.radians(_number(sent, name, 0))) for name in ("skewX", "skewY"))
    return _times(_times((across, 0, 0, down), (1, 0, skew_x, 1)), (1, skew_y, 0, 1))


def _times(one: Matrix, other: Matrix) -> Matrix:
    (a, b, c, d), (e, f, g, h) = one, other
    return a * e + c * f, b * e + d * f, a * g + c * h, b * g + d * h


def _centre(sent: Mapping[str, Any], width: float, height: float, thick: float) -> Point:
    """Where the middle of an object is; its outline counts as a part of it where it is placed by a side."""
    x, y = _number(sent, "left"), _number(sent, "top")
    off_x, off_y = ORIGIN[sent.get("originX", "center")], ORIGIN[sent.get("originY", "center")]
    a, b, c, d = _unturned(sent)
    uniform = thick if sent.get("strokeUniform") else 0.0
    width, height = width + thick - uniform, height + thick - uniform
    across, down = abs(a) * width + abs(c) * height + uniform, abs(b) * width + abs(d) * height + uniform
    cosine, sine = _turn(sent)
    return (
        x + cosine * off_x * across - sine * off_y * down,
        y + sine * off_x * across + cosine * off_y * down,
    )


def _moved(point: Point, matrix: Matrix, centre: Point, scale: float) -> list[float]:
    """Where a point of an object lies on the pad, or near it: what was drawn far outside shows nothing."""
    (x, y), (a, b, c, d) = point, matrix
    return [
        round(min(max(_finite(number) * scale, -10 * SIDE), 10 * SIDE), 1)
        for number in (a * x + c * y + centre[0], b * x + d * y + centre[1])
    ]


def _stays_round(matrix: Matrix) -> bool:
    """Whether a circle is still one."""
    a, b, c, d = matrix
    return math.isclose(math.hypot(a, b), math.hypot(c, d), rel_tol=1e-6) and abs(a * c + b * d) < 1e-6 * (
        a * a + b * b
    )


def _from_middle(points: list[Point]) -> tuple[list[Point], float, float]:
    columns, rows = zip(*points, strict=True)
    left, right, top, bottom = min(columns), max(columns), min(rows), max(rows)
    middle = (left + right) / 2, (top + bottom) / 2
    return [(x - middle[0], y - middle[1]) for x, y in points], right - left, bottom - top


def _around(points: list[list[float]]) -> list[list[float]]:
    """Two opposite corners of the rectangle around them."""
    columns, rows = zip(*points, strict=True)
    return [[min(columns), min(rows)], [max(columns), max(rows)]]


def _thinned(points: list[list[float]]) -> list[list[float]]:
    """A line without the points that say nothing new; its last one stays."""
    kept = points[:1]
    for point in points[1:]:
        if math.dist(point, kept[-1]) >= SAME:
            kept.append(point)
    if kept[-1] != points[-1] and len(kept) > 1:
        kept[-1] = points[-1]
    return kept


def _shade(colour: str) -> tuple[int, bool]:
    """Of a colour as `colour` writes it; and whether it is that of a lasso."""
    if len(colour) != 7 or colour[0] != "#":
        raise ValueError(colour)
    red, blue = int(colour[1:3], 16), int(colour[5:7], 16)
    return red, red != blue


def _number(sent: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = sent[name] if default is None else sent.get(name, default)
    return _finite(float(value))


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(number)
    return number
