"""Compare: accuracy, time and size of runs side by side."""

import streamlit as st

from fmnist.compare import sweep
from fmnist.compare.comparison import Comparison
from fmnist.compare.cost_charts import COSTS
from fmnist.compare.learning_chart import AXES
from fmnist.compare.published import PUBLISHED_RESULTS
from fmnist.compare.sweep import Sweep
from fmnist.data.catalog import DEFAULT
from fmnist.data.files import DataError
from fmnist.grid import FACTORS, spanning
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import OPTIMIZERS
from fmnist.store.library import SOURCES, Group, Library
from fmnist.store.run import Status
from fmnist.ui import widgets
from fmnist.ui.export_menu import take_along
from fmnist.ui.timing_panel import time_again

MAX_GROUPS = 8
MAX_PAIRS = 6
MAX_BEST = 5
SHARES = {
    "accuracy_mean": "Test accuracy",
    "accuracy_std": "σ of the seeds",
    "accuracy_min": "Lowest",
    "accuracy_max": "Highest",
}
SPLITS = {"test": "Test images", "train": "Training images"}
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


def show(library: Library) -> None:
    dataset, sources = widgets.choose_scope(library, both=True)
    every = library.groups(dataset, *sources)
    groups = widgets.choose_groups(every, MAX_GROUPS)
    if not groups:
        return
    missing, labels = None, None
    try:
        labels = widgets.dataset(dataset, library.own).test_labels
    except DataError as error:
        missing = error
    compared = Comparison(library, groups, labels)
    st.markdown(f"#### {compared.answer}")
    swept = sweep.is_sweep(every)
    if swept and len(groups) < len(every):
        st.caption(
            f":material/grid_view: {len(groups)} of {len(every):,} settings are compared here; the tab **Sweep** ranks "
            "all of them."
        )
    widgets.say_where_from(dataset, groups)
    place = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        known = dataset == DEFAULT and st.toggle(
            "What others reach", key="lines", bind="query-params", help="Accuracies that others have published."
        )
        take_along(library, compared, with_images=labels is not None)
    with place:
        widgets.draw(compared.accuracy(with_lines=known), "accuracy-and-others" if known else "accuracy")
        st.caption(
            "Each mark is one seed (crossed: dead), the bar across is their mean, the whiskers its 95% interval: "
            "where the mean of very many seeds may lie."
        )
    if known:
        st.caption(
            " · ".join(f"{line.name} {line.accuracy:.1%}: [{line.source}]({line.link})" for line in PUBLISHED_RESULTS)
        )
    # A tab, and whether it looks at single test images, for which the data are needed.
    tabs = {
        "How sure?": (show_certainty, True),
        "Learning": (show_learning, False),
        "Time and size": (show_cost, False),
        "Confidence": (show_confidence, True),
        "Classes": (show_classes, True),
        "What went wrong": (show_ill, True),
        "Table": (show_table, False),
    }
    if swept:
        failed = library.own.runs(Status.FAILED) if "own" in sources else []
        tabs["Sweep"] = (lambda library, _: show_sweep(Sweep(library, every, failed)), False)
    for tab, (content, looks_at_images) in zip(
        st.tabs(list(tabs), key="tab", bind="query-params"), tabs.values(), strict=True
    ):
        if tab.open:  # Only the open one is worked out.
            with tab, widgets.explained():
                if looks_at_images and missing:
                    widgets.offer_data(library.own, compared.info.id, missing)
                else:
                    content(library, compared)


