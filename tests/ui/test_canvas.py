"""Drawing with a mouse on streamlit-drawable-canvas, in a real browser; untrained models answer.

All tests share one window: they begin with an empty canvas.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from helpers.browser import Server, Visitor, visited, wait_until_it_rests
from helpers.processes import wait_for

from fmnist.ui.canvas import Mounted

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

Point = tuple[float, float]
PADS = ("Draw with the mouse instead", "Draw by touch or keyboard instead")


@pytest.fixture(scope="module")
def ann(browser: Browser, untrained_server: Server) -> Iterator[Visitor]:
    """Somebody with a mouse, who was never here."""
    visitor = Visitor(visited(browser, untrained_server, viewport={"width": 1400, "height": 1100}), untrained_server)
    visitor.open("Predict?data=Sample+data")
    surface(visitor.page).wait_for()
    yield visitor
    visitor.check()


@pytest.fixture
def page(ann: Visitor) -> Page:
    """The page with nothing on the canvas."""
    page = ann.settled()
    if strokes(page):
        press(ann, "Clear")
        wait_for(lambda: not strokes(page), timeout=60)
    wait_until_it_rests(surface(page))
    return page


def surface(page: Page) -> Locator:
    return page.locator("canvas.upper-canvas")


def strokes(page: Page) -> list[dict]:
    """What the server has understood, as the browser keeps it."""
    return json.loads(page.evaluate("sessionStorage.getItem('fmnist-drawing')") or "[]")


def press(ann: Visitor, name: str) -> None:
    """A tool or another button, and wait for what it changes."""
    button = ann.page.locator(".pad").get_by_role("button", name=name, exact=True)
    if button.get_attribute("aria-pressed") != "true":
        with ann.answered():
            button.click()
    ann.page.wait_for_function("!document.querySelector('[class*=st-key-canvas-][style*=none]')")


def choose(ann: Visitor, name: str) -> None:
    """A tool, or what it draws with, without waiting for the canvas."""
    ann.page.locator(".pad").get_by_role("button", name=name, exact=True).click()


def at(page: Page, x: float, y: float) -> Point:
    """Where a point of the canvas, 0 to 280 both ways, lies in the window."""
    box = surface(page).bounding_box()
    return box["x"] + x / 280 * box["width"], box["y"] + y / 280 * box["height"]


def drag(page: Page, *points: Point) -> None:
    first, *others = (at(page, *point) for point in points)
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def drawn(ann: Visitor, count: int) -> list[dict]:
    """So many strokes, once the answers have followed."""
    wait_for(lambda: len(strokes(ann.page)) == count, timeout=60)
    ann.settled()
    return strokes(ann.page)


def seen(page: Page) -> str:
    """The image that the models see."""
    return page.get_by_alt_text("The 28 × 28 pixels that the models see").get_attribute("src")


def answers(page: Page) -> list[str]:
    return page.locator("table.bars").all_inner_texts()


def box_of(stroke: dict) -> tuple[float, float, float, float]:
    columns, rows = zip(*stroke["points"], strict=True)
    return min(columns), min(rows), max(columns), max(rows)


def test_each_tool_leaves_a_stroke_and_the_same_strokes_get_the_same_answers_on_the_other_pad(ann, page):
    press(ann, "Lasso: fills what you circle")
    drag(page, (20, 20), (80, 20), (80, 80), (20, 80), (22, 30))
    press(ann, "Brush")
    drag(page, (110, 40), (180, 40))
    press(ann, "Line")
    drag(page, (110, 80), (180, 80))
    press(ann, "Box")
    press(ann, "Grey")
    drag(page, (200, 20), (260, 60))
    press(ann, "Circle")
    drag(page, (200, 110), (260, 110))
    press(ann, "Polygon: a tap sets a corner")
    for corner in ((40, 160), (120, 160), (80, 240), (40, 160)):
        page.mouse.click(*at(page, *corner))
    press(ann, "Dark")
    found = drawn(ann, 6)
    assert [each["kind"] for each in found] == ["polygon", "brush", "polygon", "box", "circle", "polygon"]
    assert [each["shade"] for each in found] == [34, 34, 34, 102, 102, 102]
    expected = [(20, 20, 80, 80), (110, 40, 180, 40), (110, 68, 180, 92), (200, 20, 260, 60), (200, 80, 260, 140)]
    for stroke, box in zip(found, [*expected, (40, 160, 120, 240)], strict=True):
        assert box_of(stroke) == pytest.approx(box, abs=2.5)
    on_canvas = seen(page), answers(page)
    assert len(on_canvas[1]) == 3
    with ann.answered():
        page.get_by_role("button", name=PADS[1]).click()
    page.locator(".pad canvas").wait_for()
    assert strokes(page) == found and (seen(page), answers(page)) == on_canvas
    with ann.answered():
        page.get_by_role("button", name=PADS[0]).click()
    surface(page).wait_for()
    assert drawn(ann, 6) == found and (seen(page), answers(page)) == on_canvas


def test_what_was_drawn_is_moved_resized_and_turned_and_that_can_be_undone(ann, page):
    press(ann, "Box")
    drag(page, (60, 60), (120, 100))
    [box] = drawn(ann, 1)
    before = seen(page)
    press(ann, "Move: drag, turn or resize what you drew")

    def changed_by(*points: Point) -> dict:
        was = strokes(page)
        drag(page, *points)
        wait_for(lambda: strokes(page) != was, timeout=60)
        ann.settled()
        [stroke] = strokes(page)
        return stroke

    moved = changed_by((90, 80), (150, 180))
    assert box_of(moved) == pytest.approx(
        [number + by for number, by in zip(box_of(box), (60, 100) * 2, strict=True)], abs=3
    )
    left, top, right, bottom = box_of(moved)
    larger = changed_by((right, bottom), (right + 40, bottom + 40))  # The handle at its corner.
    assert box_of(larger)[:2] == pytest.approx((left, top), abs=3) and box_of(larger)[2] > right + 20
    left, top, right, bottom = box_of(larger)
    middle, centre = (left + right) / 2, (top + bottom) / 2
    above = top - 40 * 280 / surface(page).bounding_box()["width"]  # Where the handle for turning is.
    turned = changed_by((middle, above), (middle + 60, above), (middle + centre - above, centre))  # By a right angle.
    wide, high = (right - left) / 2, (bottom - top) / 2
    assert box_of(turned) == pytest.approx((middle - high, centre - wide, middle + high, centre + wide), abs=3)
    assert seen(page) != before
    for _ in range(3):
        press(ann, "Undo")
    wait_for(lambda: strokes(page) == [box], timeout=60)  # There is one stroke all the time.
    ann.settled()
    assert seen(page) == before
    press(ann, "Redo")
    wait_for(lambda: strokes(page) == [moved], timeout=60)


def test_of_quick_choices_of_tools_the_last_counts(ann, page):
    press(ann, "Brush")
    drag(page, (20, 20), (80, 20))
    drawn(ann, 1)  # The canvas tells of a stroke a fifth of a second after it.
    for name in ("Circle", "Grey"):
        choose(ann, name)
    press(ann, "Box")
    drag(page, (100, 100), (160, 140))
    drag(page, (180, 100), (240, 140))
    found = drawn(ann, 3)
    assert [(stroke["kind"], stroke["shade"]) for stroke in found] == [("brush", 34), ("box", 102), ("box", 102)]
    assert box_of(found[1]) == pytest.approx((100, 100, 160, 140), abs=3)
    assert ann.page.locator(".pad button[aria-pressed=true][data-group=tool]").get_attribute("data-value") == "box"
    press(ann, "Dark")


def test_a_fast_series_of_strokes_is_kept_over_another_page_and_a_reload(ann, page):
    press(ann, "Brush")
    for place in range(8):
        drag(page, (20 + 30 * place, 60), (24 + 30 * place, 220))
    found = drawn(ann, 8)
    assert [each["points"][0][0] for each in found] == pytest.approx([20 + 30 * place for place in range(8)], abs=2)
    links = page.get_by_test_id("stSidebarNavLink")
    links.filter(has_text="Data").click()
    page.get_by_text("What do the models learn from?").wait_for()
    links.filter(has_text="Predict").click()
    surface(page).wait_for()
    page.locator("table.bars").nth(2).wait_for()
    ann.settled()
    assert strokes(page) == found
    drag(page, (60, 30), (240, 30))  # It goes on where it was.
    longer = drawn(ann, 9)
    page.reload()
    surface(page).wait_for()
    page.locator("table.bars").nth(2).wait_for()
    assert drawn(ann, 9) == longer


def test_clear_can_be_undone_and_each_of_many_quick_strokes_by_quick_strokes_on_the_keyboard(ann, page):
    press(ann, "Brush")
    for place in range(6):
        drag(page, (60 + 20 * place, 60), (60 + 20 * place, 200))
    lines = drawn(ann, 6)
    press(ann, "Clear")
    drawn(ann, 0)
    page.get_by_text("The models' answers appear here.").wait_for()
    for _ in range(5):  # The first brings back what was cleared.
        page.keyboard.press("Control+z")
    assert drawn(ann, 2) == lines[:2]


def test_the_canvas_own_toolbar_lies_over_no_part_of_the_drawing(ann, page):
    press(ann, "Brush")
    drag(page, (270, 4), (200, 12))  # Where it lies, invisibly, if it is left to itself.
    [line] = drawn(ann, 1)
    assert box_of(line) == pytest.approx((200, 4, 270, 12), abs=2)


def test_the_switch_is_the_first_thing_on_the_keyboards_way_and_is_remembered(ann, page):
    page.get_by_role("button", name=PADS[1]).focus()
    page.keyboard.press("Tab")
    assert ann.page.locator(".pad button:focus").get_attribute("data-value") == "outline"
    with ann.answered():
        page.get_by_role("button", name=PADS[1]).click()
    page.locator(".pad canvas").wait_for()
    page.reload()
    page.locator(".pad canvas").wait_for()
    ann.settled()
    assert not surface(page).count()
    with ann.answered():
        page.get_by_role("button", name=PADS[0]).click()
    surface(page).wait_for()


def test_presses_that_the_server_learns_of_together_undo_strokes_that_came_in_together_one_by_one():
    mounted, (a, b, c) = Mounted(), ([{"kind": "brush"}], [{"kind": "box"}], [{"kind": "circle"}])
    mounted.change(a)
    mounted.change(a + b + c)
    mounted.follow({"visit": "1", "count": 2, "last": ["undo", "undo"]})
    assert mounted.drawn == a
    mounted.follow({"visit": "1", "count": 3, "last": ["undo", "undo", "redo"]})
    assert mounted.drawn == a + b
    mounted.follow({"visit": "2", "count": 1, "last": ["redo"]})  # Another visit of the page counts anew.
    assert mounted.drawn == a + b + c


@pytest.mark.parametrize(
    "sent", [None, "undo", {"count": "1"}, {"count": 1, "last": 5}, {"count": 1, "last": [{}, "x"]}]
)
def test_presses_that_no_button_makes_change_nothing(sent):
    mounted = Mounted()
    mounted.change([{"kind": "brush"}])
    mounted.follow(sent)
    assert mounted.drawn == [{"kind": "brush"}]
