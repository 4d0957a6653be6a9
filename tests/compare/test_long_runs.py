"""Runs of many epochs: what is drawn of them, and what is exported."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from helpers.making import finished_run
from plotly.offline import get_plotlyjs

from fmnist.compare import report
from fmnist.compare.comparison import Comparison
from fmnist.compare.thinning import MAX_POINTS
from fmnist.data.files import Dataset
from fmnist.export import tables
from fmnist.export.chosen import Chosen
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import Point
from fmnist.store.store import Store

POINTS, SPIKE = 5_000, 4_321


@pytest.fixture
def compared(store: Store, small_data: Dataset) -> Comparison:
    """Two seeds of one model with long curves, one of which has a spike."""
    for seed in (0, 1):
        run = finished_run(store, Recipe("0", seed), small_data)
        losses = 1 + 0.1 * np.random.default_rng(seed).random(POINTS)
        losses[SPIKE] += 7 * seed
        points = [
            Point(split, step, 1 + step // 75, step / 10, float(loss), 1 / float(loss))
            for split in ("train", "test")
            for step, loss in enumerate(losses)
        ]
        store.record(run.id, points, images_per_second=None, artifacts={})
    library = Library(store, None)
    return Comparison(library, library.groups("fashion-mnist"), None)


def lines(figure: go.Figure) -> list[np.ndarray]:
    """The values of every line of a chart: a trace may hold several, with gaps between them."""
    found = []
    for trace in figure.data:
        y = np.asarray(trace.y, float)
        found += [part[~np.isnan(part)] for part in np.split(y, np.flatnonzero(np.isnan(y)))]
    return [line for line in found if len(line)]


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("axis", ["epoch", "step", "seconds"])
def test_a_line_has_at_most_a_thousand_points_and_every_spike(compared, split, axis):
    figure = compared.learning("loss", split, axis).figure
    first, second, band, mean = lines(figure)
    assert all(MAX_POINTS / 4 < len(line) <= MAX_POINTS for line in (first, second, mean))
    assert len(band) <= 2 * MAX_POINTS  # Its upper and its lower edge.
    assert first.max() < 1.2 and second.max() > 8 and mean.max() > 4.5
    assert lines(compared.learning("accuracy", split, axis).figure)[1].min() < 0.13


def test_a_report_of_long_runs_stays_small(compared):
    text = report.write(compared, with_images=False)
    assert len(text) - len(get_plotlyjs()) < 400_000


def test_exported_curves_have_every_point(compared, small_data, tmp_path):
    runs = tuple(run for group in compared.groups for run in group.runs)
    tables.write_csv(Chosen(compared._library, runs, lambda name: small_data), tmp_path)
    assert len(pd.read_csv(tmp_path / "curves.csv")) == 2 * 2 * POINTS
