"""The figures of confusion matrices."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.colors import hex_to_rgb, unlabel_rgb

from fmnist import metrics
from fmnist.compare.confusion_charts import confusion, confusion_difference, luminance
from fmnist.data.catalog import CLOTHES

MATRIX = np.outer(np.arange(10) ** 2, np.ones(10, int)).T + 50 * np.eye(10, dtype=int)


def contrasts(figure: go.Figure) -> list[float]:
    """How well the text of each cell can be told from the cell's colour as Plotly mixes it: 1 to 21."""
    heatmap, cells = figure.data
    places, colors = zip(*heatmap.colorscale, strict=True)
    steps = np.array([hex_to_rgb(color) if color[0] == "#" else unlabel_rgb(color) for color in colors]) / 255
    values = (np.ravel(heatmap.z) - heatmap.zmin) / (heatmap.zmax - heatmap.zmin)
    found = []
    for value, text in zip(values, cells.textfont.color, strict=True):
        cell = luminance([np.interp(value, places, steps[:, channel]) for channel in range(3)])
        dark, light = sorted([cell, luminance([part / 255 for part in hex_to_rgb(text)])])
        found.append((light + 0.05) / (dark + 0.05))
    return found


@pytest.mark.parametrize("dark", [False, True])
def test_the_numbers_in_cells_can_be_read_on_every_colour(dark):
    look = {"cell": None, "dark": dark}
    figure = confusion(MATRIX, metrics.row_shares(MATRIX), CLOTHES, of="true", as_shares=False, **look)
    assert list(figure.data[1].text[:3]) == ["50", "1", "4"]
    shares = np.linspace(0, 1, 100).reshape(10, 10)
    figures = [figure, confusion(MATRIX, shares, CLOTHES, of="true", as_shares=True, **look)]
    change = np.linspace(-1, 1, 100).reshape(10, 10) ** 3
    figures.append(confusion_difference(change, CLOTHES, **look))
    assert all(min(contrasts(figure)) >= 4.5 for figure in figures)
