"""How groups learn: curves over epochs, steps or seconds. No Streamlit, no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fmnist.compare.charts import PERCENT, Look, blank, faded
from fmnist.compare.thinning import kept
from fmnist.store.library import Library
from fmnist.store.run import Run

AXES = {"epoch": "Epoch", "step": "Step", "seconds": "Training time in seconds"}
MAX_MARKS = 40  # More marks on a line would hide it.


def points(library: Library, runs: Sequence[Run], split: str) -> pd.DataFrame:
    """The curves of some runs: `Library.history`.

    Args:
        split: "train", or "test" for what is measured after each epoch: of runs that hold out images these.
    """
    if split == "train":
        return library.history(runs, split)
    parts = []
    for part in sorted({run.recipe.evaluated_on for run in runs}):
        found = library.history([run for run in runs if run.recipe.evaluated_on == part], part)
        parts.append(found.assign(split=split))
    return pd.concat(parts, ignore_index=True)


def learning(
    curves: pd.DataFrame, seeds: pd.DataFrame, groups: Sequence[tuple[str, Look]], axis: str, metric: str
) -> go.Figure:
    """How groups learn: the mean over seeds as a line with its 95% interval as a band, single seeds as thin lines.

    Of long lines the points that `thinning.kept` chooses.

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
            figure.add_scatter(
                **_with_gaps(single, axis, metric), line={"color": faded(look.color, 0.4), "width": 1}, **shared
            )
            low, high = mean.iloc[kept(mean["low"].to_numpy())], mean.iloc[kept(mean["high"].to_numpy())]
            figure.add_scatter(
                x=np.concatenate([high[axis], low[axis][::-1]]),
                y=np.concatenate([high["high"], low["low"][::-1]]),
                fill="toself",
                fillcolor=faded(look.color, 0.15),
                line={"width": 0},
                **shared,
            )
        mean = mean.iloc[kept(mean["mean"].to_numpy())]
        figure.add_scatter(
            x=mean[axis].to_numpy(),
            y=mean["mean"].to_numpy(),
            mode="lines+markers" if len(mean) <= MAX_MARKS else "lines",
            name=look.name,
            legendgroup=id,
            line={"color": look.color, "dash": look.dash, "width": 2.5},
            marker={"symbol": look.symbol, "size": 10, "line": {"width": 1.5, "color": "white"}},
            text=[
                form.format(value)
                + ("" if np.isnan(low) else f" (95% interval {form.format(low)} to {form.format(high)})")
                for value, low, high in zip(mean["mean"], mean["low"], mean["high"], strict=True)
            ],
            hovertemplate="%{text}<br>" + axis + " %{x:,.4~g}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title=AXES[axis], dtick=1 if axis == "epoch" and curves["epoch"].max() <= 12 else None)
    figure.update_yaxes(
        title={"loss": "Loss (cross-entropy)", "accuracy": "Accuracy"}[metric],
        tickformat=PERCENT if metric == "accuracy" else None,
        # A dead run's line is flat: Plotly would draw it in the middle of -90% to 110%.
        autorangeoptions={"clipmin": 0, "clipmax": 1 if metric == "accuracy" else None},
    )
    return figure


def _with_gaps(runs: pd.DataFrame, axis: str, metric: str) -> dict[str, np.ndarray]:
    """The lines of several runs as x and y of one trace: a trace each takes seconds with a hundred seeds."""
    x, y = [], []
    for _, run in runs.groupby("run", sort=False, observed=True):
        drawn = run.iloc[kept(run[metric].to_numpy())]
        x += [drawn[axis].to_numpy(np.float64), [np.nan]]
        y += [drawn[metric].to_numpy(np.float64), [np.nan]]
    return {"x": np.concatenate(x), "y": np.concatenate(y)}
