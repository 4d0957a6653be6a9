"""The buttons over both pads: tools, widths, shades, and what changes the whole drawing."""

from __future__ import annotations

from collections.abc import Mapping


def _icon(shapes: str) -> str:
    """A picture of 20 x 20 units in the colour of the text; empty shapes unless they say otherwise."""
    return (
        '<svg viewBox="0 0 20 20" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.6" '
        f'stroke-linecap="round" stroke-linejoin="round">{shapes}</svg>'
    )


def _dot(radius: float) -> str:
    return _icon(f'<circle cx="10" cy="10" r="{radius}" fill="currentColor"/>')


def _shade(level: int) -> str:
    return _icon(f'<circle cx="10" cy="10" r="7" fill="rgb({level},{level},{level})" stroke="#808891"/>')


FILLED = 'fill="currentColor" fill-opacity="0.35"'
# The buttons of each group: value, icon, what it is called and does. The first tool is one that fills.
TOOLS = {
    "outline": (_icon(f'<path d="M4 12C1 5 8 1 13 4s5 10 0 12-4-3-9-4z" {FILLED}/>'), "Lasso: fills what you circle"),
    "brush": (_icon('<path d="M3 17c3 0 4-1 4-3l8-10 2 2-10 8"/>'), "Brush"),
    "polygon": (_icon(f'<path d="M10 2l7 6-3 9H6L3 8z" {FILLED}/>'), "Polygon: a tap sets a corner"),
    "box": (_icon(f'<path d="M3 5h14v10H3z" {FILLED}/>'), "Box"),
    "circle": (_icon(f'<ellipse cx="10" cy="10" rx="7.5" ry="6" {FILLED}/>'), "Circle"),
}
LINE = {"line": (_icon('<path d="M4 16L16 4"/>'), "Line")}
MOVE = {
    "move": (
        _icon(
            '<path d="M10 2v16M2 10h16M7.5 4.5L10 2l2.5 2.5M7.5 15.5L10 18l2.5-2.5'
            'M4.5 7.5L2 10l2.5 2.5M15.5 7.5L18 10l-2.5 2.5"/>'
        ),
        "Move: drag, turn or resize what you drew",
    )
}
# Units of the pad. Under 18 a line all but vanishes at 28 pixels: the thinnest is for straps and laces.
WIDTHS = {14: (_dot(2), "Thin brush"), 24: (_dot(4), "Medium brush"), 40: (_dot(7), "Thick brush")}
SHADES = {
    34: (_shade(34), "Dark"),
    102: (_shade(102), "Grey"),
    170: (_shade(170), "Light"),
    255: (_icon('<path d="M8 16l-5-5 8-8 6 6-7 7zM7 7l6 6M8 16h9"/>'), "Eraser"),
}
ACTIONS = {
    "undo": (_icon('<path d="M7 4L3 8l4 4M3 8h9a5 5 0 0 1 0 9H8"/>'), "Undo"),
    "redo": (_icon('<path d="M13 4l4 4-4 4M17 8H8a5 5 0 0 0 0 9h4"/>'), "Redo"),
    "clear": (_icon('<path d="M4 6h12M8 6V3h4v3M5 6l1 11h8l1-11"/>'), "Clear"),
}

CSS = """
.pad { color: var(--st-text-color); max-width: 420px; -webkit-user-select: none; user-select: none; }
.pad .controls { display: flex; flex-wrap: wrap; gap: 6px 8px; margin-bottom: 8px; }
.pad [role="group"] { display: inline-flex; }
.pad button {
  color: inherit; background: transparent; padding: 0; cursor: pointer; width: 32px; height: 36px;
  touch-action: manipulation;
  display: grid; place-items: center; border: 1px solid var(--st-border-color); border-right-width: 0;
}
.pad [aria-label="Tool"] { flex: 1 0 100%; }
.pad [aria-label="Tool"] button { width: auto; flex: 1; height: 48px; font: 0.78rem/1.2 inherit; }
.pad svg { width: 20px; height: 20px; pointer-events: none; }
.pad button:first-child { border-radius: 8px 0 0 8px; }
.pad button:last-child { border-radius: 0 8px 8px 0; border-right-width: 1px; }
.pad button[aria-pressed="true"] {
  background: var(--st-secondary-background-color); box-shadow: inset 0 -3px var(--st-primary-color);
}
.pad button:disabled { opacity: 0.4; cursor: default; }
.pad :is(button, canvas):focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
"""


def controls(tools: Mapping[str, tuple[str, str]] = TOOLS) -> str:
    """All buttons as HTML, in an element of the class "controls"; the first tool is chosen."""
    groups = (
        ("Tool", "tool", tools, next(iter(tools))),
        ("Width of the brush", "width", WIDTHS, 24),
        ("Shade", "shade", SHADES, 34),
        ("Change", "do", ACTIONS, None),
    )
    found = "".join(
        f'<span role="group" aria-label="{label}">'
        + "".join(_button(choose, value, *look, first) for value, look in buttons.items())
        + "</span>"
        for label, choose, buttons, first in groups
    )
    return f'<div class="controls">{found}</div>'


def _button(choose: str, value: object, icon: str, name: str, first: object) -> str:
    """A button that acts, or one that chooses and stays pressed."""
    pressed = "" if first is None else f' aria-pressed="{str(value == first).lower()}"'
    return (
        f'<button type="button" data-group="{choose}" data-value="{value}" title="{name}" aria-label="{name}"{pressed}>'
        f"{icon}{name.partition(':')[0] if choose == 'tool' else ''}</button>"
    )
