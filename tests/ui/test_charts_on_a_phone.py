"""Charts under a finger, in a real browser: they neither hold the page nor zoom, and tell what is tapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.browser import DRAWN, Visitor, wait_until_it_rests
from helpers.processes import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MAIN = "[data-testid=stMain]"
PAGES = ("", "Train", "Compare", "Confusion")
AXES = "plot => JSON.stringify([plot._fullLayout.xaxis.range, plot._fullLayout.yaxis.range])"


def charts(visitor: Visitor, path: str) -> Locator:
    """The charts of a page of results, once they are drawn."""
    page = visitor.open(f"{path}?data=Sample+data")
    page.locator(".js-plotly-plot .nsewdrag").first.wait_for()
    page.wait_for_function(DRAWN, polling=100)
    return page.locator(".js-plotly-plot:has(.nsewdrag):visible")


def swipe(page: Page, x: float, y: float, *, right: float = 0, down: float = 0) -> None:
    """One finger moves over the screen, as a screen reports it."""
    session, steps = page.context.new_cdp_session(page), 10
    places = [(x + right * step / steps, y + down * step / steps) for step in range(steps + 1)]
    for number, (left, top) in enumerate(places):
        kind = "touchMove" if number else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": left, "y": top}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()


def middle(chart: Locator) -> tuple[float, float]:
    """Where in the window the middle of a plot is, after it has been brought there."""
    plot = chart.locator(".nsewdrag").first
    plot.evaluate("plot => plot.scrollIntoView({ block: 'center' })")
    wait_until_it_rests(plot)
    box = plot.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize("path", PAGES)
def test_a_swipe_over_a_chart_scrolls_the_page_and_leaves_its_axes(path, phone):
    drawn = charts(phone, path)
    assert drawn.count() >= 1
    for chart in drawn.all():
        axes = chart.evaluate(AXES)
        x, y = middle(chart)
        before = scrolled(phone.page)
        swipe(phone.page, x, y, down=120)
        wait_for(lambda before=before: scrolled(phone.page) < before - 60)
        swipe(phone.page, *middle(chart), right=60)
        assert chart.evaluate(AXES) == axes


def scrolled(page: Page) -> float:
    return page.locator(MAIN).evaluate("main => main.scrollTop")


def test_a_tap_on_a_chart_tells_what_is_there(phone):
    [first, *_] = charts(phone, "Train").all()
    phone.page.touchscreen.tap(*middle(first))
    first.locator(".hoverlayer .hovertext, .hoverlayer .legend").first.wait_for()


@pytest.mark.parametrize("path", PAGES)
def test_no_chart_offers_to_upload_itself(path, phone):
    buttons = [
        button.get_attribute("data-title") or ""
        for chart in charts(phone, path).all()
        for button in chart.locator(".modebar-btn").all()
    ]
    assert "Download plot as a PNG" in buttons
    assert not [title for title in buttons if "Share" in title or "Cloud" in title]
