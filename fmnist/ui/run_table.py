"""All runs of the store in a table: to look back, to export and to delete."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fmnist import settings
from fmnist.store.library import Library
from fmnist.store.run import Run, Status
from fmnist.training import launcher
from fmnist.ui.export_panel import export_panel
from fmnist.ui.page import explained
from fmnist.ui.row_choice import key_of_rows
from fmnist.words import escape, listed, moment

MAX_NAMED = 8
MAX_LISTED = 200
CHOOSE_FIRST = "Choose rows of the table first."


def show_all(library: Library) -> None:
    """Every run there is, to look back and to tidy up."""
    count, runs = library.own.count(), launcher.as_they_stand(library.own, library.own.newest(MAX_LISTED))
    if not runs:
        return
    with st.expander(f"All runs ({count:,})", icon=":material/history:"):
        if count > len(runs):
            st.caption(f"The newest {len(runs):,} of {count:,} runs.")
        chosen = st.dataframe(
            [
                {
                    "run": run.id,
                    "model": run.name,
                    "data": run.recipe.info.title,
                    "recipe": run.recipe.describe(),
                    "status": run.status.word,
                    "accuracy": 100 * run.result.test_accuracy if run.result else None,
                    "seconds": run.result.train_seconds if run.result else None,
                    "on": run.where,
                }
                for run in runs
            ],
            column_config={
                "accuracy": st.column_config.NumberColumn("Test accuracy", format="%.2f%%"),
                "seconds": st.column_config.NumberColumn("Training", format="%.1f s"),
            },
            hide_index=True,
            on_select="ignore" if settings.read_only() else "rerun",
            selection_mode="multi-row",
            key=key_of_rows("all-runs", [run.id for run in runs]),
            alt="All runs",
        )
        if settings.read_only() or isinstance(chosen, DeltaGenerator):  # Then nothing can be chosen.
            return
        picked = [runs[row] for row in chosen.selection.rows if row < len(runs)]
        finished = [run for run in picked if run.status == Status.DONE]
        with st.container(horizontal=True):
            with st.popover("Export", icon=":material/download:", disabled=not finished, help=CHOOSE_FIRST):
                if finished:
                    export_panel(library, finished, "picked")
            if st.button("Delete", icon=":material/delete:", disabled=not picked, help=CHOOSE_FIRST):
                confirm_delete(library, picked)


def described(run: Run) -> str:
    """What tells a run from all others: "Run 3: Model 0, seed 1, Sample data, SGD, ..., 72.05%, 2026-11-25 ..."."""
    standing = f"{run.result.test_accuracy:.2%}" if run.result else run.status.word
    when = moment(run.finished or run.created)
    return f"Run {run.id}: {run.name}, {run.recipe.info.title}, {run.recipe.describe()}, {standing}, {when}"


@st.dialog("Delete runs")
@explained()
def confirm_delete(library: Library, runs: list[Run]) -> None:
    """Ask before runs are deleted for good."""
    st.markdown(f"Delete {'this run' if len(runs) == 1 else f'these {len(runs):,} runs'} with curves and weights?")
    more = [f"- And {len(runs) - MAX_NAMED:,} more."] if len(runs) > MAX_NAMED else []
    st.markdown("\n".join([*(f"- {escape(described(run))}" for run in runs[:MAX_NAMED]), *more]))
    st.markdown("This can't be undone.")
    with st.container(horizontal=True):
        agreed = st.button("Delete", type="primary", icon=":material/delete:", key="really-delete")
        if st.button("Cancel", key="keep-runs"):
            st.rerun()
    if agreed:
        kept = [run for run in runs if not library.own.delete(run.id)]
        if kept:
            st.warning(f"{listed(run.name for run in kept)} can't be deleted while it is trained: stop it first.")
        else:
            st.rerun()
