"""How pages show charts, and as what the cameras on them save a picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from fmnist.compare import charts
from fmnist.compare.comparison import Picture
from fmnist.store.library import Library

PICTURE_FORMATS = {"png": "PNG", "svg": "SVG"}


def chart_config(name: str) -> dict[str, Any]:
    """How a chart behaves; its camera saves it, in the browser, under this name."""
    form = st.session_state.get("picture-format", "png")
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
        "toImageButtonOptions": {"format": form, "filename": name, "scale": 2},
    }


def picture_config(name: str) -> dict[str, Any]:
    """The same for a chart that is not zoomed: only the camera."""
    return chart_config(name) | {"modeBarButtons": [["toImage"]]}


def draw(picture: Picture, key: str, *, height: int | None = None) -> None:
    """A chart with its text alternative, as high as the figure says, or as many pixels as are given here."""
    st.plotly_chart(picture.figure, key=key, height=height or "content", config=chart_config(key), alt=picture.alt)


@contextmanager
def awaited(library: Library) -> Iterator[None]:
    """Around what works out the first chart: the browser loads what draws it meanwhile.

    Reading thousands of runs takes as long as loading Plotly into a browser, and neither has to wait for the other. A
    browser begins when it is told of a chart, so it is told of an empty one. Once the runs have been read, there is
    nothing to wait for, and nothing is announced.
    """
    if library.has_read:
        yield
        return
    place = st.empty()
    place.plotly_chart(charts.blank(10), key="awaited")
    try:
        yield
    finally:
        place.empty()


def choose_picture_format() -> None:
    """As what the cameras of all charts save them."""
    st.segmented_control(
        "The camera on a chart saves it as",
        list(PICTURE_FORMATS),
        format_func=PICTURE_FORMATS.__getitem__,
        default="png",
        required=True,
        key="picture-format",
        persist_state="session",
    )
