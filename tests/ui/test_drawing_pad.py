"""The drawing pad in a real browser: by mouse, by touch and by keyboard; untrained models answer.

All tests of a hand share a window; each begins with a new pad.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from helpers.processes import wait_for
from helpers.ui import Server, Visitor, wait_until_it_rests

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, WebSocketRoute

PREDICT = "Predict?data=Sample+data"
LAPTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
WAITING = "The models' answers appear here."
OWN_PAD = "localStorage.setItem('fmnist-pad', '\"pad\"')"
ANSWERED = "What the models see"

Point = tuple[float, float]


@pytest.fixture(scope="module")
def anns_window(browser: Browser, untrained_server: Server) -> Iterator[Visitor]:
    """Of somebody who prefers this pad to the one for a mouse."""
    visitor = Visitor(browser, untrained_server, viewport=LAPTOP)
    visitor.context.add_init_script(OWN_PAD)
    visitor.open(PREDICT)
    yield visitor
    visitor.close()


@pytest.fixture(scope="module")
def phones_window(browser: Browser, untrained_server: Server) -> Iterator[Visitor]:
    visitor = Visitor(browser, untrained_server, viewport=PHONE, has_touch=True, is_mobile=True)
    visitor.open(PREDICT)
    yield visitor
    visitor.close()


@pytest.fixture
def ann(anns_window: Visitor) -> Iterator[Visitor]:
    anns_window.page.set_viewport_size(LAPTOP)
    yield anns_window
    anns_window.check()


@pytest.fixture
def phone(phones_window: Visitor) -> Iterator[Visitor]:
    yield phones_window
    phones_window.check()


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


# --- Touch ---


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


# --- What everybody sees ---


def test_every_button_has_a_name_and_the_pad_is_explained(ann):
    page = open_pad(ann)
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
