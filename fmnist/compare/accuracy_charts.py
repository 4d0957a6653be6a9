"""How accurate groups are, and how far apart: Plotly figures. No Streamlit, no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fmnist.compare.charts import GREY, PERCENT, accuracy_range, alpha_of_seeds, blank, faded, looks_of, name_rows
from fmnist.compare.pairs import Pair
from fmnist.compare.published import PublishedResult
from fmnist.compare.sentences import say_interval, say_share
from fmnist.compare.statistics import Difference
from fmnist.models.registry import ARCHITECTURES

ROW, PAIR_ROW = 56, 52
"""Height of a row in pixels: of a group, and of two that are compared."""


def accuracy_by_seed(
    groups: pd.DataFrame, runs: pd.DataFrame, lines: Sequence[PublishedResult] = (), images: str = "test"
) -> go.Figure:
    """One row a group: each run a mark (dead ones crossed), the mean a bar across, with its 95% interval.

    Args:
        groups: columns id, model, name, accuracy_mean, accuracy_low, accuracy_high (NaN for one seed).
        runs: columns group (an id), seed, accuracy, dead.
        lines: published accuracies, drawn across all rows.
        images: on which accuracy was measured: "test" or "held-out".
    """
    figure = blank(90 + ROW * len(groups), showlegend=False)
    for look, (_, group) in zip(looks_of(groups), groups.iterrows(), strict=True):
        seeds = runs[runs["group"] == group["id"]]
        symbols = np.where(seeds["dead"].astype(bool), "x", look.symbol)
        figure.add_scatter(
            x=seeds["accuracy"],
            y=[look.name] * len(seeds),
            mode="markers",
            name=look.name,
            marker={
                "color": faded(look.color, alpha_of_seeds(len(seeds)) * look.opacity),
                "symbol": symbols.tolist(),
                "size": 12,
            },
            customdata=[
                [seed, " (failed to learn: the same answer for every image)" if dead else ""]
                for seed, dead in zip(seeds["seed"], seeds["dead"], strict=True)
            ],
            hovertemplate="seed %{customdata[0]}: %{x:.2%}%{customdata[1]}<extra></extra>",
        )
        figure.add_scatter(
            x=[group["accuracy_mean"]],
            y=[look.name],
            mode="markers+text",
            name=look.name,
            marker={"color": look.ink, "symbol": "line-ns", "size": 26, "line": {"width": 4, "color": look.ink}},
            text=[say_share(group["accuracy_mean"])],
            textposition="top center",
            cliponaxis=False,
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [group["accuracy_high"] - group["accuracy_mean"]],
                "arrayminus": [group["accuracy_mean"] - group["accuracy_low"]],
                "thickness": 2,
                "width": 8,
                "color": look.ink,
            },
            customdata=[[say_interval(group)]],
            hovertemplate="mean %{x:.2%}%{customdata[0]}<extra></extra>",
        )
    figure.update_xaxes(title=f"{images.capitalize()} accuracy", tickformat=PERCENT, range=_range(groups, runs, lines))
    figure.update_yaxes(autorange="reversed", type="category")
    _add_published(figure, lines)
    name_rows(figure, {name: [name] for name in [*groups["name"], *_names(lines)]}, ROW)
    return figure


def _range(groups: pd.DataFrame, runs: pd.DataFrame, lines: Sequence[PublishedResult]) -> list[float]:
    """Where the axis begins and ends. Intervals of two or three runs may be far wider than anything that was measured:
    of these the axis shows as much as leaves the runs apart."""
    seen = pd.Series([*runs["accuracy"], *(line.accuracy for line in lines)])
    room = max(0.05, seen.max() - seen.min())
    ends = pd.concat([groups["accuracy_low"], groups["accuracy_high"]]).dropna()
    return accuracy_range(pd.concat([seen, ends.clip(max(0, seen.min() - room), min(1, seen.max() + room))]))


def _names(results: Sequence[PublishedResult]) -> list[str]:
    """The rows of published accuracies, from above: the lines lie closer than names are long."""
    return [result.name for result in sorted(results, key=lambda result: result.accuracy)]


def _add_published(figure: go.Figure, results: Sequence[PublishedResult]) -> None:
    """Published accuracies, drawn across all rows and named in rows of their own."""
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
        # Below the numbers of the rows that it crosses.
        figure.add_vline(x=line.accuracy, line={"width": 1, "dash": "dot", "color": GREY}, opacity=0.5, layer="below")
    figure.update_layout(height=figure.layout.height + ROW * len(results))


def _points_range(known: Sequence[tuple[Pair, Difference]]) -> list[float]:
    """Where the axis of differences begins and ends: it shows 0, and no mark or whisker is cut."""
    values = [0.0, *(100 * difference.mean for _, difference in known)]
    values += [100 * end for _, difference in known if difference.tested for end in (difference.low, difference.high)]
    room = 0.05 * (max(values) - min(values)) or 1.0
    return [min(values) - room, max(values) + room]


def differences(pairs: Sequence[Pair]) -> go.Figure:
    """One row a pair with several seeds: the difference of mean accuracies with its 95% interval, 0 marked.

    Filled marks are differences whose interval, which allows for the number of pairs, leaves 0 out; hollow ones may be
    chance. Without an interval: of too few seeds, or of seeds without any spread.
    """
    known = [(pair, pair.difference) for pair in pairs if pair.difference]

    def row_of(pair: Pair) -> str:
        return f"{pair.first.title} vs {pair.second.title}"

    figure = blank(90 + PAIR_ROW * len(known), showlegend=False)
    for pair, difference in known:
        model = ARCHITECTURES[pair.first.recipe.model]
        holds = difference.seen
        interval = difference.tested and not difference.constant
        figure.add_scatter(
            x=[100 * difference.mean],
            y=[row_of(pair)],
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
    figure.update_xaxes(title="Difference in points of accuracy", zeroline=False, range=_points_range(known))
    figure.update_yaxes(autorange="reversed", type="category")
    name_rows(figure, {row_of(pair): [pair.first.title, f"vs {pair.second.title}"] for pair, _ in known}, PAIR_ROW)
    return figure
