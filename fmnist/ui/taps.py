"""Lets the first tap on a chart choose what is tapped.

plotly.js chooses what the pointer was over before it was pressed. A finger is over nothing then: of two taps on the
same cell, only the second one chose it.
"""

from __future__ import annotations

from fmnist.ui.component import component


def choose_at_once() -> None:
    """Called once on a page whose charts can be clicked."""
    component("taps")(key="taps", height=1)
