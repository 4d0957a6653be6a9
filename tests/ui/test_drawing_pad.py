"""The drawing pad by mouse in a real browser, and what everybody sees of it; untrained models answer.

All tests share a window; each begins with a new pad.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.browser import Visitor, wait_until_it_rests
from helpers.pad import (
    ANSWERED,
    LAPTOP,
    OWN_PAD,
    PREDICT,
    WAITING,
    Fingers,
    assert_answered,
    assert_near,
    canvas,
    drag,
    on_screen,
    open_pad,
    press,
    strokes,
    wait_for_strokes,
)
from helpers.processes import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocketRoute


# --- Mouse ---


def test_each_tool_leaves_a_stroke_that_is_answered_at_once(ann):
    page = open_pad(ann)
    drag(page, (100, 60), (100, 200))
    assert_answered(ann)
    [brush] = wait_for_strokes(page, 1)
    assert (brush["kind"], brush["shade"], brush["width"]) == ("brush", 34, 24)
    assert_near([brush["points"][0], brush["points"][-1]], [(100, 60), (100, 200)])
    press(page, "Box")
    press(page, "Grey")
    drag(page, (120, 80), (180, 220))
    press(page, "Circle")
    press(page, "Light")
    drag(page, (150, 90), (190, 130))
    press(page, "Lasso: fills what you circle")
    drag(page, (200, 100), (260, 100), (230, 160))
    press(page, "Brush")
    press(page, "Eraser")
    press(page, "Thick brush")
    drag(page, (100, 100), (200, 100))
    drawn = wait_for_strokes(page, 5)
    assert [each["kind"] for each in drawn] == ["brush", "box", "circle", "polygon", "brush"]
    assert [each["shade"] for each in drawn] == [34, 102, 170, 170, 255]
    assert drawn[4]["width"] == 40
    assert_near(drawn[1]["points"], [(120, 80), (180, 220)])
    assert_answered(ann)


def test_the_first_tool_fills_and_a_closed_outline_is_filled_too(ann):
    page = open_pad(ann, "Lasso: fills what you circle")
    hint = page.get_by_text("the models know clothes, not outlines")
    lasso = page.locator('.pad button[data-group="tool"]').first
    assert lasso.get_attribute("aria-pressed") == "true" and "Lasso" in lasso.inner_text()
    drag(page, (60, 60), (200, 60), (200, 200))
    [shape] = wait_for_strokes(page, 1)
    assert shape["kind"] == "polygon"
    hint.wait_for(state="detached")
    press(page, "Clear")
    press(page, "Brush")
    drag(page, (20, 20), (20, 80))
    assert_answered(ann)
    hint.wait_for()  # A line is not yet a shape.
    drag(page, (60, 60), (220, 60), (220, 220), (60, 220), (60, 75))
    page.get_by_text("Your outline is filled").wait_for()
    ann.settled()
    assert not hint.is_visible() and shade_at(page, 140, 140) == 34
    with ann.answered():
        page.get_by_test_id("stMain").get_by_test_id("stButton").get_by_role("button", name="Undo").click()
    wait_for(lambda: shade_at(page, 140, 140) == 255, timeout=60)
    page.get_by_text("Your outline is not filled").wait_for()
    assert hint.is_visible() and len(strokes(page)) == 2


def shade_at(page: Page, x: float, y: float) -> int:
    """What is seen on the pad, 0 to 255."""
    return canvas(page).evaluate(
        """(canvas, place) => {
            const [x, y] = place.map((number) => (number / 280) * canvas.width);
            return canvas.getContext("2d").getImageData(x, y, 1, 1).data[0];
        }""",
        [x, y],
    )


def test_the_pad_neither_moves_nor_is_built_anew_when_answers_come(ann):
    page = open_pad(ann)
    place = canvas(page).bounding_box()
    element = canvas(page).element_handle()
    page.evaluate(
        """(canvas) => {
            window.places = new Set();
            const look = () => {
                const box = canvas.getBoundingClientRect();
                window.places.add([canvas.isConnected, box.left, box.top, box.width, box.height].join());
                if (canvas.isConnected) requestAnimationFrame(look);
            };
            look();
        }""",
        element,
    )
    for x in (80, 140, 200):
        drag(page, (x, 60), (x, 220))
        assert_answered(ann)
    press(page, "Clear")
    page.get_by_text(WAITING).wait_for()
    assert page.evaluate("[...window.places]") == [
        f"true,{place['x']:g},{page.evaluate('canvas => canvas.getBoundingClientRect().top', element)},"
        f"{place['width']:g},{place['height']:g}"
    ]
    assert page.evaluate("canvas => canvas.isConnected", element)


def test_a_polygon_is_closed_at_its_first_corner_and_its_last_corner_can_be_undone(ann):
    page = open_pad(ann)
    press(page, "Polygon: a tap sets a corner")
    for place in on_screen(page, [(60, 60), (200, 60), (20, 20)]):
        page.mouse.click(*place)
    press(page, "Undo")  # The last corner.
    assert strokes(page) == []
    for place in on_screen(page, [(200, 200), (64, 63)]):
        page.mouse.click(*place)
    [polygon] = wait_for_strokes(page, 1)
    assert_near(polygon["points"], [(60, 60), (200, 60), (200, 200)])
    assert_answered(ann)


def test_undo_redo_and_clear(ann):
    page = open_pad(ann)
    for name in ("Undo", "Redo", "Clear"):
        assert page.get_by_role("button", name=name, exact=True).is_disabled()
    for x in (80, 200):
        drag(page, (x, 60), (x, 220))
    both = wait_for_strokes(page, 2)
    press(page, "Undo")
    assert wait_for_strokes(page, 1) == both[:1]
    press(page, "Redo")
    assert wait_for_strokes(page, 2) == both
    press(page, "Clear")
    wait_for_strokes(page, 0)
    page.get_by_text(WAITING).wait_for()
    press(page, "Redo")
    press(page, "Redo")
    assert wait_for_strokes(page, 2) == both
    assert_answered(ann)


def test_a_click_that_leaves_nothing_is_no_stroke(ann):
    page = open_pad(ann)
    for tool in ("Box", "Circle", "Lasso: fills what you circle"):
        press(page, tool)
        page.mouse.click(*on_screen(page, [(140, 140)])[0])
    press(page, "Brush")
    page.mouse.click(*on_screen(page, [(140, 140)])[0])
    [dot] = wait_for_strokes(page, 1)
    assert dot["kind"] == "brush"


def test_a_drawing_outlives_another_page_and_a_reload(ann):
    page = open_pad(ann)
    drag(page, (80, 60), (80, 220), (200, 220))
    drawn = wait_for_strokes(page, 1)
    assert_answered(ann)
    links = page.get_by_test_id("stSidebarNavLink")
    links.filter(has_text="Data").click()
    page.get_by_text("What do the models learn from?").wait_for()
    links.filter(has_text="Predict").click()
    assert_answered(ann)
    assert strokes(page) == drawn
    page.reload()
    assert_answered(ann)
    assert strokes(page) == drawn
    press(page, "Clear")
    page.get_by_text(WAITING).wait_for()
    ann.settled()
    page.reload()
    page.get_by_text(WAITING).wait_for()
    assert strokes(page) == []


def test_who_leaves_another_page_while_it_works_finds_the_pad_again(browser, untrained_server):
    """Streamlit lets a browser forget what several runs did not need. If it forgets something while it asks for it, the
    page stands still: so it forgets late (.streamlit/config.toml)."""
    visitor = Visitor(browser, untrained_server, viewport=LAPTOP)
    visitor.context.add_init_script(OWN_PAD)
    lines: list[WebSocketRoute] = []
    held: list[str | bytes] | None = None  # What the server has sent while the line was slow.

    def connect(line: WebSocketRoute) -> None:
        there = line.connect_to_server()
        there.on_message(lambda message: line.send(message) if held is None else held.append(message))
        lines.append(line)

    visitor.page.route_web_socket("**/_stcore/stream", connect)
    page = visitor.open(PREDICT)
    canvas(page).wait_for()
    visitor.turn_to("Data?data=Sample+data")
    held = []
    page.get_by_role("tab", name="Counts").click()
    wait_for(lambda: page.wait_for_timeout(50) or held)
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Predict").click()
    page.wait_for_timeout(50)
    messages, held = held, None
    for message in messages:
        lines[-1].send(message)
    canvas(page).wait_for()
    visitor.settled()
    visitor.check()
    visitor.close()


def test_a_polygon_that_is_left_half_way_is_not_lost(ann):
    page = open_pad(ann)
    press(page, "Polygon: a tap sets a corner")
    for place in on_screen(page, [(60, 60), (200, 60), (200, 200)]):
        page.mouse.click(*place)
    links = page.get_by_test_id("stSidebarNavLink")
    links.filter(has_text="Data").click()
    page.get_by_text("What do the models learn from?").wait_for()
    links.filter(has_text="Predict").click()
    assert_answered(ann)
    assert len(strokes(page)) == 1


def test_a_stroke_goes_on_beside_the_pad_and_ends_there(ann):
    page = open_pad(ann)
    drag(page, (200, 140), (320, 140), (320, 200))
    [stroke] = wait_for_strokes(page, 1)
    assert stroke["points"][-1] == pytest.approx([320, 200], abs=2)
    assert_answered(ann)


def test_a_smaller_window_keeps_the_drawing_and_draws_on_where_the_hand_is(ann):
    page = open_pad(ann)
    drag(page, (80, 60), (80, 220))
    page.set_viewport_size({"width": 700, "height": 900})
    ann.settled()
    canvas(page).scroll_into_view_if_needed()
    wait_until_it_rests(canvas(page))
    drag(page, (200, 60), (200, 220))
    one, two = wait_for_strokes(page, 2)
    assert_near([one["points"][0], two["points"][0]], [(80, 60), (200, 60)])


# --- What everybody sees ---


def test_every_button_has_a_name_and_the_pad_is_explained(ann, phone):
    assert not open_pad(phone).get_by_text("With a keyboard").is_visible()
    page = open_pad(ann)
    page.get_by_text("With a keyboard").wait_for()
    buttons = page.locator(".pad button")
    names = [buttons.nth(number).get_attribute("aria-label") for number in range(buttons.count())]
    assert len(names) == 15 and len({*names}) == 15 and all(names)
    assert "Arrow keys move the pen" in canvas(page).get_attribute("aria-label")


def test_pad_and_answers_stand_together_on_a_laptop_and_the_pad_first_on_a_phone(ann, phone):
    page = open_pad(ann)
    drag(page, (80, 60), (80, 220))
    assert_answered(ann)
    for part in (page.locator(".pad .controls"), canvas(page), page.get_by_text(ANSWERED)):
        box = part.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900
    page = open_pad(phone)
    box = canvas(page).bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and int(box["y"] + box["height"]) <= 844
    Fingers(page).draw((80, 60), (80, 220))
    assert_answered(phone)
    assert not page.locator(".st-key-verdict-beside").is_visible()
    said = page.locator(".st-key-verdict-below")
    said.get_by_role("heading").wait_for()
    assert canvas(page).bounding_box() == box
    under = said.bounding_box()
    assert 0 <= under["y"] - box["y"] - box["height"] < 40
    assert under["y"] + under["height"] - box["y"] < 844 - 64  # Both together fit below the header.
    assert not ann.page.locator(".st-key-verdict-below").is_visible()


def test_a_silhouette_to_trace_is_shown_but_not_answered(ann):
    page = open_pad(ann)
    blank = canvas(page).evaluate("canvas => canvas.toDataURL()")
    choice = page.get_by_role("combobox", name="Piece of clothing to trace")
    choice.scroll_into_view_if_needed()
    wait_until_it_rests(choice)  # Scrolling would close the list again.
    choice.click()
    page.get_by_role("option", name="Trouser", exact=True).click()
    wait_for(lambda: canvas(page).evaluate("canvas => canvas.toDataURL()") != blank, timeout=60)
    ann.settled()
    assert page.get_by_text(WAITING).is_visible() and strokes(page) == []
