"""The drawing pad for touch and keyboard: a Streamlit component on a canvas, which gives strokes.

Where there is a mouse, Draw opens on streamlit-drawable-canvas (`canvas.py`). That one can't be used by keyboard, and
on touch screens a part of it is covered.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict
from functools import cache
from typing import Any

import streamlit as st

from fmnist.predict import drawing, outlines
from fmnist.predict.drawing import DrawingError, Stroke
from fmnist.ui import drawing_tools
from fmnist.ui.component import component
from fmnist.ui.drawing_tools import controls
from fmnist.words import escape

BEGUN = "drawing-begun"
"""Tells the browser that the drawing is another one than it has."""
REPLACED = "drawing-replaced"
"""The drawing that was there before an example, and the example."""
CSS = f"""{drawing_tools.CSS}
.pad canvas {{
  width: 100%; aspect-ratio: 1; display: block; background: #fff; touch-action: none; cursor: crosshair;
  border: 1px solid var(--st-border-color); border-radius: 8px; box-sizing: border-box; -webkit-touch-callout: none;
}}
"""
HELP = (
    "Drawing pad. Arrow keys move the pen, Shift for small steps; space puts it down and lifts it, or sets a corner; "
    "Enter ends a polygon; Backspace undoes."
)


def begin(drawn: list[dict[str, Any]]) -> None:
    """Have something else on either pad from now on.

    Args:
        drawn: strokes, as a browser sends them.
    """
    former = replaced() or st.session_state.get("drawing", [])
    st.session_state[REPLACED] = former, drawn
    st.session_state["drawing"] = drawn
    st.session_state[BEGUN] = uuid.uuid4().hex


def replaced() -> list[dict[str, Any]]:
    """The drawing in whose place `begin` has put another, as long as nothing is changed in that; or nothing."""
    former, drawn = st.session_state.get(REPLACED, ([], []))
    return former if st.session_state.get("drawing") == drawn else []


def bring_back() -> None:
    """Have the drawing that was replaced on the pads again."""
    if former := replaced():
        begin(former)
        del st.session_state[REPLACED]


def strokes(trace: str = "", fill: bool = False) -> list[Stroke]:
    """Show the pad; what is drawn on it. It is still there after a visit to another page, and after a reload.

    What a browser sends that is no drawing is left out, and said in a sentence.

    Args:
        trace: the address of a picture that shows through, to be drawn over.
        fill: show outlines filled.
    """
    kept, begun = st.session_state.setdefault("drawing", []), st.session_state.get(BEGUN, "")
    key = f"pad-{begun}"
    known: list[Stroke] | None
    try:
        known = drawing.read(st.session_state.get(key, {}).get("strokes", kept))  # Already what is being sent.
    except DrawingError as error:
        st.error(escape(str(error)), icon=":material/draw:")
        known = None
    fillings = outlines.fillings(known) if fill and known else {}
    sent = component("drawing_pad", _html(), CSS, isolated=True)(
        key=key,
        data={
            "strokes": kept,
            "begun": begun,
            "trace": trace,
            "fillings": [{"before": place, **asdict(filling)} for place, filling in fillings.items()],
        },
        default={"strokes": kept},
        on_strokes_change=lambda: None,
    ).strokes
    if known is not None:
        st.session_state["drawing"] = sent
    return known or []


@cache
def _html() -> str:
    return f'<div class="pad">{controls()}<canvas tabindex="0" role="application" aria-label="{HELP}"></canvas></div>'
