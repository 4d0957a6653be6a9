"""How fast is an answer?  python bench/predict.py [--strokes 12]

The three models answer one image, first with one seed each, then with all seeds of the reference runs. Then somebody
draws, stroke by stroke, in a real browser. From stroke to answers: from lifting the pen to the frame in which every
model's probabilities are new, on a page that has answered before. Every stroke is a different one, so nothing comes
from a cache.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Browser, Page

from bench.browser import Server, chromium, ready, server
from bench.common import show
from fmnist.data import files, sample
from fmnist.store.library import Library, default_groups
from fmnist.store.store import Store, store_path

PREDICTION, ANSWER, WHY = 0.020, 0.5, 0.8  # Bounds; seconds.
REPEATS = 20
WARM_UP = 2  # Strokes that are not counted: the first one loads the models.
PARTS = ("Pixels", "What convolutions see", "Nearest training images")

# watch() is called before the pen is lifted. Then result: seconds from lifting it to the frame in which all answers are
# new, and to that in which the page is at rest. Where a model's probabilities do not change at all, nothing tells when
# they are new: its answer counts as there when the page shows another image and is at rest.
WATCH = """
addEventListener("pointerup", (event) => (window.lifted = event.timeStamp), true);

window.watch = () => {
  const answers = () => [...document.querySelectorAll("table.bars")].map((table) => table.innerHTML);
  const image = () => document.querySelector("img[alt^='The 28 × 28 pixels']")?.src;
  const [answersBefore, imageBefore] = [answers(), image()];
  const fresh = () => {
    const now = answers();
    if (now.length < 3 || image() === imageBefore) return false;
    return atRest() || now.every((table, place) => table !== answersBefore[place]);
  };
  const atRest = () => document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]");
  window.lifted = null;
  window.result = new Promise((resolve, reject) => {
    const began = performance.now();
    let seen = null;
    const look = () => {
      const now = performance.now();
      if (seen === null && window.lifted !== null && fresh()) seen = now;
      if (seen !== null && atRest()) resolve([(seen - window.lifted) / 1000, (now - window.lifted) / 1000]);
      else if (now - began > 30000) reject(new Error("no new answers in 30 s"));
      else requestAnimationFrame(look);
    };
    look();
  });
};
"""


def predict() -> dict[str, list[float]]:
    """Seconds that the three models take for one image, after they are loaded."""
    from fmnist.predict import prediction

    image, _ = sample.draw(1, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Store(store_path(Path(folder))))
        every = default_groups(library.groups("fashion-mnist", "reference"))
        single = [replace(group, runs=group.runs[:1]) for group in every]
        times: dict[str, list[float]] = {}
        for turn in range(REPEATS + 1):
            for groups in (single, every):
                seconds = sum(prediction.timed_probabilities(library, group, image)[1] for group in groups)
                what = f"prediction: {len(groups)} models, {sum(len(group.runs) for group in groups)} runs"
                if turn:  # The first one loads libraries.
                    times.setdefault(what, []).append(seconds)
    return times


def draw(page: Page, number: int) -> tuple[float, float]:
    """Draw a stroke; the seconds until its answers are there, and until the page is at rest."""
    canvas = page.locator(".pad canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box

    def at(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    # From top to bottom, each beside the last one, and of another length.
    across = 0.1 + 0.055 * number
    page.mouse.move(*at(across, 0.15 + 0.01 * number))
    page.mouse.down()
    page.mouse.move(*at(across, 0.6), steps=5)
    page.mouse.move(*at(across + 0.05, 0.95 - 0.015 * number), steps=5)
    page.evaluate("watch()")
    page.mouse.up()
    return tuple(page.evaluate("window.result"))


def visit(browser: Browser, dashboard: Server, strokes: int, query: str) -> list[tuple[float, float]]:
    """Open the Predict page, and draw; what `draw` gives for each stroke that counts."""
    context = browser.new_context(viewport={"width": 1400, "height": 1200})
    try:
        context.set_default_timeout(60_000)
        context.add_init_script(WATCH)
        context.add_init_script("localStorage.setItem('fmnist-pad', '\"pad\"')")
        page = context.new_page()
        page.goto(f"{dashboard.url}/Predict?{query}")
        page.locator(".pad canvas").wait_for()
        page.get_by_role("button", name="Brush", exact=True).click()
        ready(page)
        times = []
        for number in range(WARM_UP + strokes):
            times.append(draw(page, number))
            time.sleep(0.3)
            ready(page)
        return times[WARM_UP:]
    finally:
        context.close()
        dashboard.calm()


def row(what: str, bound: float, seconds: list[float]) -> list[str]:
    def say(value: float) -> str:
        return f"{1000 * value:.1f} ms" if bound < 0.1 else f"{value:.2f} s"

    limit = f"{1000 * bound:g} ms" if bound < 0.1 else f"{bound:g} s"
    return [what, limit, say(statistics.median(seconds)), say(max(seconds))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--strokes", type=int, default=12, choices=range(1, 14), help="that are counted, of each page")
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    options = parser.parse_args()
    rows = [row(what, PREDICTION, seconds) for what, seconds in predict().items()]
    folder = tempfile.TemporaryDirectory()
    with folder as runs, server(Path(runs), options.data) as dashboard, chromium() as browser:
        times = visit(browser, dashboard, options.strokes, "")
        rows.append(row("from stroke to answers", ANSWER, [answers for answers, _ in times]))
        for part in PARTS:
            times = visit(browser, dashboard, options.strokes, f"why=true&why-tab={part.replace(' ', '+')}")
            rows.append(row(f"the same, with “{part}” open", ANSWER, [answers for answers, _ in times]))
            rows.append(row(f"from stroke to “{part}”", WHY, [rest for _, rest in times]))
    show(["what", "bound", "median", "slowest"], rows)


if __name__ == "__main__":
    main()
