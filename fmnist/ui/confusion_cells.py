"""A cell of a confusion matrix: how it is chosen, and the test images behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fmnist.compare import confusion
from fmnist.compare.confusion import Answers
from fmnist.data.files import TestSet
from fmnist.store.library import Library
from fmnist.ui import confusion_images
from fmnist.ui.confusion_images import amount, from_the_start, order
from fmnist.words import escape

Cell = tuple[int, int]
"""A true and a predicted class."""


def choose_cell(columns: Sequence[DeltaGenerator], classes: Sequence[str]) -> Cell | None:
    """The cell that was clicked, is in the address, or is chosen here, as (true, predicted)."""
    true, said = (
        column.selectbox(name, classes, index=None, key=key, bind="query-params", on_change=from_the_start)
        for column, (name, key) in zip(
            columns, {"True class": "true", "Predicted class": "predicted"}.items(), strict=True
        )
    )
    return (classes.index(true), classes.index(said)) if true and said else None


def picked(key: str, classes: Sequence[str], **others: str) -> None:
    """Take over the cell that was clicked in a matrix; clicking it again sends an empty selection, and it stays."""
    points = st.session_state[key].selection.points
    if points:
        row, column = points[0]["customdata"]
        st.session_state.update(true=classes[row], predicted=classes[column], **others)
        from_the_start()


def show_cell(library: Library, chosen: Answers, cell: Cell, shown: list[Answers], images: TestSet) -> None:
    """The test images of a cell of one matrix, the surest answers first, with what each of those shown says."""
    (row, column), classes = cell, images.info.classes
    found = library.remember(
        ("cell", chosen.item.id, cell), lambda: confusion.cell_images(library, chosen, images.test_labels, cell)
    )
    what = f"**{classes[row]}** " + (f"taken for **{classes[column]}**" if row != column else "recognised")
    times = f" {chosen.matrix[cell]:,} times on" if chosen.seeds > 1 else ","
    st.markdown(f"{escape(chosen.item.title)}: {what}{times} {amount(found)}, {order([chosen])}.")
    confusion_images.show(library, found, shown, images, lambda part: seeds_that_say(library, chosen, part, column))


def seeds_that_say(library: Library, chosen: Answers, part: np.ndarray, label: int) -> list[str]:
    """For each image of a cell: how many seeds put it there, and how surely; nothing for a single run."""
    if chosen.seeds == 1:
        return [""] * len(part)
    known = confusion.mean_probabilities(library, chosen.item, part)
    sure = [""] * len(part) if known is None else [f", {value:.0%}" for value in known[:, label]]
    votes = chosen.seeds_saying(label, part)
    return [
        f"{chosen.item.info.classes[label]}: {count} of {chosen.seeds} seeds{said}"
        for count, said in zip(votes, sure, strict=True)
    ]
