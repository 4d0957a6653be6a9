"""Confusion matrices side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from fmnist import metrics
from fmnist.compare import confusion, confusion_charts
from fmnist.compare.confusion import Answers
from fmnist.data.files import TestSet
from fmnist.store.library import Library
from fmnist.ui.chart_display import choose_picture_format, picture_config
from fmnist.ui.confusion_cells import Cell, choose_cell, picked, show_cell
from fmnist.ui.confusion_difference import MAX_PAIRS, choose_pair, show_difference
from fmnist.ui.confusion_images import from_the_start
from fmnist.ui.confusion_items import choose_one
from fmnist.ui.export_panel import download_table
from fmnist.ui.page import is_dark
from fmnist.words import escape

CELLS = {
    "counts": "Images",
    "shares": "Share of the true class",
    "predicted": "Share of the predicted class",
    "difference": "Difference",
}


def summary(shown: Sequence[Answers]) -> str:
    """The worst confusion of the most accurate one, in a sentence."""
    best = confusion.most_accurate(shown)
    pairs = metrics.most_confused(best.matrix, 1)
    if not pairs:
        return f"**{escape(best.item.title)}** makes no error."
    [(true, predicted, count)] = pairs
    classes = best.item.info.classes
    what = "images" if best.seeds == 1 else f"answers of {best.seeds} seeds"
    return (
        f"**{escape(best.item.title)}** most often takes **{classes[true]}** for **{classes[predicted]}**: "
        f"{count:,} of {best.of_class(true):,} {what}."
    )


def show_matrices(library: Library, shown: list[Answers], images: TestSet) -> None:
    """A matrix for each of those compared, or the difference of two; below them the images of the chosen cell."""
    cells = st.segmented_control(
        "Cells say",
        list(CELLS) if len(shown) > 1 else list(CELLS)[:-1],
        default="counts",
        required=True,
        key="cells",
        bind="query-params",
        format_func=CELLS.__getitem__,
        wrap=True,
        on_change=from_the_start,
    )
    if cells == "difference":
        show_difference(library, *choose_pair(shown), images)
        return
    above = st.container()  # The matrices mark the cell that is chosen below them.
    of = "predicted" if cells == "predicted" else "true"
    st.caption(
        "Rows are the true class, columns the predicted one; "
        f"{'lighter' if is_dark() else 'darker'} is a larger share of the {of} class, on one scale for all. "
        "All seeds of a model are counted together. Click a cell to see its images, or choose it here:"
    )
    one, two, three = st.columns(3)
    cell = choose_cell([one, two], images.info.classes)
    chosen = choose_one(three, "Of", shown, "of", 0, from_the_start)
    for column, answers in zip(above.columns(len(shown)), shown, strict=True):
        with column:
            show_matrix(library, answers, of, cells != "counts", cell)
    with st.popover("Take it along", icon=":material/download:"):
        download_table("confusion", confusion.as_table(shown), "Matrices (CSV)")
        choose_picture_format()
    if cell:
        show_cell(library, chosen, cell, shown, images)


def show_matrix(library: Library, answers: Answers, of: str, as_shares: bool, cell: Cell | None) -> None:
    """One matrix with what is most confused in it, in words."""
    item, matrix, classes = answers.item, answers.matrix, answers.item.info.classes
    seeds = f" on average over {answers.seeds} seeds" if answers.seeds > 1 else ""
    st.markdown(f"**{escape(item.title)}** · {answers.accuracy:.2%} right{seeds}")
    pairs = metrics.most_confused(matrix, MAX_PAIRS)
    in_words = [f"{classes[true]} taken for {classes[said]}: {count:,}" for true, said, count in pairs]
    look: dict[str, Any] = {"of": of, "as_shares": as_shares, "cell": cell, "dark": is_dark()}
    shares = metrics.row_shares if of == "true" else metrics.column_shares
    st.plotly_chart(
        library.remember(
            ("matrix", item.id, *look.values()),
            lambda: confusion_charts.confusion(matrix, shares(matrix), item.info, **look),
        ),
        key=f"matrix-{item.id}",
        on_select=lambda: picked(f"matrix-{item.id}", classes, of=item.id),
        selection_mode="points",
        config=picture_config("confusion"),
        alt=f"Confusion matrix of {item.title}. " + "; ".join(in_words),
    )
    st.markdown("Most confused:\n" + "\n".join(f"- {line}" for line in in_words) if in_words else "No error.")
    troubles = [f"seed {run.recipe.seed} {trouble}" for run in item.runs if (trouble := run.trouble)]
    if troubles and item.epoch is None:
        st.caption(f":orange[:material/warning: {'; '.join(troubles)}]")
