"""The drawing pad by touch and by keyboard, in a real browser; untrained models answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.browser import wait_until_it_rests
from helpers.pad import (
    WAITING,
    Fingers,
    assert_answered,
    assert_near,
    canvas,
    on_screen,
    open_pad,
    press,
    strokes,
    wait_for_strokes,
)
from helpers.processes import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page


# --- Touch ---


def scrolled(page: Page) -> float:
    return page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop + scrollY")


def test_a_finger_draws_and_the_page_stays(phone):
    page = open_pad(phone)
    fingers, before = Fingers(page), scrolled(page)
    fingers.draw((140, 220), (140, 160), (140, 100), (140, 40))
    [stroke] = wait_for_strokes(page, 1)
    assert_near([stroke["points"][0], stroke["points"][-1]], [(140, 220), (140, 40)])
    assert_answered(phone)
    assert scrolled(page) == before
    press(page, "Undo")
    wait_for_strokes(page, 0)
    page.get_by_text(WAITING).wait_for()


def test_a_finger_beside_the_pad_scrolls_the_page(phone):
    page = open_pad(phone)
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop = 0")
    before = scrolled(page)
    fingers = Fingers(page)
    fingers.send("touchStart", (140, -20))
    for y in (-40, -80, -120, -160, -200):
        fingers.send("touchMove", (140, y))
    fingers.send("touchEnd")
    wait_for(lambda: scrolled(page) > before, timeout=60)
    assert strokes(page) == []


def test_a_second_finger_changes_nothing(phone):
    page = open_pad(phone)
    fingers = Fingers(page)
    fingers.send("touchStart", (60, 60))
    fingers.send("touchMove", (60, 100))
    fingers.send("touchStart", (60, 100), (200, 200))
    fingers.send("touchMove", (60, 140), (220, 220))
    fingers.send("touchMove", (60, 140))  # The second one is lifted.
    fingers.send("touchMove", (60, 200))
    fingers.send("touchEnd")
    [stroke] = wait_for_strokes(page, 1)
    assert_near([stroke["points"][0], stroke["points"][-1]], [(60, 60), (60, 200)])
    assert all(x < 70 for x, _ in stroke["points"])


def test_a_stroke_that_the_system_cancels_is_kept(phone):
    page = open_pad(phone)
    fingers = Fingers(page)
    fingers.send("touchStart", (60, 60))
    fingers.send("touchMove", (60, 160))
    fingers.send("touchCancel")
    [stroke] = wait_for_strokes(page, 1)
    assert stroke["points"][-1] == pytest.approx([60, 160], abs=2)
    fingers.draw((200, 60), (200, 160))  # The next one is not hindered.
    wait_for_strokes(page, 2)


def test_a_polygon_by_touch(phone):
    page = open_pad(phone)
    button = page.get_by_role("button", name="Polygon: a tap sets a corner")

    def is_chosen() -> bool:
        button.tap()  # Chromium makes no click of one touch in ten or so, if it comes right after another page.
        return button.get_attribute("aria-pressed") == "true"

    wait_for(is_chosen)
    wait_until_it_rests(canvas(page))
    for place in on_screen(page, [(60, 60), (200, 60), (200, 200), (75, 70)]):  # A finger is not precise.
        page.touchscreen.tap(*place)
    [polygon] = wait_for_strokes(page, 1)
    assert_near(polygon["points"], [(60, 60), (200, 60), (200, 200)])
    assert_answered(phone)


# --- Keyboard ---


def tab_to_canvas(page: Page) -> None:
    page.get_by_role("button", name="Brush", exact=True).focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if canvas(page).evaluate("canvas => canvas.getRootNode().activeElement === canvas"):
            return
    raise AssertionError("the pad is not reached by Tab")


def test_a_drawing_by_keyboard_alone(ann):
    page = open_pad(ann)
    tab_to_canvas(page)
    for key, times in (("ArrowLeft", 10), ("ArrowUp", 15), ("Space", 1), ("ArrowDown", 30), ("Space", 1)):
        for _ in range(times):
            page.keyboard.press(key)
    [line] = wait_for_strokes(page, 1)
    assert [line["points"][0], line["points"][-1]] == [[100, 80], [100, 200]]
    assert_answered(ann)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("Space")
    assert wait_for_strokes(page, 2)[1]["points"] == [[101, 200]]
    page.keyboard.press("Backspace")
    page.keyboard.press("Control+z")
    wait_for_strokes(page, 0)
    page.get_by_text(WAITING).wait_for()
    page.keyboard.press("Control+Shift+z")
    wait_for_strokes(page, 1)
    assert_answered(ann)


def test_a_polygon_by_keyboard_and_a_tool_chosen_by_it(ann):
    page = open_pad(ann)
    page.get_by_role("button", name="Polygon: a tap sets a corner").press("Enter")
    tab_to_canvas(page)
    for key in ("Space", *["ArrowRight"] * 10, "Space", *["ArrowDown"] * 10, "Space", "Enter"):
        page.keyboard.press(key)
    [polygon] = wait_for_strokes(page, 1)
    assert polygon["points"] == [[140, 140], [180, 140], [180, 180]]
    assert_answered(ann)


def test_a_line_that_the_keyboard_leaves_is_kept(ann):
    page = open_pad(ann)
    tab_to_canvas(page)
    for key in ("Space", *["ArrowRight"] * 10, "Tab"):
        page.keyboard.press(key)
    [line] = wait_for_strokes(page, 1)
    assert line["points"][-1] == [180, 140]
