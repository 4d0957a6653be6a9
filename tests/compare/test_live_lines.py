"""Curves that grow in a browser: what it is told, and what it then has."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.making import running_run
from helpers.ui import decoded

from fmnist.compare import live_lines
from fmnist.compare.thinning import MAX_POINTS
from fmnist.recipe import Recipe
from fmnist.store.growing_curves import GrowingCurves
from fmnist.store.run import Point, Start
from fmnist.store.store import Store


class Browser:
    """What live_chart.js does with what it is told."""

    def __init__(self) -> None:
        self.lines: dict[str, np.ndarray] = {}
        self.marks: dict[str, list] = {}

    def take(self, told: dict) -> int:
        """Bring the lines up to date; the number of points that were told."""
        count = 0
        for name, line in told.items():
            new = decoded(line["points"])
            count += len(new)
            held = self.lines[name] if line["after"] >= 0 else np.empty((0, 4))
            self.lines[name] = np.concatenate([held[held[:, 0] <= line["after"]], new])
            self.marks[name] = [line["version"], line["settled"]]
        return count


@pytest.fixture
def running(store: Store, small_data) -> int:
    return running_run(store, Recipe("0", epochs=1000), small_data)


def grow(store: Store, id: int, first: int, last: int) -> None:
    rng = np.random.default_rng(first)
    points = [Point("train", step, 1, step / 7, *rng.random(2)) for step in range(first, last)]
    store.record(id, points, images_per_second=None, artifacts={})


def lines_of(growing: GrowingCurves, id: int) -> dict[str, live_lines.Line]:
    return {split: live_lines.line(growing.curve(id, split)) for split in ("train", "test")}


def same(browser: Browser, lines: dict[str, live_lines.Line]) -> bool:
    """Whether a browser draws what somebody draws who has just come."""
    fresh = Browser()
    fresh.take(live_lines.news(lines, None))
    return browser.lines.keys() == fresh.lines.keys() and all(
        np.array_equal(browser.lines[name], fresh.lines[name]) for name in fresh.lines
    )


def test_a_browser_that_is_told_only_what_is_new_draws_what_is_there(store, running):
    growing, browser = GrowingCurves(store), Browser()
    told, step = [], 100
    for count in (1, 3, 200, 700, 5, 1, 90, 1000, 7, 2, 3000, 10, 10):
        grow(store, running, step, step + count)
        step += count
        lines = lines_of(growing, running)
        told.append(browser.take(live_lines.news(lines, browser.marks)))
        assert same(browser, lines) and len(browser.lines["train"]) <= MAX_POINTS
    assert max(told[-2:]) <= 32, "more than the new points was told"
    assert browser.take(live_lines.news(lines_of(growing, running), browser.marks)) <= 10


def test_a_browser_that_has_missed_messages_or_lost_its_lines_gets_what_it_lacks(store, running):
    growing, browser = GrowingCurves(store), Browser()
    grow(store, running, 100, 300)
    browser.take(live_lines.news(lines_of(growing, running), None))
    grow(store, running, 300, 400)
    live_lines.news(lines_of(growing, running), browser.marks)  # Is lost on the way.
    grow(store, running, 400, 450)
    lines = lines_of(growing, running)
    assert browser.take(live_lines.news(lines, browser.marks)) < 160
    assert same(browser, lines)
    another = Browser()
    another.take(live_lines.news(lines, {}))
    assert same(another, lines)


def test_a_run_that_goes_on_from_its_checkpoint_is_drawn_anew(store, running):
    growing, browser = GrowingCurves(store), Browser()
    grow(store, running, 100, 300)
    browser.take(live_lines.news(lines_of(growing, running), None))
    store.record_start(running, Start("cpu", 1, "A processor", {}, 1, 1, steps=1000, step=200))
    grow(store, running, 201, 203)
    lines = lines_of(growing, running)
    browser.take(live_lines.news(lines, browser.marks))
    assert same(browser, lines) and browser.lines["train"][-1, 0] == 202
    store.record_start(running, Start("cpu", 1, "A processor", {}, 1, 1, steps=1000, step=200))
    grow(store, running, 201, 400)  # Nobody has looked before it was further than the last time.
    lines = lines_of(growing, running)
    browser.take(live_lines.news(lines, browser.marks))
    assert same(browser, lines) and browser.lines["train"][-1, 0] == 399


def test_a_message_stays_short_when_all_lines_are_thinned_anew(store):
    points = np.column_stack([np.arange(1001), np.arange(1001), *np.random.default_rng(0).random((2, 1001))])
    before, after = (
        {f"{run}-train": live_lines.line(live_lines.GrowingCurve(run, points[:length])) for run in range(30)}
        for length in (1000, 1001)
    )
    browser = Browser()
    browser.take(live_lines.news(before, {}))
    messages = 0
    while not same(browser, after):
        told = live_lines.news(after, browser.marks)
        assert sum(len(line["points"]) for line in told.values()) < 80_000
        browser.take(told)
        messages += 1
    assert 1 < messages < 10


@pytest.mark.parametrize("marks", [None, 5, [], {"a": 5}, {"a": ["7-1"]}, {"a": ["7-1", "x"]}, {"a": ["7-1", 99]}])
def test_marks_that_are_none_are_answered_with_everything(marks):
    points = np.array([[1, 0.1, 2, 0.5], [2, 0.2, np.inf, 0.6], [3, 0.3, 1e300, 0.7]])
    told = live_lines.news({"a": live_lines.line(live_lines.GrowingCurve(7, points))}, marks)
    assert told["a"]["after"] == -1 and len(decoded(told["a"]["points"])) == 3


def test_only_added_points_are_read(store, running, monkeypatch):
    growing, read = GrowingCurves(store), []
    curve = store.curve
    monkeypatch.setattr(store, "curve", lambda *a, **k: read.append(curve(*a, **k)) or read[-1])
    grow(store, running, 100, 2000)
    growing.curve(running, "train")
    grow(store, running, 2000, 2003)
    assert len(growing.curve(running, "train").points) == len(read[0]) + 3
    assert [len(points) for points in read[1:]] == [4]
