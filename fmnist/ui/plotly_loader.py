"""plotly.js, which draws all charts: the browser loads it while the server still works out what is drawn."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import streamlit as st
from streamlit import runtime

from fmnist.ui.component import component

SCRIPTS = Path(st.__file__).parent / "static" / "static" / "js"
"""Streamlit's own, as it serves them."""


def load(*, soon: bool) -> None:
    """Bring plotly.js into the page, where it is `window.fmnistPlotly`. It takes a browser most of a second.

    Args:
        soon: only fetch it, for a page without charts: most people go on to one that has some.
    """
    path, is_module = _place()
    component("plotly_loader")(key="plotly-loader", data={"path": path, "module": is_module, "soon": soon}, height=1)


def _place() -> tuple[str, bool]:
    """Where below this server's address plotly.js is, and whether it is a module: Streamlit's own, so that a browser
    needs one alone; or else that of the plotly package."""
    if own := _streamlits():
        return own, True
    if not runtime.exists():  # A test of the page alone.
        return "", False
    path = str(files("plotly").joinpath("package_data/plotly.min.js"))
    return runtime.get_instance().media_file_mgr.add(path, "text/javascript", "fmnist-plotly").lstrip("/"), False


@cache
def _streamlits() -> str | None:
    """The module in which Streamlit has plotly.js, if this version of it leaves that to others, too."""
    found = [path for path in SCRIPTS.glob("PlotlyChart.*.js") if b"window.Plotly=" in path.read_bytes()]
    return f"static/js/{found[0].name}" if len(found) == 1 else None
