"""How live is the live chart?  python bench/live.py [--data PATH]

Starts the dashboard on an empty store, opens Train in a real browser, presses Train, and measures: the time from the
click to the first point on the screen (of Model 2 where no kernels have been compiled yet; before the scheduler runs,
and with a warm one), the time between updates, frames without the chart, whether a zoom survives 20 updates, and
console errors. Needs Chromium and requirements-dev.txt.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.browser import chromium, ready, server
from bench.common import show, wait, wait_until_trained
from fmnist.data import files
from fmnist.store.run import ACTIVE
from fmnist.store.store import Store, store_path
from fmnist.training import launcher

UPDATES = 20
EPOCHS = 10  # A fast machine would be done with the published recipe's three before so many updates.
SAID = "compiled kernels for this processor"

# Counts drawn points at each frame, and notes when their number grows and when there is no chart.
WATCH = """
() => {
  const seen = (window.seen = { frames: 0, missing: 0, updates: [], points: 0 });
  const look = () => {
    const panel = document.querySelector(".live .accuracy");
    const box = panel?.querySelector(".main-svg")?.getBoundingClientRect();
    seen.frames += 1;
    if (!box || box.width < 50 || box.height < 50 || !panel.querySelector(".scatterlayer .trace")) seen.missing += 1;
    const points = (panel?.data ?? []).reduce((sum, trace) => sum + trace.x.length, 0);
    if (points !== seen.points) seen.updates.push(performance.now());
    seen.points = points;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
"""
DRAWN = 'Number((document.querySelector(".live .accuracy")?.data ?? []).reduce((sum, t) => sum + t.x.length, 0))'


def seconds_to_first_point(page: Page) -> float:
    """Press Train, and wait until more points are drawn than before."""
    before = page.evaluate(DRAWN)
    started = time.perf_counter()
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_function(f"{DRAWN} > 0 && {DRAWN} !== {before}", polling=20, timeout=60_000)
    return time.perf_counter() - started


def open_train(page: Page, url: str, epochs: int = 3) -> None:
    page.goto(f"{url}/Train?epochs={epochs}")
    page.wait_for_selector("[data-testid=stMain] button:has-text('Train')")
    ready(page)


def first_ever(browser: Browser, root: Path) -> tuple[float, bool]:
    """Seconds from the click to Model 2's first point where its kernels are still to be compiled; and whether the page
    said that it waits for them."""
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as kernels,
        server(Path(folder), root, NUMBA_CACHE_DIR=kernels) as dashboard,
        closing(Store(store_path(folder))) as store,
    ):
        page = browser.new_page(viewport={"width": 1400, "height": 1200})
        open_train(page, dashboard.url)
        for other in ("Model 0", "Model 1"):
            page.get_by_role("button", name=other).first.click()
            ready(page)
        page.evaluate(f"""() => {{
          const look = () => {{
            window.told ||= document.body.textContent.includes("{SAID}");
            requestAnimationFrame(look);
          }};
          look();
        }}""")
        seconds = seconds_to_first_point(page)
        store.request_stop([run.id for run in store.runs(*ACTIVE)])
        wait_until_trained(store)
        return seconds, page.evaluate("window.told")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    options = parser.parse_args()
    with chromium() as browser:
        ever, told = first_ever(browser, options.data)
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder), options.data) as dashboard,
        chromium() as browser,
        closing(Store(store_path(folder))) as store,
    ):
        page = browser.new_page(viewport={"width": 1400, "height": 1200})
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        open_train(page, dashboard.url, EPOCHS)
        errors.clear()  # A deep link has Streamlit look for its own files beside it first.
        cold = seconds_to_first_point(page)
        watch(page, "Model 2")
        zoomed = zoom(page)
        page.wait_for_function(f"window.seen.updates.length > {UPDATES}", timeout=120_000)
        kept = page.evaluate("document.querySelector('.live .accuracy').layout.xaxis.range") == zoomed
        seen = page.evaluate("window.seen")
        store.request_stop([run.id for run in store.runs(*ACTIVE)])
        wait_until_trained(store)
        seeds = page.get_by_role("spinbutton", name="Seeds")
        seeds.fill("2")
        seeds.press("Enter")
        page.wait_for_timeout(2000)
        ready(page)
        warm = seconds_to_first_point(page)
        store.request_stop([run.id for run in store.runs(*ACTIVE)])
        wait(lambda: not (store.runs(*ACTIVE) and launcher.is_alive(store)), "the training to stop")
    gaps = [(later - earlier) / 1000 for earlier, later in zip(seen["updates"][1:], seen["updates"][2:], strict=False)]
    show(
        ["what", "measured", "bound"],
        [
            ["the first training ever, Model 2: click to first point", f"{ever:.2f} s", "12 s"],
            ["the page says what it waits for then", "yes" if told else "no", "yes"],
            ["click to first point, Train just opened", f"{cold:.2f} s", "4 s"],
            ["click to first point, scheduler warm", f"{warm:.2f} s", "0.5 s"],
            ["median time between updates", f"{statistics.median(gaps):.2f} s", "1 s"],
            ["frames without the chart", f"{seen['missing']} of {seen['frames']}", "0"],
            [f"zoom still set after {UPDATES} updates", "yes" if kept else "no", "yes"],
            ["console errors", str(len(errors)), "0"],
        ],
    )
    for error in errors[:2]:
        print(error, file=sys.stderr)


def watch(page: Page, name: str) -> None:
    """Begin to watch once this model is being trained."""
    page.wait_for_function(
        f"(document.querySelector('.live .accuracy')?.data ?? []).some((trace) => trace.name === '{name}')",
        timeout=120_000,
    )
    page.evaluate(WATCH)


def zoom(page: Page) -> list[float]:
    """Draw a box over a part of the chart, as a person does; the range that it leaves."""
    box = page.locator(".live .accuracy .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"], steps=8)
    page.mouse.up()
    page.wait_for_timeout(300)
    return page.evaluate("document.querySelector('.live .accuracy').layout.xaxis.range")


if __name__ == "__main__":
    main()
