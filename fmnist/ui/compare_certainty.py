"""The tab "Differences" of the Compare page: which is better, how sure that is, and whether the comparison is fair."""

from __future__ import annotations

import streamlit as st

from fmnist.compare.comparison import Comparison
from fmnist.compare.statistics import MIN_SEEDS
from fmnist.grid import spanning
from fmnist.store.library import Library
from fmnist.ui.chart_display import draw
from fmnist.ui.glossary import explain
from fmnist.ui.train_link import link_to_train
from fmnist.words import escape, listed

MAX_PAIRS = 6
TESTS = """
**Three or more runs of each:** the difference between their mean accuracies, with a 95% interval over runs. If both
have the same seeds, and so see the images in the same order, the interval is that of
[Student's paired t](https://en.wikipedia.org/wiki/Student%27s_t-test); otherwise the wider of Student's two-sample
interval and [Welch's](https://en.wikipedia.org/wiki/Welch%27s_t-test), over all runs of both. It answers: if we
trained again, would the same model win?

**Fewer runs:** the difference alone. So few runs say little about what training again would give.

**Two single runs:** the images that only one of them gets right, by
[McNemar's exact test](https://en.wikipedia.org/wiki/McNemar%27s_test). It answers only for these two runs: another
seed may reverse it.

**One run:** [Wilson's interval](https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval) for its
accuracy on other test images of the same kind.

Of many pairs, some differ by chance alone. So the intervals are widened until all of them are right at once 95 times
in 100 ([Bonferroni](https://en.wikipedia.org/wiki/Bonferroni_correction)); for single runs, the p-values are
adjusted ([Holm](https://en.wikipedia.org/wiki/Holm%E2%80%93Bonferroni_method)). "Beats" is used exactly where the
interval excludes 0.
"""


def show_certainty(library: Library, compared: Comparison) -> None:
    """Every two groups: which is better, by how much, and how sure that is; and whether they are compared fairly."""
    most = MAX_PAIRS
    if beside := sum(pair.beside_reference for pair in compared.pairs):  # They come first, and are what was asked for.
        most = max(3, beside)
    if differences := compared.differences(most):
        draw(differences, "differences")
    sentences = [f"- {escape(pair.sentence)}" for pair in compared.pairs]
    if sentences:
        st.markdown("\n".join(sentences[:most]), help=explain("95% interval", "Point", "Seed"))
    if len(sentences) > most:
        with st.expander(f"The other {len(sentences) - most} pairs"):
            st.markdown("\n".join(sentences[most:]))
    if singles := compared.single_runs():
        st.markdown("\n".join(f"- {escape(sentence)}" for sentence in singles))
    if lonely := [group for group in compared.groups if len(group.runs) < MIN_SEEDS]:
        # One link where they make a grid; else it would ask for more than these.
        fits = spanning([group.recipe for group in lonely], 1).count == len({group.recipe for group in lonely})
        for part in [lonely] if fits else [[group] for group in lonely]:
            names = escape(listed(group.title for group in part))
            link_to_train(f"Train {names} with five seeds", [group.recipe for group in part], seeds=5)
    if len(compared.groups) > 1:
        show_what_differs(compared)
    with st.expander("How this is worked out", icon=":material/help:"):
        st.markdown(TESTS)


def _within_a_sentence(name: str) -> str:
    return name if name.endswith("version") else name[0].lower() + name[1:]


def show_what_differs(compared: Comparison) -> None:
    """What differs besides the model."""
    differing = compared.what_differs()
    if differing.empty:
        st.markdown(":material/balance: **A fair comparison:** recipe, seeds, machine, load and versions are the same.")
        return
    what = listed(f"the {_within_a_sentence(what)}" for what in differing["what"])
    st.markdown(f":material/balance: **Other things differ too:** {what}.")
    st.dataframe(
        differing.rename(columns={"what": "What differs", "so": "What follows"}),
        hide_index=True,
        key="what-differs",
        alt="; ".join(f"{row['what']}: {row['so']}" for _, row in differing.iterrows()),
    )
