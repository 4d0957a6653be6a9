"""Confusion matrices -> Plotly figures whose cells can be clicked. No Streamlit, no torch.

Rows are the true class, columns the predicted one, everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from fmnist.compare.charts import ABOVE, BELOW, PAPER, blank
from fmnist.data.catalog import DatasetInfo


def confusion(
    matrix: np.ndarray,
    shares: np.ndarray,
    info: DatasetInfo,
    *,
    of: str,
    as_shares: bool,
    cell: tuple[int, int] | None,
    dark: bool,
) -> go.Figure:
    """A confusion matrix whose cells can be clicked: rows are the true class, columns the predicted one.

    The colours are the shares, from 0 to 1 in every figure, so that figures can be compared; their square root,
    so that the errors can be seen beside the diagonal.

    Args:
        matrix: counts, int (10, 10).
        shares: `metrics.row_shares` or `column_shares` of it.
        info: of the data set, for the names of the classes.
        of: which class the shares are of, "true" or "predicted".
        as_shares: whether the cells say the shares; else the counts.
        cell: a (true, predicted) cell to mark.
        dark: whether the page is dark, so that an empty cell fades into it.
    """
    figure = _matrix(info, cell)
    rows, columns = CELLS
    which = "images of the true class" if of == "true" else "answers of the predicted class"
    totals = np.broadcast_to(matrix.sum(axis=1 if of == "true" else 0, keepdims=True), matrix.shape)
    figure.add_heatmap(
        z=np.sqrt(shares),
        zmin=0,
        zmax=1,
        colorscale=[(0.0, "#1B212B"), (0.5, "#245A85"), (1.0, "#D6ECFF")] if dark else "Blues",
        **HEATMAP,
    )
    _clickable(
        figure,
        [_cell(matrix[row, column], shares[row, column], as_shares) for row, column in zip(rows, columns, strict=True)],
        [
            f"true: {info.classes[row]}<br>predicted: {info.classes[column]}<br>"
            f"{matrix[row, column]:,} of {totals[row, column]:,} {which} ({shares[row, column]:.1%})"
            for row, column in zip(rows, columns, strict=True)
        ],
    )
    return figure


def confusion_difference(
    change: np.ndarray, info: DatasetInfo, *, cell: tuple[int, int] | None, dark: bool
) -> go.Figure:
    """The difference of two confusion matrices, in images per run: what is more often is blue, less often orange.

    Colours say how often, not whether it is good: on the diagonal more is better, beside it less.

    Args:
        change: float (10, 10), second minus first; rows sum to 0.
        info, cell, dark: as for `confusion`.
    """
    figure = _matrix(info, cell)
    limit = max(1, np.abs(change).max())
    figure.add_heatmap(
        z=np.sign(change) * np.sqrt(np.abs(change) / limit),
        zmin=-1,
        zmax=1,
        colorscale=[(0.0, BELOW), (0.5, PAPER[dark]), (1.0, ABOVE)],
        **HEATMAP,
    )
    rows, columns = CELLS
    _clickable(
        figure,
        [signed(change[row, column]) for row, column in zip(rows, columns, strict=True)],
        [
            f"true: {info.classes[row]}<br>predicted: {info.classes[column]}<br>"
            f"{signed(change[row, column]) or 0} images"
            for row, column in zip(rows, columns, strict=True)
        ],
    )
    return figure


def signed(images: float) -> str:
    """A difference in images, with its sign: "+12", "−0.4" (a decimal under 10); nothing for one that would be 0.0."""
    digits = 0 if images == int(images) or abs(images) >= 9.95 else 1
    text = f"{images:+,.{digits}f}".replace("-", "−")
    return text if text.strip("+−0.") else ""


HEATMAP = {"showscale": False, "xgap": 1, "ygap": 1, "hoverinfo": "skip"}
CELLS = [part.ravel().tolist() for part in np.indices((10, 10))]
"""The rows of all cells, and their columns."""


def _matrix(info: DatasetInfo, cell: tuple[int, int] | None) -> go.Figure:
    """Axes for a confusion matrix, with a cell marked."""
    figure = blank(430, hovermode="closest", hoverdistance=-1, dragmode=False, showlegend=False)
    figure.update_layout(margin={"l": 0, "r": 26, "t": 4, "b": 0})  # At the right, room for the camera.
    if cell:
        row, column = cell
        box = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
        figure.add_shape(type="rect", **box, line={"color": "#D81B60", "width": 3})
    ticks = {
        "tickvals": list(range(10)),
        "ticktext": info.short,
        "tickfont": {"size": 11},
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "title": None,
    }
    figure.update_xaxes(**ticks, range=[-0.5, 9.5], tickangle=-90, side="top")
    figure.update_yaxes(**ticks, range=[9.5, -0.5])
    return figure


def _clickable(figure: go.Figure, texts: Sequence[str], hovers: Sequence[str]) -> None:
    """Let every cell of a matrix say something, and be clicked.

    A heatmap reports no clicks; invisible markers on top of its cells do. Their texts have the colour, black or white,
    that is read best on the cell: a heatmap's own are grey where it is half dark. Lists: arrays arrive as objects.

    Args:
        figure: with the heatmap.
        texts: of the cells, row by row.
        hovers: what is said of each under the pointer.
    """
    [heatmap] = figure.data
    values = (np.ravel(heatmap.z) - heatmap.zmin) / (heatmap.zmax - heatmap.zmin)
    colors = sample_colorscale([list(step) for step in heatmap.colorscale], values.tolist(), colortype="tuple")
    rows, columns = CELLS
    figure.add_scatter(
        x=columns,
        y=rows,
        mode="markers+text",
        marker={"size": 24, "opacity": 0, "symbol": "square"},
        customdata=[[row, column] for row, column in zip(rows, columns, strict=True)],
        text=list(texts),
        textfont={
            "size": [10 if len(text) > 3 and text.isdecimal() else 12 for text in texts],  # Three matrices in a row.
            "color": ["#000000" if luminance(color) > MIDDLE else "#FFFFFF" for color in colors],
        },
        hovertext=list(hovers),
        hovertemplate="%{hovertext}<extra></extra>",
    )


MIDDLE = 0.179
"""The luminance on which black and white can be read equally well: 4.6 to 1."""


def luminance(color: tuple[float, float, float]) -> float:
    """How light a colour is, from 0 to 1.

    Args:
        color: red, green and blue from 0 to 1.

    Source: WCAG 2.2, "relative luminance".
    """
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _cell(count: int, share: float, as_shares: bool) -> str:
    if count == 0:
        return ""
    if as_shares:
        return f"{share:.0%}"
    return f"{count}" if count < 10_000 else f"{count / 1000:.0f}k"
