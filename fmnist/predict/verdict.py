"""What models answer for one picture, and in a sentence whether they agree. No torch, no Streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fmnist.data.catalog import DatasetInfo
from fmnist.store.library import Group
from fmnist.words import escape, listed

COUNTS = ("No", "One", "Two", "Three", "Four", "Five")
SURE = 0.6
"""The probability that a model gives its answer at least, as the mean over its seeds, if it is sure of it."""


@dataclass(frozen=True)
class Answer:
    """What one model makes of an image.

    Attributes:
        seeds: float (seeds, 10), every seed's probabilities.
        seconds: that computing them took, for all seeds together, without loading the models; None for those that
            were stored after training.
        chosen: the place of the run that answers among the seeds; None for their mean.
    """

    group: Group
    seeds: np.ndarray
    seconds: float | None = None
    chosen: int | None = None

    @property
    def name(self) -> str:
        return self.group.title

    @property
    def info(self) -> DatasetInfo:
        """What is known of the data that the model knows."""
        return self.group.recipe.info

    @property
    def answering(self) -> Group:
        """The runs whose answer is shown."""
        return self.group if self.chosen is None else replace(self.group, runs=(self.group.runs[self.chosen],))

    @property
    def mean(self) -> np.ndarray:
        """The probabilities that are shown, float (10,)."""
        return self._answering_seeds.mean(axis=0)

    @property
    def top(self) -> int:
        return int(self.mean.argmax())

    @property
    def is_sure(self) -> bool:
        return bool(self.mean[self.top] >= SURE)

    @property
    def said(self) -> str:
        """The name of the class that is shown as the answer."""
        return self.info.classes[self.top]

    @property
    def runs(self) -> int:
        """How many runs answer."""
        return len(self._answering_seeds)

    @property
    def agreeing(self) -> int:
        """How many of them give the answer that is shown."""
        return int((self._answering_seeds.argmax(axis=1) == self.top).sum())

    @property
    def backed(self) -> bool:
        """Whether most of its runs give the answer that is shown: a few sure ones can win the mean alone."""
        return 2 * self.agreeing > self.runs

    @property
    def _answering_seeds(self) -> np.ndarray:
        return self.seeds if self.chosen is None else self.seeds[[self.chosen]]


def _few(answer: Answer) -> str:
    """How few of its runs give the answer that is shown: "only 1 of 3 training runs"."""
    return f"only {answer.agreeing} of {answer.runs} training runs" if answer.agreeing else "no training run"


def verdict(answers: Sequence[Answer], truth: int | None = None) -> str:
    """Whether the models agree, and with the truth, in a sentence or two of Markdown.

    All models say something only if each of them does: most of its own runs, not only their mean.

    Args:
        truth: the label that the picture has in its data set, where it is known.
    """
    classes = answers[0].info.classes
    known = f" The label is **{classes[truth]}**." if truth is not None else ""
    votes = Counter(answer.top for answer in answers)
    (favourite, most), *others = votes.most_common()
    name = f"**{classes[favourite]}**"
    if not others and not all(answer.backed for answer in answers):
        doubtful = [answer for answer in answers if not answer.backed]
        doubts = listed(f"{_few(answer)} of {escape(answer.name)}" for answer in doubtful)
        verb = "does" if len(doubtful) == 1 and doubtful[0].agreeing < 2 else "do"
        each = "each model" if len(answers) > 1 else escape(answers[0].name)
        return f"On average over its runs, {each} says {name}, but {doubts} {verb}.{known}"
    if not others:
        agreement = _agreement(answers)
        if len(answers) > 1 and favourite == truth:
            everyone = "Both" if len(answers) == 2 else f"All {_count(len(answers)).lower()}"
            return f"{everyone} are right: {name}{agreement}."
        everyone = f"{escape(answers[0].name)} says"
        if len(answers) > 1:
            everyone = "Both models say" if len(answers) == 2 else "All models say"
        return f"{everyone} {name}{agreement}.{known}"
    doubt = "" if any(answer.is_sure for answer in answers) else " None is sure."
    if most == 1:
        said = (f"{escape(answer.name)} says **{answer.said}**" for answer in answers)
        return f"They disagree: {listed(said)}.{doubt}{known}"
    odd = (f"{escape(answer.name)} says **{answer.said}**" for answer in answers if answer.top != favourite)
    return f"{_count(most)} of {_count(len(answers)).lower()} say {name}, but {listed(odd)}.{doubt}{known}"


def _agreement(answers: Sequence[Answer]) -> str:
    """How many training runs of all models give the answer, in brackets; nothing where each model has one run."""
    runs, agreeing = sum(answer.runs for answer in answers), sum(answer.agreeing for answer in answers)
    if runs == len(answers):
        return ""
    return f" (all {runs} training runs agree)" if agreeing == runs else f" ({agreeing} of {runs} training runs agree)"


def _count(number: int) -> str:
    return COUNTS[number] if number < len(COUNTS) else str(number)
