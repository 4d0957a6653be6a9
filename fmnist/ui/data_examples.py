"""The tab "Examples" of the Data page: images of all classes, or of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from fmnist.ui.address import drop_unless_offered
from fmnist.ui.picture_strips import picture_grid, picture_rows

ALL = "All classes"
PER_ROW, PER_PAGE = 24, 36
"""Images of each class where all are shown, and of one class, at once."""


def show_examples(splits: Mapping[str, tuple[np.ndarray, np.ndarray]], classes: Sequence[str]) -> None:
    """Images, a page at a time: some of each class, or those of one.

    Args:
        splits: images uint8 (N, 28, 28) and their labels, by what is told them apart: "Training", "Test".
    """
    if st.session_state.get("class") is None:  # On Predict, where that means any, by somebody who goes back from there.
        st.session_state.pop("class", None)
    drop_unless_offered("class", [ALL, *classes], ALL)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Class", [ALL, *classes], key="class", bind="query-params", width=200)
        split = next(iter(splits))
        if len(splits) > 1:
            split = st.segmented_control(
                "Set", list(splits), default=split, required=True, key="split", bind="query-params"
            )
        pixels, labels = splits[split]
        shown = classes if chosen == ALL else [chosen]
        found = [np.flatnonzero(labels == classes.index(name)) for name in shown]
        size = PER_ROW if chosen == ALL else PER_PAGE
        last = max(1, -(-max(map(len, found)) // size))
        number = st.number_input(f"Page, 1 to {last}", 1, last, 1, key=f"page-{split}-{chosen}", width=140)
    parts = [indices[(number - 1) * size : number * size] for indices in found]
    if chosen == ALL:
        picture_rows([(name, pixels[indices]) for name, indices in zip(shown, parts, strict=True)])
    else:
        picture_grid(pixels[parts[0]], [f"#{index}" for index in parts[0]])
