"""Parallel coordinates: each group of a sweep a line over its hyperparameters to its accuracy. No Streamlit, no torch.

Ordinary lines instead of Plotly's `parcoords`: that one needs WebGL, draws equal values over each other, and tells
nothing of the line that is pointed at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fmnist.compare.charts import GREY, blank
from fmnist.grid import Factor

# Blue over grey to orange: told apart with every kind of colour blindness, and on a light and on a dark background.
SCALE = ((0x33, 0x66, 0xCC), (0x8F, 0x96, 0x9E), (0xE6, 0x6A, 0x00))
SHADES = 9  # A trace each, however many lines there are: a trace a line takes seconds with a thousand of them.
GAP = 0.25  # Between two axes' lines, for the values' names: a share of the distance of two axes.
SPREAD = 0.72  # The share of a value's room that its lines use.
FEW = 60  # Lines that can be drawn thick.
MAX_TICKS = 12
LONG = 6  # characters that fit between the lines on a narrow screen


def coordinates(table: pd.DataFrame, factors: Sequence[Factor], images: str) -> go.Figure:
    """A line for each row: through its value of each factor, to its mean accuracy.

    The lines through one value lie side by side, the more accurate ones above. Groups of which every run has failed end
    at "failed", below the scale.

    Args:
        table: `Sweep.table`.
        factors: in what the rows differ.
        images: on which accuracy was measured: "test" or "held-out".
    """
    figure = blank(460, showlegend=False, hovermode="closest")
    ranked = table.iloc[::-1].reset_index(drop=True)  # The best is drawn last, over the others.
    failed = ranked["accuracy_mean"].isna().to_numpy()
    ends, ticks = _accuracy_axis(ranked["accuracy_mean"], failed.any())
    heights = [_heights(ranked[factor.field], factor) for factor in factors]
    x, y = _vertices([height for height, _ in heights], ends)
    hover = _hover(ranked, factors)
    shade = _shades(ranked["accuracy_mean"])
    width = 2 if len(ranked) <= FEW else 1
    for index in [-1, *range(SHADES)]:
        rows = np.flatnonzero(failed if index < 0 else (shade == index) & ~failed)
        if len(rows):
            line = {"color": GREY if index < 0 else _color(index), "width": width, "dash": "dot" if index < 0 else None}
            _add_lines(figure, x, y[rows], hover[rows], line, opacity=0.9 if len(ranked) <= FEW else 0.55)
    if not failed[-1]:
        _add_lines(figure, x, y[-1:], hover[-1:], {"color": _color(SHADES - 1), "width": 4.5}, opacity=1)
    for column, (factor, (_, names)) in enumerate(zip(factors, heights, strict=True)):
        _add_axis(figure, column, factor.title, names)
    figure.add_scatter(
        x=[len(factors) + 0.02] * len(ticks),
        y=[height for height, _ in ticks],
        text=[name for _, name in ticks],
        mode="text",
        textposition="middle right",
        hoverinfo="skip",
        cliponaxis=False,
    )
    _add_axis(figure, len(factors), f"{images.capitalize()} accuracy", [])
    figure.update_xaxes(range=[-0.4, len(factors) + 0.35], visible=False, fixedrange=True)
    figure.update_yaxes(range=[-0.03, 1.14], visible=False, fixedrange=True)
    return figure


def _heights(values: pd.Series, factor: Factor) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Where each line crosses an axis, in [0, 1]; and where the names of its values stand.

    Numbers stand in their order, one step apart, as hyperparameters are usually chosen: 0.001, 0.01, 0.1.
    """
    numbers = factor.field not in ("model", "optimizer", "schedule", "keep")
    known = sorted(values.unique(), key=(lambda value: value) if numbers else factor.say, reverse=not numbers)
    room = 1 / len(known)
    position = values.map({value: index for index, value in enumerate(known)}).to_numpy()
    within = values.groupby(values).cumcount().to_numpy()  # The rows are in order of their accuracy.
    size = values.groupby(values).transform("size").to_numpy()
    heights = room * (position + 0.5 + SPREAD * ((within + 0.5) / size - 0.5))
    every = -(-len(known) // MAX_TICKS)
    names = [(room * (index + 0.5), factor.say(value)) for index, value in enumerate(known) if index % every == 0]
    return heights, names


def _accuracy_axis(accuracies: pd.Series, any_failed: bool) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Where each line ends, in [0, 1]; and the scale."""
    low, high = float(accuracies.min()), float(accuracies.max())
    room = max(high - low, 0.01)
    step = next(step for step in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if room / step <= 8)
    first, last = np.floor(low / step), np.ceil(high / step)
    bottom = 0.12 if any_failed else 0.0
    digits = 1 if step < 0.01 else 0

    def place(accuracy: np.ndarray) -> np.ndarray:
        return bottom + (1 - bottom) * (accuracy / step - first) / max(last - first, 1)

    ticks = [(float(place(step * tick)), f"{step * tick:.{digits}%}") for tick in np.arange(first, last + 1)]
    heights = np.where(accuracies.isna(), 0.0, place(accuracies.to_numpy(float)))
    return heights, [(0.0, "failed"), *ticks] if any_failed else ticks


def _vertices(heights: Sequence[np.ndarray], ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the lines: x, the same for all, and y (rows, corners); NaN where they leave room for the names."""
    x: list[float] = []
    columns = []
    for column, height in enumerate(heights):
        x += [column - GAP, np.nan, column + GAP]
        columns += [height, np.full(len(height), np.nan), height]
    x, columns = x[2:], columns[2:]  # Nothing leads to the first axis.
    return np.array([*x, len(heights)], float), np.column_stack([*columns, ends])


def _add_lines(
    figure: go.Figure, x: np.ndarray, y: np.ndarray, hover: np.ndarray, line: dict[str, Any], opacity: float
) -> None:
    """Many lines as one trace, with gaps between them."""
    figure.add_scatter(
        x=np.tile([*x, np.nan], len(y)),
        y=np.column_stack([y, np.full(len(y), np.nan)]).ravel(),
        text=np.where(np.isnan([*x, np.nan]), np.array(None), hover[:, None]).ravel().tolist(),
        mode="lines+markers" if line["width"] > 1 else "lines",  # Ten thousand marks take the browser seconds.
        line=line,
        marker={"size": line["width"] + 1, "color": line["color"]},
        opacity=opacity,
        hovertemplate="%{text}<extra></extra>",
    )


def _add_axis(figure: go.Figure, column: int, title: str, names: list[tuple[float, str]]) -> None:
    texts = [(1.03, "bottom", f"<b>{title}</b>"), *((height, "middle", name) for height, name in names)]
    # Before the first axis there is room.
    place = {"x": column, "xanchor": "center"} if column else {"x": GAP - 0.04, "xanchor": "right"}
    for height, anchor, text in texts:
        words = text.replace(" ", "<br>") if len(text) > LONG else text
        figure.add_annotation(**place, y=height, text=words, yanchor=anchor, showarrow=False, font={"size": 12})
    if not names:
        figure.add_shape(type="line", x0=column, x1=column, y0=0, y1=1, line={"color": GREY, "width": 1})


def _hover(table: pd.DataFrame, factors: Sequence[Factor]) -> np.ndarray:
    """What is said of each row where it is pointed at."""
    texts = []
    for row in table.to_dict("records"):
        said = [", ".join(factor.name(row[factor.field]) for factor in factors)]
        if row["seeds"]:
            runs = f"{row['seeds']} runs" if row["seeds"] > 1 else "one run"
            said.append(f"<b>{row['accuracy_mean']:.2%}</b>, {runs}{', reference' * (row['source'] != 'own')}")
        said += [f"{row[count]} {count}" for count in ("dead", "failed") if row[count]]
        texts.append("<br>".join(said))
    return np.array(texts, object)


def _shades(accuracies: pd.Series) -> np.ndarray:
    """By accuracy, from 0 to `SHADES` - 1: by rank, for a dead run would leave one colour to all others."""
    share = accuracies.rank(pct=True, method="average").fillna(0).to_numpy()
    return np.minimum((share * SHADES).astype(int), SHADES - 1)


def _color(index: int) -> str:
    share = index / (SHADES - 1) * (len(SCALE) - 1)
    lower = min(int(share), len(SCALE) - 2)
    mixed = [round(a + (b - a) * (share - lower)) for a, b in zip(SCALE[lower], SCALE[lower + 1], strict=True)]
    return "#{:02X}{:02X}{:02X}".format(*mixed)
