"""The difference of two confusion matrices, and the images that changed from one to the other."""

from __future__ import annotations

from typing import Any

import streamlit as st

from fmnist.compare import confusion, confusion_charts
from fmnist.compare.confusion import Answers
from fmnist.data.files import TestSet
from fmnist.store.library import Library
from fmnist.ui import confusion_images
from fmnist.ui.address import settle_one
from fmnist.ui.chart_display import picture_config
from fmnist.ui.confusion_cells import IMAGES, Cell, choose_cell, picked
from fmnist.ui.confusion_images import TOGETHER, amount, from_the_start, order
from fmnist.ui.confusion_items import choose_one
from fmnist.ui.into_view import bring
from fmnist.ui.page import is_dark
from fmnist.words import escape

MAX_PAIRS = 5


def choose_pair(shown: list[Answers]) -> tuple[Answers, Answers]:
    """Which two of those compared: before and after."""
    before, after = (
        choose_one(column, name, shown, name.lower(), index, from_the_start)
        for index, (column, name) in enumerate(zip(st.columns(2), ("From", "To"), strict=True))
    )
    return before, after


def show_difference(library: Library, before: Answers, after: Answers, images: TestSet) -> None:
    """What the second does otherwise than the first, cell by cell and image by image."""
    change = confusion.difference(before, after)
    st.markdown(gain(before, after))
    left, right = st.columns([3, 2], gap="medium")
    each = ", per run" if before.seeds + after.seeds > 2 else ""
    st.caption(
        f"Blue: more images in this cell than before{each}; orange: fewer. On the diagonal, more is better; everywhere "
        "else, fewer. Click a cell to see which images changed, or choose it here:"
    )
    info = images.info
    cell = choose_cell(st.columns(2), info.classes)
    in_words = [
        f"{info.classes[true]} {'recognised' if true == said else f'mistaken for {info.classes[said]}'}: "
        f"{confusion_charts.signed(count)}"
        for true, said, count in confusion.most_changed(change, MAX_PAIRS)
    ]
    look: dict[str, Any] = {"cell": cell, "dark": is_dark()}
    left.plotly_chart(
        library.remember(
            ("difference", before.item.id, after.item.id, *look.values()),
            lambda: confusion_charts.confusion_difference(change, info, **look),
        ),
        key="difference",
        on_select=lambda: picked("difference", info.classes, flip=""),  # Another cell may have no images of this kind.
        selection_mode="points",
        config=picture_config("confusion"),
        alt=f"Confusion matrix of {after.item.title} minus that of {before.item.title}. " + "; ".join(in_words),
    )
    right.markdown(
        "Largest changes:\n" + "\n".join(f"- {line}" for line in in_words) if in_words else "Nothing changed."
    )
    if cell:
        with st.container(key=IMAGES):
            show_flips(library, before, after, cell, images)
            bring(IMAGES)


def gain(before: Answers, after: Answers) -> str:
    """How many images more or fewer the second recognises, in a sentence."""
    images = confusion.images_gained(before, after)
    count = confusion_charts.signed(abs(images)).removeprefix("+")
    each = " on average over the runs" if before.seeds + after.seeds > 2 else ""
    if not count:
        return f"**{escape(after.item.title)}** recognises as many images as **{escape(before.item.title)}**{each}."
    verb = f"{count} {'more' if images > 0 else 'fewer'} {'image' if count == '1' else 'images'}"
    return f"**{escape(after.item.title)}** recognises {verb} than **{escape(before.item.title)}**{each}."


def show_flips(library: Library, before: Answers, after: Answers, cell: Cell, images: TestSet) -> None:
    """The images of a cell that changed from one to the other, and those that did not."""
    parts = library.remember(
        ("flips", before.item.id, after.item.id, cell),
        lambda: confusion.flips(library, before, after, images.test_labels, cell),
    )
    title = escape(after.item.title)
    words = {
        "fixed": f"Fixed by {title}",
        "broken": f"Newly wrong in {title}",
        "alike": "Recognised by both" if cell[0] == cell[1] else "Same mistake in both",
        "moved": "Different mistakes",
    }
    options = [name for name in words if name != "moved" or cell[0] != cell[1]]
    several = before.seeds + after.seeds > 2
    if several:
        st.caption(
            "The matrix counts the answers of each run. Here the runs of a model answer together, as one: a mistake "
            "that only a few of them make is not among these images."
        )
    st.markdown(" · ".join(f"{words[name]}: **{len(parts[name]):,}**" for name in options))
    first = next((name for name in options if len(parts[name])), options[0])
    settle_one("flip", {name: [name, words[name]] for name in options}, first)
    part = st.segmented_control(
        "Images",
        options,
        required=True,
        key="flip",
        format_func=words.__getitem__,
        on_change=from_the_start,
    )
    assert part is not None, "it is required"
    found, both = parts[part], [before] if before is after else [before, after]
    together = f" {TOGETHER}" if several else ""
    st.caption(f"{amount(found)}, {order(both)}.{together}")
    confusion_images.show(library, found, both, images)
