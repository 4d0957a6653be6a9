"""Drawings of streamlit-drawable-canvas as our strokes, and back; and what a hostile browser might send."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.answers import is_one_sentence

from fmnist.predict import drawing, fabric
from fmnist.predict.drawing import DrawingError, Stroke

SIDE = 280  # One pixel of the canvas is one unit of the pad, unless a test says otherwise.
DRAWINGS = json.loads(Path(__file__).with_name("drawings.json").read_text())
RECT = {"type": "Rect", "originX": "left", "originY": "top", "left": 40, "top": 60, "width": 100, "height": 50}
RECT |= {"fill": "#222222", "strokeWidth": 0}
PATH = {"type": "Path", "left": 60, "top": 80, "stroke": "#666666", "strokeWidth": 10}
PATH |= {"path": [["M", 20, 40], ["Q", 20, 40, 60, 40], ["L", 100, 120]]}
POLYGON = {"type": "Polygon", "left": 50, "top": 50, "fill": "#aaaaaa"}
POLYGON |= {"points": [{"x": 0, "y": 0}, {"x": 100, "y": 0}, {"x": 50, "y": 100}]}
LINE = {"type": "Line", "left": 100, "top": 50, "x1": -60, "y1": 0, "x2": 60, "y2": 0, "stroke": "#222222"}
LINE |= {"strokeWidth": 24}
CIRCLE = {"type": "Circle", "originX": "left", "originY": "center", "left": 100, "top": 140, "radius": 40}
CIRCLE |= {"fill": "#222222", "strokeWidth": 0}


def strokes(*objects: dict[str, Any], side: int = SIDE) -> list[Stroke]:
    return fabric.read({"version": "7.4.0", "objects": [*objects]}, side)[0]


def corners(stroke: Stroke) -> list[tuple[float, float]]:
    return sorted(stroke.points)


def test_what_the_tools_leave():
    rect, path, polygon, line, circle = strokes(RECT, PATH, POLYGON, LINE, CIRCLE)
    assert rect == Stroke("box", ((40, 60), (140, 110)), 34, 0.1)
    assert (path.kind, path.shade, path.width) == ("brush", 102, 10)
    assert path.points[0] == (20, 40) and path.points[-1] == (100, 120)
    assert polygon == Stroke("polygon", ((0, 0), (100, 0), (50, 100)), 170, 0.1)
    assert corners(line) == [(40, 38), (40, 62), (160, 38), (160, 62)]  # Its ends are flat.
    assert circle == Stroke("circle", ((100, 100), (180, 180)), 34, 0.1)


def test_a_canvas_of_another_size_is_brought_to_the_pads_units():
    [rect] = strokes(RECT, side=560)
    assert rect.points == ((20, 30), (70, 55))


def test_what_is_moved_turned_and_resized():
    moved = RECT | {"originX": "center", "originY": "center", "left": 100, "top": 100}
    assert strokes(moved)[0].points == ((50, 75), (150, 125))
    assert strokes(moved | {"scaleX": 2, "scaleY": 0.5})[0].points == ((0, 87.5), (200, 112.5))
    turned = strokes(moved | {"angle": 90})[0]
    assert turned.kind == "polygon" and corners(turned) == [(75, 50), (75, 150), (125, 50), (125, 150)]
    by_corner = strokes(RECT | {"angle": 90})[0]  # About the corner by which it is placed.
    assert corners(by_corner) == [(-10, 60), (-10, 160), (40, 60), (40, 160)]
    flipped = strokes(POLYGON | {"flipY": True, "left": 100, "top": 100})[0]
    assert flipped.points == ((50, 150), (150, 150), (100, 50))
    skewed = strokes(moved | {"skewX": 45})[0]
    assert corners(skewed) == [(25, 75), (75, 125), (125, 75), (175, 125)]
    larger = strokes(PATH | {"scaleX": 2, "scaleY": 2})[0]
    assert larger.width == 20 and larger.points[0] == (-20, 0)


def test_a_circle_that_was_turned_is_one_and_a_turned_ellipse_is_drawn_by_its_edge():
    turned = CIRCLE | {"originX": "center", "left": 140, "angle": 27.3}
    assert strokes(turned)[0] == Stroke("circle", ((100, 100), (180, 180)), 34, 0.1)
    ellipse = strokes(turned | {"scaleX": 2, "angle": 0})[0]
    assert (ellipse.kind, ellipse.points) == ("circle", ((60, 100), (220, 180)))
    edge = strokes(turned | {"scaleX": 2, "angle": 90})[0]
    assert edge.kind == "polygon" and max(y for _, y in edge.points) == 220


def test_a_lasso_is_a_marked_line_that_is_filled():
    for shade in (0, 34, 255):
        objects = [RECT, PATH | {"stroke": fabric.colour(shade, lasso=True), "strokeWidth": fabric.LASSO_WIDTH}]
        found, lassos = fabric.read({"objects": objects}, SIDE)
        assert (found[1].kind, found[1].shade, lassos) == ("polygon", shade, {1})


def test_a_click_that_leaves_nothing_is_no_stroke():
    lasso = PATH | {"stroke": fabric.colour(34, lasso=True), "path": [["M", 1, 1], ["L", 1.02, 1]]}
    assert strokes(RECT | {"width": 0}, CIRCLE | {"radius": 0}, lasso) == []
    [dot] = strokes(PATH | {"path": [["M", 1, 1], ["L", 1.02, 1]]})
    assert len(dot.points) == 1


@pytest.mark.parametrize("place", range(len(DRAWINGS)), ids=lambda place: f"{DRAWINGS[place]['label']}{place % 2}")
@pytest.mark.parametrize("side", [280, 344])
def test_a_drawing_that_goes_to_the_canvas_and_back_is_the_same_picture(place, side):
    drawn = drawing.read(DRAWINGS[place]["strokes"])
    sent = fabric.write(drawn, side)
    for each in sent["objects"]:  # The browser adds where they are.
        points = [(x, y) for _, x, y in each.get("path", ())] or [(p["x"], p["y"]) for p in each.get("points", ())]
        if points:
            for name, numbers in zip(("left", "top"), zip(*points, strict=True), strict=True):
                each[name] = (min(numbers) + max(numbers)) / 2
    back, lassos = fabric.read(json.loads(json.dumps(sent)), side)
    assert not lassos and [each.kind for each in back] == [each.kind for each in drawn]
    difference = np.asarray(drawing.picture(back), float) - np.asarray(drawing.picture(drawn), float)
    assert np.abs(difference).mean() < 1


@pytest.mark.parametrize(
    "sent",
    [
        *[None, [], "text", 5, {}, {"objects": None}, {"objects": {}}, {"objects": [None]}, {"objects": [[]]}],
        {"objects": [{}]},
        {"objects": [RECT] * 501},
        {"objects": [{"type": []}]},
        {"objects": [{"type": "Image", "src": "http://localhost/"}]},
        {"objects": [{"type": "Group", "objects": [RECT]}]},
        *[{"objects": [RECT | change]} for change in ({"left": math.nan}, {"width": math.inf}, {"scaleX": 1e400})],
        *[{"objects": [RECT | change]} for change in ({"left": None}, {"width": "wide"}, {"angle": [1]})],
        *[{"objects": [RECT | {"fill": fill}]} for fill in (None, "red", "#22", "#gggggg", "#-1-1-1", 5, {"r": 1})],
        *[{"objects": [RECT | {"originX": origin}]} for origin in ("middle", [])],
        *[{"objects": [PATH | {"path": path}]} for path in (None, [], 5, [[]], [["M"]], [["C", 1, 2, 3, 4, 5, 6]])],
        {"objects": [PATH | {"path": [["Q", 1, 2, 3, 4]]}]},
        {"objects": [PATH | {"path": [["M", 1, 1]] + [["L", 2, 3]] * 20_001}]},
        {"objects": [POLYGON | {"points": [{"x": 1}]}]},
        {"objects": [POLYGON | {"points": []}]},
        {"objects": [POLYGON | {"points": [{"x": 1, "y": 2}] * 20_001}]},
        {"objects": [POLYGON | {"points": [{"x": place, "y": place % 2} for place in range(11_000)]}] * 2},
    ],
)
def test_what_is_no_drawing_is_refused_in_a_sentence(sent):
    with pytest.raises(DrawingError) as caught:
        fabric.read(sent, SIDE)
    assert is_one_sentence(caught.value)


@pytest.mark.parametrize("one", [PATH | {"path": [["L", 2, 3]] * 4_000}, POLYGON | {"points": [{"x": 1}] * 4_000}])
def test_what_is_too_much_in_all_is_refused_before_any_of_it_is_looked_at(one, monkeypatch):
    monkeypatch.setattr(fabric, "SHAPES", {})
    with pytest.raises(DrawingError, match="at most 20,000 points"):
        fabric.read({"objects": [one] * 6}, SIDE)


def test_what_was_dragged_far_away_shows_nothing_and_does_no_harm():
    far = strokes(RECT | {"left": 1e9}, RECT | {"scaleX": 1e9}, PATH | {"scaleX": 1e6, "scaleY": 1e6, "left": -1e9})
    assert len(far) == 3 and far[2].width == drawing.WIDEST
    drawing.picture(far)
