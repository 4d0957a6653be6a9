"""Plotly, loaded into the first visitor's browser while the server still imports what the first chart is made with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st


@contextmanager
def loading() -> Iterator[None]:
    """Around the imports and the reading that come before the first chart after a start of the server.

    Either takes most of a second, and neither has to wait for the other. A browser begins to load Plotly when it is
    told of a chart, so it is told of an empty one. Once pandas is there, nothing takes long, and nothing is announced.
    """
    if has_imported():
        yield
        return
    import plotly.graph_objects as go  # Needs no pandas, and a tenth of its time.

    place = st.empty()
    place.plotly_chart(go.Figure(layout={"height": 10}), key="awaited")
    try:
        yield
    finally:
        place.empty()


def has_imported() -> bool:
    """Whether this server has drawn a chart before, or something else that needed pandas."""
    return "pandas" in sys.modules
