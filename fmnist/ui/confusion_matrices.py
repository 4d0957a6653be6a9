"""Confusion matrices side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from fmnist import metrics
from fmnist.compare import confusion, confusion_charts
from fmnist.compare.confusion import Answers
from fmnist.compare.sentences import say_share
from fmnist.data.files import TestSet
from fmnist.store.library import Library
from fmnist.ui.chart_display import choose_picture_format, picture_config
from fmnist.ui.confusion_cells import Cell, choose_cell, picked, show_cell
from fmnist.ui.confusion_difference import MAX_PAIRS, choose_pair, show_difference
from fmnist.ui.confusion_images import from_the_start
from fmnist.ui.confusion_items import CELLS, choose_one
from fmnist.ui.export_panel import download_table
from fmnist.ui.page import is_dark
from fmnist.words import escape


def summary(shown: Sequence[Answers]) -> str:
    """The worst confusion of the most accurate one, in a sentence."""
    found = worst(shown)
    if not found:
        return f"**{escape(confusion.most_accurate(shown).item.title)}** makes no mistakes."
    best, (true, predicted) = found
    classes = best.item.info.classes
    count, of = int(best.matrix[true, predicted]), best.of_class(true)
    name = best.item.title if best.seeds == 1 or best.item.epoch else best.item.group.title
    what = "images" if best.seeds == 1 else f"answers from {best.seeds} runs"
    others = metrics.as_frequent(best.matrix, (true, predicted))
    alike = f" {others} other mix-up{' is' if others == 1 else 's are'} as frequent." if others else ""
    return (
        f"**{escape(name)}** most often mistakes **{classes[true]}** for **{classes[predicted]}**: "
        f"{count:,} of {of:,} {what} ({say_share(count / of)}).{alike}"
    )


def worst(shown: Sequence[Answers]) -> tuple[Answers, Cell] | None:
    """The most accurate one, and its worst confusion; None if it makes no error."""
    best = confusion.most_accurate(shown)
    cell = metrics.worst_cell(best.matrix)
    return (best, cell) if cell else None


def worst_of_any(shown: Sequence[Answers]) -> tuple[Answers, Cell] | None:
    """The same of the most accurate one that makes an error; None if none does."""
    wrong = [answers for answers in shown if answers.accuracy < 1]
    return worst(wrong) if wrong else None


def show_matrices(library: Library, shown: list[Answers], images: TestSet) -> tuple[Answers, Cell] | None:
    """A matrix for each of those compared, or the difference of two; beside or below them the images of a cell.

    Returns:
        Whose cell is open, and which; None for a difference, and where no cell is open.
    """
    cells = st.segmented_control(
        "Show in cells",
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
        return None
    alone = len(shown) == 1
    left, right = st.columns([5, 6], gap="medium") if alone else (st.container(), st.container())
    above = left.container()  # The matrices mark the cell that is chosen beside or below them.
    of = "predicted" if cells == "predicted" else "true"
    with left:
        st.caption(
            "Click a cell to see its images. Rows: the true class; columns: the predicted class. "
            f"{'Lighter' if is_dark() else 'Darker'} means a larger share of the {of} class, on the same scale in "
            "every matrix. All runs of a model are counted together."
        )
    with right:
        one, two, *three = st.columns(2 if alone else 3)
        chosen = choose_one(three[0], "Of", shown, "of", 0, from_the_start) if three else shown[0]
        cell = choose_cell([one, two], images.info.classes, chosen.matrix)
        if cell:
            show_cell(library, chosen, cell, shown, images)
    columns = above.columns(len(shown))
    for column, answers in zip(columns, shown, strict=True):
        with column:
            show_matrix(library, answers, of, cells != "counts", cell)
    for column, answers in zip(st.columns(len(shown)), shown, strict=True):
        with column:
            say_most_confused(answers, named=not alone)
    with st.popover("Download", icon=":material/download:"):
        download_table("confusion", confusion.as_table(shown), "Matrices (CSV)")
        choose_picture_format()
    return (chosen, cell) if cell else None


def show_matrix(library: Library, answers: Answers, of: str, as_shares: bool, cell: Cell | None) -> None:
    """One matrix."""
    item, matrix, classes = answers.item, answers.matrix, answers.item.info.classes
    seeds = f", on average over {answers.seeds} runs" if answers.seeds > 1 else ""
    st.markdown(f"**{escape(item.title)}** · {answers.accuracy:.2%} right{seeds}")
    in_words = most_confused(answers)
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
    troubles = [f"seed {run.recipe.seed} {trouble}" for run in item.runs if (trouble := run.trouble)]
    if troubles and item.epoch is None:
        st.caption(f":orange[:material/warning: {'; '.join(troubles)}]")


def most_confused(answers: Answers) -> list[str]:
    """The largest cells beside the diagonal, in words."""
    classes = answers.item.info.classes
    pairs = metrics.most_confused(answers.matrix, MAX_PAIRS)
    return [f"{classes[true]} mistaken for {classes[said]}: {count:,}" for true, said, count in pairs]


def say_most_confused(answers: Answers, *, named: bool) -> None:
    """The most frequent mistakes in a matrix, in words."""
    in_words = most_confused(answers)
    title = f"Most frequent mistakes of {escape(answers.item.title)}" if named else "Most frequent mistakes"
    counted = f", in {runs} runs together" if (runs := len(answers.item.runs)) > 1 else ""
    st.caption(f"{title}{counted}: {'; '.join(in_words)}." if in_words else "No mistakes.")