def show_certainty(library: Library, compared: Comparison) -> None:
    """Every two groups: which is better, by how much, and how sure that is; and whether they are compared fairly."""
    if differences := compared.differences():
        widgets.draw(differences, "differences")
    sentences = [f"- {widgets.escape(pair.sentence)}" for pair in compared.pairs]
    st.markdown("\n".join(sentences[:MAX_PAIRS]))
    if len(sentences) > MAX_PAIRS:
        with st.expander(f"The other {len(sentences) - MAX_PAIRS} pairs"):
            st.markdown("\n".join(sentences[MAX_PAIRS:]))
    st.markdown("\n".join(f"- {widgets.escape(sentence)}" for sentence in compared.single_runs()))
    if lonely := [group for group in compared.groups if len(group.runs) == 1]:
        # One link where they make a grid; else it would ask for more than these.
        fits = spanning([group.recipe for group in lonely], 1).count == len({group.recipe for group in lonely})
        for part in [lonely] if fits else [[group] for group in lonely]:
            names = widgets.listed(group.title for group in part)
            widgets.link_to_train(f"Train five seeds of {names}", [group.recipe for group in part], seeds=5)
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
    what = widgets.listed(differing["what"].str.lower() if len(differing) > 1 else differing["what"])
    st.markdown(f":material/balance: **Not only the models differ:** {what}.")
    st.dataframe(
        differing.rename(columns={"what": "What differs", "so": "What follows"}),
        hide_index=True,
        key="fairness",
        alt="; ".join(f"{row['what']}: {row['so']}" for _, row in differing.iterrows()),
    )


def show_learning(library: Library, compared: Comparison) -> None:
    with st.container(horizontal=True, gap="medium"):
        split = st.segmented_control(
            "Measured on",
            list(SPLITS),
            format_func=SPLITS.get,
            default="test",
            required=True,
            key="split",
            bind="query-params",
        )
        axis = st.segmented_control(
            "By",
            list(AXES),
            format_func=lambda axis: axis.capitalize(),
            default="epoch",
            required=True,
            key="axis",
            bind="query-params",
        )
    for column, metric in zip(st.columns(2), ("accuracy", "loss"), strict=True):
        with column:
            widgets.draw(compared.learning(metric, split, axis), f"learning-{metric}")
    st.caption(
        "Thick: the mean over the seeds, in the colour of its model; the band is its 95% interval. Thin: single seeds."
    )


def show_cost(library: Library, compared: Comparison) -> None:
    """What accuracy costs."""
    cost = COSTS[
        st.segmented_control(
            "Cost",
            list(COSTS),
            format_func=lambda column: COSTS[column].name,
            default="train_seconds",
            required=True,
            key="cost",
            bind="query-params",
        )
    ]
    if said := compared.say_cost(cost):
        st.markdown(said)
    picture = compared.cost(cost)
    if picture is None:
        st.info("No run that is compared has this measured: it is, when a run ends, since this version.")
        return
    left, right = st.columns([3, 2])
    with left:
        widgets.draw(picture, "accuracy-against-cost")
        st.caption("Up and to the left is better. The dotted line joins the models that no other beats on both.")
    with right:
        widgets.draw(compared.cost_bars(cost), "cost-bars")
        if cost.timed and (apart := compared.apart()):
            st.caption(
                ":material/warning: Hatched, and not in the picture beside: times that should not be compared. "
                + widgets.escape(" ".join(apart))
            )
    if cost.timed:
        st.caption(
            "Training is the optimisation alone: no loading, no evaluation, no warm-up. Answers are timed when a run "
            "ends: the median of repeats after a warm-up. A time is the mean over the seeds that were timed under the "
            "same conditions as most of their group."
        )
        time_again(library, compared.groups)


def show_confidence(library: Library, compared: Comparison) -> None:
    """Whether the models mean what they say."""
    st.markdown("\n".join(f"- {widgets.escape(sentence)}" for sentence in compared.calibrated()))
    left, right = st.columns(2)
    with left:
        widgets.draw(compared.reliability(), "reliability")
        st.caption(
            "Below the dotted line a model is too sure of itself, above it could be surer. The expected calibration "
            "error is the mean distance from the line "
            "([Guo and others, 2017](https://proceedings.mlr.press/v70/guo17a.html))."
        )
    with right:
        selective = compared.selective()
        widgets.draw(selective, "selective")
        st.caption(f"What a model gains by not answering where it is least sure. {widgets.escape(selective.alt)}")


def show_classes(library: Library, compared: Comparison) -> None:
    st.markdown(compared.say_hardest())
    widgets.draw(compared.classes(), "classes")
    st.caption(
        "Recall: of the images of a class, the share that is recognised. Precision: of the answers with a class, the "
        "share that is right. F1 is high only where both are. Means over the seeds."
    )
    widgets.download_table("classes", compared.class_table())


