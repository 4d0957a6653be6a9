"""Whether the models can be trusted with a picture at all, and why they answer as they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError, Dataset
from fmnist.predict import unfamiliar
from fmnist.predict.unfamiliar import Familiarity
from fmnist.store.library import Group, Library
from fmnist.ui import resources
from fmnist.ui.page import explained
from fmnist.ui.predict_convolutions import show_convolutions
from fmnist.ui.predict_neighbours import show_nearest
from fmnist.ui.predict_pixels import show_pixels


def familiarity(library: Library, dataset: str) -> Familiarity | None:
    """What the training images look like; None where they are not at hand, and it does not come with the project."""
    try:
        return _shipped(dataset, unfamiliar.shipped_path(dataset)) or _learned(resources.dataset(dataset, library.own))
    except DataError:
        return None


def warn_if_unfamiliar(reason: str | None, brief: bool = False) -> None:
    """A warning where an image is unlike the training data.

    Args:
        reason: why it is, of `Familiarity.reasons`; None where it is like them.
        brief: leave the reason out, where something else is said beside it.
    """
    if reason and brief:
        st.warning("**This is unlike the training images:** don't trust the answers.", icon=":material/help_center:")
    elif reason:
        st.warning(
            f"**This is unlike the training images.** {reason} The models still answer, and may sound confident: "
            "don't trust it.",
            icon=":material/help_center:",
        )


@st.cache_resource(max_entries=len(DATASETS), show_spinner=False)
def _shipped(dataset: str, path: Path) -> Familiarity | None:
    return unfamiliar.shipped(dataset)


def _learned(data: Dataset) -> Familiarity:
    return _learned_once(data.fingerprint, data)


@st.cache_resource(max_entries=2, show_spinner="Looking at the training images …")
def _learned_once(fingerprint: str, _data: Dataset) -> Familiarity:
    return unfamiliar.learn(_data)


def show_why(library: Library, groups: list[Group], image: np.ndarray) -> None:
    """What each model's answer rests on. Only what is open is worked out.

    Args:
        groups: on one data set, at least one; each is explained by the mean over its runs.
        image: uint8 (28, 28), light on black, as the models see it.
    """
    tabs = {"Pixels": show_pixels, "What convolutions see": show_convolutions, "Nearest training images": show_nearest}
    part = st.expander(
        "Why this answer?", icon=":material/lightbulb:", key="why", on_change="rerun", bind="query-params"
    )
    if not part.open:
        return
    with part:
        for tab, content in zip(st.tabs(list(tabs), key="why-tab", bind="query-params"), tabs.values(), strict=True):
            if tab.open:
                with tab, explained():
                    content(library, groups, image)
