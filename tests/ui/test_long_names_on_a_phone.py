"""Runs whose recipes take many words, on a phone: nothing is cut without a sign, and no toolbar lies on anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from helpers import making
from helpers.browser import DRAWN, Server, Visitor, served
from helpers.data_files import keep_as_sample
from helpers.pad import PHONE

from fmnist.data.files import Dataset
from fmnist.recipe import Recipe
from fmnist.store.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

SAMPLE = "data=Sample+data"
LONG: dict[str, Any] = {
    "optimizer": "adam", "learning_rate": 0.003, "weight_decay": 0.01, "schedule": "cosine", "mirror": True
}  # fmt: skip
OVERLAP = """([first, second]) => {
    const [a, b] = [first, second].map(part => part.getBoundingClientRect());
    return a.width > 0 && b.width > 0 && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}"""


@pytest.fixture(scope="module")
def long_names(browser: Browser, tmp_path_factory: pytest.TempPathFactory, small_data: Dataset) -> Iterator[Visitor]:
    """Somebody with a phone, who looks at runs of two recipes."""
    folder = tmp_path_factory.mktemp("long-names")
    keep_as_sample(small_data, folder / "runs")
    store = Store(folder / "runs" / "fmnist.db")
    for model, recipes in {"0": [{}], "1": [LONG], "2": [{}, LONG]}.items():
        for more in recipes:
            making.finished_run(store, Recipe(model, 0, "sample", **more), small_data)
    store.close()
    with served(folder / "runs", folder / "no-data") as server:
        yield from visited(browser, server)


def visited(browser: Browser, server: Server) -> Iterator[Visitor]:
    visitor = Visitor(browser, server, viewport=PHONE, has_touch=True, is_mobile=True)
    yield visitor
    visitor.check()
    visitor.close()


def drawn(visitor: Visitor, path: str) -> Page:
    page = visitor.open(path)
    page.wait_for_function(DRAWN, polling=100)
    return page


def overlap(first: Locator, second: Locator) -> bool:
    return first.page.evaluate(OVERLAP, [first.element_handle(), second.element_handle()])


def test_links_that_name_recipes_are_told_to_the_end(long_names):
    page = drawn(long_names, f"Compare?{SAMPLE}")
    links = page.get_by_test_id("stPageLink").locator("visible=true")
    links.filter(has_text="cosine, mirrored with five seeds").wait_for()
    cut = "link => [link, ...link.querySelectorAll('*')].some(part => part.scrollWidth > part.clientWidth + 1 && "
    cut += "getComputedStyle(part).overflowX !== 'visible')"
    assert not [link.inner_text() for link in links.all() if link.evaluate(cut)]


def test_a_tables_toolbar_leaves_the_tabs_alone(long_names):
    page = drawn(long_names, f"Compare?{SAMPLE}&tab=Table")
    page.get_by_test_id("stDataFrame").first.wait_for()
    toolbar = page.get_by_test_id("stElementToolbar").first
    toolbar.wait_for(state="attached")
    assert not overlap(page.get_by_role("tablist").first, toolbar)


def test_the_legend_of_curves_is_neither_cut_nor_below_the_toolbar(long_names):
    page = drawn(long_names, f"Train?{SAMPLE}")
    chart = page.locator(".live .accuracy.js-plotly-plot")
    texts = chart.locator(".legendtext")
    texts.first.wait_for()
    assert any("cosine" in text for text in texts.all_text_contents())
    ends = chart.evaluate("chart => [chart, ...chart.querySelectorAll('.legendtext')].map(part => "
                          "part.getBoundingClientRect().right)")  # fmt: skip
    assert max(ends[1:]) <= ends[0]
    assert not overlap(chart.locator(".legend"), chart.locator(".modebar"))


def test_each_segment_has_its_right_border(long_names):
    page = drawn(long_names, f"Train?{SAMPLE}&dataset=sample")
    segments = page.get_by_role("radiogroup", name="Data").locator("button")
    colors = segments.evaluate_all("buttons => buttons.map(button => getComputedStyle(button).borderRightColor)")
    assert len(colors) > 4 and "rgba(0, 0, 0, 0)" not in colors
