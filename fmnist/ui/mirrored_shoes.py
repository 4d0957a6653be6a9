"""Shoes that point right, which FashionMNIST hardly has: what models make of them, and what training with mirrored
images is good for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from fmnist.compare.best_recipes import BEST, BestRecipes
from fmnist.data.catalog import DEFAULT
from fmnist.data.files import TestSet
from fmnist.data.peculiarities import SHOES
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.database import DamagedRun, StoreError
from fmnist.store.library import Group, Library
from fmnist.ui.links import PAGES
from fmnist.words import escape, listed

TAB = "How far can they go"
"""Of the Compare page."""


@st.cache_resource(show_spinner=False)
def best_recipes() -> BestRecipes:
    """Those that come with the project, opened once for all sessions.

    Raises:
        StoreError: their file can't be read.
    """
    return BestRecipes.shipped()


def show_shoes(library: Library, groups: Sequence[Group], data: TestSet) -> None:
    """How often groups are right for the mirrored test images of shoes, beside these as they are.

    Args:
        data: FashionMNIST's test images.
    """
    from fmnist.predict.mirrored import shoes_right

    with st.spinner("Mirroring shoes …"):
        shares = [(escape(group.title), shoes_right(library, group, data)) for group in groups]
    kinds = listed(f"{name.lower()}s" for name in SHOES)
    mirrored = listed(f"{title} recognises **{right.mirrored:.0%}**" for title, right in shares)
    as_they_are = listed(f"{right.as_they_are:.0%}" for _, right in shares)
    st.markdown(
        f"**Shoes that point right:** nearly all shoes of FashionMNIST point left. Of the test images of {kinds}, once "
        f"they are mirrored, {mirrored}; of the images as they are, {as_they_are}."
    )


def say_trained_with_mirroring(library: Library, dataset: str, image: np.ndarray) -> None:
    """What a model that was trained with mirrored images says of an image: the user's own, else one of the best
    recipes. Nothing where there is none.

    Args:
        image: uint8 (28, 28), as the models see it, not mirrored.
    """
    from fmnist.predict import prediction

    if found := _trained_with_mirroring(library, dataset):
        home, group = found
        try:
            mean = prediction.probabilities(home, group, image[None])[:, 0].mean(axis=0)
        except DamagedRun:
            if home is library:
                raise
            return  # Not one of the user's; Compare says it.
        said = escape(group.recipe.info.classes[int(mean.argmax())])
        name = escape(ARCHITECTURES[group.recipe.model].name)
        st.markdown(f"Trained with mirrored images, {name} says **{said}** of the picture as it is ({mean.max():.0%}).")
        if dataset == DEFAULT:
            st.page_link(PAGES["Compare"], label="What mirroring is good for", query_params={"tab": TAB})


def _trained_with_mirroring(library: Library, dataset: str) -> tuple[Library, Group] | None:
    own = [group for group in library.groups(dataset, "own") if group.recipe.mirror]
    if own:
        return library, own[-1]
    if dataset != DEFAULT or not BEST.exists():
        return None
    try:
        best = best_recipes()
    except StoreError:  # Compare says it.
        return None
    shipped = [gain.best for gain in best.gains if gain.found.recipe.mirror]
    return (best.library, shipped[-1]) if shipped else None
