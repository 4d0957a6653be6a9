"""Whether models mean what they say: reliability, and accuracy on their surest answers. No Streamlit, no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fmnist.compare.charts import GREY, Look, blank

MAX_POINTS = 200


def reliability(tables: Sequence[pd.DataFrame], groups: Sequence[Look]) -> go.Figure:
    """How often answers are right, by how sure the model says it is; the diagonal is a model that means what it says.

    Args:
        tables: `calibration.calibration` of each group.
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


def selective(tables: Sequence[pd.DataFrame], groups: Sequence[Look]) -> go.Figure:
    """Accuracy on the share of images that are answered when the least sure ones are left out.

    Args:
        tables: `calibration.selective_accuracy` of each group.
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
