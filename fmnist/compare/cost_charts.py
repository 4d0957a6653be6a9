"""What models cost - time, parameters, multiply-adds - beside their accuracy. No Streamlit, no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fmnist.compare.charts import (
    GREY,
    PERCENT,
    Look,
    accuracy_range,
    alpha_of_seeds,
    blank,
    faded,
    in_short_lines,
    looks_of,
    name_rows,
)
from fmnist.compare.summary import frontier
from fmnist.store.run import TIMES

ELSEWHERE = "timed under different conditions"


@dataclass(frozen=True)
class Cost:
    """What a model costs: a column of `summary.summarise`, and how it is shown."""

    column: str
    name: str  # in a choice
    title: str  # of an axis, with the unit
    factor: float  # from the column's unit to the axis'
    form: str  # of a value in the axis' unit
    unknown: str = "not measured"  # what is said where there is no value

    def say(self, value: float) -> str:
        return self.unknown if np.isnan(value) else self.form.format(value * self.factor)

    @property
    def timed(self) -> bool:
        return self.column in TIMES

    def compared(self, groups: pd.DataFrame) -> pd.Series:
        """Which groups can be compared in it, bool: those of which it is known, and times under the same conditions.

        Args:
            groups: columns comparable (bool), and this one.
        """
        return groups[self.column].notna() & (groups["comparable"] | (not self.timed))


COSTS = {
    cost.column: cost
    for cost in (
        Cost("train_seconds", "Training", "Training time in seconds", 1, "{:,.1f} s"),
        Cost("single_seconds", "Single image", "Time to classify a single image, in microseconds", 1e6, "{:,.1f} µs"),
        Cost("image_seconds", "Many images", "Time per image in batches of 1,000, in microseconds", 1e6, "{:,.1f} µs"),
        Cost("parameters", "Parameters", "Parameters", 1, "{:,.0f}"),
        Cost("multiply_adds", "Multiply-adds", "Multiply-adds per image", 1, "{:,.0f}", "not counted"),
    )
}


ROW = 44  # Of the bars, the height in pixels.
HOVER = ": %{y:.2%}, %{customdata[1]}%{customdata[2]}<extra>%{fullData.name}</extra>"


def accuracy_against(groups: pd.DataFrame, runs: pd.DataFrame, cost: Cost, images: str = "test") -> go.Figure:
    """Accuracy against a cost: each seed as a small dot, each group's mean as a large one, and the frontier as a line.

    Where the cost is a time, hollow marks were timed under different conditions: groups that can't be compared with the
    rest, which the frontier leaves out, and seeds that their group's mean leaves out.

    Args:
        groups: columns id, model, name, seeds, accuracy_mean, conditions, comparable (bool), and the cost's, which is
            known of each.
        runs: columns group (an id), seed, accuracy, conditions, and the cost's.
        images: on which accuracy was measured: "test" or "held-out".
    """
    figure = blank(380, showlegend=False)
    compared = cost.compared(groups)
    alike = groups[compared]
    best = alike[frontier(alike[cost.column], alike["accuracy_mean"])].sort_values(cost.column)
    figure.add_scatter(
        x=(best[cost.column] * cost.factor).tolist(),
        y=best["accuracy_mean"].tolist(),
        mode="lines",
        line={"color": GREY, "width": 2, "dash": "dot", "shape": "hv"},
        hoverinfo="skip",
        showlegend=False,
    )
    for look, apart, (_, group) in zip(looks_of(groups), ~compared, groups.iterrows(), strict=True):
        seeds = runs[(runs["group"] == group["id"]) & runs[cost.column].notna()]
        other = cost.timed & (apart | (seeds["conditions"] != group["conditions"]))
        _add_seeds(figure, cost, look, seeds, other)
        _add_mean(figure, cost, look, group, apart)
    _scale(figure, cost, runs.loc[runs["group"].isin(groups["id"]), cost.column].dropna() * cost.factor)
    figure.update_yaxes(
        title=f"{images.capitalize()} accuracy", tickformat=PERCENT, range=accuracy_range(runs["accuracy"])
    )
    _make_room(figure)
    return figure


def _make_room(figure: go.Figure) -> None:
    """Where names are long, let those of the marks on the left and on the right begin and end there: on a phone they
    would be cut. One that would lie on the name of a mark just above stands below its own."""
    means = sorted(figure.select_traces({"mode": "markers+text"}), key=lambda mean: -mean.y[0])
    if not any("<br>" in mean.text[0] for mean in means):
        return
    left, right = figure.layout.xaxis.range
    low, high = figure.layout.yaxis.range
    figure.update_yaxes(range=[low, high + 0.2 * (high - low)])
    above = np.inf
    for mean in means:
        where, side = mean.textposition.split()
        if above - mean.y[0] < 0.25 * (high - low):
            where = "bottom"
        place = (np.log10(mean.x[0]) - left) / (right - left)
        if not 0.35 <= place <= 0.65:
            side = "right" if place < 0.5 else "left"
        mean.textposition = f"{where} {side}"
        above = mean.y[0]


def _add_seeds(figure: go.Figure, cost: Cost, look: Look, seeds: pd.DataFrame, apart: pd.Series) -> None:
    """A mark for each seed of a group; `apart` says which of them were timed under different conditions."""
    symbols = np.where(apart, f"{look.symbol}-open", look.symbol)
    figure.add_scatter(
        x=seeds[cost.column] * cost.factor,
        y=seeds["accuracy"],
        mode="markers",
        showlegend=False,
        marker={
            "color": faded(look.color, alpha_of_seeds(len(seeds)) * look.opacity),
            "symbol": symbols.tolist(),
            "size": 9,
        },
        customdata=[
            [seed, cost.say(value), f", {ELSEWHERE}" * elsewhere]
            for seed, value, elsewhere in zip(seeds["seed"], seeds[cost.column], apart, strict=True)
        ],
        name=look.name,
        hovertemplate="seed %{customdata[0]}" + HOVER,
    )


def _add_mean(figure: go.Figure, cost: Cost, look: Look, group: pd.Series, apart: bool) -> None:
    """A large mark for a group, hollow where it was timed under different conditions."""
    figure.add_scatter(
        x=[group[cost.column] * cost.factor],
        y=[group["accuracy_mean"]],
        mode="markers+text",
        name=look.name,
        marker={
            "color": look.ink,
            "symbol": f"{look.symbol}-open" if apart else look.symbol,
            "size": 18,
            "line": {"width": 2, "color": look.ink if apart else "white"},
        },
        text=[in_short_lines(look.name)],
        textposition="top center" if look.opacity == 1 else "bottom center",  # Beside it, they often lie close.
        cliponaxis=False,  # The name of the best one may stand above the axis.
        showlegend=False,
        customdata=[[len(group["seeds"]), cost.say(group[cost.column]), f", {ELSEWHERE}" * apart]],
        hovertemplate="mean of %{customdata[0]}" + HOVER,
    )


def _scale(figure: go.Figure, cost: Cost, values: pd.Series) -> None:
    """A logarithmic axis of a cost that has room for these values, in the cost's unit."""
    low, high = values.min(), values.max()
    ticks = [digit * 10.0**power for power in range(-3, 9) for digit in (1, 2, 5)]
    ticks = ticks if high / low < 100 else ticks[::3]
    figure.update_xaxes(
        type="log",
        title=f"{cost.title} (log scale)",
        range=[np.log10(low / 2), np.log10(high * 2)],
        tickvals=ticks,
        ticktext=[f"{tick:,g}" if tick < 1e5 else f"{tick:,.0f}" for tick in ticks],
    )


