"""Confirm: trains the setting that a sweep has chosen with new seeds, and the published recipe beside it."""

from __future__ import annotations

import streamlit as st

from fmnist import settings
from fmnist.compare import confirmation
from fmnist.compare.confirmation import USUAL_SEEDS
from fmnist.compare.sweep import Sweep
from fmnist.data.files import DataError
from fmnist.grid import Several
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.queue import TooManyRuns
from fmnist.store.run import ACTIVE
from fmnist.training.dry_run import Plan
from fmnist.training.estimate import duration, estimate_seconds
from fmnist.ui import login, resources, train_start
from fmnist.ui.into_view import ask_for
from fmnist.ui.links import PAGES
from fmnist.ui.row_choice import key_of_rows
from fmnist.words import escape


def offer(library: Library, swept: Sweep) -> None:
    """The button; nothing where all of it is trained, or nobody may train."""
    todo = confirmation.to_train(library, swept.recipe_that_confirms, USUAL_SEEDS)
    if settings.read_only() or not todo:
        return
    active = {(run.recipe.group(), run.recipe.seed) for run in library.own.runs(*ACTIVE)}
    if any((recipe.group(), recipe.seed) in active for recipe in todo):
        st.page_link(PAGES["Train"], label="It is being confirmed: watch", icon=":material/verified:")
        return
    slots = train_start.slots(library)
    seconds = estimate_seconds(library, todo, swept.chosen.recipe.info.train, slots)
    time = "" if seconds is None else f" · {duration(seconds)}"
    pressed = st.button(
        f"Confirm with {USUAL_SEEDS} new seeds{time}",
        icon=":material/verified:",
        type="primary",
        disabled=train_start.is_full(library),
        # Of what is confirmed: with another trial another setting may be the best by the time at which a click arrives.
        key=key_of_rows("confirm", [recipe.to_json() for recipe in todo]),
        help="Trains the best setting, and the published recipe beside it, with seeds that no sweep chooses by, on all "
        f"training images. From a terminal: `{settings.command('confirm')}`",
    )
    if pressed:
        _confirm(library, todo)


def _confirm(library: Library, todo: list[Recipe]) -> None:
    """Queue it, and show on Train how it goes."""
    dataset = todo[0].dataset
    try:
        data = resources.dataset(dataset, library.own)
        slots, cluster = train_start.slots(library), settings.ray_address()
        plan = Plan(library, Several(tuple(todo)), data, slots, cluster=cluster)
        queued = train_start.queue(library, plan, cluster, login.asker())
    except (DataError, TooManyRuns) as error:
        st.warning(escape(str(error)), icon=":material/front_hand:")
        return
    st.session_state["asked"] = [id for id, _ in queued]
    st.session_state["pressed"] = True
    ask_for(train_start.TRAINING)
    st.switch_page(PAGES["Train"])
