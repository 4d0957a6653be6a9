"""Lets the first tap on a chart choose what is tapped.

plotly.js chooses what the pointer was over before it was pressed. A finger is over nothing then: of two taps on the
same cell, only the second one chose it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st


def choose_at_once() -> None:
    """Called once on a page whose charts can be clicked."""
    _component()(key="taps", height=1)


@cache
def _component() -> Any:
    # Not isolated: it listens to the charts of the page.
    return st.components.v2.component(
        "fmnist_taps",
        html="<span></span>",
        js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
        isolate_styles=False,
    )
