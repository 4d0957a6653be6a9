"""How often what answers on the Predict page is right."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from fmnist.compare import ensemble
from fmnist.data.files import DataError
from fmnist.store.library import Group, Library
from fmnist.ui import resources
from fmnist.words import escape


def say_how_good(library: Library, dataset: str, answering: Sequence[Group]) -> None:
    """A line for each group of runs that answers together; nothing without the test labels."""
    try:
        labels = resources.test_set(dataset, library.own).test_labels
    except DataError:
        return
    said = [f"- {escape(ensemble.say(library, group, labels))}" for group in answering]
    together = any(len(group.runs) > 1 for group in answering)
    how = "; the runs of a model answer together here, and one by one on Compare" if together else ""
    st.caption("\n".join([f"How good these answers are{how}:\n", *said]))
