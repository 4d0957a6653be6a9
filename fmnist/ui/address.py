"""What is chosen on a page, in its address: runs, groups and data sets by what they are, and not by their titles.

Streamlit itself (`bind`) would write into the address what people read: titles, which change when something else is
trained. So such a widget and the address are brought together here, just before it is drawn, without a default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from fmnist.words import escape, exact, listed, shortened

Known = Mapping[str, Sequence[str]]
"""By id what can be chosen: its name in the address, then those that it has in addresses of earlier versions."""


@dataclass
class Visit:
    """Of a page, by somebody who has not been on another since.

    Attributes:
        now, before: which names were settled in this run, and before.
        in_vain: by name, what the address asks for in vain: a sentence, or nothing.
    """

    page: str
    now: set[str] = field(default_factory=set)
    before: set[str] = field(default_factory=set)
    in_vain: dict[str, str] = field(default_factory=dict)


def settle_one(key: str, known: Known, default: str | None, kept: str | None = None) -> None:
    """Have a widget with which one is chosen and the address of the page say the same.

    When somebody opens the page, or goes back or forward to it, the address counts; else what was chosen since. What is
    not there is left out. The default does not stand in the address.

    Args:
        key: of the widget, and its name in the address; what is chosen is in `st.session_state` afterwards.
        default: one of those known, or None for nothing.
        kept: what counts instead of the default where the address says nothing: it was chosen on another page.
    """
    chosen = st.session_state[key] if _was_chosen(key) else next(iter(_asked(key, known) or ()), kept)
    if chosen not in known:
        chosen = default
    _write(key, chosen, [] if chosen is None or chosen == default else [known[chosen][0]])


def settle_some(key: str, known: Known, default: Sequence[str], most: int, *, former: str = "") -> None:
    """The same for a widget with which up to so many are chosen; that none is may stand in the address, too. What the
    address names and is not there is said.

    Args:
        former: the key under which addresses of earlier versions have it, where that is another.
    """
    if counts_for(key):
        _note_what_is_not_there(key, known)
    asked = st.session_state[key] if _was_chosen(key) else _asked(key, known)
    if asked is None and former and former not in _visit().before:  # Else it is what another choice has left there.
        asked = _asked(former, known)
        st.query_params.pop(former, None)
    chosen = [id for id in asked or () if id in known][:most]
    if not chosen and asked != []:
        chosen = list(default)
    _write(key, chosen, [] if chosen == list(default) else [known[id][0] for id in chosen] or [""])


def names_of(key: str, title: str, learning_rate: float) -> tuple[str, str, str]:
    """Of a group or of runs of one: earlier versions wrote titles, in which the first ones rounded learning rates."""
    return key, title, title.replace(f"lr {exact(learning_rate)},", f"lr {learning_rate:g},")


def drop_unless_offered(key: str, options: Sequence[object], default: object = None) -> None:
    """Just before a widget is drawn that Streamlit brings together with the address (`bind`): have what is not offered
    any more, such as the class of another data set, be the default. Streamlit would leave it in the address.

    Args:
        default: that of the widget.
    """
    chosen = st.session_state.get(key)
    if isinstance(chosen, list):
        if any(one not in options for one in chosen):
            st.session_state[key] = [one for one in chosen if one in options]
    elif chosen is not None and chosen not in options:
        st.session_state[key] = default


def with_scope(chosen: Mapping[str, str | Sequence[str]]) -> dict[str, str | Sequence[str]]:
    """The query of a link to another page: on which data and whose runs this one looks, and what is chosen there.

    Args:
        chosen: by the keys of widgets there; runs and groups by their names in addresses.
    """
    return {name: st.query_params[name] for name in ("data", "source") if name in st.query_params} | dict(chosen)


def counts_for(key: str) -> bool:
    """Whether the address counts for a widget, and not what was chosen with it: the page is being opened, or somebody
    goes back or forward to it."""
    return not _was_chosen(key)


def was_navigated() -> bool:
    """Whether somebody goes back or forward to this address: then it counts even where it says nothing."""
    context = get_script_run_ctx()
    return bool(context and context.is_history_navigation)


def settle_words(words: Mapping[str, str | None]) -> None:
    """Have names of this page stand in the address with these words; None takes one out.

    All at once: the browser's Back undoes what was done at once.
    """
    _visit().now.update(words)
    before = {name: st.query_params.get_all(name) for name in st.query_params}
    new = {name: [word] for name, word in words.items() if word is not None}
    after = {name: values for name, values in before.items() if name not in words} | new
    if after != before:
        st.query_params.from_dict(after)


def note_in_vain(key: str, sentence: str) -> None:
    """Have it said at the top of the page that the address asks for something in vain; nothing if all is well."""
    _visit().in_vain[key] = sentence


def say_in_vain() -> None:
    """At the top of the page: what its address asked for in vain, as long as the visit lasts."""
    for sentence in filter(None, _visit().in_vain.values()):
        st.info(escape(sentence), icon=":material/link_off:")


def drop_what_is_gone() -> None:
    """At the end of a page: take out of the address what belongs to widgets that are no longer drawn."""
    visit = _visit()
    for key in visit.before - visit.now:
        st.query_params.pop(key, None)
    visit.before, visit.now = visit.now, set()


def _visit() -> Visit:
    context = get_script_run_ctx()
    page = context.page_script_hash if context else ""
    visit = st.session_state.get("visit")
    if visit is None or visit.page != page:  # The session still has what widgets of other pages said.
        visit = st.session_state["visit"] = Visit(page)
    return visit


def _was_chosen(key: str) -> bool:
    """Whether the widget counts, and not the address."""
    visit = _visit()
    return key in st.session_state and key in visit.before | visit.now and not was_navigated()


def _asked(key: str, known: Known) -> list[str] | None:
    """The ids of what the address names; nothing if it says that nothing is chosen; None if it does not say."""
    words = st.query_params.get_all(key)
    if words == [""]:
        return []
    ids = _by_name(known)
    return list(dict.fromkeys(ids[word] for word in words if word in ids)) or None


def _by_name(known: Known) -> dict[str, str]:
    """The ids by all names that they have in addresses."""
    ids = {id: id for id in known}
    for names in zip(*known.values(), strict=True):  # A title before one that another had when it was rounded.
        for id, name in zip(known, names, strict=True):
            ids.setdefault(name, id)
    return ids


def _note_what_is_not_there(key: str, known: Known) -> None:
    ids = _by_name(known)
    gone = [f"“{shortened(word)}”" for word in st.query_params.get_all(key) if word and word not in ids]
    verb = "is" if len(gone) == 1 else "are"
    note_in_vain(key, f"The address names {listed(gone)}, which {verb} not here: deleted, perhaps." if gone else "")


def _write(key: str, chosen: str | list[str] | None, words: list[str]) -> None:
    """Put it into the session and into the address, where it does not stand there."""
    if not _was_chosen(key) or st.session_state[key] != chosen:
        st.session_state[key] = chosen
    _visit().now.add(key)
    if not words:
        st.query_params.pop(key, None)
    elif words != st.query_params.get_all(key):
        st.query_params[key] = words
