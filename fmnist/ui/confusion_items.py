"""What the Confusion page compares: runs, groups of runs, and epochs of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fmnist.compare import confusion
from fmnist.compare.confusion import Answers, Item
from fmnist.data.files import Dataset
from fmnist.store.library import Group, Library, default_groups, identity
from fmnist.ui.scope import settle_address
from fmnist.words import escape, listed

MAX_ITEMS = 3
MAX_LISTED = 200
END = "the end"


def choose_items(library: Library, groups: list[Group], key: str) -> list[Item]:
    """Up to three runs, groups or epochs."""
    every, known, shortlist = library.remember(("items", identity(groups)), lambda: _items(groups))
    if key not in st.session_state and st.query_params.get_all(key):
        settle_address(key, {item.id: (item.group, item.title) for item in every}, MAX_ITEMS)
    more, offered = len(every) > len(shortlist), {item.id: item for item in shortlist}
    if more:
        offered |= {item.id: item for item in asked_for(key, known)}
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    chosen = left.multiselect(
        "Compared",
        list(offered),
        default=[group.runs[0].address for group in default_groups(groups)][:MAX_ITEMS],
        max_selections=MAX_ITEMS,
        key=key,
        format_func=lambda id: offered[id].title,
        bind="query-params",
        placeholder="Choose up to three: runs, or all seeds of a model",
        accept_new_options=more,
    )
    if more:
        st.caption(
            f"{len(shortlist):,} of {len(every):,} are listed. Type the number of any other run into the field, "
            f"such as {groups[0].runs[-1].address}, or its whole title."
        )
    items = [offered[id] for id in chosen]
    longest = max((item.epochs for item in items), default=1)
    if longest == 1:
        return items
    with right:
        return choose_epochs(items, [*range(1, longest), END])


def _items(groups: list[Group]) -> tuple[list[Item], dict[str, Item], list[Item]]:
    """All that can be compared, the same by id, and what of it is listed."""
    every = confusion.items(groups)
    return every, {item.id: item for item in every}, confusion.shortlist(every, groups, MAX_LISTED)


def asked_for(key: str, known: Mapping[str, Item]) -> list[Item]:
    """What is chosen, listed or not: its number or its title was typed, or stands in the address.

    The rest of what was typed is taken out of the choice, and named.
    """
    asked = st.session_state.get(key, st.query_params.get_all(key))
    if all(name in known for name in asked):
        return [known[name] for name in asked]
    by_title = {item.title: item for item in known.values()}
    found = {name: known.get(name.strip()) or by_title.get(name.strip()) for name in asked}
    st.session_state[key] = list(dict.fromkeys(item.id for item in found.values() if item))
    if unknown := [name for name, item in found.items() if not item]:
        st.info(f"There is no run {escape(listed(unknown, 'or'))} here.", icon=":material/search_off:")
    return [item for item in found.values() if item]


def choose_epochs(items: list[Item], epochs: list[int | str]) -> list[Item]:
    """The items after an epoch; one that is chosen alone also after others."""
    left, *others = st.columns(2, gap="medium") if len(items) == 1 else [st.container()]
    epoch = left.select_slider(
        "After epoch",
        epochs,
        value=END,
        key="epoch",
        bind="query-params",
        help="See how confusions vanish while a model learns. One that has fewer epochs stays at its end.",
    )
    beside: list[int | str] = []
    for right in others:
        beside = right.multiselect(
            "Beside it, after epoch",
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
    """One of those compared, known by the id of its item; its title is for people, and for the address."""
    known = {answers.item.id: answers for answers in shown}
    chosen_before = key in st.session_state
    settle_address(key, {id: (answers.item.group, answers.item.title) for id, answers in known.items()}, None)
    settled = key in st.session_state and not chosen_before  # A default beside it would be warned of.
    chosen = place.selectbox(
        label,
        list(known),
        0 if settled else min(index, len(known) - 1),
        key=key,
        format_func=lambda id: known[id].item.title,
        bind="query-params",
        on_change=on_change,
    )
    return known[chosen]


def answers_of(library: Library, items: list[Item], images: Dataset) -> list[Answers]:
    """What the items say of the test images; those of which that is not known are named, and left out."""
    found = {item.id: known_answers(library, item, images) for item in items}
    if missing := [item.title for item in items if found[item.id] is None]:
        st.info(f"No answers are kept of {escape(listed(missing))}.", icon=":material/history_toggle_off:")
    return [answers for answers in found.values() if answers]


def known_answers(library: Library, item: Item, images: Dataset) -> Answers | None:
    """What an item says of the test images, worked out once; None where that was not kept."""
    return library.remember(("answers", item.id), lambda: confusion.answers(library, item, images.test_labels))
