"""Can everybody read and use every page and tab? So far as axe-core can tell, in both themes, and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from helpers.browser import DRAWN, Server, Visitor, chromium, served
from helpers.data_files import keep_as_sample
from helpers.making import finished_run, three_models
from helpers.processes import wait_for

from fmnist.data.files import Dataset
from fmnist.models import custom
from fmnist.recipe import Recipe
from fmnist.store.store import Store
from fmnist.training import launcher

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.timeout(600)

DATA = "data=sample"
TABS_OF_COMPARE = (
    *("Differences", "Learning", "Time and size", "Confidence", "Classes", "What went wrong", "Table"),
    "Sweep",
)
REASONS = ("Pixels", "What convolutions see", "Nearest training images")
VIEWS = (
    f"?{DATA}",
    f"Train?{DATA}",
    *(f"Compare?{DATA}&tab={tab}" for tab in TABS_OF_COMPARE),
    "Compare?data=FashionMNIST&tab=How far can they go",
    f"Confusion?{DATA}&true=Coat",
    f"Confusion?{DATA}&cells=Difference&true=Shirt&predicted=Shirt",
    f"Confusion?{DATA}&view=Who is right&image=%233",
    f"Confusion?{DATA}&view=Possible wrong labels",
    f"Predict?{DATA}",
    *(f"Predict?{DATA}&how=Test image&index=3&why=true&why-tab={tab}" for tab in REASONS),
    f"Predict?{DATA}&how=Upload",
    f"Data?{DATA}",
    *(f"Data?{DATA}&part={part}" for part in ("Average pictures", "Counts")),
    "Data?part=Peculiarities",  # Of FashionMNIST, whose test images come with the project.
)
# The rule and the element, with the reason: what axe-core finds in Streamlit's own elements, where we can't mend it.
STREAMLITS = {
    ("presentation-role-conflict", "stFileUploaderDropzone"): "A section without a role has a label.",
}
MODEL = """
from torch import nn
from fmnist.models import register

@register("long", "One-layer-network-with-a-very-long-name")
def long():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
"""

SCHEMES = {"dark": None, "light": ["color-contrast", "link-in-text-block"]}
"""The themes, and which of axe-core's rules are asked in them: in the second those that look at colours."""

IS_LIGHT = (
    """() => getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor.match(/\\d+/)[0] > 127"""
)
# axe-core can't tell what is behind the text of tabs, and of charts, where it is the page, or a bar. The numbers in the
# cells of a matrix are left to tests/compare/test_confusion_charts.py.
FAINT = """() => {
    const numbers = color => color.match(/[\\d.]+/g).map(Number);
    const luminance = color => color.slice(0, 3).map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const app = document.querySelector("[data-testid=stApp]"), page = numbers(getComputedStyle(app).backgroundColor);
    const faint = [];
    for (const text of document.querySelectorAll(".js-plotly-plot svg text, [role=tab] p")) {
        const inCell = text.closest(".textpoint") && text.closest(".js-plotly-plot").querySelector(".heatmaplayer .hm");
        if (!text.textContent.trim() || !text.checkVisibility() || inCell) continue;
        const bar = text.matches(".bartext-inside") && text.parentElement.querySelector("path");
        const back = bar ? numbers(getComputedStyle(bar).fill) : page, style = getComputedStyle(text);
        const [red, green, blue, alpha = 1] = numbers(text.tagName === "P" ? style.color : style.fill);
        let seen = alpha;
        for (let part = text; part !== app; part = part.parentElement) seen *= getComputedStyle(part).opacity;
        const color = [red, green, blue].map((value, place) => value * seen + back[place] * (1 - seen));
        const [dark, light] = [luminance(color), luminance(back)].sort((a, b) => a - b);
        const contrast = (light + 0.05) / (dark + 0.05);
        if (contrast < 4.5) faint.push(`"${text.textContent}": ${contrast.toFixed(2)} to 1, not 4.5`);
    }
    return faint;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One whose code is optimized: axe-core runs for long."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory, small_data: Dataset) -> Iterator[Server]:
    """A server with fifty runs: three seeds of each model, a dead one, a sweep, a custom model with a long name."""
    folder = tmp_path_factory.mktemp("accessibility")
    keep_as_sample(small_data, folder / "runs")
    models = folder / "models.py"
    models.write_text(MODEL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FMNIST_MODELS", str(models))
        custom.refresh(folder / "runs")
        fill(folder / "runs", small_data)
    custom.refresh(folder / "runs")
    with (
        launcher.held(launcher.lock(folder / "runs" / "fmnist.db")),  # A visit of Train starts no trainer.
        served(folder / "runs", folder / "no-data", FMNIST_MODELS=str(models)) as started,
    ):
        yield started


def fill(runs: Path, data: Dataset) -> None:
    store = Store(runs / "fmnist.db")
    for seed in range(3):
        three_models(store, data, weights=True, seed=seed, dataset="sample")
    finished_run(store, Recipe("1", 3, "sample"), data, never=tuple(range(1, 10)), weights=True)
    finished_run(store, Recipe("long", 0, "sample"), data, weights=True)
    for seed in range(39):
        rate = (0.01, 0.03, 0.3)[seed % 3]
        finished_run(store, Recipe("0", seed, "sample", learning_rate=rate), data, accuracy=0.6 + seed / 200)
    store.close()


@pytest.fixture(scope="module")
def ann(browser: Browser, server: Server) -> Iterator[Visitor]:
    """Somebody who goes through all of it in one window."""
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe-core is not installed")
    visitor = Visitor(browser, server, color_scheme="dark")
    visitor.open(VIEWS[0]).evaluate(axe.AXE_SCRIPT)
    yield visitor
    visitor.close()


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_can_be_read_and_used_by_everybody(view, ann):
    page = ann.page
    page.set_viewport_size({"width": 1400, "height": 900})
    ann.turn_to(view)
    for tab in parse_qs(urlsplit(view).query).get("tab", []):
        page.get_by_role("tab", name=tab, selected=True).wait_for()
    closed = page.get_by_test_id("stMain").locator("details:not([open]) > summary")
    while closed.count():
        closed.first.click()
        ann.settled()
    page.mouse.move(0, 0)  # What it is over has other colours.
    for scheme, rules in SCHEMES.items():
        look_at(ann, scheme)
        assert not page.evaluate(FAINT), f"in the {scheme}"
        assert not violations(page, rules), f"in the {scheme}"
    page.set_viewport_size({"width": 390, "height": 844})
    wait_for(lambda: not too_wide(page), timeout=20)  # Charts become narrower one after the other.
    ann.check()


def look_at(visitor: Visitor, scheme: str) -> None:
    """See the page in a theme, once it has arrived everywhere on it; charts are drawn again last."""
    page = visitor.page
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"({IS_LIGHT})() === {str(scheme == 'light').lower()}")
    visitor.settled()
    page.wait_for_function(DRAWN, polling=100)
    with suppress(AssertionError):
        wait_for(lambda: not page.evaluate(FAINT), timeout=10)


def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe-core finds that is not Streamlit's alone: the rule, the element, and what is wrong with it.

    Args:
        rules: those that are asked; without them all.
    """
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
        if not any(rule["id"] == known and part in node["html"] for known, part in STREAMLITS)
    ]


def too_wide(page: Page) -> bool:
    """Whether the page, or what scrolls in it, can be moved sideways."""
    parts = "[document.scrollingElement, document.querySelector('[data-testid=stMain]')]"
    return page.evaluate(f"{parts}.some(part => part.scrollWidth > Math.min(innerWidth, part.clientWidth))")
