"""The drawing pad: a Streamlit component on a canvas, which gives strokes.

streamlit-drawable-canvas, which was here before, loses a drawing on every change of page, covers a part of its own pad
on touch screens, can't be used by keyboard, and does not shrink in a narrow column.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from fmnist import drawing
from fmnist.drawing import DrawingError, Stroke

TOOLS = {"brush": "Brush", "outline": "Outline", "polygon": "Polygon", "box": "Box", "circle": "Circle"}
WIDTHS = {14: "Thin", 24: "Medium", 40: "Thick"}  # Under 18 a stroke all but vanishes at 28 pixels.
SHADES = {34: "Dark", 102: "Grey", 170: "Light", 255: "Eraser"}
HELP = (
    "Drawing pad. Arrow keys move the pen, Shift for small steps; space puts it down and lifts it, or sets a corner; "
    "Enter ends a polygon; Backspace undoes."
)

CSS = """
.pad { font-family: var(--st-font); color: var(--st-text-color); max-width: 420px; }
.pad canvas {
  width: 100%; aspect-ratio: 1; display: block; background: #fff; touch-action: none; cursor: crosshair;
  border: 1px solid var(--st-border-color); border-radius: 8px; box-sizing: border-box;
}
.pad .controls { display: flex; flex-wrap: wrap; gap: 8px 12px; margin-bottom: 8px; font-size: 0.875rem; }
.pad [role="group"] { display: inline-flex; }
.pad button {
  font: inherit; color: inherit; background: transparent; padding: 4px 10px; cursor: pointer; min-height: 32px;
  border: 1px solid var(--st-border-color); border-right-width: 0;
}
.pad button:first-child { border-radius: 8px 0 0 8px; }
.pad button:last-child { border-radius: 0 8px 8px 0; border-right-width: 1px; }
.pad button[aria-pressed="true"] { background: var(--st-secondary-background-color); font-weight: 600; }
.pad button:disabled { opacity: 0.4; cursor: default; }
.pad :is(button, canvas):focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.pad i { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 50%; border: 1px solid #808891; }
"""


def strokes() -> list[Stroke]:
    """Show the pad; what is drawn on it. It is still there after a visit to another page.

    What a browser sends that is no drawing is left out, and said in a sentence.
    """
    state = st.session_state
    state.setdefault("drawing", [])
    state.setdefault("drawing-version", 0)
    sent = _component()(
        key="pad",
        data={"strokes": state["drawing"], "version": state["drawing-version"], "trace": state.get("trace-image", "")},
        default={"strokes": state["drawing"]},
        on_strokes_change=lambda: None,
    ).strokes
    try:
        found = drawing.read(sent)
    except DrawingError as error:
        st.error(str(error), icon=":material/draw:")
        return []
    state["drawing"] = sent
    return found


@cache
def _component() -> Any:
    return st.components.v2.component(
        "fmnist_pad", html=_html(), css=CSS, js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    )


def _html() -> str:
    tools = "".join(_button("tool", value, name, value == "brush") for value, name in TOOLS.items())
    widths = "".join(_button("width", value, name, value == 24) for value, name in WIDTHS.items())
    dots = {value: f'<i style="background: rgb({value},{value},{value})"></i> {name}' for value, name in SHADES.items()}
    shades = "".join(_button("shade", value, name, value == 34) for value, name in dots.items())
    actions = "".join(f'<button data-do="{name.lower()}">{name}</button>' for name in ("Undo", "Redo", "Clear"))
    groups = (("Tool", tools), ("Width of the brush", widths), ("Shade", shades), ("Change", actions))
    controls = "".join(f'<span role="group" aria-label="{label}">{buttons}</span>' for label, buttons in groups)
    return (
        f'<div class="pad"><div class="controls">{controls}</div>'
        f'<canvas tabindex="0" role="application" aria-label="{HELP}"></canvas></div>'
    )


def _button(choose: str, value: object, name: str, pressed: bool) -> str:
    return f'<button data-choose="{choose}" data-value="{value}" aria-pressed="{str(pressed).lower()}">{name}</button>'
