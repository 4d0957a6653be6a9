"""Runs in which something can't be read: named on every page, and deleted there."""

from __future__ import annotations

import streamlit as st

from fmnist import settings
from fmnist.store.database import say_damaged
from fmnist.ui import resources
from fmnist.words import escape

MAX_NAMED = 5


def show() -> None:
    """Name the damaged runs that were met so far, one's own of which can be deleted; or reference runs that can't be
    read at all."""
    library = resources.open_library()
    if library.fault:
        st.warning(escape(library.fault), icon=":material/broken_image:")
    found = library.damaged()
    if not found:
        return
    named = [f"- {escape(say_damaged(*damage))}" for damage in found[:MAX_NAMED]]
    more = [f"- And {len(found) - MAX_NAMED:,} more."] if len(found) > MAX_NAMED else []
    st.warning("\n".join([*named, *more]), icon=":material/broken_image:")
    own = [id for source, id, _ in found if source == "own"]
    if not own or settings.read_only():
        return
    with st.popover("Delete damaged runs", icon=":material/delete:"):
        chosen = st.multiselect("Runs", own, key="damaged-runs", placeholder="Choose what to delete")
        st.caption("With curves and weights. This can't be undone.")
        if st.button("Delete", type="primary", disabled=not chosen, key="delete-damaged"):
            if len(library.own.delete(*chosen)) < len(chosen):
                st.warning("A run that is being trained can't be deleted: stop it first.")
            else:
                st.rerun()
