"""Who is right where: images by which of those compared recognise them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from fmnist.compare import confusion
from fmnist.compare.confusion import Answers, Item
from fmnist.data.files import TestSet
from fmnist.store.library import Library
from fmnist.ui import confusion_images
from fmnist.ui.address import settle_one
from fmnist.ui.confusion_images import TOGETHER, from_the_start, order
from fmnist.words import escape


def show_patterns(library: Library, shown: list[Answers], images: TestSet) -> None:
    """Images by who recognises them."""
    patterns = patterns_of(library, shown, images)
    titles = {id: pattern.title for id, pattern in patterns.items()}
    settle_one("pattern", {id: [id, one.title, one.former] for id, one in patterns.items()}, next(iter(titles)))
    chosen = st.selectbox(
        "Images", list(titles), key="pattern", format_func=titles.__getitem__, on_change=from_the_start
    )
    pattern = patterns[chosen]
    found, asked = library.remember(("pattern", chosen, tuple(answers.item.id for answers in shown)), pattern.find)
    if not asked:
        st.info("The answers after this epoch were not kept for every run.", icon=":material/history_toggle_off:")
        return
    together = f" {TOGETHER}" if any(answers.seeds > 1 for answers in asked) else ""
    st.markdown(f"**{escape(pattern.title)}:** {len(found):,} of {len(images.test_labels):,} images.")
    if pattern.is_division:
        st.caption(f"Most divided first. Below each image: how many runs give each answer.{together}")
        confusion_images.show(library, found, asked, images, lambda part: tallies(asked[0], part))
    else:
        st.caption(f"{order(asked).capitalize()}.{together}")
        confusion_images.show(library, found, asked, images)


@dataclass(frozen=True)
class Pattern:
    """What can be asked about those compared."""

    title: str
    find: Callable[[], tuple[np.ndarray, list[Answers]]]
    """Finds images, in the order in which they are shown, and says whose answers stand below them."""
    is_division: bool = False
    """Whether it is about the seeds of one group that disagree."""
    former: str = ""
    """Its title in addresses of earlier versions, where that is another."""


def patterns_of(library: Library, shown: list[Answers], images: TestSet) -> dict[str, Pattern]:
    """What can be asked about those compared, by a name for addresses."""
    labels = images.test_labels
    alone = len(shown) == 1
    finders = {}
    for which, answers in enumerate(shown):
        words = "{} is right" if alone else "Only {} is right"
        finders[f"right-{answers.item.key}"] = words, answers.item, partial(confusion.only_right, shown, labels, which)
    words = "{} is wrong" if alone else "All are wrong"
    finders["wrong"] = words, shown[0].item, partial(confusion.all_wrong, shown, labels)
    if not alone:
        find = partial(confusion.all_wrong, shown, labels, alike=True)
        finders["wrong-alike"] = "All are wrong in the same way", shown[0].item, find
    patterns = {
        id: Pattern(
            words.format(item.title),
            partial(find_surest, library, shown, find),
            former=words.format(item.former_title),
        )
        for id, (words, item, find) in finders.items()
    }
    for item in {answers.item.group.id: answers.item for answers in shown}.values():
        if len(item.group.runs) > 1:
            seeds = confusion.all_seeds(item.group).after(item.epoch)
            divided = partial(find_divided, library, seeds, labels)
            words = "Runs disagree: {}"
            patterns[f"divided-{item.group.key}"] = Pattern(
                words.format(seeds.title), divided, is_division=True, former=words.format(seeds.former_title)
            )
    return patterns


def find_surest(
    library: Library, shown: list[Answers], find: Callable[[], np.ndarray]
) -> tuple[np.ndarray, list[Answers]]:
    """As `Pattern.find`: the images that are found, the surest answers of those compared first."""
    return confusion.surest_answers_first(library, shown, find()), shown


def find_divided(library: Library, seeds: Item, labels: np.ndarray) -> tuple[np.ndarray, list[Answers]]:
    """As `Pattern.find`: the images that the seeds of a group disagree on; nothing where that was not kept."""
    answers = confusion.answers(library, seeds, labels)
    return (confusion.seeds_disagree(answers), [answers]) if answers else (np.zeros(0, int), [])


def tallies(answers: Answers, part: np.ndarray) -> list[str]:
    """For each image what the seeds say: "3 × Coat, 2 × Shirt"."""
    classes = answers.item.info.classes
    return [", ".join(f"{votes} × {classes[label]}" for label, votes in answers.tally(image)) for image in part]
