"""Data frames and arrays -> Plotly figures. No Streamlit, no torch; nothing is computed here but positions.

A model has the colour and the marker of `models.ARCHITECTURES` in every figure. Where one model stands there
several times (other recipes), its groups differ in the dash of their lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fmnist import certainty
from fmnist.data import CLASS_NAMES
from fmnist.models import ARCHITECTURES
from fmnist.pairs import Pair

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SHORT_NAMES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot")
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


def _figure(height: int, **layout: object) -> go.Figure:
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


def accuracy_against_time(groups: pd.DataFrame, runs: pd.DataFrame) -> go.Figure:
    """Each seed as a small dot, each group's mean as a large one.

    Args:
        groups: columns id, model, name, accuracy_mean, train_seconds.
        runs: columns group (an id), seed, accuracy, train_seconds.
    """
    figure = _figure(360)
    for look, (_, group) in zip(looks(list(zip(groups["model"], groups["name"]))), groups.iterrows(), strict=True):  # noqa: B905
        seeds = runs[runs["group"] == group["id"]]
        figure.add_scatter(
            x=seeds["train_seconds"],
            y=seeds["accuracy"],
            mode="markers",
            showlegend=False,
            marker={"color": _faded(look.color, 0.45), "symbol": look.symbol, "size": 9},
            customdata=seeds["seed"].tolist(),
            name=look.name,
            hovertemplate="seed %{customdata}: %{y:.2%} in %{x:.1f} s<extra>%{fullData.name}</extra>",
        )
        figure.add_scatter(
            x=[group["train_seconds"]],
            y=[group["accuracy_mean"]],
            mode="markers+text",
            name=look.name,
            marker={"color": look.color, "symbol": look.symbol, "size": 18, "line": {"width": 2, "color": "white"}},
            text=[look.name],
            textposition="middle right" if len(groups) < 2 else "bottom center",
            showlegend=False,
            hovertemplate="mean of " + str(len(seeds)) + ": %{y:.2%} in %{x:.1f} s<extra>%{fullData.name}</extra>",
        )
    low, high = runs["train_seconds"].min(), runs["train_seconds"].max()
    ticks = [digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5)]
    ticks = ticks if high / low < 30 else ticks[::3]
    figure.update_xaxes(
        type="log",
        title="Training time in seconds",
        range=[np.log10(low / 2), np.log10(high * 2)],
        tickvals=ticks,
        ticktext=[f"{tick:,g}" for tick in ticks],
    )
    figure.update_yaxes(title="Test accuracy", tickformat=".0%", range=_accuracy_range(runs["accuracy"]))
    return figure


def _accuracy_range(accuracies: pd.Series) -> list[float]:
    low, high = float(accuracies.min()), float(accuracies.max())
    room = max(0.02, 0.15 * (high - low))
    return [max(0.0, low - room), min(1.0, high + room)]


def accuracy_by_seed(groups: pd.DataFrame, runs: pd.DataFrame) -> go.Figure:
    """One row a group: each seed a dot (dead ones crossed), the mean a bar across, with its 95 % interval.

    Args: as `accuracy_against_time`; groups also has accuracy_high (NaN for one seed), runs the column dead.
    """
    figure = _figure(90 + 56 * len(groups), showlegend=False)
    for look, (_, group) in zip(looks(list(zip(groups["model"], groups["name"]))), groups.iterrows(), strict=True):  # noqa: B905
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
    figure.update_xaxes(title="Test accuracy", tickformat=".0%", range=_accuracy_range(runs["accuracy"]))
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def say_interval(group: pd.Series) -> str:
    """The 95 % interval of a group's mean, to be put behind it; nothing for one seed."""
    if np.isnan(group["accuracy_low"]):
        return ""
    return f" (95 %: {group['accuracy_low']:.1%} to {group['accuracy_high']:.1%})"


