"""What all charts share - colours, markers, empty figures - and the simple ones. No Streamlit, no torch.

Charts are made of data frames and arrays, and compute nothing but positions. `accuracy_charts`, `calibration_charts`,
`class_chart`, `confusion_charts`, `cost_charts`, `learning_chart` and `sweep_chart` hold the others.

A model has the colour and the marker of `registry.ARCHITECTURES` in every figure. Where one model stands there
several times (other recipes, or the reference), its groups differ in the dash of their lines, the pattern of their bars
and the opacity of their marks; and each mark, bar and line is named.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fmnist.models.registry import ARCHITECTURES

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
PATTERNS = ("", ".", "x", "-", "+")  # "/" is for times that can't be compared.
OPACITIES = (1.0, 0.5)
GREY = "#808891"  # Readable on the light and on the dark background.
ABOVE, BELOW = "#2F7FC1", "#C8651B"  # Of 0. Blue and orange: told apart by everybody.
PAPER = {True: "#1B212B", False: "#FFFFFF"}  # By whether the page is dark: what is 0, between these two.


PERCENT = ".2~%"
"""How an axis names shares: "85%", and "85.5%" where it shows but a few per cent."""


@dataclass(frozen=True)
class Look:
    """How a group or run is drawn."""

    name: str
    color: str
    symbol: str
    dash: str
    pattern: str = ""
    opacity: float = 1.0

    @property
    def ink(self) -> str:
        """The colour of marks and bars."""
        return self.color if self.opacity == 1 else faded(self.color, self.opacity)


def looks(items: Sequence[tuple[str, str]]) -> list[Look]:
    """A look for each (model id, name): colour and marker by model, the rest by how often the model came before."""
    seen: dict[str, int] = {}
    chosen = []
    for model, name in items:
        architecture, place = ARCHITECTURES[model], seen.get(model, 0)
        dash, pattern = (kinds[place % len(kinds)] for kinds in (DASHES, PATTERNS))
        opacity = OPACITIES[min(place, len(OPACITIES) - 1)]
        chosen.append(Look(name, architecture.color, architecture.symbol, dash, pattern, opacity))
        seen[model] = place + 1
    return chosen


TOOLBAR = 36
"""Pixels above a plot for Plotly's toolbar, which lies on whatever stands there: on a phone, always."""
LEGEND = 20
"""More of them where there is a legend, which stands below the toolbar."""


def blank(height: int, **layout: object) -> go.Figure:
    """An empty figure as all of ours begin, with this height in pixels."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": TOOLBAR + LEGEND * (layout.get("showlegend") is not False), "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hoverlabel={"align": "left"},
        **layout,
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def faded(color: str, alpha: float) -> str:
    """A colour such as "#3366CC" that lets through what is behind it."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def alpha_of_seeds(count: int) -> float:
    """How much is seen of the mark of a single seed: less where so many lie on each other that they show a density."""
    return 0.5 if count <= 20 else 0.3


def looks_of(groups: pd.DataFrame) -> list[Look]:
    """`looks` of a table of groups: its columns model and name."""
    return looks(list(zip(groups["model"], groups["name"], strict=True)))


def accuracy_range(accuracies: pd.Series) -> list[float]:
    """Where an axis begins and ends that shows these accuracies: shares of 1."""
    low, high = float(accuracies.min()), float(accuracies.max())
    room = max(0.02, 0.15 * (high - low))
    return [max(0.0, low - room), min(1.0, high + room)]


MAX_NAME = 25
"""Characters of a line of a row's name: more would leave no room for the chart on a phone."""
LINE_HEIGHT = 16


def name_rows(figure: go.Figure, rows: Mapping[str, Sequence[str]], row_height: int) -> None:
    """Write the names of a chart's rows beside them, long ones in several lines, for which the rows get higher.

    Args:
        rows: what each row is called, by its category; several names stand below each other.
        row_height: in pixels, where the names are short.
    """
    lines = [[line for name in names for line in textwrap.wrap(name, MAX_NAME)] for names in rows.values()]
    most = max((len(name) for name in lines), default=1)
    figure.update_layout(height=figure.layout.height + len(rows) * max(0, LINE_HEIGHT * most + 6 - row_height))
    figure.update_yaxes(tickvals=list(rows), ticktext=["<br>".join(name) for name in lines])


def in_short_lines(name: str) -> str:
    """A name to stand beside a mark: in two lines short enough for a phone, of which the last may end with "…"."""
    return "<br>".join(textwrap.wrap(name, MAX_NAME, max_lines=2, placeholder=" …"))


def probabilities(
    values: np.ndarray, answer: int, model: str, classes: Sequence[str], spread: np.ndarray | None = None
) -> go.Figure:
    """Ten probabilities as bars on the scale from 0 to 1; that of the answer in full colour.

    Args:
        values: float (10,).
        answer: the class that is predicted.
        classes: their names, short.
        spread: float (2, 10), lowest and highest over seeds, drawn as lines.
    """
    color = ARCHITECTURES[model].color
    figure = blank(330, showlegend=False)
    errors = None
    if spread is not None:
        errors = {
            "type": "data",
            "symmetric": False,
            "array": spread[1] - values,
            "arrayminus": values - spread[0],
            "thickness": 1,
            "width": 0,
            "color": GREY,
        }
    figure.add_bar(
        x=values,
        y=classes,
        orientation="h",
        error_x=errors,
        marker={"color": [color if index == answer else faded(color, 0.45) for index in range(len(values))]},
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    figure.update_layout(margin={"t": 8})
    figure.update_xaxes(range=[0, 1.08], tickformat=".0%", tickvals=[0, 0.5, 1], fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True, type="category")  # Classes may be called by numbers.
    return figure


def counts(splits: Mapping[str, np.ndarray], classes: Sequence[str]) -> go.Figure:
    """Images per class, int (10,) for "Training" and "Test" or one of them, with the classes' names."""
    figure = blank(80 + 2 * LINE_HEIGHT * len(classes), barmode="group", bargap=0.1)
    for name, values in splits.items():
        figure.add_bar(
            x=values,
            y=classes,
            orientation="h",
            name=name,
            marker={"color": {"Training": "#5B6B82", "Test": "#A9B6C8"}[name]},
            text=[f"{value:,}" for value in values],
            textposition="outside",
            constraintext="none",
            textfont={"size": 11},
            hovertemplate="%{y}: %{x:,} images<extra>%{fullData.name}</extra>",
        )
    most = max(int(values.max()) for values in splits.values())
    figure.update_xaxes(title="Images", range=[0, 1.2 * most])
    figure.update_yaxes(autorange="reversed", type="category")
    return figure
