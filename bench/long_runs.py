"""Are long runs as smooth to watch as short ones?  python bench/long_runs.py

Stores of twelve runs that are finished and one that is being trained, once of 3 and once of 300 epochs; the curves are
made up, 75 points an epoch. A real browser opens Train; then points are added to the running run, five at a time as
often as a trainer does. Measured: what the page needs until all curves are drawn, the longest message once they are,
the time from an added point to the screen, the time from a click until the page has answered it, whether a zoom
survives all that; and on Compare the time from the click on Learning, and on its training images, to the drawn charts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.browser import Server, chromium, ready, server
from bench.common import show
from bench.live import zoom
from fmnist.data import files
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.artifacts import measured
from fmnist.store.run import Point, Start, Status
from fmnist.store.store import REFERENCE, Store, store_path
from fmnist.training import launcher

EPOCHS = (3, 300)
SEEDS = 4  # Of each model.
STEPS, REPORTS = 1875, 75  # Of an epoch.
UPDATES = 20
BOUNDS = {"longest message": "100 kB", "update,": "1 s", "click,": "1 s", "images,": "", "Learning:": "1.5 s"}

# lines(): how many curves are drawn in full; last(): the last step of the run that is being trained.
DRAWN = """
window.lines = () => (document.querySelector(".live .accuracy")?.data ?? []).length;
window.last = () => {
  const line = (document.querySelector(".live .accuracy")?.data ?? []).filter(({ uid }) => uid === window.running)[0];
  return line?.x[line.x.length - 1];
};
"""
CHARTS = """
(least) => {
  const charts = [...document.querySelectorAll("[data-testid=stPlotlyChart] .js-plotly-plot")].slice(-2);
  const drawn = (chart) =>
    chart.querySelector(".scatterlayer .trace") && chart.calcdata.some((line) => line.length >= least);
  return charts.length === 2 && document.querySelectorAll("[data-stale=true] .js-plotly-plot").length === 0
    && charts.every(drawn);
}
"""


@dataclass
class Frames:
    """What came to a browser through the session's connection."""

    sizes: list[int] = field(default_factory=list)  # in bytes
    answered: int = 0  # runs of the whole page that have ended

    def take(self, frame: str | bytes) -> None:
        self.sizes.append(len(frame))
        if len(frame) < 1000 and isinstance(frame, bytes):
            message = ForwardMsg.FromString(frame)
            self.answered += message.WhichOneof("type") == "script_finished" and not message.script_finished


