"""Whether confidence matches accuracy: reliability, and accuracy on the surest answers. No Streamlit, no torch."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from fmnist.compare.charts import GREY, PERCENT, Look, blank, faded


def reliability(
    tables: Sequence[pd.DataFrame], groups: Sequence[Look], seeds: Sequence[Sequence[pd.DataFrame]] = ()
) -> go.Figure:
    """How often answers are right, by the confidence they are given with; the diagonal is perfect calibration.

    Args:
        tables: `calibration.calibration` of each group, of all its answers.
        seeds: the same of each of its runs, drawn thin where there are several: where one is overconfident, another may
            be underconfident.
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
    for look, runs in zip(groups, seeds or [()] * len(groups), strict=True):
        for table in runs if len(runs) > 1 else ():
            seen = table[table["images"] > 0]
            figure.add_scatter(
                x=seen["confidence"],
                y=seen["accuracy"],
                mode="lines",
                name=look.name,
                line={"color": faded(look.color, 0.4), "width": 1},
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
            hovertemplate="%{x:.0%} confident: %{y:.1%} right<br>%{customdata:,} answers"
            "<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="Confidence of the model", tickformat=".0%", range=[0, 1.02])
    figure.update_yaxes(title="Share of right answers", tickformat=".0%", range=[0, 1.04])
    return figure


def selective(tables: Sequence[pd.DataFrame], groups: Sequence[Look]) -> go.Figure:
    """Accuracy on the share of images that are answered when the least confident answers are left out.

    Args:
        tables: `calibration.mean_selective_accuracy` of each group.
    """
    figure = blank(400, hovermode="closest")
    for look, table in zip(groups, tables, strict=True):
        shown = table[table["share"] >= 0.01]
        figure.add_scatter(
            x=shown["share"],
            y=shown["accuracy"],
            mode="lines",
            name=look.name,
            line={"color": look.color, "dash": look.dash, "width": 2.5},
            customdata=shown["confidence"],
            hovertemplate="most confident %{x:.0%}: %{y:.1%} right<br>at least %{customdata:.0%} confident"
            "<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="Share of images answered", tickformat=".0%", range=[0, 1.02])
    figure.update_yaxes(title="Accuracy on these", tickformat=PERCENT, autorangeoptions={"clipmax": 1})
    return figure
