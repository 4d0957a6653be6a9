"""A cell of a confusion matrix: how it is chosen, and the test images behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fmnist import metrics
from fmnist.compare import confusion
from fmnist.compare.confusion import Answers
from fmnist.data.files import TestSet
from fmnist.store.library import Library
from fmnist.ui import confusion_images
from fmnist.ui.address import drop_unless_offered
from fmnist.ui.confusion_images import amount, from_the_start, order
from fmnist.ui.into_view import ask_for, bring
from fmnist.words import escape

IMAGES_BESIDE = 12  # As many as stand beside a matrix.
IMAGES = "cell-images"  # The key of the images of a cell.
Cell = tuple[int, int]
"""A true and a predicted class."""


def choose_cell(
    columns: Sequence[DeltaGenerator], classes: Sequence[str], matrix: np.ndarray | None = None
) -> Cell | None:
    """The cell that was clicked, is in the address, or is chosen here, as (true, predicted).

    Args:
        matrix: counts, int (10, 10): a class that is not chosen is the one that is most often mixed up in it. Without
            it, both have to be chosen.
    """
    for key in ("true", "predicted"):
        drop_unless_offered(key, classes)
    true, said = (
        column.selectbox(
            name,
            classes,
            index=None,
            key=key,
            bind="query-params",
            on_change=from_the_start,
            placeholder="Choose a class" if matrix is None else "the worst mix-up",
        )
        for column, (name, key) in zip(
            columns, {"True class": "true", "Predicted class": "predicted"}.items(), strict=True
        )
    )
    row, column = (None if name is None else classes.index(name) for name in (true, said))
    if row is not None and column is not None:
        return row, column
    return None if matrix is None else metrics.worst_cell(matrix, row, column)


def picked(key: str, classes: Sequence[str], **others: str) -> None:
    """Take over the cell that was clicked in a matrix; clicking it again sends an empty selection, and it stays."""
    points = st.session_state[key].selection.points
    if points:
        row, column = points[0]["customdata"]
        st.session_state.update(true=classes[row], predicted=classes[column], **others)
        from_the_start()
        ask_for(IMAGES)


def show_cell(library: Library, chosen: Answers, cell: Cell, shown: list[Answers], images: TestSet) -> None:
    """The test images of a cell of one matrix, the surest answers first, with what each of those shown says."""
    (row, column), classes = cell, images.info.classes
    found = images_of(library, chosen, cell, images)
    title, what = escape(chosen.item.title), f"mistaken for **{classes[column]}**" if row != column else "recognised"
    count = int(chosen.matrix[cell])
    times = f" {count:,} {'time' if count == 1 else 'times'} on" if chosen.seeds > 1 else ","
    with st.container(key=IMAGES):
        if len(found):
            st.markdown(f"{title}: **{classes[row]}** {what}{times} {amount(found)}, {order([chosen])}.")
            confusion_images.show(
                library, found, shown, images, lambda part: seeds_that_say(library, chosen, part, column), IMAGES_BESIDE
            )
        else:
            st.markdown(f"{title}: no image of **{classes[row]}** is {what}.")
        bring(IMAGES)


def images_of(library: Library, chosen: Answers, cell: Cell, images: TestSet) -> np.ndarray:
    """`confusion.cell_images`, worked out once."""
    return library.remember(
        ("cell", chosen.item.id, cell), lambda: confusion.cell_images(library, chosen, images.test_labels, cell)
    )


def seeds_that_say(library: Library, chosen: Answers, part: np.ndarray, label: int) -> list[str]:
    """For each image of a cell: how many seeds put it there, and how surely.

    Nothing where all seeds together put it there, which is said below it anyway; so for a single run.
    """
    if chosen.seeds == 1:
        return [""] * len(part)
    known = confusion.mean_probabilities(library, chosen.item, part)
    sure = [""] * len(part) if known is None else [f", {value:.0%}" for value in known[:, label]]
    votes = chosen.seeds_saying(label, part)
    return [
        "" if answer == label else f"{chosen.item.info.classes[label]}: {count} of {chosen.seeds} runs{said}"
        for answer, count, said in zip(chosen.answer[part], votes, sure, strict=True)
    ]