def show_ill(library: Library, compared: Comparison) -> None:
    """What is wrong with the runs that are ill, what shows it, and what helps."""
    ill, count = compared.ill(), sum(len(group.runs) for group in compared.groups)
    if not ill:
        which = "the run is" if count == 1 else f"all {count} runs are"
        st.success(f"Nothing: {which} healthy.", icon=":material/check:")
        return
    st.markdown(f"**{len(ill)} of {count} {'run' if count == 1 else 'runs'}** did not go well.")
    for one in ill:
        with st.container(border=True):
            st.markdown(f"**{one.group.title}, seed {one.run.recipe.seed}**")
            for finding in one.findings:
                st.markdown(
                    f"{widgets.escape(finding.sentence)} {widgets.escape(finding.remedy)}",
                    help=widgets.escape(finding.evidence),
                )
    group = ill[0].group
    more = min(widgets.MAX_SEEDS, len(group.runs) + 5)
    widgets.link_to_train(f"Train {group.title} with other seeds", [group.recipe], seeds=more)


def show_table(library: Library, compared: Comparison) -> None:
    numbers = compared.table()
    percent = st.column_config.NumberColumn(format="percent")
    seconds = st.column_config.NumberColumn(format="%.2f s")
    scientific = st.column_config.NumberColumn(format="scientific")
    st.dataframe(
        numbers,
        column_config={name: percent for name in numbers.columns if name.startswith("accuracy")}
        | {"train_seconds": seconds, "eval_seconds": seconds}
        | {"image_seconds": scientific, "single_seconds": scientific},
        hide_index=True,
        alt="The comparison in numbers",
    )
    widgets.download_table("comparison", numbers)


def show_sweep(swept: Sweep) -> None:
    """All groups of the scope, not only those that are compared above: which setting is the best, and what matters."""
    st.markdown(f"{swept.answer()} {swept.say_effects()}")
    st.markdown("\n".join(f"- {widgets.escape(sentence)}" for sentence in swept.caveats()))
    widgets.draw(swept.picture(), "sweep")
    st.caption(
        "Each line is a group, from its settings to its mean test accuracy; the thick one is the best. Colours go by "
        "rank, from blue over grey to orange, the most accurate. Point at the end of a line to see which it is."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        best = swept.best(MAX_BEST)
        st.button(
            f"Compare the best {len(best)}",
            icon=":material/balance:",
            on_click=compare_these,
            args=(swept.groups, best),
            key="compare-best",
        )
        again = [group for group in swept.groups if group.id == best[0]]
        seeds = min(widgets.MAX_SEEDS, len(again[0].runs) + 5)
        widgets.link_to_train("Train the best with five more seeds", [again[0].recipe], seeds=seeds)
    show_settings(swept)


def compare_these(groups: list[Group], ids: list[str]) -> None:
    """Put groups into the comparison above, and show how sure their differences are."""
    st.session_state[widgets.key_of_groups(groups)] = ids
    st.session_state["tab"] = "How sure?"


def show_settings(swept: Sweep) -> None:
    """The table of a sweep: the same as the picture for the keyboard, to sort, and to take along."""
    table = swept.table.drop(columns="id")
    shares = [name for name in table.columns if name.startswith("accuracy")]
    percent = {name: st.column_config.NumberColumn(title, format="%.2f%%") for name, title in SHARES.items()}
    st.dataframe(
        table.assign(
            **100 * table[shares],
            model=table["model"].map(lambda id: ARCHITECTURES[id].name),
            optimizer=table["optimizer"].map(OPTIMIZERS),
            source=table["source"].map(SOURCES),
        ),
        column_order=[
            *(factor.field for factor in FACTORS),
            *("accuracy_mean", "seeds", "accuracy_std", "accuracy_min", "accuracy_max", "dead", "failed"),
            *("train_seconds", "source", "device"),
        ],
        column_config={factor.field: factor.title for factor in FACTORS}
        | {"learning_rate": st.column_config.NumberColumn("Learning rate", format="plain")}
        | percent
        | {name: name.capitalize() for name in ("seeds", "dead", "failed", "device")}
        | {"train_seconds": st.column_config.NumberColumn("Training", format="%.1f s"), "source": "From"},
        hide_index=True,
        key="sweep-table",
        alt="All groups of the sweep, the most accurate first",
    )
    widgets.download_table("sweep", table)


with widgets.page("Compare", "How do they compare?"):
    show(widgets.open_library())