def bars(groups: pd.DataFrame, cost: Cost) -> go.Figure:
    """A cost, one horizontal bar a group; hatched where it is a time that can't be compared with the others.

    Args:
        groups: columns model, name, conditions, comparable (bool), and the cost's.
    """
    figure = blank(70 + ROW * len(groups), showlegend=False)
    values = groups[cost.column].fillna(0) * cost.factor
    texts = [cost.say(value) for value in groups[cost.column]]
    hatched = cost.timed & ~groups["comparable"]
    drawn = looks_of(groups)
    figure.add_bar(
        x=values,
        y=groups["name"],
        orientation="h",
        text=[f"{text} *" if other else text for text, other in zip(texts, hatched, strict=True)],
        textposition="outside",
        cliponaxis=False,
        marker={
            "color": [look.ink for look in drawn],
            "pattern": {
                "shape": ["/" if other else look.pattern for other, look in zip(hatched, drawn, strict=True)],
                "fgcolor": "white",
                "solidity": 0.35,
            },
        },
        customdata=[f"<br>{conditions}" if cost.timed else "" for conditions in groups["conditions"]],
        hovertemplate="%{y}: %{text}%{customdata}<extra></extra>",
    )
    figure.update_xaxes(title=cost.title, range=[0, max(values) * 1.3 or 1], showticklabels=False, zeroline=False)
    figure.update_yaxes(autorange="reversed", type="category")
    name_rows(figure, {name: [name] for name in groups["name"]}, ROW)
    return figure
