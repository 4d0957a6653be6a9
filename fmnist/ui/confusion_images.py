"""Test images as tiles with what models say of them, and one of them seen closely, as the Confusion page shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from fmnist.compare import charts, confusion
from fmnist.compare.confusion import Answers
from fmnist.data.files import TestSet
from fmnist.predict.conversion import to_data_url
from fmnist.store.library import Library
from fmnist.ui.address import drop_unless_offered
from fmnist.ui.chart_display import picture_config
from fmnist.ui.image_tiles import image_buttons
from fmnist.ui.into_view import ask_for, bring
from fmnist.ui.links import PAGES
from fmnist.words import escape, listed

IMAGES_AT_ONCE = 48
LISTED = 1_000  # Of so many images, each can be chosen by its number, not only those that are shown.
CLOSER = "closer"  # The key of what shows one image closely.
CLOSE = 8  # The larger view shows each pixel of an image as so many.
TOGETHER = (
    "The answer of several runs is the class with the highest average probability (after an earlier epoch, the most "
    "frequent answer), followed by how many of them agree."
)


def show(
    library: Library,
    found: np.ndarray,
    asked: list[Answers],
    images: TestSet,
    headings: Callable[[np.ndarray], list[str]] | None = None,
    at_once: int = IMAGES_AT_ONCE,
) -> None:
    """Test images, so many at once, with the answers of those asked; one of them can be looked at closely.

    Args:
        found: indices, in the order in which they are shown.
        headings: what stands above the answers to some of them.
        at_once: how many are shown.
    """
    if not len(found):
        return
    tiles = st.container()  # Below them stands what says which are shown.
    left, right = st.columns(2, gap="medium")
    starts = range(0, len(found), at_once)
    start = 0
    if len(starts) > 1:
        start = right.selectbox(
            "Shown",
            starts,
            format_func=lambda start: f"{start + 1:,} to {min(start + at_once, len(found)):,}",
            key="shown",
            bind="query-params",
            on_change=nothing_large,
        )
    part = found[start : start + at_once]
    listed_ones = (found if len(found) <= LISTED else part).tolist()
    drop_unless_offered("image", listed_ones)
    index = left.selectbox(
        "Open an image",
        listed_ones,
        index=None,
        format_func=lambda index: f"#{index}",
        placeholder="Click it, or choose its number",
        key="image",
        bind="query-params",
        on_change=lambda: ask_for(CLOSER),
    )
    above = headings(part) if headings else [""] * len(part)
    answers = [say(library, one, name, part, images) for one, name in zip(asked, names_of(asked), strict=True)]
    captions = [
        "\n".join(filter(None, (f"#{index} · {images.info.classes[images.test_labels[index]]}", heading, *lines)))
        for index, heading, *lines in zip(part, above, *answers, strict=True)
    ]
    with tiles:
        if index is not None:
            with st.container(key=CLOSER):
                look_closer(library, index, asked, images)
                bring(CLOSER)
        image_buttons(images.test_images[part], part.tolist(), captions, index, enlarge)


def from_the_start() -> None:
    """Other images are asked for: they are shown from the first on."""
    st.session_state["shown"] = 0
    nothing_large()


def enlarge(index: int) -> None:
    """An image was clicked: it is looked at closely."""
    st.session_state["image"] = index
    ask_for(CLOSER)


def amount(found: np.ndarray) -> str:
    """How many images, in words: "1 image", "1,204 images"."""
    return f"{len(found):,} {'image' if len(found) == 1 else 'images'}"


def order(judges: Sequence[Answers]) -> str:
    """In which order images stand."""
    if any(answers.item.epoch for answers in judges):
        return "in order of image number: confidence is stored only for the end of training"
    return "most confident first"


def nothing_large() -> None:
    """No image is looked at closely."""
    st.session_state["image"] = None


def names_of(asked: list[Answers]) -> list[str]:
    """The shortest names that tell those asked apart."""
    return confusion.short_names([answers.item for answers in asked])


def say(library: Library, answers: Answers, name: str, part: np.ndarray, images: TestSet) -> list[str]:
    """The answer to each image: "✓ Model 0: Shirt 93%", or of a group "✗ Model 0: Shirt 81% (4 of 5 runs)"."""
    labels = answers.answer[part]
    known = confusion.mean_probabilities(library, answers.item, part)
    sure = (
        [""] * len(part) if known is None else [f" {row[label]:.0%}" for row, label in zip(known, labels, strict=True)]
    )
    votes = answers.seeds_saying(labels, part)
    return [
        f"{'✓' if label == true else '✗'} {name}: {images.info.classes[label]}{said}"
        + (f" ({count} of {answers.seeds} runs)" if answers.seeds > 1 else "")
        for label, true, said, count in zip(labels, images.test_labels[part], sure, votes, strict=True)
    ]


def look_closer(library: Library, index: int, asked: list[Answers], images: TestSet) -> None:
    """One test image, large, with all ten probabilities of each answer."""
    left, *others = st.columns([2, *[3] * len(asked)], gap="medium")
    true = images.info.classes[images.test_labels[index]]
    with left:
        picture = to_data_url(images.test_images[index], CLOSE)
        st.image(picture, width=28 * CLOSE, alt=f"Test image {index}, labelled {true}")
        st.markdown(f"Test image {index}: **{true}**")
        st.page_link(
            PAGES["Predict"],
            label="Open it in Predict",
            icon=":material/draw:",
            query_params={"how": "Test image", "index": str(index)},
        )
    for column, answers, name in zip(others, asked, names_of(asked), strict=True):
        with column:
            show_probabilities(library, answers, name, index)


def show_probabilities(library: Library, answers: Answers, name: str, index: int) -> None:
    """The ten probabilities that one of those asked gives a test image, as a chart."""
    label, info = answers.answer[index], answers.item.info
    seeds = confusion.probabilities(library, answers.item, np.array([index]))
    if seeds is None:
        st.markdown(f"{escape(name)}  \n**{info.classes[label]}**")
        st.caption("Its confidence is stored only for the end of training.")
        return
    mean, spread = confusion.mean_and_spread(seeds[:, 0])
    st.markdown(f"{escape(name)}  \n**{info.classes[label]}**, {mean[label]:.0%}")
    largest = sorted(range(len(mean)), key=lambda i: (-mean[i], i != label))
    st.plotly_chart(
        charts.probabilities(mean, int(label), answers.item.model, info.short, spread),
        key=f"probabilities-{answers.item.id}",
        config=picture_config("probabilities"),
        alt=f"{name}: " + listed(f"{info.classes[i]} {mean[i]:.0%}" for i in largest[:3]),
    )
    if spread is not None:
        st.caption("Bars: averages over the runs. Thin lines: from the lowest run to the highest.")
