"""The name and the note of a run, to be written."""

from __future__ import annotations

import streamlit as st

from fmnist.store.label import MAX_NAME, MAX_NOTE, Label, LabelError
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.ui.page import explained
from fmnist.words import escape


def offer(library: Library, chosen: list[Run]) -> None:
    """A button that opens a form for the run that is chosen."""
    one = len(chosen) == 1
    if st.button("Name and note", icon=":material/edit:", disabled=not one, help="Choose one row of the table first."):
        write(library, chosen[0], library.own.label(chosen[0].id))


@st.dialog("Name and note")
@explained()
def write(library: Library, run: Run, before: Label) -> None:
    """The form.

    Args:
        before: the name and the note when it was opened.
    """
    st.markdown(f"Run {run.id}: {escape(run.name)}, {escape(run.recipe.describe())}")
    with st.form("label", border=False):
        name = st.text_input("Name", before.name, max_chars=MAX_NAME, key=f"name-of-{run.id}")
        note = st.text_input("Note", before.note, max_chars=MAX_NOTE, key=f"note-of-{run.id}")
        with st.container(horizontal=True):
            save = st.form_submit_button("Save", type="primary", icon=":material/check:", key="save-label")
            cancel = st.form_submit_button("Cancel", key="cancel-label")
    if save:
        try:
            there = library.own.set_label(run.id, Label(name, note), before)
        except LabelError as error:
            st.warning(escape(str(error)))
            return
        if not there:
            st.warning("This run was deleted in the meantime.")
            return
    if save or cancel:
        st.rerun()
