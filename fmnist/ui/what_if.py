"""What if the picture were moved, turned, larger, blurred: the sliders for that."""

from __future__ import annotations

from typing import Any

import streamlit as st

UNCHANGED: dict[str, Any] = {"dx": 0, "dy": 0, "angle": 0, "scale": 100, "blur": 0.0, "invert": False}
"""The settings of "What if", as its widgets have them: scale in per cent."""


def choose_changes() -> dict[str, Any]:
    """Sliders for `conversion.change`; their values."""
    left, right = st.columns(2, gap="medium")
    with left:
        changes = {
            "dx": st.slider("Right, pixels", -14, 14, UNCHANGED["dx"], key="what-dx"),
            "dy": st.slider("Down, pixels", -14, 14, UNCHANGED["dy"], key="what-dy"),
            "angle": st.slider("Turn, degrees clockwise", -180, 180, UNCHANGED["angle"], 5, key="what-angle"),
        }
    with right:
        changes["scale"] = st.slider("Size, %", 40, 200, UNCHANGED["scale"], 5, key="what-scale")
        changes["blur"] = st.slider("Blur, pixels", 0.0, 3.0, UNCHANGED["blur"], 0.25, key="what-blur")
        changes["invert"] = st.toggle("Invert: dark on light", UNCHANGED["invert"], key="what-invert")
    st.button("Reset", icon=":material/restart_alt:", on_click=_reset, disabled=changes == UNCHANGED, key="what-reset")
    return changes


def _reset() -> None:
    for name, value in UNCHANGED.items():
        st.session_state[f"what-{name}"] = value
