"""Examples to try on Predict, a button each: a drawing, a photo, no clothing, and what all models get wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st
from PIL import Image

from fmnist.compare import confusion
from fmnist.data.catalog import CLOTHES, DATASETS
from fmnist.data.files import DataError
from fmnist.predict import conversion, examples
from fmnist.predict.examples import Strokes
from fmnist.store.library import Group, Library
from fmnist.ui import drawing_pad, resources
from fmnist.ui.page import explained

PHOTO = "example-photo"
"""The data set for which the photo stands where an uploaded one would."""
OF_PHOTO = 9
"""The test image that it shows."""
MAX_RUNS = 60
"""Above so many, finding an image that all models get wrong would take long."""


def offer(library: Library, dataset: str, groups: list[Group]) -> None:
    """The buttons, as far as there is something for the data set."""
    found: dict[str, Callable[[], None]] = {}
    if DATASETS[dataset].subject is CLOTHES:
        found |= {
            "A drawing": lambda: _draw(examples.BOOT),
            "A photo": lambda: _photograph(dataset),
            "Not clothing": lambda: _draw(examples.LETTER),
        }
    if sum(len(group.runs) for group in groups) <= MAX_RUNS:
        found["All models wrong"] = lambda: _open_wrong(library, dataset, groups)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="examples"):
        st.caption("Try:", width="content")
        for name, act in found.items():
            st.button(name, on_click=act, key=f"example-{name}")


def is_photo_asked(dataset: str) -> bool:
    return st.session_state.get(PHOTO) == dataset


def forget_photo() -> None:
    """Somebody has uploaded a picture: when that is gone, the example does not come back."""
    st.session_state.pop(PHOTO, None)


def photo(library: Library, dataset: str) -> Image.Image | None:
    """The photo, shown with where it comes from; None where there are no test images."""
    try:
        known = resources.test_set(dataset, library.own)
    except DataError:
        return None
    picture = examples.photo(known.test_images[OF_PHOTO])
    st.image(conversion.preview_url(picture, 280), width=280, alt="The example photo")
    st.caption("An example, made from a test image: coloured, on a table, in soft light.")
    return picture


def _draw(strokes: Strokes) -> None:
    drawing_pad.begin(strokes)
    st.session_state["how"] = "Draw"


def _photograph(dataset: str) -> None:
    st.session_state["how"], st.session_state[PHOTO] = "Upload", dataset


def said(library: Library, group: Group) -> np.ndarray:
    """The class that a model gives each test image, by the mean over its seeds; integer (N,)."""
    return library.remember(("said", group.id), lambda: confusion.at_the_end(library, group.runs)[1])


@explained()
def _open_wrong(library: Library, dataset: str, groups: list[Group]) -> None:
    """Open the first test image that all models get wrong, if there is one."""
    try:
        labels = resources.test_set(dataset, library.own).test_labels
    except DataError:
        return
    wrong = np.ones(len(labels), bool)
    for answers in (said(library, group) for group in groups):
        if len(answers) == len(labels):
            wrong &= answers != labels
    st.session_state["how"] = "Test image"
    if wrong.any():
        st.session_state["index"] = int(np.flatnonzero(wrong)[0])
