"""All runs of the store in a table: to find them, to see their curves, to name, to export and to delete them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import streamlit as st

from fmnist import settings
from fmnist.data.catalog import DATASETS
from fmnist.grid import SETTINGS, differing, distinguish
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe, measured_on
from fmnist.store.label import NO_LABEL, Label
from fmnist.store.library import Library
from fmnist.store.run import Run, Status
from fmnist.store.search import Wanted
from fmnist.training import launcher
from fmnist.ui import live_chart, run_deletion, run_label
from fmnist.ui.export_panel import export_panel
from fmnist.ui.live_chart import MAX_CURVES
from fmnist.ui.page import explained
from fmnist.ui.row_choice import key_of_rows
from fmnist.words import escape, moment

ROWS, ROWS_IN_VIEW = 100, 8
"""On a page of the table: more are scrolled through, so that the curves of those that are chosen are in view, too."""
T = TypeVar("T", bound=str)

CHOOSE_FIRST = "Choose rows of the table first."


@explained()
def show_all(library: Library) -> None:
    """Every run there is, and what was deleted last."""
    if count := library.own.count():
        # The number of runs is not in its title: with another title it would be another one, and be closed.
        part = st.expander("All runs", icon=":material/history:", key="runs", on_change="rerun", bind="query-params")
        if part.open:  # Only then is it worked out.
            with part:
                show_found(library, count)
            return
    run_deletion.offer_undo(library)


def show_found(library: Library, count: int) -> None:
    """The runs that are looked for, of so many."""
    left = launcher.left_behind(library.own) if settings.read_only() else ()
    found = library.search.find(ask(), left)
    st.caption(f"{len(found):,} of {count:,} runs" if len(found) < count else f"{count:,} runs")
    if not found:
        run_deletion.offer_undo(library)
        return
    pages = -(-len(found) // ROWS)
    number = st.pagination(pages, key=f"page-of-{pages}") if pages > 1 else 1
    runs = library.search.runs(found[(number - 1) * ROWS : number * ROWS])
    if not runs:
        st.caption("These runs use models or data that this program does not have.")
        return
    chosen = choose(library, launcher.as_they_stand(library.own, runs))
    offer_actions(library, chosen)
    run_deletion.offer_undo(library)
    show_curves(library, chosen)


def ask() -> Wanted:
    """What the visitor looks for."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            "Search",
            type="search",
            live=True,
            placeholder="Name, note, model, recipe",
            key="find",
            bind="query-params",
            width=260,
        )
        model = _one_of("Model", {id: model.name for id, model in ARCHITECTURES.items()})
        dataset = _one_of("Data", {name: info.title for name, info in DATASETS.items()})
        status = _one_of("Status", {status: status.word for status in Status})
    return Wanted(words or "", model, dataset, status)


def _one_of(label: str, titles: dict[T, str]) -> list[T]:
    """One of these, or none for all of them."""
    chosen = st.selectbox(
        label,
        list(titles),
        index=None,
        format_func=titles.__getitem__,
        key=f"find-{label.lower()}",
        placeholder="All",
        width=150,
    )
    return [] if chosen is None else [chosen]


def choose(library: Library, runs: Sequence[Run]) -> list[Run]:
    """Show runs as rows; those that are chosen."""
    labels = library.own.labels(run.id for run in runs)
    rows = [_row(run, labels.get(run.id, NO_LABEL)) for run in runs]
    images = measured_on(run.recipe for run in runs).capitalize()
    same = [name for name in ("data", "where") if len({row[name] for row in rows}) == 1]
    chosen = st.dataframe(
        rows,
        column_order=[name for name in rows[0] if name not in same],
        column_config={
            "run": "Run",
            "name": st.column_config.TextColumn("Name", width=120),
            "model": "Model",
            "data": "Data",
            "recipe": "Recipe",
            "seed": "Seed",
            "accuracy": st.column_config.NumberColumn(f"{images} accuracy", format="%.2f%%"),
            "status": "Status",
            "started": "Started",
            "seconds": st.column_config.NumberColumn("Training", format="%.1f s"),
            "where": "On",
            "note": st.column_config.TextColumn("Note", width=150),
        },
        height=35 * (1 + min(len(rows), ROWS_IN_VIEW)) + 2,
        hide_index=True,
        placeholder="",
        on_select="rerun",
        selection_mode="multi-row",
        key=key_of_rows("all-runs", [run.id for run in runs]),
        alt="All runs",
    )
    return [runs[row] for row in chosen.selection.rows if row < len(runs)]


def _row(run: Run, label: Label) -> dict[str, Any]:
    return {
        "run": run.id,
        "name": label.name,
        "model": ARCHITECTURES[run.recipe.model].name,
        "data": run.recipe.info.title,
        "recipe": differences(run.recipe),
        "seed": run.recipe.seed,
        "accuracy": 100 * run.result.accuracy_to_choose_by if run.result else None,
        "status": run.status.word,
        "started": moment(run.started) if run.started else "",
        "seconds": run.result.train_seconds if run.result else None,
        "where": run.where,
        "note": label.note,
    }


def differences(recipe: Recipe) -> str:
    """In what a recipe differs from the published one: "Adam, lr 0.001"."""
    published = Recipe(recipe.model, dataset=recipe.dataset)
    return distinguish(recipe, differing([recipe, published], SETTINGS)) or "Published"


def offer_actions(library: Library, chosen: list[Run]) -> None:
    """What can be done with the runs that are chosen."""
    finished = [run for run in chosen if run.status == Status.DONE]
    why = None if finished else "Only finished runs can be exported."
    with st.container(horizontal=True):
        with st.popover(
            "Export", icon=":material/download:", disabled=not finished, help=CHOOSE_FIRST if not chosen else why
        ):
            if finished:
                export_panel(library, finished, "picked")
        if settings.read_only():
            return
        run_label.offer(library, chosen)
        if st.button("Delete", icon=":material/delete:", disabled=not chosen, help=None if chosen else CHOOSE_FIRST):
            run_deletion.confirm(library, chosen)


def show_curves(library: Library, chosen: list[Run]) -> None:
    """The curves of the runs that are chosen."""
    drawn = chosen[:MAX_CURVES]
    if not drawn:
        st.caption("Choose rows to see their curves.")
    if len(drawn) < len(chosen):
        st.caption(f"The curves of the first {len(drawn)} of {len(chosen):,} chosen runs.")
    factors = differing([run.recipe for run in drawn], SETTINGS)
    for dataset in DATASETS:  # Two data sets never stand in one picture.
        if runs := [run for run in drawn if run.recipe.dataset == dataset]:
            if len({run.recipe.dataset for run in drawn}) > 1:
                st.markdown(f"**{escape(runs[0].recipe.info.title)}**")
            if not live_chart.curves(library, runs, factors, "chosen"):
                st.caption("No curves: training did not get as far as a first point.")
