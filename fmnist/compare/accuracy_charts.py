"""How accurate groups are, and how far apart: Plotly figures. No Streamlit, no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fmnist.compare.charts import GREY, accuracy_range, alpha_of_seeds, blank, faded, looks_of
from fmnist.compare.pairs import Pair
from fmnist.compare.published import PublishedResult
from fmnist.compare.sentences import say_interval
from fmnist.models.registry import ARCHITECTURES


def accuracy_by_seed(groups: pd.DataFrame, runs: pd.DataFrame, lines: Sequence[PublishedResult] = ()) -> go.Figure:
    """One row a group: each seed a dot (dead ones crossed), the mean a bar across, with its 95% interval.

    Args:
        groups: columns id, model, name, accuracy_mean, accuracy_low, accuracy_high (NaN for one seed).
        runs: columns group (an id), seed, accuracy, dead.
        lines: accuracies that others reached, drawn across all rows.
    """
    figure = blank(90 + 56 * len(groups), showlegend=False)
    for look, (_, group) in zip(looks_of(groups), groups.iterrows(), strict=True):
        seeds = runs[runs["group"] == group["id"]]
        symbols = np.where(seeds["dead"].astype(bool), "x", look.symbol)
        figure.add_scatter(
            x=seeds["accuracy"],
            y=[look.name] * len(seeds),
            mode="markers",
            name=look.name,
            marker={"color": faded(look.color, alpha_of_seeds(len(seeds))), "symbol": symbols.tolist(), "size": 12},
            customdata=[
                [seed, " (dead: one class for every image)" if dead else ""]
                for seed, dead in zip(seeds["seed"], seeds["dead"], strict=True)
            ],
            hovertemplate="seed %{customdata[0]}: %{x:.2%}%{customdata[1]}<extra></extra>",
        )
        figure.add_scatter(
            x=[group["accuracy_mean"]],
            y=[look.name],
            mode="markers+text",
            name=look.name,
            marker={"color": look.color, "symbol": "line-ns", "size": 26, "line": {"width": 4, "color": look.color}},
            text=[f"{group['accuracy_mean']:.1%}"],
            textposition="top center",
            cliponaxis=False,
            error_x={
                "type": "data",
                "array": [group["accuracy_high"] - group["accuracy_mean"]],
                "thickness": 2,
                "width": 8,
                "color": look.color,
            },
            customdata=[[say_interval(group)]],
            hovertemplate="mean %{x:.2%}%{customdata[0]}<extra></extra>",
        )
    known = [line.accuracy for line in lines]
    figure.update_xaxes(
        title="Test accuracy", tickformat=".0%", range=accuracy_range(pd.Series([*runs["accuracy"], *known]))
    )
    figure.update_yaxes(autorange="reversed", type="category")
    _add_published(figure, lines)
    return figure


def _add_published(figure: go.Figure, results: Sequence[PublishedResult]) -> None:
    """Published accuracies, drawn across all rows and named in rows of their own."""
    # Named in rows: the lines lie closer than names are long.
    for line in sorted(results, key=lambda line: line.accuracy):
        figure.add_scatter(
            x=[line.accuracy],
            y=[line.name],
            mode="markers+text",
            marker={"color": GREY, "symbol": "line-ns", "size": 16, "line": {"width": 3, "color": GREY}},
            text=[f"{line.accuracy:.1%}"],
            textposition="middle right" if line.accuracy < 0.95 else "middle left",
            hovertemplate=f"{line.source}<extra></extra>",
        )
        figure.add_vline(x=line.accuracy, line={"width": 1, "dash": "dot", "color": GREY})
    figure.update_layout(height=figure.layout.height + 34 * len(results))


def differences(pairs: Sequence[Pair]) -> go.Figure:
    """One row a pair with several seeds: the difference of mean accuracies with its 95% interval, 0 marked.

    Filled marks are differences whose interval, which allows for the number of pairs, leaves 0 out; hollow ones may be
    chance. Without an interval: of too few seeds, or of seeds without any spread.
    """
    known = [(pair, pair.difference) for pair in pairs if pair.difference]
    figure = blank(90 + 52 * len(known), showlegend=False)
    for pair, difference in known:
        model = ARCHITECTURES[pair.first.recipe.model]
        holds = difference.seen
        interval = difference.tested and not difference.constant
        figure.add_scatter(
            x=[100 * difference.mean],
            y=[f"{pair.first.title} – {pair.second.title}"],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * (difference.high - difference.mean) if interval else 0],
                "arrayminus": [100 * (difference.mean - difference.low) if interval else 0],
                "thickness": 2.5,
                "width": 7,
                "color": model.color,
            },
            mode="markers",
            marker={
                "symbol": model.symbol if holds else f"{model.symbol}-open",
                "size": 13,
                "color": model.color,
                "line": {"width": 2, "color": model.color},
            },
            customdata=[[pair.sentence]],
            hovertemplate="%{customdata[0]}<extra></extra>",
        )
    figure.add_vline(x=0, line={"width": 1.5, "dash": "dot", "color": GREY})
    figure.update_xaxes(title="Difference in test accuracy, points", zeroline=False, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", type="category")
    return figure
