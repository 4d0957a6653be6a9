"""The tab "How sure?" of the Compare page: which is better, how sure that is, and whether it is a fair comparison."""

from __future__ import annotations

import streamlit as st

from fmnist.compare.comparison import Comparison
from fmnist.grid import spanning
from fmnist.store.library import Library
from fmnist.ui.chart_display import draw
from fmnist.ui.train_link import link_to_train
from fmnist.words import escape, listed

MAX_PAIRS = 6
TESTS = """
**Several seeds of each:** the difference of their mean accuracies, with the 95% interval of
[Student's t](https://en.wikipedia.org/wiki/Student%27s_t-test) over seeds: paired where both have the same seeds,
which see the images in the same order. It answers: would training again come out the same way round?

**Two single runs:** the images that only one of them gets right, by
[McNemar's exact test](https://en.wikipedia.org/wiki/McNemar%27s_test). It answers only for these two runs: another
seed may turn it round.

**One run:** [Wilson's interval](https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval) of its
accuracy, for other test images of the same kind.

Of many pairs, some differ by chance alone: p-values are adjusted for their number
([Holm](https://en.wikipedia.org/wiki/Holm%E2%80%93Bonferroni_method)). "Beats" stands where the adjusted p is
below .05.
"""


def show_certainty(library: Library, compared: Comparison) -> None:
    """Every two groups: which is better, by how much, and how sure that is; and whether they are compared fairly."""
    if differences := compared.differences():
        draw(differences, "differences")
    sentences = [f"- {escape(pair.sentence)}" for pair in compared.pairs]
    st.markdown("\n".join(sentences[:MAX_PAIRS]))
    if len(sentences) > MAX_PAIRS:
        with st.expander(f"The other {len(sentences) - MAX_PAIRS} pairs"):
            st.markdown("\n".join(sentences[MAX_PAIRS:]))
    st.markdown("\n".join(f"- {escape(sentence)}" for sentence in compared.single_runs()))
    if lonely := [group for group in compared.groups if len(group.runs) == 1]:
        # One link where they make a grid; else it would ask for more than these.
        fits = spanning([group.recipe for group in lonely], 1).count == len({group.recipe for group in lonely})
        for part in [lonely] if fits else [[group] for group in lonely]:
            names = escape(listed(group.title for group in part))
            link_to_train(f"Train five seeds of {names}", [group.recipe for group in part], seeds=5)
    if len(compared.groups) > 1:
        show_fairness(compared)
    with st.expander("How this is worked out", icon=":material/help:"):
        st.markdown(TESTS)


def show_fairness(compared: Comparison) -> None:
    """What differs besides the model."""
    differing = compared.fairness()
    if differing.empty:
        st.markdown(":material/balance: **A fair comparison:** recipe, seeds, machine, load and versions are the same.")
        return
    what = listed(differing["what"].str.lower() if len(differing) > 1 else differing["what"])
    st.markdown(f":material/balance: **Not only the models differ:** {what}.")
    st.dataframe(
        differing.rename(columns={"what": "What differs", "so": "What follows"}),
        hide_index=True,
        key="fairness",
        alt="; ".join(f"{row['what']}: {row['so']}" for _, row in differing.iterrows()),
    )
