"""Drawing with the mouse on streamlit-drawable-canvas, whose JSON becomes our strokes.

What it lacks is made good here and in `canvas.js`. A drawing is lost with the page: we keep the strokes in the session,
and begin each canvas with them (`initial_drawing`, which must stay the same as long as it is mounted, or strokes that
are being made are lost). Whatever changes the drawing from outside, such as Undo, therefore begins a new canvas, by
another key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

import streamlit as st

from fmnist.predict import drawing, fabric
from fmnist.predict.drawing import SIDE, DrawingError, Stroke
from fmnist.ui import drawing_tools
from fmnist.ui.component import component
from fmnist.ui.drawing_tools import LINE, MOVE, SHADES, TOOLS, WIDTHS, controls
from fmnist.words import escape

TOOLS_HERE = TOOLS | LINE | MOVE
MODES = {"polygon": "polygon", "box": "rect", "circle": "circle", "line": "line"}
"""Of streamlit-drawable-canvas, for our tools; the others draw freehand."""
CHOICES: dict[str, Collection[Any]] = {"tool": TOOLS_HERE, "width": WIDTHS, "shade": SHADES}
FIRST = {"tool": next(iter(TOOLS_HERE)), "width": 24, "shade": 34}
MAX_STEPS = 50
"""That can be undone."""
CSS = f"""{drawing_tools.CSS}
.pad .controls {{ margin-bottom: 0; }}
.pad [aria-label="Tool"] button {{ font-size: 0.7rem; }}
"""

Drawn = list[dict[str, Any]]
"""Strokes as the session and the browser keep them."""


@dataclass
class Mounted:
    """The canvas of this session.

    Attributes:
        number: of the canvas: each has a widget key of its own.
        side: in pixels.
        begun: the strokes with which it was mounted.
        drawn: those that are on it now.
        lassos: the places of lassos, which it shows as lines.
        past, future: for Undo and Redo.
        done: how many of the buttons that were pressed have been followed, and on which visit of the page.
        tool: with which it was last shown.
        shown: whether it was.
    """

    number: int = 0
    side: int = 0
    begun: Drawn = field(default_factory=list)
    drawn: Drawn = field(default_factory=list)
    lassos: frozenset[int] = frozenset()
    past: list[Drawn] = field(default_factory=list)
    future: list[Drawn] = field(default_factory=list)
    done: tuple[object, int] = ("", 0)
    tool: str = ""
    shown: bool = False

    @property
    def key(self) -> str:
        return f"canvas-{self.number}"

    def begin(self, drawn: Drawn, side: int) -> None:
        """With another drawing, or of another size: a new canvas."""
        self.number += 1
        self.shown = False
        self.side, self.begun, self.drawn, self.lassos = side, drawn, drawn, frozenset()

    def change(self, drawn: Drawn) -> None:
        if drawn != self.drawn:
            steps = [self.drawn]
            if drawn[: len(self.drawn)] == self.drawn:  # Strokes that followed each other quickly come in together.
                steps = [drawn[:count] for count in range(len(self.drawn), len(drawn))]
            self.past = [*self.past, *steps][-MAX_STEPS:]
            self.drawn, self.future = drawn, []

    def follow(self, pressed: object) -> None:
        """Do what was asked for with buttons.

        Args:
            pressed: a browser's: how many buttons were pressed on this visit of the page, and which were the last.
                Of presses that follow each other quickly Streamlit tells only the last, which has the others with it.
        """
        if not isinstance(pressed, dict) or not isinstance(pressed.get("count"), int):
            return
        visit, names = pressed.get("visit"), pressed.get("last")
        new = pressed["count"] - (self.done[1] if self.done[0] == visit else 0)
        self.done = visit, pressed["count"]
        for name in names[-min(new, MAX_STEPS) :] if isinstance(names, list) and new > 0 else ():
            self._go(name)

    def _go(self, action: object) -> None:
        """Undo, redo or clear, if that is possible."""
        if action not in self.possible:
            return
        before, after = self.drawn, []
        if action == "undo":
            after = self.past.pop()
            self.future.append(before)
        else:
            if action == "redo":
                after = self.future.pop()
            else:
                self.future = []
            self.past.append(before)
        self.begin(after, self.side)

    @property
    def possible(self) -> list[str]:
        """Which of the buttons would do something."""
        can = {"undo": self.past, "redo": self.future, "clear": self.drawn}
        return [name for name, wanted in can.items() if wanted]


def strokes(side: int, behind: Callable[[Sequence[Stroke], frozenset[int]], str]) -> list[Stroke]:
    """Show the tools and the canvas; what is drawn on it.

    What a browser sends that is no drawing is left out, and said in a sentence.

    Args:
        side: of the canvas, in pixels.
        behind: makes the address of the picture behind a drawing, which takes the strokes, and the places of those that
            the canvas does not fill though they are filled.
    """
    mounted = st.session_state.setdefault("canvas", Mounted())
    _take_over(mounted, side)
    try:
        found = _read(mounted)
    except DrawingError as error:
        st.error(escape(str(error)), icon=":material/draw:")
        found = drawing.read(mounted.drawn)
    choice = _choice()
    if choice["tool"] == "move" != mounted.tool and mounted.lassos:
        mounted.begin(mounted.drawn, side)  # So that lassos are filled shapes, which can be taken hold of.
    mounted.tool = choice["tool"]
    st.session_state["drawing"] = mounted.drawn
    paper = behind(found, mounted.lassos)
    _show_tools(mounted, choice)
    _show_canvas(mounted, choice, paper)
    return found


def _take_over(mounted: Mounted, side: int) -> None:
    """Begin a new canvas where the page was left, the window changed or something was drawn elsewhere meanwhile."""
    kept = st.session_state.setdefault("drawing", [])
    if kept != mounted.drawn:
        mounted.past, mounted.future = [*mounted.past, mounted.drawn] if mounted.drawn else [], []
        mounted.begin(kept, side)
    elif side != mounted.side or (mounted.shown and mounted.key not in st.session_state):
        mounted.begin(kept, side)


def _read(mounted: Mounted) -> list[Stroke]:
    """What is on the canvas.

    Raises:
        DrawingError: the browser sends something else.
    """
    sent = st.session_state.get(mounted.key, {}).get("drawing") or {}
    if not isinstance(sent, dict):
        mounted.begin(mounted.drawn, mounted.side)  # streamlit-drawable-canvas itself can't go on with this.
        raise DrawingError("The browser sent something that is no drawing.")
    raw = sent.get("raw")
    if not raw or (isinstance(raw, dict) and "version" not in raw):  # It has said nothing yet.
        return drawing.read(mounted.begun)
    found, mounted.lassos = fabric.read(raw, mounted.side)
    mounted.change([_plain(stroke) for stroke in found])
    return found


def _plain(stroke: Stroke) -> dict[str, Any]:
    return asdict(stroke) | {"points": [list(point) for point in stroke.points]}


def _choice() -> dict[str, Any]:
    """The chosen tool, width and shade."""
    sent = st.session_state.get("canvas-tools", {}).get("choice") or st.session_state.get("canvas-choice")
    try:  # As we have them: 34.0 is found among them, too, and is no shade that can be written.
        sent = sent or {}
        sent = {name: list(known)[list(known).index(sent[name])] for name, known in CHOICES.items()}
    except (TypeError, KeyError, ValueError):
        sent = FIRST
    st.session_state["canvas-choice"] = sent  # It outlives a visit to another page.
    return sent


def _act() -> None:
    with suppress(DrawingError):  # A stroke may have come in with the click.
        _read(st.session_state["canvas"])
    st.session_state["canvas"].follow(st.session_state["canvas-tools"].get("pressed"))
    st.session_state["drawing"] = st.session_state["canvas"].drawn


def _show_tools(mounted: Mounted, choice: dict[str, Any]) -> None:
    component("canvas", _html(), CSS, isolated=True)(
        key="canvas-tools",
        data={
            "canvas": mounted.key,
            "choice": choice,
            "mark": _mark(choice),
            "strokes": mounted.drawn,
            "can": mounted.possible,
        },
        default={"choice": choice},
        on_choice_change=lambda: None,
        on_pressed_change=_act,
    )


def _mark(choice: dict[str, Any]) -> int:
    """A height of its own for each choice, in pixels, more than any canvas has: it can be seen in the browser, which so
    knows when the canvas has what was chosen."""
    places = [list(known).index(choice[name]) for name, known in CHOICES.items()]
    return 1000 + places[0] * 100 + places[1] * 10 + places[2]


def _show_canvas(mounted: Mounted, choice: dict[str, Any], behind: str) -> None:
    from streamlit_drawable_canvas import st_canvas  # Late: who draws on the other pad need not wait for it.

    tool, shade = choice["tool"], choice["shade"]
    width = {"outline": fabric.LASSO_WIDTH, "brush": choice["width"] * mounted.side / SIDE}
    width["line"] = width["brush"]
    st_canvas(
        fill_color=fabric.colour(shade),
        stroke_color=fabric.colour(shade, lasso=tool == "outline"),
        stroke_width=width.get(tool, 0),
        background_image=behind,
        width=mounted.side,
        height=mounted.side,
        drawing_mode=MODES.get(tool, "freedraw"),
        max_display_height=_mark(choice),
        initial_drawing=fabric.write(drawing.read(mounted.begun), mounted.side),
        key=mounted.key,
    )
    mounted.shown = True


@cache
def _html() -> str:
    return f'<div class="pad">{controls(TOOLS_HERE)}</div>'
