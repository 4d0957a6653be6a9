"""Charts: numbers that can be read where they stand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fmnist.compare import accuracy_charts, charts
from fmnist.compare.published import PublishedResult


def test_counts_are_as_large_as_other_text_and_stand_beside_their_bars():
    splits = {"Training": np.full(10, 6000), "Test": np.full(10, 1000)}
    figure = charts.counts(splits, [f"class {label}" for label in range(10)])
    for bars in figure.data:
        assert bars.textposition == "outside" and bars.constraintext == "none" and bars.textfont.size >= 11
    assert figure.layout.xaxis.range[1] > 6000 and figure.layout.height >= 20 * bars.textfont.size


def test_lines_of_published_results_are_below_the_numbers_of_the_rows_they_cross():
    groups = pd.DataFrame({"id": [0], "model": ["0"], "name": ["Model 0"], "accuracy_mean": [0.83]})
    groups = groups.assign(accuracy_low=0.82, accuracy_high=0.84)
    runs = pd.DataFrame({"group": [0], "seed": [0], "accuracy": [0.83], "dead": [False]})
    known = [PublishedResult("People (crowd)", 0.835, "a paper", "https://example.org")]
    alone, beside = (accuracy_charts.accuracy_by_seed(groups, runs, lines) for lines in ([], known))
    [line] = beside.layout.shapes
    assert line.layer == "below"
    assert beside.layout.height - alone.layout.height >= accuracy_charts.ROW  # Else numbers lie on the row above.
