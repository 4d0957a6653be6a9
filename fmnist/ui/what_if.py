"""What if the picture were moved, turned, larger, blurred, mirrored: the sliders and switches for that."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from fmnist.predict import conversion
from fmnist.predict.suggestion import CHANGES

UNCHANGED: dict[str, Any] = {"dx": 0, "dy": 0, "angle": 0, "scale": 100, "blur": 0.0, "made": []}
"""The settings of "What if", as its widgets have them: scale in per cent."""


def choose_changes() -> dict[str, Any]:
    """Sliders, and switches for what may be suggested; their values."""
    for name, value in UNCHANGED.items():  # A default beside what `reset` sets would be a warning in the log.
        st.session_state.setdefault(f"what-{name}", value)
    left, right = st.columns(2, gap="medium")
    with left:
        changes: dict[str, Any] = {
            "dx": st.slider("Right, pixels", -14, 14, key="what-dx"),
            "dy": st.slider("Down, pixels", -14, 14, key="what-dy"),
            "angle": st.slider("Turn, degrees clockwise", -180, 180, step=5, key="what-angle"),
        }
    with right:
        changes["scale"] = st.slider("Size, %", 40, 200, step=5, key="what-scale")
        changes["blur"] = st.slider("Blur, pixels", 0.0, 3.0, step=0.25, key="what-blur")
    names = [change.name for change in CHANGES]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        changes["made"] = st.pills("Also", names, selection_mode="multi", key="what-made", wrap=True)
        unchanged = changes == UNCHANGED
        st.button("Reset", icon=":material/restart_alt:", on_click=reset, disabled=unchanged, key="what-reset")
    return changes


def changed(image: np.ndarray, changes: dict[str, Any]) -> np.ndarray:
    """An image uint8 (28, 28) with the changes that were chosen, inverted at the end."""
    last = CHANGES[-1].name
    sliders = {name: value for name, value in changes.items() if name not in ("made", "scale")}
    for change in CHANGES[:-1]:
        if change.name in changes["made"]:
            image = change.of(image)
    return conversion.change(image, scale=changes["scale"] / 100, invert=last in changes["made"], **sliders)


def take(name: str) -> None:
    """Make a change that was suggested."""
    st.session_state["what-made"] = [name]


def reset() -> None:
    """Have the image as it is."""
    for name, value in UNCHANGED.items():
        st.session_state[f"what-{name}"] = value
