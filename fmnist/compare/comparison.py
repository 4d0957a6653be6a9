"""All that is said and drawn of groups that are compared: what the Compare page, the Dashboard and the report show.

Everything is worked out once for all viewers (`Library.remember`). No torch, no Streamlit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fmnist import metrics, settings
from fmnist.compare import (
    accuracy_charts,
    beside_reference,
    calibration,
    calibration_charts,
    charts,
    class_chart,
    cost_charts,
    cost_sentences,
    diagnosis,
    learning_chart,
    pairs,
    sentences,
    statistics,
)
from fmnist.compare import differences as differences_module
from fmnist.compare.charts import Look
from fmnist.compare.class_scores import mean_class_scores
from fmnist.compare.cost_charts import Cost
from fmnist.compare.diagnosis import UnhealthyRun
from fmnist.compare.numbers import in_numbers
from fmnist.compare.pairs import Pair
from fmnist.compare.published import PUBLISHED_RESULTS
from fmnist.compare.sentences import say_interval, say_share
from fmnist.compare.summary import as_tables, comparable
from fmnist.compare.thinning import spread
from fmnist.data.catalog import DatasetInfo
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.library import SOURCES, Group, Library, identity
from fmnist.words import escape

T = TypeVar("T")

MAX_SEEDS = 60
"""Of one group that are drawn one by one: more can't be told apart."""


@dataclass(frozen=True)
class Picture:
    """A figure, and what it shows in words."""

    figure: go.Figure
    alt: str


