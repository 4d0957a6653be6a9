"""Draw on Predict: the pad, what its outlines enclose, a silhouette to draw over, and what to know before drawing."""

from __future__ import annotations

import streamlit as st

from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.predict import conversion, drawing, outlines
from fmnist.store.library import Library
from fmnist.ui import drawing_pad, resources
from fmnist.ui.predict_answers import Picked
from fmnist.words import escape

AS_LINES = "outlines-as-lines"
"""Whether outlines of this drawing are left as they are, at the user's wish."""


def draw(library: Library, dataset: str) -> Picked:
    """The drawing pad. What is drawn is kept while other pages are visited."""
    subject = DATASETS[dataset].subject
    place = st.container()
    below = st.empty()
    notes = st.container()
    traced = trace(library, dataset)  # Below the pad, but the pad shows it.
    fill = subject.filled and not st.session_state.get(AS_LINES, False)
    with place:
        strokes = drawing_pad.strokes(traced, fill)
    found = outlines.fillings(strokes) if subject.filled else {}
    if not strokes:
        st.session_state[AS_LINES] = False
    if found:
        with notes:
            _say_filled(len(found), fill)
    if not strokes or (subject.filled and not (found and fill) and not any(map(outlines.is_filled, strokes))):
        st.caption(
            f"{subject.drawing} The lasso fills what you circle; a polygon ends at its first corner. "
            "By keyboard: arrow keys, space, Enter."
        )
    picture = drawing.picture(outlines.filled(strokes, found if fill else {})) if strokes else None
    return Picked(picture, below)


def _say_filled(count: int, fill: bool) -> None:
    """That outlines were filled, and the way back."""
    outline = "outline is" if count == 1 else "outlines are"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Your {outline} filled: the models know filled shapes." if fill else f"Your {outline} not filled.")
        st.button("Undo" if fill else "Fill", type="tertiary", key="outlines", on_click=_change_filling)


def _change_filling() -> None:
    st.session_state[AS_LINES] = not st.session_state.get(AS_LINES, False)


def trace(library: Library, dataset: str) -> str:
    """The mean image of a class to draw over, if one is asked for, as the address of a picture; else nothing."""
    classes, thing = DATASETS[dataset].classes, DATASETS[dataset].subject.thing
    label = st.selectbox(
        f"A {thing} to trace",
        classes,
        index=None,
        placeholder=f"Trace a {thing}",
        key="trace",
        label_visibility="collapsed",
        width=240,
    )
    if label is None:
        return ""
    try:
        known = resources.test_set(dataset, library.own)
    except DataError as error:
        st.caption(escape(str(error)))
        return ""
    means = resources.mean_images(known.fingerprint, "Test", known.test_images, known.test_labels)
    mean = means[classes.index(label)]
    return conversion.to_data_url(255 - mean, 10)
