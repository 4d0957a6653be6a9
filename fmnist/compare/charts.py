"""Data frames and arrays -> Plotly figures. No Streamlit, no torch; nothing is computed here but positions.

A model has the colour and the marker of `registry.ARCHITECTURES` in every figure. Where one model stands there
several times (other recipes), its groups differ in the dash of their lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fmnist import metrics
from fmnist.compare import statistics
from fmnist.compare.pairs import Pair
from fmnist.metrics import TIMES
from fmnist.models.registry import ARCHITECTURES

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
GREY = "#808891"  # Readable on the light and on the dark background.


@dataclass(frozen=True)
class Look:
    """How a group or run is drawn."""

    name: str
    color: str
    symbol: str
    dash: str


def looks(items: Sequence[tuple[str, str]]) -> list[Look]:
    """A look for each (model id, name): colour and marker by model, the dash by how often the model came before."""
    seen: dict[str, int] = {}
    chosen = []
    for model, name in items:
        architecture = ARCHITECTURES[model]
        chosen.append(Look(name, architecture.color, architecture.symbol, DASHES[seen.get(model, 0) % len(DASHES)]))
        seen[model] = seen.get(model, 0) + 1
    return chosen


def blank(height: int, **layout: object) -> go.Figure:
    """An empty figure as all of ours begin, with this height in pixels."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hoverlabel={"align": "left"},
        **layout,
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def _faded(color: str, alpha: float) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


@dataclass(frozen=True)
class Cost:
    """What a model costs: a column of `metrics.summarise`, and how it is shown."""

    column: str
    name: str  # in a choice
    title: str  # of an axis, with the unit
    factor: float  # from the column's unit to the axis'
    form: str  # of a value in the axis' unit

    def say(self, value: float) -> str:
        return "not measured" if np.isnan(value) else self.form.format(value * self.factor)

    @property
    def timed(self) -> bool:
        return self.column in TIMES


COSTS = {
    cost.column: cost
    for cost in (
        Cost("train_seconds", "Training", "Training time in seconds", 1, "{:,.1f} s"),
        Cost("single_seconds", "One answer", "Time to answer one image alone, in microseconds", 1e6, "{:,.1f} µs"),
        Cost("image_seconds", "Many answers", "Time per image in batches of 1,000, in microseconds", 1e6, "{:,.1f} µs"),
        Cost("parameters", "Parameters", "Parameters", 1, "{:,.0f}"),
        Cost("multiply_adds", "Multiply-adds", "Multiply-adds per image", 1, "{:,.0f}"),
    )
}


def accuracy_against(groups: pd.DataFrame, runs: pd.DataFrame, cost: Cost) -> go.Figure:
    """Accuracy against a cost: each seed as a small dot, each group's mean as a large one, and the frontier as a line.

    Seeds that were timed under other conditions than most of their group are left out where the cost is a time.

    Args:
        groups: columns id, model, name, accuracy_mean, conditions, and the cost's; without NaN in it.
        runs: columns group (an id), seed, accuracy, conditions, and the cost's.
    """
    figure = blank(380)
    best = groups[metrics.frontier(groups[cost.column], groups["accuracy_mean"])].sort_values(cost.column)
    figure.add_scatter(
        x=(best[cost.column] * cost.factor).tolist(),
        y=best["accuracy_mean"].tolist(),
        mode="lines",
        line={"color": GREY, "width": 2, "dash": "dot", "shape": "hv"},
        hoverinfo="skip",
        showlegend=False,
    )
    for look, (_, group) in zip(_looks(groups), groups.iterrows(), strict=True):
        seeds = runs[runs["group"] == group["id"]]
        if cost.timed:
            seeds = seeds[seeds["conditions"] == group["conditions"]]
        figure.add_scatter(
            x=seeds[cost.column] * cost.factor,
            y=seeds["accuracy"],
            mode="markers",
            showlegend=False,
            marker={"color": _faded(look.color, 0.45), "symbol": look.symbol, "size": 9},
            customdata=[[seed, cost.say(value)] for seed, value in zip(seeds["seed"], seeds[cost.column], strict=True)],
            name=look.name,
            hovertemplate="seed %{customdata[0]}: %{y:.2%}, %{customdata[1]}<extra>%{fullData.name}</extra>",
        )
        figure.add_scatter(
            x=[group[cost.column] * cost.factor],
            y=[group["accuracy_mean"]],
            mode="markers+text",
            name=look.name,
            marker={"color": look.color, "symbol": look.symbol, "size": 18, "line": {"width": 2, "color": "white"}},
            text=[look.name],
            textposition="top center",
            showlegend=False,
            customdata=[[len(seeds), cost.say(group[cost.column])]],
            hovertemplate="mean of %{customdata[0]}: %{y:.2%}, %{customdata[1]}<extra>%{fullData.name}</extra>",
        )
    values = runs.loc[runs["group"].isin(groups["id"]), cost.column].dropna() * cost.factor
    low, high = values.min(), values.max()
    ticks = [digit * 10.0**power for power in range(-3, 9) for digit in (1, 2, 5)]
    ticks = ticks if high / low < 100 else ticks[::3]
    figure.update_xaxes(
        type="log",
        title=cost.title,
        range=[np.log10(low / 2), np.log10(high * 2)],
        tickvals=ticks,
        ticktext=[f"{tick:,g}" if tick < 1e5 else f"{tick:,.0f}" for tick in ticks],
    )
    figure.update_yaxes(title="Test accuracy", tickformat=".0%", range=_accuracy_range(runs["accuracy"]))
    return figure


