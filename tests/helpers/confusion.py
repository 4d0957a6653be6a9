"""The page Confusion in a browser: its address, its cells and its images."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import numpy as np
from helpers.browser import wait_until_it_rests
from helpers.processes import wait_for

from fmnist.data.files import Dataset
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.run import Run

if TYPE_CHECKING:
    from playwright.sync_api import Page

SAMPLE = "data=Sample+data"


def runs_of(runs: list[Run]) -> str:
    """The part of an address of Confusion that chooses these."""
    return urlencode([("runs-sample-own", str(run.id)) for run in runs])


def confusion_of(runs: list[Run]) -> str:
    return f"Confusion?{SAMPLE}&{runs_of(runs)}"


def title(run: Run) -> str:
    """What the page Confusion calls a run that is not of the published recipe."""
    return f"{ARCHITECTURES[run.recipe.model].name}, seed {run.recipe.seed} · {run.recipe.describe()}"


def worst_cell(logits: np.ndarray, data: Dataset) -> tuple[int, int, list[int]]:
    """The largest cell beside the diagonal, and its images as they are promised: the surest first."""
    cells: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for image, (true, row) in enumerate(zip(data.test_labels.tolist(), logits.astype(float).tolist(), strict=True)):
        said = row.index(max(row))
        if said != true:
            sureness = 1 / sum(math.exp(value - row[said]) for value in row)
            cells.setdefault((true, said), []).append((-sureness, image))
    (true, said), images = max(cells.items(), key=lambda cell: len(cell[1]))
    return true, said, [image for _, image in sorted(images)]


def shown_images(page: Page) -> list[int]:
    """The test images on the page, in their order."""
    return [int(re.match(r"#(\d+)", text)[1]) for text in page.locator("figcaption").all_inner_texts()]


def is_in_view(page: Page, selector: str) -> bool:
    """Whether the first of these is wholly in the window, below what covers its top."""
    return page.locator(selector).first.evaluate(
        """(part) => {
            const {top, bottom} = part.getBoundingClientRect();
            return top >= 60 && bottom <= innerHeight && bottom > top;
        }"""
    )


def click_cell(page: Page, plot: int, row: int, column: int) -> None:
    """Click a cell of a confusion matrix: again where Plotly has not noticed, which it does not while it draws anew."""
    x, y = place_of_cell(page, plot, row, column)
    drawn = page.locator(".js-plotly-plot").nth(plot)
    hovered = drawn.locator(".hoverlayer .hovertext")

    def responds() -> bool:
        page.mouse.move(x - 2, y)
        page.mouse.move(x, y)
        return hovered.count() > 0

    def is_noticed() -> bool:
        page.mouse.move(0, 0)
        wait_for(responds)  # Drawn is not yet ready: nobody clicks before the chart tells what is under the pointer.
        drawn.evaluate("plot => plot.once('plotly_click', () => (plot.noticed = true))")
        page.mouse.down()
        page.mouse.up()
        return drawn.evaluate("plot => plot.noticed === true && delete plot.noticed")

    wait_for(is_noticed)


def place_of_cell(page: Page, plot: int, row: int, column: int) -> tuple[float, float]:
    """Where in the window Plotly has drawn a cell."""
    drawn = page.locator(".js-plotly-plot").nth(plot)
    drawn.locator(".heatmaplayer").wait_for(state="attached")
    drawn.scroll_into_view_if_needed()
    wait_until_it_rests(drawn)
    x, y = drawn.evaluate(
        """(plot, [row, column]) => {
            const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();
            return [box.left + xaxis._offset + xaxis.d2p(column), box.top + yaxis._offset + yaxis.d2p(row)];
        }""",
        [row, column],
    )
    return x, y
