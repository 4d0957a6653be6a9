"""Compare: accuracy, time and size of runs side by side."""

from collections.abc import Hashable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fmnist import certainty, charts, evaluation, pairs, widgets
from fmnist.data import CLASS_NAMES, DataError
from fmnist.library import Group, Library, as_tables, identity

MOST_GROUPS = 8
MOST_PAIRS = 6
TESTS = """
**Several seeds of each:** the difference of their mean accuracies, with the 95 % interval of
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


def show(shelf: Library) -> None:
    dataset, sources = widgets.choose_scope(shelf, both=True)
    groups = widgets.choose_groups(shelf.groups(dataset, *sources), MOST_GROUPS)
    if not groups:
        return
    shown = identity(groups)
    table, runs = shelf.remember(("tables", shown), lambda: as_tables(groups))
    answer = evaluation.conclusion(table, runs)
    st.markdown(f"#### {answer}")
    widgets.say_where_from(dataset, groups)
    st.plotly_chart(
        shelf.remember(("by-seed", shown), lambda: charts.accuracy_by_seed(table, runs)),
        key="by-seed",
        config=widgets.CHART_CONFIG,
        alt="Test accuracy of every seed and the mean. " + widgets.plain(answer),
    )
    st.caption(
        "Each mark is one seed (crossed: dead), the bar across is their mean, the whiskers its 95 % interval: "
        "where the mean of very many seeds may lie."
    )
    names = ["How sure?", "Learning", "Time and size", "Classes", "What went wrong", "Table"]
    sure, learning, cost, classes, wrong, numbers = st.tabs(names, key="tab", bind="query-params")
    if sure.open:  # Only the open one is worked out.
        with sure:
            show_certainty(shelf, groups, dataset)
    if learning.open:
        with learning:
            show_learning(shelf, groups)
    if cost.open:
        with cost:
            show_cost(shelf, table, shown)
    if classes.open:
        with classes:
            show_classes(shelf, groups, dataset)
    if wrong.open:
        with wrong:
            show_findings(shelf, groups, dataset)
    if numbers.open:
        with numbers:
            show_table(table)


def show_certainty(shelf: Library, groups: list[Group], dataset: str) -> None:
    """Every two groups: which is better, by how much, and how sure that is."""
    try:
        labels = widgets.dataset(dataset, shelf.own).test_labels
    except DataError as error:
        widgets.offer_data(shelf.own, error)
        return
    lonely = [group for group in groups if len(group.runs) == 1]
    if len(groups) > 1:
        found = shelf.remember(("pairs", identity(groups)), lambda: pairs.compare(groups, shelf, labels))
        if any(pair.difference for pair in found):
            st.plotly_chart(
                shelf.remember(("differences", identity(groups)), lambda: charts.differences(found)),
                key="differences",
                config=widgets.CHART_CONFIG,
                alt="Differences of mean test accuracy. " + " ".join(pair.sentence for pair in found),
            )
        for pair in found[:MOST_PAIRS]:
            st.markdown(f"- {widgets.escape(pair.sentence)}")
        if len(found) > MOST_PAIRS:
            with st.expander(f"The other {len(found) - MOST_PAIRS} pairs"):
                for pair in found[MOST_PAIRS:]:
                    st.markdown(f"- {widgets.escape(pair.sentence)}")
    for group in groups if len(groups) == 1 else lonely:
        right = round(group.runs[0].result["test_accuracy"] * len(labels))
        st.markdown(
            f"- {group.title}, seed {group.runs[0].recipe.seed}: "
            f"{widgets.escape(certainty.say_accuracy(right, len(labels)))}"
        )
    if lonely:
        names = widgets.listed(group.title for group in lonely)
        widgets.link_to_train(f"Train five seeds of {names}", [group.recipe for group in lonely], seeds=5)
    with st.expander("How this is worked out", icon=":material/help:"):
        st.markdown(TESTS)


def show_findings(shelf: Library, groups: list[Group], dataset: str) -> None:
    """What is wrong with the runs that are ill, what shows it, and what helps."""
    try:
        labels = widgets.dataset(dataset, shelf.own).test_labels
    except DataError as error:
        widgets.offer_data(shelf.own, error)
        return
    ill = shelf.remember(
        ("findings", identity(groups)),
        lambda: [
            (group, run, findings)
            for group in groups
            for run in group.runs
            if (findings := shelf.findings(run, labels))
        ],
    )
    count = sum(len(group.runs) for group in groups)
    if not ill:
        st.success(
            f"Nothing: {'the run is' if count == 1 else f'all {count} runs are'} healthy.", icon=":material/check:"
        )
        return
    st.markdown(f"**{len(ill)} of {count} {'run' if count == 1 else 'runs'}** did not go well.")
    for group, run, findings in ill:
        with st.container(border=True):
            st.markdown(f"**{group.title}, seed {run.recipe.seed}**")
            for finding in findings:
                st.markdown(
                    f"{widgets.escape(finding.sentence)} {widgets.escape(finding.remedy)}",
                    help=widgets.escape(finding.evidence),
                )
    recipe = ill[0][0].recipe
    more = min(widgets.MOST_SEEDS, len(ill[0][0].runs) + 5)
    widgets.link_to_train(f"Train {ill[0][0].title} with other seeds", [recipe], seeds=more)


def show_learning(shelf: Library, groups: list[Group]) -> None:
    """Test results by epoch, all seeds."""

    def draw() -> dict[str, go.Figure]:
        looks = charts.looks([(group.recipe.model, group.title) for group in groups])
        drawn = [
            charts.Curve(run.address, run.name, look)
            for group, look in zip(groups, looks, strict=True)
            for run in group.runs
        ]
        history = shelf.history([run for group in groups for run in group.runs], "test")
        return {metric: charts.by_epoch(history, drawn, metric) for metric in ("accuracy", "loss")}

    figures = shelf.remember(("learning", identity(groups)), draw)
    for column, (metric, figure) in zip(st.columns(2), figures.items(), strict=True):
        column.plotly_chart(
            figure,
            key=f"learning-{metric}",
            config=widgets.CHART_CONFIG,
            alt=f"Test {metric} after each epoch, a line per run",
        )
    st.caption("Figures on the test set after each epoch; a line per seed, in the colour of its model.")


def show_cost(shelf: Library, table: pd.DataFrame, shown: Hashable) -> None:
    """Times and sizes, a picture each."""
    conditions = {condition for group in table["conditions"] for condition in group}
    pictures = (
        ("Training", table["train_seconds"], [f"{value:.1f} s" for value in table["train_seconds"]]),
        (
            "Answering, images per second",
            1 / table["image_seconds"],
            [f"{1 / value:,.0f}" for value in table["image_seconds"]],
        ),
        ("Parameters", table["parameters"], [f"{value:,}" for value in table["parameters"]]),
        ("Multiply-adds per image", table["multiply_adds"], [f"{value:,}" for value in table["multiply_adds"]]),
    )
    for column, (title, values, texts) in zip(st.columns(2) + st.columns(2), pictures, strict=True):
        column.plotly_chart(
            shelf.remember(
                ("cost", title, shown),
                lambda: charts.bars(table["name"], table["model"], values, title, texts),  # noqa: B023
            ),
            key=f"cost-{title}",
            config=widgets.CHART_CONFIG,
            alt=f"{title}: "
            + widgets.listed(f"{name} {text}" for name, text in zip(table["name"], texts, strict=True)),
        )
    if len(conditions) > 1:
        st.caption(
            ":material/warning: The times were not measured under the same conditions: "
            + "; ".join(f"{row['name']}: {widgets.listed(row['conditions'])}" for _, row in table.iterrows())
            + ". A run gets as many threads as make its model fastest, and as are left by those beside it."
        )
    st.caption(
        "Training is the optimisation alone: no loading, no evaluation, no warm-up. "
        "Answering is measured in batches of 1,000 images."
    )


def show_classes(shelf: Library, groups: list[Group], dataset: str) -> None:
    """Of each class the share that is recognised, mean over seeds."""
    try:
        labels = widgets.dataset(dataset, shelf.own).test_labels
    except DataError as error:
        widgets.offer_data(shelf.own, error)
        return
    looks = charts.looks([(group.recipe.model, group.title) for group in groups])
    shares, figure = shelf.remember(
        ("classes", identity(groups)),
        lambda: (shares := recognised(shelf, groups, labels), charts.class_accuracy(shares, looks)),
    )
    hardest = int(shares.mean(axis=0).argmin())
    st.markdown(
        f"**{CLASS_NAMES[hardest]}** is the hardest class: {shares[:, hardest].mean():.0%} of its images "
        "are recognised, on average over what is compared."
    )
    st.plotly_chart(
        figure,
        key="classes",
        config=widgets.CHART_CONFIG,
        alt="Share of each class that is recognised: "
        + "; ".join(
            f"{group.title} "
            + widgets.listed(f"{name} {share:.0%}" for name, share in zip(CLASS_NAMES, row, strict=True))
            for group, row in zip(groups, shares, strict=True)
        ),
    )


def recognised(shelf: Library, groups: list[Group], labels: np.ndarray) -> np.ndarray:
    """Of each class the share that is recognised, mean over the seeds of each group: float (groups, 10)."""

    def mean(group: Group) -> np.ndarray:
        matrices = [evaluation.confusion_matrix(labels, shelf.predictions(run)) for run in group.runs]
        return np.mean([evaluation.class_accuracy(matrix) for matrix in matrices], axis=0)

    return np.array([mean(group) for group in groups])


def show_table(table: pd.DataFrame) -> None:
    numbers = table.assign(
        seeds=table["seeds"].map(lambda seeds: " ".join(map(str, seeds))),
        remarks=table["runs"].map(
            lambda runs: "; ".join(f"seed {run.recipe.seed} {said}" for run in runs if (said := widgets.trouble(run)))
        ),
    )[
        [
            "name",
            "source",
            "seeds",
            "accuracy_mean",
            "accuracy_std",
            "accuracy_min",
            "accuracy_max",
            "dead",
            "train_seconds",
            "eval_seconds",
            "image_seconds",
            "parameters",
            "multiply_adds",
            "device",
            "remarks",
        ]
    ]
    st.dataframe(
        numbers,
        column_config={
            name: st.column_config.NumberColumn(format="percent")
            for name in ("accuracy_mean", "accuracy_std", "accuracy_min", "accuracy_max")
        }
        | {
            "train_seconds": st.column_config.NumberColumn(format="%.2f s"),
            "eval_seconds": st.column_config.NumberColumn(format="%.3f s"),
            "image_seconds": st.column_config.NumberColumn(format="scientific"),
        },
        hide_index=True,
        alt="The comparison in numbers",
    )
    st.download_button(
        "Download as CSV",
        numbers.to_csv(index=False),
        "comparison.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


with widgets.page("Compare", "How do they compare?"):
    show(widgets.library())
