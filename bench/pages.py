"""How fast are the pages, and does the number of runs matter?  python bench/pages.py [--runs 10,1000,10000]

Stores of 20 recipes, filled with copies of the reference runs, and a real browser. Each repeat starts a server for each
store: its first visitor opens the Dashboard and clicks on every page, then a second one does the same with an empty
browser cache. Others, with an empty cache too, come to Predict, where nothing runs Plotly, and go on from there to a
page with charts as soon as browser and server are at rest; or they come to such a page by its address. First text: the
page's heading is on the screen. Complete: the script has ended, and every chart, table, curve and drawing pad is drawn.
Clicks are timed until the page is complete. Medians over the repeats.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.browser import Server, chromium, server
from bench.common import show
from fmnist.data import files
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.store import REFERENCE, Store, store_path

RECIPES = 20
BATCH = 5  # Runs asked for by one click: Train shows the newest ones.
FIRST_TEXT, COMPLETE, CLICK, FACTOR = 1.5, 2.5, 0.7, 2.0  # Bounds; seconds.
FIRST_CLICK = {"Compare": 1.0, "Confusion": 1.0}
FIRST_CHART = "first chart of a browser: click on"
HOME = "Which model recognises clothes best?"
COPIED = {"history": "split, step, epoch, seconds, loss, accuracy", "artifacts": "name, data"}
# By the last part of its address: heading, and what it shows at least. Train is the last: it starts a trainer.
PAGES = {
    "Compare": ("How do the models compare?", {"chart": 1}),
    "Confusion": ("What do the models mix up?", {"chart": 1, "image": 1}),
    "Predict": ("Try it: what do the models see?", {"canvas": 1}),
    "Data": ("What do the models learn from?", {"image": 10}),
    "": (HOME, {"chart": 1}),
    "Train": ("Train the models", {"curves": 2}),
}

# appeared(heading, least): seconds from the click, or from the begin of the page's loading, to the frame that first
# shows the heading, and to the one where all is drawn.
WATCH = """
addEventListener("click", (event) => (window.clicked = event.timeStamp), true);

window.appeared = (heading, least) => {
  const shown = (element) => element.checkVisibility() && !element.closest("[data-stale=true]");
  const find = (root, selector) => [...root.querySelectorAll(selector)].filter(shown);
  const drawn = {
    chart: (main) => find(main, "[data-testid=stPlotlyChart]").map((chart) => chart.querySelector(".main-svg")),
    table: (main) => find(main, "[data-testid=stDataFrame]").map((table) => table.querySelector("canvas")),
    curves: (main) => find(main, ".live .panels > div").map((panel) => panel.querySelector(".scatterlayer .trace")),
    canvas: (main) => find(main, "[data-testid^=stBidiComponent]").flatMap((part) => drawings(part)),
    image: (main) => find(main, ".tiles img, .strips img").map((image) => image.complete && image.naturalWidth),
  };
  const drawings = (part) =>  // A component may draw into a shadow root.
    [part, ...part.querySelectorAll("*")].flatMap((one) => [...(one.shadowRoot ?? one).querySelectorAll("canvas")]);
  const complete = () => {
    const main = document.querySelector("[data-testid=stMain]");
    if (!document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]")) return false;
    return Object.entries(drawn).every(([kind, look]) => {
      const parts = kind in least || kind !== "canvas" ? look(main) : [];
      return parts.length >= (least[kind] ?? 0) && parts.every(Boolean);
    });
  };
  const said = () => find(document, "[data-testid=stException], [data-testid=stAlert]").map((part) => part.innerText);
  const began = performance.now();
  let first = null;
  return new Promise((resolve, reject) => {
    const look = () => {
      const now = performance.now();
      const title = document.querySelector("[data-testid=stMain] h1");
      if (first === null && title?.innerText.trim() === heading && shown(title)) first = now;
      const since = window.clicked ?? 0;
      if (first !== null && complete()) resolve([(first - since) / 1000, (now - since) / 1000]);
      else if (now - began > 60000) reject(new Error(`not complete in 60 s: "${heading}". ${said()}`));
      else requestAnimationFrame(look);
    };
    look();
  });
};
"""


def fill(path: Path, count: int) -> None:
    """Make a store of this many finished runs: copies of the reference runs under other recipes and seeds."""
    Store(path).close()
    recipes = [Recipe(model, batch_size=2**size) for size in range(5, 12) for model in ARCHITECTURES][:RECIPES]
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        db.execute("ATTACH ? AS reference", (str(REFERENCE),))
        templates = [dict(row) for row in db.execute("SELECT * FROM reference.runs ORDER BY id")]
        by_model = {
            model: [row for row in templates if json.loads(row["recipe"])["model"] == model] for model in ARCHITECTURES
        }
        begin = time.time() - 100 * count
        for index in range(count):
            seed, kind = divmod(index, RECIPES)
            recipe = Recipe(**vars(recipes[kind]) | {"seed": seed})
            likes = by_model[recipe.model]
            like = likes[seed % len(likes)]
            asked = begin + 100 * BATCH * (index // BATCH)
            row = like | {"id": index + 1, "key": recipe.key("bench"), "recipe": recipe.to_json(), "created": asked}
            row |= {
                "data_root": "bench",
                "started": asked + 1,
                "updated": asked + 90,
                "finished": asked + 90 + index % BATCH,
            }
            db.execute(f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
            for table, columns in COPIED.items():
                db.execute(
                    f"INSERT INTO main.{table} (run, {columns}) "
                    f"SELECT ?, {columns} FROM reference.{table} WHERE run = ?",
                    (index + 1, like["id"]),
                )
        db.execute("DELETE FROM artifacts WHERE name = 'seal'")  # Those are the originals'.
        db.commit()


Times = dict[str, list[float]]
"""Seconds by what was measured."""


def visit(browser: Browser, dashboard: Server, times: Times, first: bool) -> None:
    """Open the Dashboard with an empty browser cache, then click on every page."""
    context = browser.new_context(viewport={"width": 1400, "height": 1200})
    try:
        context.set_default_timeout(60_000)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.goto(dashboard.url, wait_until="commit")
        text, complete = page.evaluate("([heading, least]) => appeared(heading, least)", PAGES[""])
        who = "the first visitor" if first else "later visitors"
        times[f"Dashboard for {who}: first text"].append(text)
        times[f"Dashboard for {who}: complete"].append(complete)
        for address in PAGES:
            page.wait_for_timeout(500)
            dashboard.calm()
            times[f"{'first click' if first else 'click'} on {address or 'Dashboard'}"].append(click(page, address))
    finally:
        context.close()
    dashboard.calm()


def draw_first_chart(browser: Browser, dashboard: Server, times: Times) -> None:
    """With an empty browser cache, open Predict, which has no charts, and click on a page with some; or open that."""
    for address in FIRST_CLICK:
        for comes_to in ("Predict", address):
            context = browser.new_context(viewport={"width": 1400, "height": 1200})
            try:
                context.set_default_timeout(60_000)
                context.add_init_script(WATCH)
                page = context.new_page()
                page.goto(f"{dashboard.url}/{comes_to}", wait_until="commit")
                _, complete = page.evaluate("([heading, least]) => appeared(heading, least)", PAGES[comes_to])
                if comes_to == address:
                    times[f"{address} by its address: complete"].append(complete)
                    continue
                page.wait_for_timeout(500)
                dashboard.calm()
                times[f"{FIRST_CHART} {address}"].append(click(page, address))
            finally:
                context.close()
    dashboard.calm()


def click(page: Page, address: str) -> float:
    """Seconds from the click on a page's link until it is complete."""
    page.evaluate("([heading, least]) => { window.result = appeared(heading, least) }", PAGES[address])
    page.locator(f'a[data-testid=stSidebarNavLink][href$="/{address}"]').click()
    return page.evaluate("window.result")[1]


