"""Draw on Predict: one of two pads, what outlines enclose, a silhouette to draw over, and what to know before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st
from PIL import Image

from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.predict import conversion, drawing, outlines
from fmnist.predict.drawing import DrawingError, Stroke
from fmnist.store.library import Library
from fmnist.ui import canvas, drawing_pad, pad_choice, resources
from fmnist.ui.pad_choice import Choice
from fmnist.ui.predict_answers import Picked
from fmnist.words import escape

TRACED = 0.25
"""How strongly what is drawn over shows."""
AS_LINES = "outlines-as-lines"
"""Whether outlines of this drawing are left as they are, at the user's wish."""
NO_KEYBOARD_CSS = "<style>@media (hover: none) and (pointer: coarse) { .st-key-by-keyboard { display: none; } }</style>"
"""Phones and tablets: who has nothing but a finger need not read about keys."""


def draw(library: Library, dataset: str) -> Picked:
    """The drawing pad. What is drawn is kept while other pages are visited."""
    subject = DATASETS[dataset].subject
    place = st.container()
    below = st.empty()
    notes = st.container()
    traced = trace(library, dataset)  # Below the pad, but the pad shows it.
    fill = subject.filled and not st.session_state.get(AS_LINES, False)
    with place:
        choice = pad_choice.choose()
        strokes = _strokes(choice, traced, fill)
    found = outlines.fillings(strokes) if subject.filled else {}
    if not strokes:
        st.session_state[AS_LINES] = False
    with notes:
        if found:
            _say_filled(len(found), fill)
        if drawing_pad.replaced():
            _say_replaced()
    if not strokes or (subject.filled and not (found and fill) and not any(map(outlines.is_filled, strokes))):
        _say_how(subject.drawing, choice)
    picture = drawing.picture(outlines.filled(strokes, found if fill else {})) if strokes else None
    return Picked(picture, below, drawn=True)


def _strokes(choice: Choice | None, traced: np.ndarray | None, fill: bool) -> list[Stroke]:
    """Show the pad that was chosen; what is drawn."""
    if choice is None:  # The browser has not been asked yet: nothing is to move when it has answered.
        st.html(f'<div style="aspect-ratio: 1 / 1.3; max-width: {pad_choice.WIDEST}px"></div>')
        try:
            return drawing.read(st.session_state.get("drawing", []))
        except DrawingError as error:
            st.error(escape(str(error)), icon=":material/draw:")
            return []
    if not choice.canvas:
        return drawing_pad.strokes("" if traced is None else conversion.to_data_url(traced, 10), fill)

    def behind(strokes: Sequence[Stroke], lassos: frozenset[int]) -> str:
        """What the canvas can't show by itself: paper, filled outlines and lassos, and what is drawn over."""
        found = [*(outlines.fillings(strokes).values() if fill else ()), *(strokes[place] for place in sorted(lassos))]
        paper = drawing.picture(found)
        if traced is not None:
            shown = Image.fromarray(traced).resize(paper.size, Image.Resampling.NEAREST).convert("RGB")
            paper = Image.blend(paper, shown, TRACED)
        return conversion.to_data_url(paper)

    return canvas.strokes(choice.side, behind)


def _say_how(expected: str, choice: Choice | None) -> None:
    """What to know before drawing.

    Args:
        expected: by the models, a sentence.
    """
    move = " Use Move to drag, turn and resize what you drew." if choice and choice.canvas else ""
    st.caption(f"{expected} The lasso fills what you circle; a polygon closes at its first corner.{move}")
    if choice and not choice.canvas:
        with st.container(key="by-keyboard"):
            st.html(NO_KEYBOARD_CSS)
            st.caption("With a keyboard: arrow keys, space, Enter.")


def _say_filled(count: int, fill: bool) -> None:
    """That outlines were filled, and the way back."""
    outline = "outline is" if count == 1 else "outlines are"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Your {outline} filled: the models know filled shapes." if fill else f"Your {outline} not filled.")
        st.button("Undo" if fill else "Fill", type="tertiary", key="outlines", on_click=_change_filling)


def _say_replaced() -> None:
    """That an example stands in the place of the visitor's drawing, and the way back."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("The example replaced your drawing.")
        st.button("Undo", type="tertiary", key="bring-back", on_click=drawing_pad.bring_back)


def _change_filling() -> None:
    st.session_state[AS_LINES] = not st.session_state.get(AS_LINES, False)


def trace(library: Library, dataset: str) -> np.ndarray | None:
    """The mean image of a class to draw over, dark on white, uint8 (28, 28), if one is asked for."""
    classes, thing = DATASETS[dataset].classes, DATASETS[dataset].subject.thing
    label = st.selectbox(
        f"{thing.capitalize()} to trace",
        classes,
        index=None,
        placeholder=f"Trace a {thing}",
        key="trace",
        label_visibility="collapsed",
        width=240,
    )
    if label is None:
        return None
    try:
        known = resources.test_set(dataset, library.own)
    except DataError as error:
        st.caption(escape(str(error)))
        return None
    means = resources.mean_images(known.fingerprint, "Test", known.test_images, known.test_labels)
    return np.asarray(255 - means[classes.index(label)], np.uint8)
