"""Which lines are outlines, seen from their geometry, and what they enclose."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fmnist.predict import drawing, outlines
from fmnist.predict.drawing import Point, Stroke


def line(*points: Point, shade: int = 34, width: float = 14) -> Stroke:
    return Stroke("brush", points, shade, width)


def arc(degrees: float, radius: float = 90) -> Stroke:
    """A part of a circle around the middle of the pad, from its right on."""
    turns = np.radians(np.linspace(0, degrees, 60))
    return line(*((140 + radius * math.cos(turn), 140 + radius * math.sin(turn)) for turn in turns))


SQUARE = line((60, 60), (220, 60), (220, 220), (60, 220), (60, 62))


def level(*strokes: Stroke, fill: bool = True) -> int:
    """How dark the middle of the pad is."""
    found = outlines.fillings(strokes) if fill else {}
    return np.asarray(drawing.picture(outlines.filled(strokes, found)))[140, 140, 0]


def test_a_closed_outline_is_filled_in_its_shade():
    assert (level(SQUARE), level(SQUARE, fill=False)) == (34, 255)
    assert outlines.fillings([SQUARE]) == {0: Stroke("polygon", SQUARE.points, 34, 14)}


@pytest.mark.parametrize(("degrees", "closed"), [(360, True), (342, True), (330, False), (180, False)])
def test_the_gap_of_a_nearly_closed_one_is_small_beside_its_size(degrees, closed):
    gap = 2 * 90 * math.sin(math.radians(360 - degrees) / 2)
    assert (gap <= outlines.NEARLY * 180 * math.sqrt(2)) == closed
    assert (level(arc(degrees)) == 34) == closed


def test_neither_there_and_back_nor_a_dot_nor_the_eraser_is_an_outline():
    back = line((60, 140), (220, 140), (220, 150), (60, 145))
    dot = line((140, 140), (150, 140), (150, 150), (141, 141))
    eraser = Stroke("brush", SQUARE.points, 255, 14)
    assert outlines.fillings([back, dot, eraser, line((140, 140)), line((1, 1), (1, 1))]) == {}


def test_several_lines_that_meet_are_one_outline_whichever_way_they_were_drawn():
    sides = [
        line((60, 60), (220, 62)),
        line((222, 220), (220, 66)),
        line((225, 222), (60, 220)),
        line((62, 70), (60, 212)),
    ]
    assert outlines.fillings(sides[:3]) == {}
    assert level(*sides) == 34
    [(place, filling)] = outlines.fillings([line((10, 10), (10, 40)), *sides]).items()
    assert place == 1 and len(filling.points) == 8


def test_lines_far_apart_or_of_different_shades_are_no_outline():
    left, right = line((60, 60), (60, 220)), line((220, 220), (220, 60))
    assert outlines.fillings([left, right]) == {}
    half, rest = line((60, 60), (220, 60), (220, 220)), line((220, 220), (60, 220), (60, 60), shade=102)
    assert outlines.fillings([half, rest]) == {}


def test_a_handle_over_a_bag_stays_open():
    handle = line((110, 60), (110, 20), (170, 20), (170, 60))
    assert [*outlines.fillings([SQUARE, handle])] == [0]


def test_details_that_are_drawn_later_stay():
    detail = line((120, 140), (160, 140), shade=170)
    assert level(SQUARE, detail) == 170


def test_a_line_within_an_outline_does_not_vanish_in_its_filling():
    seam, beside = line((140, 60), (140, 140), (140, 220)), line((100, 20), (180, 20))
    [filling] = outlines.fillings([SQUARE, seam, beside]).values()
    assert filling.shade > 34
    image = np.asarray(drawing.picture(outlines.filled([SQUARE, seam], {0: filling})))[:, :, 0]
    assert image[140, 140] == 34 and image[140, 100] == filling.shade
    [filling] = outlines.fillings([SQUARE, beside]).values()
    assert filling.shade == 34


def test_what_leaves_a_filled_shape():
    polygon = Stroke("polygon", SQUARE.points, 34, 14)
    assert outlines.is_filled(polygon) and not outlines.is_filled(SQUARE)
    assert not outlines.is_filled(Stroke("box", ((1, 1), (9, 9)), 255, 14))  # It erases.


def test_a_line_on_an_outline_is_not_within_it():
    [first, second] = outlines.fillings([SQUARE, SQUARE]).values()
    assert first.shade == second.shade == 34


def test_as_many_lines_as_there_may_be_are_looked_at():
    """In each outline for each other one, each with hundreds of points; off the pad, too."""
    circles = [arc(360, 130 - number / 10) for number in range(300)]
    far = line((-2800, 140), (2800, 141), (2800, 2800), (-2800, -2800))
    found = outlines.fillings([*circles, far])
    assert len(found) >= 300 and all(stroke.shade > 34 for place, stroke in found.items() if place < 250)
