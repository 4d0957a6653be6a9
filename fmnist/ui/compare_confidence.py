"""The tab "Confidence" of the Compare page: whether the models mean what they say."""

from __future__ import annotations

import streamlit as st

from fmnist.compare.comparison import Comparison
from fmnist.store.library import Library
from fmnist.ui.chart_display import draw
from fmnist.words import escape


def show_confidence(library: Library, compared: Comparison) -> None:
    """Whether the models mean what they say."""
    st.markdown("\n".join(f"- {escape(sentence)}" for sentence in compared.calibrated()))
    left, right = st.columns(2)
    with left:
        draw(compared.reliability(), "reliability")
        st.caption(
            "Below the dotted line a model is too sure of itself, above it could be surer. Thick lines are all "
            "answers of all seeds, thin ones a single seed. The expected calibration error is the mean distance from "
            "the line, worked out for each seed "
            "([Guo and others, 2017](https://proceedings.mlr.press/v70/guo17a.html))."
        )
    with right:
        selective = compared.selective()
        draw(selective, "selective")
        st.caption(f"What a model gains by not answering where it is least sure. {escape(selective.alt)}")
