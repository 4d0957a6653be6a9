"""What the Confusion page compares: runs, groups of runs, and epochs of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fmnist.compare import confusion
from fmnist.compare.confusion import Answers, Item
from fmnist.data.files import TestSet
from fmnist.store.library import Group, Library, default_groups, identity
from fmnist.ui.address import Known, drop_unless_offered, names_of, settle_one, settle_some
from fmnist.words import escape, listed

MAX_ITEMS = 3
MAX_LISTED = 200
END = "the end"
CELLS = {
    "counts": "Images",
    "shares": "Share of the true class",
    "predicted": "Share of the predicted class",
    "difference": "Difference",
}
"""What the cells of a matrix say."""
PATTERNS = "Who is right"
"""A view of the page, in which several are compared."""


def key_of_items(dataset: str, sources: Sequence[str]) -> str:
    """Of the widget that chooses among the runs of these sources on a data set."""
    return f"runs-{dataset}-{'-'.join(sources)}"


def choose_items(library: Library, groups: list[Group], key: str) -> list[Item]:
    """Up to three runs, groups or epochs."""
    offer = library.remember(("offer", identity(groups)), lambda: Offer.of(groups))
    if offer.more:
        find_what_was_typed(key, offer.names)
    settle_some(key, offer.names, [item.id for item in default_items(groups)], MAX_ITEMS)
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    chosen = left.multiselect(
        "Compared",
        list(dict.fromkeys([*offer.shortlist, *st.session_state[key]])),
        max_selections=MAX_ITEMS,
        key=key,
        format_func=lambda id: offer.items[id].title,
        placeholder="Choose up to three: runs, or all seeds of a model",
        accept_new_options=offer.more,
        wrap=True,  # Else what is chosen is cut, and the last of three is not seen.
    )
    if offer.more:
        st.caption(
            f"{len(offer.shortlist):,} of {len(offer.items):,} are listed. For any other run, type its number (such as "
            f"{groups[0].runs[-1].address}) or its full title into the field."
        )
    items = [offer.items[id] for id in chosen]
    longest = max((item.epochs for item in items if not item.group.recipe.validation), default=1)
    if longest == 1:
        return items
    with right:
        return choose_epochs(items, [*range(1, longest), END])


def default_items(groups: list[Group]) -> list[Item]:
    """All seeds of the best model, as far as `confusion.whole` has them.

    Where an address asks for what takes several, it is of an earlier version: a run of each model was shown then.
    """
    found = default_groups(groups)
    if st.query_params.get("cells") == CELLS["difference"] or st.query_params.get("view") == PATTERNS:
        return [confusion.one_run(group, group.runs[0]) for group in found][:MAX_ITEMS]
    return [confusion.whole(max(found, key=confusion.mean_accuracy))]


@dataclass(frozen=True)
class Offer:
    """What can be chosen: thousands of runs, perhaps, so it is worked out once."""

    items: dict[str, Item]  # by their ids
    names: Known  # in addresses
    shortlist: list[str]  # the ids of those that are listed

    @property
    def more(self) -> bool:
        """Whether there are more than are listed."""
        return len(self.shortlist) < len(self.items)

    @classmethod
    def of(cls, groups: list[Group]) -> Offer:
        """All that can be chosen of some groups."""
        items = confusion.items(groups)
        shortlist = [item.id for item in confusion.shortlist(items, groups, MAX_LISTED)]
        return cls({item.id: item for item in items}, {item.id: names_of_item(item) for item in items}, shortlist)


def find_what_was_typed(key: str, known: Known) -> None:
    """Put ids in place of the titles that somebody has typed; what is neither is taken out of the choice, and named."""
    chosen = st.session_state.get(key, [])
    if all(name in known for name in chosen):
        return
    by_name = {name: id for id, names in known.items() for name in (id, *names)}
    found = {name: by_name.get(name.strip()) for name in chosen}
    st.session_state[key] = list(dict.fromkeys(id for id in found.values() if id))
    if unknown := [name for name, id in found.items() if not id]:
        st.info(f"There is no run {escape(listed(unknown, 'or'))} here.", icon=":material/search_off:")


def names_of_item(item: Item) -> tuple[str, ...]:
    """Its names in addresses: see `address.Known`."""
    rate = item.group.recipe.learning_rate
    return *names_of(item.key, item.title, rate), *names_of(item.key, item.former_title, rate)[1:]


def choose_epochs(items: list[Item], epochs: list[int | str]) -> list[Item]:
    """The items after an epoch; one that is chosen alone also after others."""
    drop_unless_offered("epoch", epochs, END)
    drop_unless_offered("beside", epochs)
    left, *others = st.columns(2, gap="medium") if len(items) == 1 else [st.container()]
    epoch = left.select_slider(
        "After epoch",
        epochs,
        value=END,
        key="epoch",
        bind="query-params",
        help="See how mistakes disappear as a model learns. Models with fewer epochs stay at their last one.",
    )
    beside: list[int | str] = []
    for right in others:
        beside = right.multiselect(
            "Also after epoch",
            epochs,
            max_selections=MAX_ITEMS - 1,
            key="beside",
            bind="query-params",
            placeholder="Another epoch",
        )
    asked = {epoch if isinstance(epoch, int) else None for epoch in [*beside, epoch]}
    after = sorted(asked, key=lambda epoch: epoch or np.inf)  # The end comes last.
    return [item.after(epoch) for item in items for epoch in after]


def choose_one(
    place: DeltaGenerator, label: str, shown: Sequence[Answers], key: str, index: int, on_change: Callable[[], None]
) -> Answers:
    """One of those compared, known by the id of its item; its title is for people.

    Args:
        index: of the one that is chosen at first, if there are so many.
    """
    known = {answers.item.id: answers for answers in shown}
    default = list(known)[min(index, len(known) - 1)]
    settle_one(key, {id: names_of_item(answers.item) for id, answers in known.items()}, default)
    chosen = place.selectbox(
        label, list(known), key=key, format_func=lambda id: known[id].item.title, on_change=on_change
    )
    return known[chosen]


def answers_of(library: Library, items: list[Item], images: TestSet) -> list[Answers]:
    """What the items say of the test images; those of which that is not known are named, and left out."""
    found = {item.id: known_answers(library, item, images) for item in items}
    if missing := [item.title for item in items if found[item.id] is None]:
        st.info(f"No answers were kept for {escape(listed(missing))}.", icon=":material/history_toggle_off:")
    return [answers for answers in found.values() if answers]


def known_answers(library: Library, item: Item, images: TestSet) -> Answers | None:
    """What an item says of the test images, worked out once; None where that was not kept."""
    return library.remember(("answers", item.id), lambda: confusion.answers(library, item, images.test_labels))
