"""The README's screenshots: the dashboard with the reference runs in a real browser, and a training on FashionMNIST."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page

from bench.browser import chromium, ready, server
from bench.common import wait, wait_until_trained
from fmnist import settings
from fmnist.data import files
from fmnist.data.catalog import DEFAULT
from fmnist.store.run import ACTIVE, Status
from fmnist.store.store import Store, store_path

DOCS = settings.PROJECT / "docs"
WIDTH = 1400
SHOULDERS = ((250, 105), (185, 50), (160, 60), (120, 60), (95, 50), (30, 105))
SHIRT = (*SHOULDERS, (58, 140), (90, 118), (90, 240), (190, 240), (190, 118), (222, 140))  # Corners, of 280 units.
STEP = 1500  # Of Model 2, when the picture of a training is taken.


def take(root: Path) -> Iterator[Path]:
    """Take all of them, in place of those that are there; gives the path of each.

    Args:
        root: the data root.

    Raises:
        DataError: FashionMNIST is not there.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder), root) as dashboard,
        chromium() as browser,
        closing(Store(store_path(folder))) as store,
    ):
        files.load(DEFAULT, root, Path(folder))
        page = browser.new_page(viewport={"width": WIDTH, "height": 1000}, color_scheme="light")
        page.set_default_timeout(60_000)
        for name, address, height in (
            ("dashboard", "", 1000),
            ("compare", "Compare", 1250),
            ("confusion", "Confusion?true=Shirt&predicted=Coat", 1500),
        ):
            visit(page, f"{dashboard.url}/{address}", height)
            page.locator(".js-plotly-plot .main-svg").first.wait_for()
            yield shoot(page, name)
        visit(page, f"{dashboard.url}/Predict", 1000)
        draw(page)
        yield shoot(page, "predict")
        visit(page, f"{dashboard.url}/Train", 1350)
        train(page, store)
        yield shoot(page, "train")
        store.request_stop([run.id for run in store.runs(*ACTIVE)])
        wait_until_trained(store)


def visit(page: Page, address: str, height: int) -> None:
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.goto(address)
    page.locator("[data-testid=stMain] h1").wait_for()
    ready(page)


def draw(page: Page) -> None:
    """Draw a T-shirt, and wait for the answers."""
    canvas = page.locator("canvas.upper-canvas")
    canvas.wait_for()
    page.get_by_role("button", name="Polygon").click()
    page.wait_for_timeout(1000)  # The canvas has the tool when the server has said so.
    box = canvas.bounding_box()
    assert box
    for x, y in (*SHIRT, SHIRT[0]):
        page.mouse.click(box["x"] + x / 280 * box["width"], box["y"] + y / 280 * box["height"])
    page.locator("table.bars").nth(2).wait_for()
    page.mouse.move(700, 950)  # Away from buttons, which change under it.
    ready(page)


def train(page: Page, store: Store) -> None:
    """Train the three models, until the last one is in its first epoch."""

    def far_enough() -> bool:
        return any(run.recipe.model == "2" and run.step >= STEP for run in store.runs(Status.RUNNING))

    page.get_by_role("button", name="Train", exact=True).click()
    wait(far_enough, "Model 2 to be trained", 300)


def shoot(page: Page, name: str) -> Path:
    """Take the picture once nothing moves any more."""
    page.wait_for_timeout(1500)
    path = DOCS / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    return path
