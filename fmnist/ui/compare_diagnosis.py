"""The tab "What went wrong" of the Compare page."""

from __future__ import annotations

import streamlit as st

from fmnist.compare.comparison import Comparison
from fmnist.store.library import Library
from fmnist.ui.glossary import explain
from fmnist.ui.train_link import MAX_SEEDS, link_to_train
from fmnist.words import escape

MAX_LISTED = 20


def show_unhealthy_runs(library: Library, compared: Comparison) -> None:
    """What is wrong with runs that did not go well, what shows it, and what helps."""
    unhealthy, count = compared.unhealthy_runs(), sum(len(group.runs) for group in compared.groups)
    if not unhealthy:
        which = "the run" if count == 1 else f"all {count} runs"
        st.success(f"Nothing: {which} went well.", icon=":material/check:")
        return
    which = "The run" if count == 1 else f"**{len(unhealthy)} of {count} runs**"
    st.markdown(f"{which} had problems.", help=explain("Seed", "Logit", "ReLU", "Loss"))
    for one in unhealthy[:MAX_LISTED]:
        with st.container(border=True):
            remedies = " ".join(dict.fromkeys(finding.remedy for finding in one.findings))  # Often the same helps all.
            st.markdown(f"**{escape(one.title)}.** {escape(remedies)}")
            for finding in one.findings:
                st.markdown(escape(finding.sentence), help=escape(finding.evidence))
    if len(unhealthy) > MAX_LISTED:
        st.caption(f"The first {MAX_LISTED} of {len(unhealthy):,}: the report names all of them (*Download*).")
    group = unhealthy[0].group
    more = min(MAX_SEEDS, len(group.runs) + 5)
    link_to_train(f"Train {escape(group.title)} with other seeds", [group.recipe], seeds=more)
