"""Fingers on charts: a swipe scrolls the page, a tap does what a click of the mouse does.

plotly.js takes every touch that begins on a chart for itself: it zooms, and the page stands still. It is told of none.
Of a tap the browser makes the events of a mouse: it moves there, which shows what is under it, and is pressed.
"""

from __future__ import annotations

from fmnist.ui.component import component


def let_swipes_scroll() -> None:
    """Called once on every page."""
    component("taps")(key="taps", height=1)
