"""Confusion matrices -> Plotly figures whose cells can be clicked. No Streamlit, no torch.

Rows are the true class, columns the predicted one, everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from fmnist.compare.charts import blank
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
    rows, columns = (part.ravel() for part in np.indices(matrix.shape))
    totals = np.broadcast_to(matrix.sum(axis=1 if of == "true" else 0, keepdims=True), matrix.shape)
    figure.add_heatmap(
        z=np.sqrt(shares),
        zmin=0,
        zmax=1,
        colorscale=[(0.0, "#1B212B"), (0.5, "#245A85"), (1.0, "#D6ECFF")] if dark else "Blues",
        text=np.vectorize(lambda count, share: _cell(count, share, as_shares))(matrix, shares),
        **HEATMAP,
    )
    _clickable(
        figure,
        [
            f"true: {info.classes[row]}<br>predicted: {info.classes[column]}<br>"
            f"{matrix[row, column]:,} of {totals[row, column]:,} {of} so ({shares[row, column]:.1%})"
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
    middle = "#1B212B" if dark else "#FFFFFF"
    figure.add_heatmap(
        z=np.sign(change) * np.sqrt(np.abs(change) / limit),
        zmin=-1,
        zmax=1,
        colorscale=[(0.0, "#C8651B"), (0.5, middle), (1.0, "#2F7FC1")],  # Orange and blue: told apart by everybody.
        text=np.vectorize(signed)(change),
        **HEATMAP,
    )
    rows, columns = (part.ravel() for part in np.indices(change.shape))
    _clickable(
        figure,
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


HEATMAP = {"showscale": False, "xgap": 1, "ygap": 1, "texttemplate": "%{text}", "hoverinfo": "skip"}


def _matrix(info: DatasetInfo, cell: tuple[int, int] | None) -> go.Figure:
    """Axes for a confusion matrix, with a cell marked."""
    figure = blank(430, hovermode="closest", hoverdistance=-1, dragmode=False, showlegend=False)
    figure.update_layout(margin={"l": 0, "r": 0, "t": 4, "b": 0})
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


def _clickable(figure: go.Figure, said: Sequence[str]) -> None:
    """Let every cell of a matrix be clicked, and say something of it.

    A heatmap reports no clicks; invisible markers on top of its cells do. Lists: arrays arrive as objects.
    """
    rows, columns = (part.ravel().tolist() for part in np.indices((10, 10)))
    figure.add_scatter(
        x=columns,
        y=rows,
        mode="markers",
        marker={"size": 24, "opacity": 0, "symbol": "square"},
        customdata=[[row, column] for row, column in zip(rows, columns, strict=True)],
        text=list(said),
        hovertemplate="%{text}<extra></extra>",
    )


def _cell(count: int, share: float, as_shares: bool) -> str:
    if count == 0:
        return ""
    if as_shares:
        return f"{share:.0%}"
    return f"{count}" if count < 10_000 else f"{count / 1000:.0f}k"
