"""Deleting runs: a question before, and a way back after."""

from __future__ import annotations

import streamlit as st

from fmnist import settings
from fmnist.store.label import NO_LABEL, Label
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.ui.page import explained
from fmnist.words import escape, listed, moment

MAX_NAMED = 8


def described(run: Run, label: Label = NO_LABEL) -> str:
    """What tells a run from all others: "Run 3: Model 0, seed 1, Sample data, SGD, ..., 72.05%, 2026-11-25 ..."."""
    standing = f"{run.result.accuracy_to_choose_by:.2%}" if run.result else run.status.word
    when = moment(run.finished or run.created)
    name = f" “{label.name}”" if label.name else ""
    return f"Run {run.id}{name}: {run.name}, {run.recipe.info.title}, {run.recipe.describe()}, {standing}, {when}"


@st.dialog("Delete runs")
@explained()
def confirm(library: Library, runs: list[Run]) -> None:
    """Ask before runs are deleted."""
    st.markdown(f"Delete {'this run' if len(runs) == 1 else f'these {len(runs):,} runs'} with all curves and weights?")
    named = runs[:MAX_NAMED]
    labels = library.own.labels(run.id for run in named)
    more = [f"- And {len(runs) - MAX_NAMED:,} more."] if len(runs) > MAX_NAMED else []
    lines = [f"- {escape(described(run, labels.get(run.id, NO_LABEL)))}" for run in named]
    st.markdown("\n".join([*lines, *more]))
    st.markdown("You can undo this for a day, or until the next deletion.")
    with st.container(horizontal=True):
        agreed = st.button("Delete", type="primary", icon=":material/delete:", key="really-delete")
        if st.button("Cancel", key="keep-runs"):
            st.rerun()
    if agreed:
        delete(library, runs)


def delete(library: Library, runs: list[Run]) -> None:
    """Delete runs that somebody has agreed to delete; those that have gone on since are kept, and named."""
    own = library.own
    now = {run.id: run.status for run in own.by_ids(run.id for run in runs)}
    deleted = set(own.delete(*(run.id for run in runs if now.get(run.id, run.status) == run.status)))
    kept = [run for run in runs if run.id not in deleted and own.run(run.id)]
    if gone_on := [run for run in kept if now.get(run.id) != run.status]:
        numbers = listed(str(run.id) for run in gone_on)
        st.warning(f"Not deleted, because training has gone on since this question: run {numbers}.")
    if training := [run.name for run in kept if run not in gone_on]:
        st.warning(f"{listed(training)} can't be deleted during training: stop it first.")
    if not kept:
        st.rerun()


def offer_undo(library: Library) -> None:
    """Say what was deleted last, as long as it can be brought back."""
    if settings.read_only() or not (last := library.own.last_deletion()):
        return
    # Of this deletion: a click on a page that shows another one, which is no longer the last, does nothing.
    key = f"of-deletion-{last.when}"
    what = f"Run {last.ids[0]} was" if len(last.ids) == 1 else f"{len(last.ids):,} runs were"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/delete: {what} deleted at {moment(last.when)}.", width="content")
        if st.button("Undo", icon=":material/undo:", key=f"undo-{key}"):
            library.own.undo_deletion()
            st.rerun()
        if st.button("Free the space", key=f"free-{key}", help="After that, it can't be undone."):
            library.own.make_deletion_final()
            st.rerun()
