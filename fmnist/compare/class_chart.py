"""Recall, precision and F1 of each class: a Plotly figure. No Streamlit, no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fmnist.compare.charts import GREY, LEGEND, TOOLBAR, Look, blank

SCORES = {"recall": "Recall", "precision": "Precision", "f1": "F1"}
HEIGHT = 470  # Of the chart, in pixels.


def class_scores(scores: Sequence[pd.DataFrame], groups: Sequence[Look], classes: Sequence[str]) -> go.Figure:
    """Recall, precision and F1 of each class side by side, a mark for each group: the hardest class first.

    Args:
        scores: `class_scores.mean_class_scores` of each group.
        classes: their names.
    """
    recall = np.mean([table["recall"] for table in scores], axis=0)
    order = np.argsort(recall, kind="stable")
    names = [classes[index] for index in order]
    figure = make_subplots(
        1, len(SCORES), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=[*SCORES.values()]
    )
    figure.update_layout(blank(HEIGHT).layout)
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
                marker={"color": look.ink, "symbol": look.symbol, "size": 11, "line": {"width": 1, "color": "white"}},
                hovertemplate="%{y}: " + SCORES[score] + " %{x:.1%}<extra>%{fullData.name}</extra>",
                row=1,
                col=column,
            )
    figure.update_xaxes(tickformat=".0%", range=[-0.04, 1.04], tickvals=[0.25, 0.5, 0.75], automargin=True)
    figure.update_yaxes(autorange="reversed", type="category", automargin=True)
    # From the top: the toolbar, the legend, the names of the scores.
    figure.update_layout(margin={"t": TOOLBAR + 2 * LEGEND})
    figure.update_layout(legend={"yref": "container", "yanchor": "top", "y": 1 - (TOOLBAR - 10) / HEIGHT})
    return figure
