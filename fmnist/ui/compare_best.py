"""The tab "How far can they go" of the Compare page: the best recipes that were found, apart from all other runs."""

from __future__ import annotations

import streamlit as st

from fmnist.compare import published
from fmnist.compare.best_recipes import BestRecipes
from fmnist.data.catalog import DEFAULT
from fmnist.data.files import DataError
from fmnist.store.database import DamagedRun, StoreError
from fmnist.store.library import Library
from fmnist.ui import resources
from fmnist.ui.chart_display import draw
from fmnist.ui.mirrored_shoes import best_recipes, show_shoes
from fmnist.ui.train_link import link_to_train
from fmnist.words import escape

SEEDS = 3
"""That a link to Train asks for: fewer give no verdict."""


def show_best(library: Library) -> None:
    """What each model reaches by its best recipe, what that costs, and what mirroring is good for."""
    try:
        best = best_recipes()
    except StoreError as error:
        st.warning(escape(str(error)), icon=":material/front_hand:")
        return
    if not best.gains:
        _say_damaged()
        return
    try:
        _show(library, best)
    except DamagedRun:  # Not one of the user's, whose numbers these runs have, too.
        _say_damaged()


def _say_damaged() -> None:
    st.warning("The runs of the best recipes are damaged: install the project again.", icon=":material/front_hand:")


def _show(library: Library, best: BestRecipes) -> None:
    """All of it.

    Raises:
        DamagedRun: something of a run can't be read.
    """
    st.markdown(best.answer())
    draw(best.picture(), "best-recipes")
    st.caption(
        "Each mark is one training run. “Published” is the published recipe, trained with the same new seeds; the "
        "reference runs have others, and other means. Grey: results of other people. " + published.sources()
    )
    for gain in best.gains:
        st.markdown(gain.say())
        link_to_train("Train it yourself", [gain.found.recipe], SEEDS)
    st.caption(best.say_search())
    mirrored = [group for gain in best.gains if gain.found.recipe.mirror for group in (gain.published, gain.best)]
    if mirrored:
        try:
            show_shoes(best.library, mirrored, resources.test_set(DEFAULT, library.own))
        except DataError as error:
            st.warning(escape(str(error)), icon=":material/front_hand:")
