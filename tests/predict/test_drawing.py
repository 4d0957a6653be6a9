"""Drawings: strokes as they are sent, the pictures that they make, and whether Model 2 knows what is drawn."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from helpers.answers import is_one_sentence

from fmnist.data.catalog import CLOTHES
from fmnist.predict import conversion, drawing
from fmnist.predict.drawing import DrawingError, Stroke
from fmnist.store.library import Library
from fmnist.store.store import REFERENCE, Store

DRAWINGS = json.loads(Path(__file__).with_name("drawings.json").read_text())
"""Two of each class, outlined and filled: corners written down by hand, and not changed after Model 2 saw them."""

STROKE = {"kind": "brush", "points": [[20, 30], [40.5, 30]], "shade": 34, "width": 24}


def levels(*strokes: Stroke) -> np.ndarray:
    """The picture's grey levels, uint8 (280, 280)."""
    picture = drawing.picture(strokes)
    assert (picture.mode, picture.size) == ("RGB", (280, 280))
    return np.asarray(picture)[:, :, 0]


# What is sent


def test_a_stroke_is_read():
    assert drawing.read([STROKE]) == [Stroke("brush", ((20, 30), (40.5, 30)), 34, 24)]
    assert drawing.read([]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "spray"},
        {"kind": None},
        {"points": []},
        {"points": [[1, 2, 3]]},
        {"points": [["a", "b"]]},
        {"points": [[math.nan, 1]]},
        {"points": [[1e300, 1]]},
        {"points": 5},
        {"shade": 256},
        {"shade": -1},
        {"shade": "dark"},
        {"shade": math.inf},
        {"width": 0},
        {"width": 101},
        {"width": math.nan},
    ],
)
def test_a_wrong_stroke_is_refused_in_a_sentence(change):
    with pytest.raises(DrawingError) as caught:
        drawing.read([STROKE | change])
    assert is_one_sentence(caught.value)


@pytest.mark.parametrize("sent", [None, "text", {}, 5, [5], [None], [[]], [{}], [STROKE] * 501])
def test_what_is_no_drawing_is_refused_in_a_sentence(sent):
    with pytest.raises(DrawingError) as caught:
        drawing.read(sent)
    assert is_one_sentence(caught.value)


def test_too_many_points_are_refused():
    many = STROKE | {"points": [[1, 2]] * 10_001}
    assert len(drawing.read([many])) == 1
    with pytest.raises(DrawingError, match="at most 20,000 points"):
        drawing.read([many, many])


# The picture


def test_paper_is_white():
    assert (levels() == 255).all()


def test_a_box_and_its_shade():
    image = levels(Stroke("box", ((200, 150), (100, 50)), 102, 24))  # From any corner to the opposite one.
    assert (image[52:149, 102:199] == 102).all()
    assert (image < 255).sum() == pytest.approx(101 * 101, rel=0.02)


def test_a_circle_fits_its_box():
    image = levels(Stroke("circle", ((100, 100), (180, 140)), 34, 24))
    rows, columns = np.nonzero(image < 128)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (100, 139, 100, 179)
    assert (image < 128).sum() == pytest.approx(math.pi * 40 * 20, rel=0.05)
    assert image[102, 102] == 255


def test_a_polygon_is_filled_and_two_corners_are_nothing():
    triangle = Stroke("polygon", ((50, 50), (250, 50), (50, 250)), 34, 24)
    assert (levels(triangle) < 128).sum() == pytest.approx(200 * 200 / 2, rel=0.02)
    assert (levels(Stroke("polygon", triangle.points[:2], 34, 24)) == 255).all()


def test_a_line_is_as_wide_as_the_brush_and_has_round_ends():
    image = levels(Stroke("brush", ((60, 140), (220, 140)), 34, 24))
    assert (image[:, 140] < 128).sum() == pytest.approx(24, abs=1)
    assert np.flatnonzero(image[140] < 128)[[0, -1]] == pytest.approx([48, 232], abs=1)
    assert image[129, 49] == 255


def test_a_tap_is_a_dot():
    image = levels(Stroke("brush", ((100, 100),), 34, 40))
    assert (image < 128).sum() == pytest.approx(math.pi * 20**2, rel=0.05)


def test_white_erases_and_later_strokes_cover_earlier_ones():
    box = Stroke("box", ((50, 50), (230, 230)), 34, 24)
    eraser = Stroke("brush", ((50, 140), (230, 140)), 255, 40)
    assert levels(box, eraser)[140, 140] == 255 and levels(eraser, box)[140, 140] == 34


def test_beside_the_pad_nothing_shows():
    image = levels(Stroke("box", ((-500, 100), (900, 150)), 34, 24))
    assert (image[105:145] == 34).all() and (image[:95] == 255).all()


# Twenty drawings


def test_there_are_two_drawings_of_each_class_with_an_outline_and_a_filling():
    assert [each["label"] for each in DRAWINGS] == [name for name in CLOTHES.classes for _ in range(2)]
    for each in DRAWINGS:
        kinds = [stroke.kind for stroke in drawing.read(each["strokes"])]
        assert kinds[0] == "brush"
        assert "polygon" in kinds or each["label"] == "Sandal"  # One of them is nothing but straps.


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference runs are not there")
def test_model_2_names_at_least_half_of_the_drawings(tmp_path):
    """docs/measurements.md quotes the figure that this prints (pytest -rP)."""
    from fmnist.predict import prediction

    library = Library(Store(tmp_path / "fmnist.db"))
    [group] = [each for each in library.groups("fashion-mnist", "reference") if each.recipe.model == "2"]
    pictures = [conversion.convert(drawing.picture(drawing.read(each["strokes"]))) for each in DRAWINGS]
    labels = np.array([CLOTHES.classes.index(each["label"]) for each in DRAWINGS])
    probabilities = prediction.probabilities(library, group, np.stack([each.image for each in pictures]))
    right = (probabilities.argmax(axis=2) == labels).sum(axis=1)
    print(f"Model 2 names {right.mean():.1f} of {len(labels)} drawings, mean of {len(right)} seeds: {right.tolist()}")
    assert right.mean() >= len(labels) / 2
