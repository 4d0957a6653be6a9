"""Who is right where: images by which of those compared recognise them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st

from fmnist.compare import confusion
from fmnist.compare.confusion import Answers, Item
from fmnist.data.files import Dataset
from fmnist.store.library import Group, Library, default_groups
from fmnist.ui import confusion_images
from fmnist.ui.confusion_cells import from_the_start, order
from fmnist.ui.possible_wrong_labels import SUSPECTS, show_suspects

TOGETHER = (
    "Of all seeds together, the answer is the class with the highest mean probability (after an earlier epoch: what "
    "most of them say); behind it stands how many of them say so."
)


def show_patterns(library: Library, shown: list[Answers], groups: list[Group], images: Dataset) -> None:
    """Images by who recognises them, and those whose label may be wrong."""
    patterns = patterns_of(library, shown, images)
    chosen = st.selectbox("Images", [*patterns, SUSPECTS], key="pattern", bind="query-params", on_change=from_the_start)
    if chosen == SUSPECTS:
        show_suspects(library, default_groups(groups), images)
        return
    pattern = patterns[chosen]
    found, asked = library.remember(("pattern", chosen, tuple(answers.item.id for answers in shown)), pattern.find)
    if not asked:
        st.info("Not all seeds have kept their answers after this epoch.", icon=":material/history_toggle_off:")
        return
    together = f" {TOGETHER}" if any(answers.seeds > 1 for answers in asked) else ""
    st.markdown(f"**{chosen}:** {len(found):,} of {len(images.test_labels):,} images.")
    if pattern.is_division:
        st.caption(f"The most divided first. Under each image: how many seeds say what.{together}")
        confusion_images.show(library, found, asked, images, lambda part: tallies(asked[0], part))
    else:
        st.caption(f"{order(asked).capitalize()}.{together}")
        confusion_images.show(library, found, asked, images)


@dataclass(frozen=True)
class Pattern:
    """What can be asked about those compared."""

    find: Callable[[], tuple[np.ndarray, list[Answers]]]
    """Finds images, in the order in which they are shown, and says whose answers stand below them."""
    is_division: bool = False
    """Whether it is about the seeds of one group that disagree."""


def patterns_of(library: Library, shown: list[Answers], images: Dataset) -> dict[str, Pattern]:
    """What can be asked about those compared, by its name."""
    labels = images.test_labels

    def sorted_by_sureness(found: Callable[[], np.ndarray]) -> Pattern:
        return Pattern(lambda: (confusion.surest_answers_first(library, shown, found()), shown))

    def disagreement(item: Item) -> Pattern:
        def find() -> tuple[np.ndarray, list[Answers]]:
            answers = confusion.answers(library, item, labels)
            return (confusion.seeds_disagree(answers), [answers]) if answers else (np.zeros(0, int), [])

        return Pattern(find, is_division=True)

    alone = len(shown) == 1
    found = {}
    for which, answers in enumerate(shown):
        name = f"{answers.item.title} is right" if alone else f"Only {answers.item.title} is right"
        found[name] = sorted_by_sureness(lambda which=which: confusion.only_right(shown, labels, which))
    wrong = f"{shown[0].item.title} is wrong" if alone else "All are wrong"
    found[wrong] = sorted_by_sureness(lambda: confusion.all_wrong(shown, labels))
    if not alone:
        found["All are wrong in the same way"] = sorted_by_sureness(
            lambda: confusion.all_wrong(shown, labels, alike=True)
        )
    for item in {answers.item.group.id: answers.item for answers in shown}.values():
        if len(item.group.runs) > 1:
            seeds = confusion.all_seeds(item.group).after(item.epoch)
            found[f"Seeds disagree: {seeds.title}"] = disagreement(seeds)
    return found


def tallies(answers: Answers, part: np.ndarray) -> list[str]:
    """For each image what the seeds say: "3 × Coat, 2 × Shirt"."""
    classes = answers.item.info.classes
    return [", ".join(f"{votes} × {classes[label]}" for label, votes in answers.tally(image)) for image in part]
