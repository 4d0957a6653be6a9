"""The tab "Confidence" of the Compare page: whether confidence matches accuracy."""

from __future__ import annotations

import streamlit as st

from fmnist.compare.comparison import Comparison
from fmnist.store.library import Library
from fmnist.ui.chart_display import draw
from fmnist.ui.glossary import explain
from fmnist.words import escape


def show_confidence(library: Library, compared: Comparison) -> None:
    """Whether the models are as confident as they are accurate."""
    st.markdown("\n".join(f"- {escape(sentence)}" for sentence in compared.calibrated()))
    left, right = st.columns(2)
    with left:
        draw(compared.reliability(), "reliability")
        st.caption(
            "Below the dotted line the model is overconfident, above it underconfident. Thick lines: all runs "
            "together; thin ones: single runs. The expected calibration error is the mean distance from the dotted "
            "line, computed for each run ([Guo and others, 2017](https://proceedings.mlr.press/v70/guo17a.html)).",
            help=explain("Confidence", "Calibration", "Expected calibration error"),
        )
    with right:
        selective = compared.selective()
        draw(selective, "selective")
        st.caption(f"What a model gains by not answering where it is least confident. {escape(selective.alt)}")
