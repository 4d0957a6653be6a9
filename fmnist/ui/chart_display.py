"""How pages show charts, and as what the cameras on them save a picture."""

from __future__ import annotations

from typing import Any

import streamlit as st

from fmnist.compare.comparison import Picture

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