class Comparison:
    """Some groups of finished runs on one data set.

    Args:
        groups: at least one; all with held-out images, or all without.
        labels: the test labels, int64 (N,); without them nothing can be said that looks at single images.
    """

    def __init__(self, library: Library, groups: Sequence[Group], labels: np.ndarray | None = None) -> None:
        self.groups = list(groups)
        self._library = library
        self._labels = labels
        self.identity = identity(groups)

    def _once(self, *name: object, compute: Callable[[], T]) -> T:
        return self._library.remember((*name, self.identity), compute)

    @property
    def info(self) -> DatasetInfo:
        """What is known of the data set."""
        return self.groups[0].recipe.info

    @property
    def images(self) -> str:
        """The images on which accuracy is measured, the same for all groups: "held-out" or "test"."""
        return "held-out" if self.groups[0].recipe.validation else "test"

    @property
    def labels(self) -> np.ndarray:
        assert self._labels is not None, "the caller looks whether the data are there"
        return self._labels

    @cached_property
    def looks(self) -> list[Look]:
        return charts.looks([(group.recipe.model, group.title) for group in self.groups])

    # --- Accuracy ---

    @property
    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """`summary.as_tables`, one row a group and one row a run; the groups also with `comparable`, of times."""

        def compute() -> tuple[pd.DataFrame, pd.DataFrame]:
            table, runs = as_tables(self.groups)
            among = table["source"].isin(["own"] if beside_reference.beside_each_other(table) else SOURCES)
            return table.assign(comparable=comparable(table, table[among])), runs  # As `say_cost` speaks of them.

        return self._once("tables", compute=compute)

    @property
    def drawn(self) -> pd.DataFrame:
        """The rows of the table of runs that charts draw one by one: of each group at most `MAX_SEEDS`."""

        def compute() -> pd.DataFrame:
            groups = self.tables[1].groupby("group")
            return pd.concat(rows.iloc[spread(rows["accuracy"].to_numpy(), MAX_SEEDS)] for _, rows in groups)

        return self._once("drawn", compute=compute)

    @property
    def left_out(self) -> str:
        """Which seeds are not drawn one by one, and where they are: a sentence of Markdown, or nothing."""
        if all(len(group.runs) <= MAX_SEEDS for group in self.groups):
            return ""
        return (
            f"Where a model has more than {MAX_SEEDS} runs, {MAX_SEEDS} of them are drawn, taken evenly from the "
            "least to the most accurate; means and intervals include all of them. "
            f"`{settings.command('runs list')}` lists every one."
        )

    @property
    def conclusion(self) -> list[str]:
        """Which model to pick, in a sentence, and what stands behind it: Markdown."""

        def compute() -> list[str]:
            table, runs = self.tables
            table = table.assign(name=table["name"].map(escape))
            if beside_reference.beside_each_other(table):
                return beside_reference.conclusion(table, runs)
            return sentences.conclusion(table, runs, self.images)

        return self._once("conclusion", compute=compute)

    @property
    def answer(self) -> str:
        """The same in one piece."""
        return " ".join(self.conclusion)

    @property
    def verdict(self) -> str:
        """The answer for somebody who meets the models for the first time: Markdown."""
        table, runs = self.tables
        full_names = {group.id: escape(group.full_title) for group in self.groups}
        names = table["model"].map(lambda id: ARCHITECTURES[id].name)
        names = names.where(~names.duplicated(keep=False), table["name"]).map(escape)
        said = sentences.conclusion(table.assign(name=names, full_name=table["id"].map(full_names)), runs, self.images)
        return " ".join(said)

    def accuracy(self, *, with_lines: bool = False) -> Picture:
        """The seeds, the means and their intervals."""
        table, _ = self.tables
        lines = PUBLISHED_RESULTS if with_lines else ()
        draw = accuracy_charts.accuracy_by_seed
        figure = self._once("accuracy", with_lines, compute=lambda: draw(table, self.drawn, lines, self.images))
        means = [f"{row['name']} {say_share(row['accuracy_mean'])}{say_interval(row)}" for _, row in table.iterrows()]
        others = [f"{line.name} {line.accuracy:.1%}" for line in lines]
        return Picture(figure, f"Mean {self.images} accuracy, and single runs: {'; '.join(means + others)}.")

    def table(self) -> pd.DataFrame:
        """The comparison in numbers, to look at and to download."""
        return in_numbers(self.tables[0])

    # --- Differences ---

    @property
    def pairs(self) -> list[Pair]:
        """Every two groups, the most accurate first; none where there is one group alone."""
        return self._once("pairs", compute=lambda: pairs.compare(self.groups, self._library, self.labels))

    @property
    def leads(self) -> list[str]:
        """How sure it is that the most accurate one is better than each other one: sentences; none of single seeds."""

        def compute() -> list[str]:
            found = pairs.compare(self.groups, self._library, None)
            best = found[0].first if found else None
            return [pair.sentence for pair in found if pair.first == best and pair.difference]

        return self._once("leads", compute=compute)

    def differences(self, most: int | None = None) -> Picture | None:
        """The differences of means with their intervals; None where no two groups have several seeds.

        Args:
            most: how many of `pairs` are drawn, from the first. Default: all.
        """
        known = [pair for pair in self.pairs[:most] if pair.difference]
        if not known:
            return None
        figure = self._once("differences", most, compute=lambda: accuracy_charts.differences(known))
        said = " ".join(pair.sentence for pair in known)
        return Picture(figure, f"Differences of mean {self.images} accuracy. {said}")

    def single_runs(self) -> list[str]:
        """For each group of one run, or the only group, what its accuracy says: a sentence with Wilson's interval."""
        said = []
        for group in self.groups:
            if len(group.runs) == 1 or len(self.groups) == 1:
                run = group.runs[0]
                right = round(run.finished_result.test_accuracy * len(self.labels))
                sentence = sentences.say_accuracy(right, len(self.labels))
                said.append(f"{group.title_of(f'seed {run.recipe.seed}')}: {sentence}")
        return said

    def what_differs(self) -> pd.DataFrame:
        """`differences.differing`."""
        return self._once("what-differs", compute=lambda: differences_module.differing(self.groups))

    # --- Learning ---

    def learning(self, metric: str, split: str, axis: str) -> Picture:
        """How the groups learn.

        Args:
            metric: "accuracy" or "loss".
            split: "train", or "test" for what is measured after each epoch: of groups that hold out images these.
            axis: a key of `learning_chart.AXES`.
        """

        def compute() -> dict[str, go.Figure]:
            ids = {run.address: group.id for group in self.groups for run in group.runs}
            runs = [run for group in self.groups for run in group.runs]
            history = learning_chart.points(self._library, runs, split)
            history = history.assign(group=history["run"].map(ids)).astype({"run": "category", "group": "category"})
            looks = [(group.id, look) for group, look in zip(self.groups, self.looks, strict=True)]
            single = history[history["run"].isin([run.address for run in self.drawn["run"]])]
            return {
                metric: learning_chart.learning(statistics.mean_curves(history, metric), single, looks, axis, metric)
                for metric in ("accuracy", "loss")
            }

        names = {"test": f"{self.images.capitalize()} images", "train": "Training images"}
        # Both are shown together, so the points are read once.
        figure = self._once("learning", split, axis, compute=compute)[metric]
        return Picture(figure, f"{names[split]}: {metric} by {axis}, the mean over the runs of each group.")

    # --- Cost ---

    def cost(self, cost: Cost) -> Picture | None:
        """Accuracy against a cost with the frontier; None where it is not known of any group.

        Times that were measured under other conditions than most are hollow.
        """
        table, _ = self.tables
        shown = table[table[cost.column].notna()]
        if shown.empty:
            return None
        draw = cost_charts.accuracy_against
        figure = self._once("cost", cost.column, compute=lambda: draw(shown, self.drawn, cost, self.images))
        said = [
            f"{row['name']} {say_share(row['accuracy_mean'])} for {cost.say(row[cost.column])}"
            + ("" if alike else f" ({cost_charts.ELSEWHERE})")
            for alike, (_, row) in zip(cost.compared(shown), shown.iterrows(), strict=True)
        ]
        whole = f"{self.images.capitalize()} accuracy against {cost.title.lower()}: {'; '.join(said)}."
        return Picture(figure, " ".join([whole, *self.say_unknown(cost)]))

    def say_unknown(self, cost: Cost) -> list[str]:
        """Which groups the picture of a cost leaves out, as it is not known of them."""
        return cost_sentences.say_unknown(self.tables[0], cost)

    def cost_bars(self, cost: Cost) -> Picture:
        """A cost of every group; hatched where it is a time that can't be compared."""
        table, _ = self.tables
        figure = self._once("cost-bars", cost.column, compute=lambda: cost_charts.bars(table, cost))
        said = [f"{row['name']} {cost.say(row[cost.column])}" for _, row in table.iterrows()]
        return Picture(figure, f"{cost.title}: {'; '.join(said)}.")

    def say_cost(self, cost: Cost) -> str:
        """Which groups are worth their cost, and which ones are beaten on both: Markdown.

        Own runs and the reference of the same models do not compete: where both are there, it is about own runs.
        """
        table, runs = self.tables
        table = table.assign(name=table["name"].map(escape))
        if not beside_reference.beside_each_other(table):
            return cost_sentences.say_cost(table, runs, cost)
        said = cost_sentences.say_cost(table[table["source"] == "own"], runs, cost)
        return said and f"In your runs, {said[0].lower()}{said[1:]}"

    def apart(self) -> list[str]:
        """Why some times can't be compared: a sentence for each group that is apart."""
        table, _ = self.tables
        return cost_sentences.say_apart(table)

    # --- Confidence ---

    def _answers(self, group: Group) -> list[tuple[np.ndarray, np.ndarray]]:
        """Logits and predicted classes of each seed."""
        return [(self._library.logits(run), self._library.predictions(run)) for run in group.runs]

    def reliability(self) -> Picture:
        """How often answers are right that are given with some confidence."""

        def compute() -> go.Figure:
            together, by_seed = [], []
            for group in self.groups:
                answers = self._answers(group)
                by_seed.append([calibration.calibration(*one, self.labels) for one in answers])
                logits, predicted = (np.concatenate(parts) for parts in zip(*answers, strict=True))
                all_labels = np.tile(self.labels, len(answers))
                together.append(calibration.calibration(logits, predicted, all_labels))
            return calibration_charts.reliability(together, self.looks, by_seed)

        figure = self._once("reliability", compute=compute)
        return Picture(figure, f"Reliability diagram. {' '.join(self.calibrated())}")

    def calibrated(self) -> list[str]:
        """Whether each model is as confident as it is accurate, by seed: a sentence or two each."""

        def compute() -> list[str]:
            return [
                sentences.say_calibration(
                    group.title, [calibration.calibrated(*one, self.labels) for one in self._answers(group)]
                )
                for group in self.groups
            ]

        return self._once("calibrated", compute=compute)

    def selective(self) -> Picture:
        """Accuracy when the least confident answers are left out: the mean over the seeds."""

        def compute() -> tuple[go.Figure, list[str]]:
            tables = [
                calibration.mean_selective_accuracy(
                    [calibration.selective_accuracy(*one, self.labels) for one in self._answers(group)]
                )
                for group in self.groups
            ]
            said = [
                sentences.say_selective(group.title, table) for group, table in zip(self.groups, tables, strict=True)
            ]
            return calibration_charts.selective(tables, self.looks), said

        figure, said = self._once("selective", compute=compute)
        return Picture(figure, " ".join(said))

    # --- Classes ---

    def _scores(self) -> list[pd.DataFrame]:
        """`class_scores.mean_class_scores` of each group."""

        def of(group: Group) -> pd.DataFrame:
            predictions = [self._library.predictions(run) for run in group.runs]
            return mean_class_scores([metrics.confusion_matrix(self.labels, said) for said in predictions])

        return self._once("scores", compute=lambda: [of(group) for group in self.groups])

    def classes(self) -> Picture:
        """Recall, precision and F1 by class."""
        names = self.info.classes
        figure = self._once("classes", compute=lambda: class_chart.class_scores(self._scores(), self.looks, names))
        said = [
            f"{group.title}: "
            + ", ".join(f"{name} {recall:.0%}" for name, recall in zip(names, scores["recall"], strict=True))
            for group, scores in zip(self.groups, self._scores(), strict=True)
        ]
        return Picture(figure, f"Recall, precision and F1 by class. Recall of {'; '.join(said)}.")

    def say_hardest(self) -> str:
        """The class that is recognised least: Markdown."""
        recall = np.mean([scores["recall"] for scores in self._scores()], axis=0)
        return sentences.say_hardest(recall, self.info.classes, len(self.groups))

    def class_table(self) -> pd.DataFrame:
        """A row for each group and class: group, class, images, predicted, precision, recall, f1."""
        tables = [
            scores.assign(group=group.title, **{"class": self.info.classes})
            for group, scores in zip(self.groups, self._scores(), strict=True)
        ]
        columns = ["group", "class", "images", "predicted", "precision", "recall", "f1"]
        return pd.concat(tables, ignore_index=True)[columns]

    # --- What went wrong ---

    def unhealthy_runs(self) -> list[UnhealthyRun]:
        """The runs that did not go well."""
        return self._once(
            "unhealthy runs",
            compute=lambda: [
                UnhealthyRun(group, run, findings)
                for group in self.groups
                for run in group.runs
                if (findings := diagnosis.diagnose_run(self._library, run, self._labels))
            ],
        )