def fill(store: Store, epochs: int, root: Path) -> int:
    """Make the runs; the one that is being trained."""
    recipes = [Recipe(model, seed, epochs=epochs, device="cpu") for model in ARCHITECTURES for seed in range(SEEDS)]
    recipes.append(Recipe("2", SEEDS, epochs=epochs, device="cpu"))
    store.enqueue([(recipe, recipe.key("bench")) for recipe in recipes], root)
    with closing(Store(REFERENCE, read_only=True, source="reference")) as reference:
        like = {run.recipe.model: run for run in reference.finished()}
        answers = {  # By model and name: what a finished run has to have.
            (model, new): reference.artifact(run.id, old)
            for model, run in like.items()
            for old, new in zip(measured(run.recipe), measured(recipes[0]), strict=True)
        }
    for _ in recipes:
        run = store.claim()
        assert run
        steps = epochs * STEPS
        store.record_start(run.id, Start("cpu", 1, "A processor", {}, 7850, 7840, steps=steps, step=0))
        running = run.recipe.seed == SEEDS
        points = curve(run.id, steps // 2 if running else steps)
        store.record(run.id, points, images_per_second=9000.0, artifacts={})
        if not running:
            result, model = like[run.recipe.model].finished_result, run.recipe.model
            artifacts = {name: answers[model, name] or b"" for name in measured(run.recipe)} | {"weights": b""}
            store.finish(run.id, Status.DONE, result=result, artifacts=artifacts)
    [left] = store.runs(Status.RUNNING)
    return left.id


def curve(seed: int, until: int, first: int = 0) -> list[Point]:
    """Points after a step, up to another one."""
    rng, points = np.random.default_rng((seed, first)), []
    for step in range(first + STEPS // REPORTS, until + 1, STEPS // REPORTS):
        epoch, loss = 1 + (step - 1) // STEPS, 0.3 + 2 * np.exp(-step / 9000) + 0.2 * rng.random()
        points.append(Point("train", step, epoch, step / 300, loss, 1 - loss / 3))
        if step % STEPS == 0:
            points.append(Point("test", step, epoch, step / 300, loss + 0.05, 1 - loss / 2.9))
    return points


def watch_train(browser: Browser, dashboard: Server, store: Store, running: int) -> dict[str, str]:
    """What Train costs a browser."""
    context = browser.new_context(viewport={"width": 1400, "height": 1200})
    page, frames, found = context.new_page(), Frames(), dict[str, str]()
    page.add_init_script(f"window.running = '{running}-train'; {DRAWN}")
    page.on("websocket", lambda connection: connection.on("framereceived", frames.take))
    started = time.perf_counter()
    page.goto(f"{dashboard.url}/Train")
    page.wait_for_function("lines() === 24", polling=20, timeout=120_000)  # Twelve runs, training and test.
    found["until all curves are drawn"] = f"{time.perf_counter() - started:.2f} s"
    found["... for which come"] = f"{sum(frames.sizes) / 1e6:.2f} MB"
    ready(page)
    page.wait_for_timeout(3000)
    before = zoom(page)
    frames.sizes.clear()
    updates, last = [], page.evaluate("last()")
    for _ in range(UPDATES):
        points = curve(running, int(last) + 5 * (STEPS // REPORTS), int(last))
        started = time.perf_counter()
        store.record(running, points, images_per_second=9000.0, artifacts={})
        last = points[-1].step
        page.wait_for_function(f"last() === {last}", polling=20, timeout=120_000)
        updates.append(time.perf_counter() - started)
    found["longest message once they are"] = f"{max(frames.sizes) / 1e3:.0f} kB"
    found["update, median and longest"] = f"{statistics.median(updates):.2f} s, {max(updates):.2f} s"
    clicks = [
        answered(page, frames, page.get_by_role("button", name="Model 1 · MLP with ReLU", exact=True).click)
        for _ in range(5)
    ]
    found["click, median and longest"] = f"{statistics.median(clicks):.2f} s, {max(clicks):.2f} s"
    after = page.evaluate("document.querySelector('.live .accuracy').layout.xaxis.range")
    found["zoom still set"] = "yes" if after == before else "no"
    context.close()
    return found


def answered(page: Page, frames: Frames, act: Callable[[], None]) -> float:
    """Seconds from a click until the page's script has run to its end."""
    before, started = frames.answered, time.perf_counter()
    act()
    while frames.answered == before:
        page.wait_for_timeout(10)
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return time.perf_counter() - started


def watch_learning(browser: Browser, dashboard: Server, epochs: int) -> dict[str, str]:
    """What Compare's Learning costs a browser."""
    context = browser.new_context(viewport={"width": 1400, "height": 1200})
    page, frames, found = context.new_page(), Frames(), dict[str, str]()
    page.on("websocket", lambda connection: connection.on("framereceived", frames.take))
    page.goto(f"{dashboard.url}/Compare")
    page.locator("[data-testid=stPlotlyChart] .scatterlayer .trace").first.wait_for(timeout=120_000)
    ready(page)
    for what, button in (
        ("Learning: test images", page.get_by_role("tab", name="Learning")),
        ("Learning: training images", page.get_by_role("radio", name="Training images")),
    ):
        page.wait_for_timeout(1000)
        frames.sizes.clear()
        least = SEEDS * (epochs if "test" in what else min(500, epochs * REPORTS))  # More than the other has.
        started = time.perf_counter()
        button.click()
        page.wait_for_function(CHARTS, arg=least, polling=20, timeout=120_000)
        found[what] = f"{time.perf_counter() - started:.2f} s"
        found[f"{what}, for which come"] = f"{sum(frames.sizes) / 1e6:.2f} MB"
    context.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    options = parser.parse_args()
    found: dict[int, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for epochs in EPOCHS:
            runs = Path(folder) / str(epochs)
            with (
                closing(Store(store_path(runs))) as store,
                launcher.held(launcher.lock(store.path)),  # No trainer begins, and the running run counts as such.
                server(runs, options.data) as dashboard,
            ):
                running = fill(store, epochs, options.data)
                found[epochs] = watch_train(browser, dashboard, store, running)
                found[epochs] |= watch_learning(browser, dashboard, epochs)
    show(
        ["what", "bound", *(f"{epochs} epochs" for epochs in EPOCHS)],
        [
            [
                what,
                next((bound for name, bound in BOUNDS.items() if name in what), ""),
                *(found[e][what] for e in EPOCHS),
            ]
            for what in found[EPOCHS[0]]
        ],
    )


if __name__ == "__main__":
    main()