def differences(pairs: Sequence[Pair]) -> go.Figure:
    """One row a pair with several seeds: the difference of mean accuracies with its 95 % interval, 0 marked.

    Filled marks are differences that hold after allowing for the number of pairs, hollow ones may be chance.
    """
    known = [(pair, pair.difference) for pair in pairs if pair.difference]
    figure = _figure(90 + 52 * len(known), showlegend=False)
    for pair, difference in known:
        model = ARCHITECTURES[pair.first.recipe.model]
        holds = pair.p < certainty.SIGNIFICANT
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
            customdata=[[100 * difference.low, 100 * difference.high, certainty.say_p(pair.p)]],
            hovertemplate="%{x:.1f} points (95 %: %{customdata[0]:.1f} to %{customdata[1]:.1f}, %{customdata[2]})"
            "<extra></extra>",
        )
    figure.add_vline(x=0, line={"width": 1.5, "dash": "dot", "color": GREY})
    figure.update_xaxes(title="Difference in test accuracy, points", zeroline=False, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


@dataclass(frozen=True)
class Curve:
    """A run to be drawn: its address in the history, its own name, and the look that it shares with its group."""

    run: str
    name: str
    look: Look


def by_epoch(history: pd.DataFrame, runs: Sequence[Curve], metric: str) -> go.Figure:
    """Test results after each epoch, a line a run; one trace and one entry in the legend a group.

    Args:
        history: columns run, split, epoch, loss, accuracy.
        metric: "loss" or "accuracy".
    """
    figure = _figure(380, hovermode="closest")
    values = ".1%" if metric == "accuracy" else ".3f"
    test = history[history["split"] == "test"].sort_values("epoch")
    points = {run: (part["epoch"].tolist(), part[metric].tolist()) for run, part in test.groupby("run")}
    for look in dict.fromkeys(curve.look for curve in runs):
        # The lines of a group are one trace with gaps: a trace each takes seconds with a hundred seeds.
        x, y, names = [], [], []
        for curve in runs:
            if curve.look == look:
                epochs, results = points.get(curve.run, ([], []))
                x += [*epochs, None]
                y += [*results, None]
                names += [curve.name] * (len(epochs) + 1)
        figure.add_scatter(
            x=x,
            y=y,
            customdata=names,
            mode="lines+markers",
            name=look.name,
            line={"color": look.color, "dash": look.dash, "width": 2.5},
            marker={"symbol": look.symbol, "size": 10, "line": {"width": 1.5, "color": "white"}},
            hovertemplate=f"%{{y:{values}}} after epoch %{{x}}<extra>%{{customdata}}</extra>",
        )
    figure.update_xaxes(title="Epoch", dtick=1 if history["epoch"].max() <= 12 else None)
    figure.update_yaxes(
        title={"loss": "Loss (cross-entropy)", "accuracy": "Accuracy"}[metric],
        tickformat=".0%" if metric == "accuracy" else None,
        # A dead run's line is flat: Plotly would draw it in the middle of -90 % to 110 %.
        autorangeoptions={"clipmin": 0, "clipmax": 1 if metric == "accuracy" else None},
    )
    return figure


def bars(
    names: Sequence[str], models: Sequence[str], values: Sequence[float], title: str, texts: Sequence[str]
) -> go.Figure:
    """One horizontal bar a group, labelled with `texts`."""
    figure = _figure(70 + 44 * len(names), showlegend=False)
    figure.add_bar(
        x=list(values),
        y=list(names),
        orientation="h",
        text=list(texts),
        textposition="outside",
        cliponaxis=False,
        marker={"color": [ARCHITECTURES[model].color for model in models]},
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    figure.update_xaxes(title=title, range=[0, max(values, default=1) * 1.3], showticklabels=False, zeroline=False)
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def class_accuracy(shares: np.ndarray, runs: Sequence[Look]) -> go.Figure:
    """Of each class the share recognised, one marker a run: classes from the hardest to the easiest.

    Args:
        shares: float (runs, 10).
    """
    order = np.argsort(shares.mean(axis=0))
    names = [CLASS_NAMES[index] for index in order]
    figure = _figure(430)
    for index, name in zip(order, names, strict=True):
        figure.add_scatter(
            x=[shares[:, index].min(), shares[:, index].max()],
            y=[name, name],
            mode="lines",
            line={"color": GREY, "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
    for look, row in zip(runs, shares, strict=True):
        figure.add_scatter(
            x=row[order],
            y=names,
            mode="markers",
            name=look.name,
            marker={"color": look.color, "symbol": look.symbol, "size": 12, "line": {"width": 1, "color": "white"}},
            hovertemplate="%{y}: %{x:.1%} recognised<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="Share of the class that is recognised", tickformat=".0%", range=[-0.02, 1.02])
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def confusion(
    matrix: np.ndarray, shares: np.ndarray, *, as_shares: bool, cell: tuple[int, int] | None, dark: bool
) -> go.Figure:
    """A confusion matrix whose cells can be clicked: rows are the true class, columns the predicted one.

    The colours are shares of the true class, from 0 to 1 in every figure, so that figures can be compared;
    their square root, so that the errors can be seen beside the diagonal.

    Args:
        matrix: counts, int (10, 10).
        shares: `evaluation.row_shares` of it.
        as_shares: which of the two the cells say.
        cell: a (true, predicted) cell to mark.
        dark: whether the page is dark, so that an empty cell fades into it.
    """
    figure = _matrix(cell)
    rows, columns = (part.ravel() for part in np.indices(matrix.shape))
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
            f"true: {CLASS_NAMES[row]}<br>predicted: {CLASS_NAMES[column]}<br>"
            f"{matrix[row, column]:,} of {matrix[row].sum():,} ({shares[row, column]:.1%})"
            for row, column in zip(rows, columns, strict=True)
        ],
    )
    return figure


def confusion_difference(change: np.ndarray, *, cell: tuple[int, int] | None, dark: bool) -> go.Figure:
    """The difference of two confusion matrices, in images: what became more often is one colour, less often another.

    Colours say how often, not whether it is good: on the diagonal more is better, beside it less.

    Args:
        change: int (10, 10), second minus first; rows sum to 0.
        cell, dark: as for `confusion`.
    """
    figure = _matrix(cell)
    limit = max(1, int(np.abs(change).max()))
    middle = "#1B212B" if dark else "#FFFFFF"
    figure.add_heatmap(
        z=np.sign(change) * np.sqrt(np.abs(change) / limit),
        zmin=-1,
        zmax=1,
        colorscale=[(0.0, "#C8651B"), (0.5, middle), (1.0, "#2F7FC1")],  # Orange and blue: told apart by everybody.
        text=np.vectorize(lambda count: f"{count:+,}".replace("-", "−") if count else "")(change),
        **HEATMAP,
    )
    rows, columns = (part.ravel() for part in np.indices(change.shape))
    _clickable(
        figure,
        [
            f"true: {CLASS_NAMES[row]}<br>predicted: {CLASS_NAMES[column]}<br>{change[row, column]:+,} images"
            for row, column in zip(rows, columns, strict=True)
        ],
    )
    return figure


HEATMAP = {"showscale": False, "xgap": 1, "ygap": 1, "texttemplate": "%{text}", "hoverinfo": "skip"}


def _matrix(cell: tuple[int, int] | None) -> go.Figure:
    """Axes for a confusion matrix, with a cell marked."""
    figure = _figure(430, hovermode="closest", hoverdistance=-1, dragmode=False, showlegend=False)
    figure.update_layout(margin={"l": 0, "r": 0, "t": 4, "b": 0})
    if cell:
        row, column = cell
        box = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
        figure.add_shape(type="rect", **box, line={"color": "#D81B60", "width": 3})
    ticks = {
        "tickvals": list(range(10)),
        "ticktext": SHORT_NAMES,
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
    return f"{share:.0%}" if as_shares else f"{count}"


def probabilities(values: np.ndarray, model: str, spread: np.ndarray | None = None) -> go.Figure:
    """Ten probabilities as bars on the scale from 0 to 1; the largest in full colour.

    Args:
        values: float (10,).
        spread: float (2, 10), lowest and highest over seeds, drawn as lines.
    """
    color = ARCHITECTURES[model].color
    top = int(np.argmax(values))
    figure = _figure(330, showlegend=False)
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
        y=SHORT_NAMES,
        orientation="h",
        error_x=errors,
        marker={"color": [color if index == top else _faded(color, 0.45) for index in range(len(values))]},
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    figure.update_layout(margin={"t": 8})
    figure.update_xaxes(range=[0, 1.08], tickformat=".0%", tickvals=[0, 0.5, 1], fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True)
    return figure


def counts(train: np.ndarray, test: np.ndarray) -> go.Figure:
    """Images per class, int (10,) each."""
    figure = _figure(340, barmode="group")
    for values, name, color in ((train, "Training", "#5B6B82"), (test, "Test", "#A9B6C8")):
        figure.add_bar(
            x=values,
            y=CLASS_NAMES,
            orientation="h",
            name=name,
            marker={"color": color},
            text=[f"{value:,}" for value in values],
            hovertemplate="%{y}: %{x:,} images<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="Images")
    figure.update_yaxes(autorange="reversed")
    return figure
