"""The last line of a page: what one would do next, with a link there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from fmnist.compare.next_steps import MixUp
from fmnist.ui.address import with_scope
from fmnist.ui.confusion_items import key_of_items
from fmnist.ui.links import PAGES
from fmnist.words import escape


def show(
    page: str, sentence: str, chosen: Mapping[str, str | Sequence[str]] | None = None, key: str = "next-step"
) -> None:
    """One line that leads to a page.

    Args:
        page: a name of `PAGES`.
        sentence: plain text.
        chosen: what is chosen there, by the keys of its widgets, as its address has it.
        key: of the line, of which a page has one.
    """
    query = chosen or {}
    if page != "Train":  # Its form says on which data.
        query = with_scope(query)
    with st.container(key=key):
        st.page_link(PAGES[page], label=escape(sentence), icon=":material/arrow_forward:", query_params=dict(query))


def show_mix_up(found: MixUp, sources: Sequence[str], key: str = "next-step") -> None:
    """One line that leads to a cell, a row or a column of a matrix on Confusion.

    Args:
        sources: whose runs the page shows.
        key: as for `show`.
    """
    info = found.item.info
    chosen: dict[str, str | Sequence[str]] = {key_of_items(info.id, sources): [found.item.key]}
    for name, label in (("true", found.true), ("predicted", found.predicted)):
        if label is not None:
            chosen[name] = info.classes[label]
    show("Confusion", found.sentence, chosen, key)