def _looks(groups: pd.DataFrame) -> list[Look]:
    return looks(list(zip(groups["model"], groups["name"], strict=True)))


def _accuracy_range(accuracies: pd.Series) -> list[float]:
    low, high = float(accuracies.min()), float(accuracies.max())
    room = max(0.02, 0.15 * (high - low))
    return [max(0.0, low - room), min(1.0, high + room)]


def accuracy_by_seed(groups: pd.DataFrame, runs: pd.DataFrame, lines: Sequence[metrics.Known] = ()) -> go.Figure:
    """One row a group: each seed a dot (dead ones crossed), the mean a bar across, with its 95% interval.

    Args:
        groups: columns id, model, name, accuracy_mean, accuracy_low, accuracy_high (NaN for one seed).
        runs: columns group (an id), seed, accuracy, dead.
        lines: accuracies that others reached, drawn across all rows.
    """
    figure = blank(90 + 56 * len(groups), showlegend=False)
    for look, (_, group) in zip(_looks(groups), groups.iterrows(), strict=True):
        seeds = runs[runs["group"] == group["id"]]
        symbols = np.where(seeds["dead"].astype(bool), "x", look.symbol)
        figure.add_scatter(
            x=seeds["accuracy"],
            y=[look.name] * len(seeds),
            mode="markers",
            name=look.name,
            marker={"color": _faded(look.color, 0.55), "symbol": symbols.tolist(), "size": 12},
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
        title="Test accuracy", tickformat=".0%", range=_accuracy_range(pd.Series([*runs["accuracy"], *known]))
    )
    figure.update_yaxes(autorange="reversed", type="category")
    for line in sorted(
        lines, key=lambda line: line.accuracy
    ):  # Named in rows: the lines lie closer than names are long.
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
    figure.update_layout(height=figure.layout.height + 34 * len(lines))
    return figure


def say_interval(group: pd.Series) -> str:
    """The 95% interval of a group's mean, to be put behind it; nothing for one seed."""
    if np.isnan(group["accuracy_low"]):
        return ""
    return f" (95%: {group['accuracy_low']:.1%} to {group['accuracy_high']:.1%})"