def bound(what: str) -> float:
    if what.endswith(": first text"):
        return FIRST_TEXT
    if what.endswith(": complete"):
        return COMPLETE
    name = what.rpartition(" ")[2]
    return FIRST_CLICK.get(name, CLICK) if what.startswith(("first", FIRST_CHART)) else CLICK


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", default="10,1000,10000", help="the sizes of the stores")
    parser.add_argument("--repeats", type=int, default=3, help="servers that are started for each store")
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    options = parser.parse_args()
    sizes = [int(size) for size in options.runs.split(",")]
    measured: dict[int, Times] = {size: defaultdict(list) for size in sizes}
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for size in sizes:
            fill(store_path(Path(folder) / str(size)), size)
        for _ in range(options.repeats):
            for size in sizes:  # In turn, for the machine's speed drifts.
                with server(Path(folder) / str(size), options.data) as dashboard:
                    visit(browser, dashboard, measured[size], first=True)
                    visit(browser, dashboard, measured[size], first=False)
                    draw_first_chart(browser, dashboard, measured[size])
    medians = {size: {what: statistics.median(found) for what, found in measured[size].items()} for size in sizes}
    show(
        ["what", "bound", *(f"{size:,} runs" for size in sizes), f"{sizes[-1]:,} / {sizes[0]:,} (bound {FACTOR:g})"],
        [
            [
                what,
                f"{bound(what):g} s",
                *(f"{medians[size][what]:.2f} s" for size in sizes),
                f"{medians[sizes[-1]][what] / medians[sizes[0]][what]:.1f}",
            ]
            for what in sorted(medians[sizes[0]], key=order)
        ],
    )


def order(what: str) -> tuple[object, ...]:
    """The Dashboard first, then the clicks in the order of the sidebar."""
    names = ["Dashboard", "Train", "Compare", "Confusion", "Predict", "Data"]
    if what.endswith((": first text", ": complete")):
        return 0, names.index(what.partition(" ")[0]), "later" in what, what.endswith("complete")
    return 1, what.startswith(FIRST_CHART), not what.startswith("first"), names.index(what.rpartition(" ")[2])


if __name__ == "__main__":
    main()
