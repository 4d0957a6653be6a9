"""On what one draws: streamlit-drawable-canvas where there is a mouse, our own pad for touch and keyboard.

The browser is asked before either is shown, so that nothing is swapped before one's eyes. Who chooses the other one
finds it on the next visit too: the browser remembers it.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from fmnist.predict import drawing
from fmnist.predict.drawing import DrawingError
from fmnist.ui.component import component

WIDEST = 420  # Pixels of a pad.
HTML = '<div class="pad-choice"><button type="button">&nbsp;</button></div>'
CSS = """
.pad-choice { max-width: 420px; }
.pad-choice button {
  color: inherit; font: inherit; font-size: 0.875rem; opacity: 0.75; padding: 0; border: 0; background: none;
  text-decoration: underline; cursor: pointer;
}
.pad-choice button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
"""


@dataclass(frozen=True)
class Choice:
    """Which pad is shown, and how wide, in pixels."""

    canvas: bool
    side: int


def choose() -> Choice | None:
    """The switch between the pads; None as long as the browser has not answered.

    A drawing that only the browser still has, after a reload, is kept in the session.
    """
    known = st.session_state.get("pad-chosen")
    answer = st.session_state.get("pad-choice", {}).get("answer") or known
    component("pad_choice", HTML, CSS, isolated=True)(
        key="pad-choice",
        data={"known": known, "widest": WIDEST},
        default={"answer": known},
        on_answer_change=lambda: None,
    )
    if not isinstance(answer, dict) or answer.get("pad") not in ("canvas", "pad"):
        return None
    side = answer.get("side")
    if not isinstance(side, int) or not 100 <= side <= WIDEST:
        return None
    if "drawing" not in st.session_state and answer.get("strokes"):
        try:
            drawing.read(answer["strokes"])
            st.session_state["drawing"] = answer["strokes"]
        except DrawingError:  # Of another version, say: who comes back begins anew.
            st.session_state["drawing"] = []
    st.session_state["pad-chosen"] = {"pad": answer["pad"], "side": side}
    return Choice(answer["pad"] == "canvas", side)