def differences(pairs: Sequence[Pair]) -> go.Figure:
    """One row a pair with several seeds: the difference of mean accuracies with its 95% interval, 0 marked.

    Filled marks are differences that hold after allowing for the number of pairs, hollow ones may be chance.
    """
    known = [(pair, pair.difference) for pair in pairs if pair.difference]
    figure = blank(90 + 52 * len(known), showlegend=False)
    for pair, difference in known:
        model = ARCHITECTURES[pair.first.recipe.model]
        holds = pair.p < statistics.SIGNIFICANT
        figure.add_scatter(
            x=[100 * difference.mean],
            y=[f"{pair.first.title} – {pair.second.title}"],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * (difference.high - difference.mean)],
                "arrayminus": [100 * (difference.mean - difference.low)],
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
            customdata=[[100 * difference.low, 100 * difference.high, statistics.say_p(pair.p)]],
            hovertemplate="%{x:.1f} points (95%: %{customdata[0]:.1f} to %{customdata[1]:.1f}, %{customdata[2]})"
            "<extra></extra>",
        )
    figure.add_vline(x=0, line={"width": 1.5, "dash": "dot", "color": GREY})
    figure.update_xaxes(title="Difference in test accuracy, points", zeroline=False, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


AXES = {"epoch": "Epoch", "step": "Step", "seconds": "Training time in seconds"}
MAX_MARKS = 40  # More marks on a line would hide it.


def learning(
    curves: pd.DataFrame, seeds: pd.DataFrame, groups: Sequence[tuple[str, Look]], axis: str, metric: str
) -> go.Figure:
    """How groups learn: the mean over seeds as a line with its 95% interval as a band, single seeds as thin lines.

    Args:
        curves: `statistics.mean_curves`, of one split.
        seeds: columns group, run, epoch, step, seconds and the metric, of the same split.
        groups: id and look of each.
        axis: a key of `AXES`.
        metric: "loss" or "accuracy".
    """
    figure = blank(380, hovermode="closest")
    form = "{:.1%}" if metric == "accuracy" else "{:.3f}"
    for id, look in groups:
        mean, single = curves[curves["group"] == id], seeds[seeds["group"] == id]
        shared = {"legendgroup": id, "showlegend": False, "hoverinfo": "skip", "mode": "lines"}
        if single["run"].nunique() > 1:
            # The seeds of a group are one trace with gaps: a trace each takes seconds with a hundred seeds.
            x, y = [], []
            for _, run in single.groupby("run", sort=False):
                x += [*run[axis], None]
                y += [*run[metric], None]
            figure.add_scatter(x=x, y=y, line={"color": _faded(look.color, 0.4), "width": 1}, **shared)
            figure.add_scatter(
                x=[*mean[axis], *mean[axis][::-1]],
                y=[*mean["high"], *mean["low"][::-1]],
                fill="toself",
                fillcolor=_faded(look.color, 0.15),
                line={"width": 0},
                **shared,
            )
        figure.add_scatter(
            x=mean[axis].tolist(),
            y=mean["mean"].tolist(),
            mode="lines+markers" if len(mean) <= MAX_MARKS else "lines",
            name=look.name,
            legendgroup=id,
            line={"color": look.color, "dash": look.dash, "width": 2.5},
            marker={"symbol": look.symbol, "size": 10, "line": {"width": 1.5, "color": "white"}},
            text=[
                form.format(value) + ("" if np.isnan(low) else f" (95%: {form.format(low)} to {form.format(high)})")
                for value, low, high in zip(mean["mean"], mean["low"], mean["high"], strict=True)
            ],
            hovertemplate="%{text}<br>" + axis + " %{x:,.4~g}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title=AXES[axis], dtick=1 if axis == "epoch" and curves["epoch"].max() <= 12 else None)
    figure.update_yaxes(
        title={"loss": "Loss (cross-entropy)", "accuracy": "Accuracy"}[metric],
        tickformat=".0%" if metric == "accuracy" else None,
        # A dead run's line is flat: Plotly would draw it in the middle of -90% to 110%.
        autorangeoptions={"clipmin": 0, "clipmax": 1 if metric == "accuracy" else None},
    )
    return figure


def bars(groups: pd.DataFrame, cost: Cost) -> go.Figure:
    """A cost, one horizontal bar a group; hatched where it is a time that can't be compared with the others.

    Args:
        groups: columns model, name, conditions, comparable (bool), and the cost's.
    """
    figure = blank(70 + 44 * len(groups), showlegend=False)
    values = groups[cost.column].fillna(0) * cost.factor
    texts = [cost.say(value) for value in groups[cost.column]]
    hatched = cost.timed & ~groups["comparable"]
    figure.add_bar(
        x=values,
        y=groups["name"],
        orientation="h",
        text=[f"{text} *" if other else text for text, other in zip(texts, hatched, strict=True)],
        textposition="outside",
        cliponaxis=False,
        marker={
            "color": [ARCHITECTURES[model].color for model in groups["model"]],
            "pattern": {"shape": ["/" if other else "" for other in hatched], "fgcolor": "white", "solidity": 0.35},
        },
        customdata=[f"<br>{conditions}" if cost.timed else "" for conditions in groups["conditions"]],
        hovertemplate="%{y}: %{text}%{customdata}<extra></extra>",
    )
    figure.update_xaxes(title=cost.title, range=[0, max(values) * 1.3 or 1], showticklabels=False, zeroline=False)
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


SCORES = {"recall": "Recall", "precision": "Precision", "f1": "F1"}


def class_scores(scores: Sequence[pd.DataFrame], groups: Sequence[Look], classes: Sequence[str]) -> go.Figure:
    """Recall, precision and F1 of each class side by side, a mark for each group: the hardest class first.

    Args:
        scores: `statistics.mean_class_scores` of each group.
        classes: their names.
    """
    recall = np.mean([table["recall"] for table in scores], axis=0)
    order = np.argsort(recall, kind="stable")
    names = [classes[index] for index in order]
    figure = make_subplots(
        1, len(SCORES), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=[*SCORES.values()]
    )
    figure.update_layout(blank(470).layout)
    for column, score in enumerate(SCORES, start=1):
        values = np.array([table[score] for table in scores])[:, order]
        for index, name in enumerate(names):
            figure.add_scatter(
                x=[np.nanmin(values[:, index]), np.nanmax(values[:, index])] if len(values) > 1 else [],
                y=[name, name],
                mode="lines",
                line={"color": GREY, "width": 1},
                hoverinfo="skip",
                showlegend=False,
                row=1,
                col=column,
            )
        for look, row in zip(groups, values, strict=True):
            figure.add_scatter(
                x=row,
                y=names,
                mode="markers",
                name=look.name,
                legendgroup=look.name,
                showlegend=column == 1,
                marker={"color": look.color, "symbol": look.symbol, "size": 11, "line": {"width": 1, "color": "white"}},
                hovertemplate="%{y}: " + SCORES[score] + " %{x:.1%}<extra>%{fullData.name}</extra>",
                row=1,
                col=column,
            )
    figure.update_xaxes(tickformat=".0%", range=[-0.04, 1.04], tickvals=[0.25, 0.5, 0.75], automargin=True)
    figure.update_yaxes(autorange="reversed", type="category", automargin=True)
    figure.update_layout(margin={"t": 60}, legend={"y": 1.09})
    return figure


def reliability(tables: Sequence[pd.DataFrame], groups: Sequence[Look]) -> go.Figure:
    """How often answers are right, by how sure the model says it is; the diagonal is a model that means what it says.

    Args:
        tables: `statistics.calibration` of each group.
    """
    figure = blank(400, hovermode="closest")
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": GREY, "dash": "dot", "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )
    for look, table in zip(groups, tables, strict=True):
        seen = table[table["images"] > 0]
        figure.add_scatter(
            x=seen["confidence"],
            y=seen["accuracy"],
            mode="lines+markers",
            name=look.name,
            line={"color": look.color, "dash": look.dash, "width": 2},
            marker={"symbol": look.symbol, "size": 9},
            customdata=seen["images"],
            hovertemplate="%{x:.0%} sure: %{y:.1%} right<br>%{customdata:,} answers<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="How sure the model says it is", tickformat=".0%", range=[0, 1.02])
    figure.update_yaxes(title="How often it is right", tickformat=".0%", range=[0, 1.04])
    return figure


MAX_POINTS = 200


def selective(tables: Sequence[pd.DataFrame], groups: Sequence[Look]) -> go.Figure:
    """Accuracy on the share of images that are answered when the least sure ones are left out.

    Args:
        tables: `statistics.selective_accuracy` of each group.
    """
    figure = blank(400, hovermode="closest")
    for look, table in zip(groups, tables, strict=True):
        # A point for each confidence would be 50,000; under a hundredth of the images there is only noise to see.
        wanted = np.linspace(0.01, 1, MAX_POINTS)
        rows = np.unique(np.searchsorted(table["share"], wanted).clip(max=len(table) - 1))
        shown = table.iloc[rows]
        figure.add_scatter(
            x=shown["share"],
            y=shown["accuracy"],
            mode="lines",
            name=look.name,
            line={"color": look.color, "dash": look.dash, "width": 2.5},
            customdata=shown["confidence"],
            hovertemplate="the surest %{x:.0%}: %{y:.1%} right<br>at least %{customdata:.0%} sure"
            "<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="Share that is answered, the surest first", tickformat=".0%", range=[0, 1.02])
    figure.update_yaxes(title="Accuracy on them", tickformat=".0%", autorangeoptions={"clipmax": 1})
    return figure


def probabilities(
    values: np.ndarray, model: str, classes: Sequence[str], spread: np.ndarray | None = None
) -> go.Figure:
    """Ten probabilities as bars on the scale from 0 to 1; the largest in full colour.

    Args:
        values: float (10,).
        classes: their names, short.
        spread: float (2, 10), lowest and highest over seeds, drawn as lines.
    """
    color = ARCHITECTURES[model].color
    top = int(np.argmax(values))
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
        marker={"color": [color if index == top else _faded(color, 0.45) for index in range(len(values))]},
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    figure.update_layout(margin={"t": 8})
    figure.update_xaxes(range=[0, 1.08], tickformat=".0%", tickvals=[0, 0.5, 1], fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True, type="category")  # Classes may be called by numbers.
    return figure


def counts(train: np.ndarray, test: np.ndarray, classes: Sequence[str]) -> go.Figure:
    """Images per class, int (10,) each, with the classes' names."""
    figure = blank(340, barmode="group")
    for values, name, color in ((train, "Training", "#5B6B82"), (test, "Test", "#A9B6C8")):
        figure.add_bar(
            x=values,
            y=classes,
            orientation="h",
            name=name,
            marker={"color": color},
            text=[f"{value:,}" for value in values],
            hovertemplate="%{y}: %{x:,} images<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="Images")
    figure.update_yaxes(autorange="reversed", type="category")
    return figure
