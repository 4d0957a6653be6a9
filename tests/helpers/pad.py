"""The drawing pad as somebody with a mouse, a finger or a keyboard finds it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from helpers.browser import Visitor, wait_until_it_rests
from helpers.processes import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PREDICT = "Predict?data=Sample+data"
LAPTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
WAITING = "The models' answers appear here."
OWN_PAD = "localStorage.setItem('fmnist-pad', '\"pad\"')"
ANSWERED = "What the models see"

Point = tuple[float, float]


def open_pad(visitor: Visitor, tool: str = "Brush") -> Page:
    """A new pad with nothing on it."""
    page = visitor.page
    canvas(page).wait_for()
    if strokes(page):
        press(page, "Clear")
        page.get_by_text(WAITING).wait_for()
    visitor.turn_to("Data")
    visitor.turn_to(PREDICT)
    canvas(page).wait_for()
    page.get_by_text(WAITING).wait_for()
    visitor.settled()
    press(page, tool)
    canvas(page).scroll_into_view_if_needed()
    wait_until_it_rests(canvas(page))
    return page


def canvas(page: Page) -> Locator:
    return page.locator(".pad canvas")


def on_screen(page: Page, points: list[Point]) -> list[Point]:
    """Where points of the pad, 0 to 280 both ways, lie in the window."""
    box = canvas(page).bounding_box()
    return [(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in points]


def strokes(page: Page) -> list[dict]:
    """What is drawn, as the browser keeps it."""
    return json.loads(page.evaluate("sessionStorage.getItem('fmnist-drawing') ?? '[]'"))


def wait_for_strokes(page: Page, count: int) -> list[dict]:
    wait_for(lambda: len(strokes(page)) == count, timeout=60)
    return strokes(page)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def drag(page: Page, *points: Point) -> None:
    """A stroke with the mouse."""
    first, *others = on_screen(page, list(points))
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def assert_answered(visitor: Visitor) -> None:
    visitor.page.get_by_text(ANSWERED).wait_for()
    visitor.settled()
    bars = visitor.page.locator("table.bars")
    bars.nth(2).wait_for()  # What is drawn for the first time is loaded first, which no script waits for.
    assert bars.count() == 3


def assert_near(points: list[Point], expected: list[Point], tolerance: float = 2) -> None:
    assert len(points) == len(expected)
    for point, other in zip(points, expected, strict=True):
        assert point == pytest.approx(other, abs=tolerance)


class Fingers:
    """Touches as a screen reports them: the points are those of the pad."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)

    def send(self, kind: str, *points: Point) -> None:
        places = on_screen(self.page, list(points))
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def draw(self, first: Point, *others: Point) -> None:
        self.send("touchStart", first)
        for point in others:
            self.send("touchMove", point)
        self.send("touchEnd")
