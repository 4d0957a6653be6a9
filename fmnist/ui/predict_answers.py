"""What all models make of one picture, and how that changes with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from PIL import Image

from fmnist.compare import confusion, next_steps
from fmnist.data.catalog import DATASETS, SAMPLE, DatasetInfo
from fmnist.data.framing import SIDE
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import conversion
from fmnist.predict.conversion import USUALLY_WITHOUT
from fmnist.predict.picture_file import ImageError
from fmnist.store.library import Group, Library
from fmnist.ui import next_step, probability_bars
from fmnist.ui.conversion_steps import choose_steps, show_steps
from fmnist.ui.page import explained
from fmnist.ui.predict_accuracy import say_how_good
from fmnist.ui.scope import say_where_from
from fmnist.ui.what_if import UNCHANGED, choose_changes
from fmnist.words import escape, listed

MAX_BESIDE = 4
"""Models whose bars stand side by side; of more, the others stand below."""
COUNTS = ("No", "One", "Two", "Three", "Four", "Five")


@dataclass(frozen=True)
class Answer:
    """What one model makes of an image.

    seeds: float (seeds, 10), every seed's probabilities.
    seconds: that computing them took, for all seeds together, without loading the models.
    chosen: the place of the run that answers among the seeds; None for their mean.
    """

    group: Group
    seeds: np.ndarray
    seconds: float
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
        return self.seeds.mean(axis=0) if self.chosen is None else self.seeds[self.chosen]

    @property
    def top(self) -> int:
        return int(self.mean.argmax())

    @property
    def said(self) -> str:
        """The name of the class that is shown as the answer."""
        return self.info.classes[self.top]

    @property
    def agreeing(self) -> int:
        """How many seeds give the answer that is shown."""
        return int((self.seeds.argmax(axis=1) == self.top).sum())


@st.fragment
@explained()
def show(library: Library, dataset: str, groups: list[Group], picture: Image.Image, truth: int | None) -> None:
    """The answers, what the models see, how that was made, and what would be if it were different.

    Args:
        picture: as uploaded or drawn; of 28 x 28 pixels, an image of the data set.
        truth: its true class, where it is known.
    """
    place = st.container()
    made = None
    without = USUALLY_WITHOUT
    if picture.size != (SIDE, SIDE):
        made = st.expander("How the picture becomes 28 × 28", key="conversion", on_change="rerun", bind="query-params")
        with made:
            without = choose_steps()
    with st.expander("What if it were moved, turned, larger, blurred?", icon=":material/tune:"):
        changes = choose_changes()
    with place:
        try:
            converted = conversion.convert(picture, DATASETS[dataset].subject.framing, without=without)
        except ImageError as error:
            st.error(escape(str(error)), icon=":material/broken_image:")
            lead_on(dataset, groups, [], truth)
            return
        image = conversion.change(converted.image, **changes | {"scale": changes["scale"] / 100})
        answers = _show_answers(library, dataset, groups, image, converted.remarks, truth, changed=changes != UNCHANGED)
    if made and made.open:
        with made:
            plain = conversion.naive(picture)
            show_steps(groups[0].recipe.info, converted, plain)
            if naively := [Answer(*computed) for computed in _all_computed(library, groups, plain)]:
                st.markdown(f"From the plain resize, squashed and not negated: {verdict(naively)}")
    lead_on(dataset, groups, answers, truth)


def lead_on(dataset: str, groups: list[Group], answers: Sequence[Answer], truth: int | None) -> None:
    """The end of the page: where the runs come from, and what one would look at next."""
    if dataset != SAMPLE:
        say_where_from(dataset, groups)
    if answers:
        said = [(confusion.whole(answer.group), answer.top) for answer in answers]
        next_step.show_mix_up(next_steps.after_answers(said, truth), [groups[0].source])
    else:
        next_step.show("Confusion", "See what they mix up.")


def _show_answers(
    library: Library,
    dataset: str,
    groups: list[Group],
    image: np.ndarray,
    remarks: Sequence[str],
    truth: int | None,
    changed: bool,
) -> list[Answer]:
    with st.spinner("Loading the models …"):
        from fmnist.ui import predict_reasons

        known = _all_computed(library, groups, image)
    if not known:
        return []
    st.html(probability_bars.CSS)
    said = st.container()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.image(conversion.to_data_url(image, 4), width=112, alt="The 28 × 28 pixels that the models see")
        notes = ["What the models see: 28 × 28 pixels, light on black."]
        notes += ["**Changed by the sliders below.**"] if changed else []
        # Beside the image there is room for a warning, so that the bars stay where they are.
        with st.container(gap="small"):
            warning = st.container()
            st.caption("\n\n".join([*notes, *remarks]))
    answers = []
    columns = st.columns(min(len(known), MAX_BESIDE))
    for place, (group, seeds, seconds) in enumerate(known):
        with columns[place % MAX_BESIDE]:
            above = st.container()
            answers.append(Answer(group, seeds, seconds, _choose_run(group)))
            with above:
                _show_answer(answers[-1])
    said.markdown(f"## {verdict(answers, truth)}")
    if any(answer.chosen is None and len(answer.seeds) > 1 for answer in answers):
        st.caption("Bars are means over the seeds; the thin lines reach from the lowest seed to the highest.")
    say_how_good(library, dataset, [answer.answering for answer in answers])
    with warning:  # Only now: at first it has to read the data and learn from them, and the answers are there already.
        predict_reasons.warn_if_unfamiliar(library, dataset, image)
    predict_reasons.show_why(library, [answer.answering for answer in answers], image)
    return answers


def _choose_run(group: Group) -> int | None:
    """Which run of a group answers: its place among the seeds, or None for their mean."""
    if len(group.runs) == 1:
        return None
    names = [f"Mean of {len(group.runs)} seeds", *(f"Seed {run.recipe.seed}" for run in group.runs)]
    chosen = st.selectbox(
        f"Which run of {group.title} answers", names, label_visibility="collapsed", key=f"run-{group.id}"
    )
    return names.index(chosen) - 1 if chosen != names[0] else None


def _show_answer(answer: Answer) -> None:
    st.markdown(f"{escape(answer.name)}  \n**{answer.said}**, {answer.mean[answer.top]:.0%}")
    st.html(_bars(answer))
    count = len(answer.seeds)
    agreement = f"{answer.agreeing} of {count} seeds say so" if count > 1 else "One seed"
    each = f" for {count} seeds" if count > 1 else ""
    st.caption(f"{agreement} · {milliseconds(answer.seconds)}{each}")


def _bars(answer: Answer) -> str:
    shown = answer.mean
    low, high = (answer.seeds.min(axis=0), answer.seeds.max(axis=0)) if answer.chosen is None else (shown, shown)
    color = ARCHITECTURES[answer.group.recipe.model].color
    return probability_bars.bars(shown, low, high, answer.info.short, color, f"{answer.name}: probabilities")


def milliseconds(seconds: float) -> str:
    """A short time as people say it: "0.4 ms", "12 ms"."""
    return f"{1000 * seconds:.1f} ms" if seconds < 0.01 else f"{1000 * seconds:,.0f} ms"


def verdict(answers: Sequence[Answer], truth: int | None = None) -> str:
    """Whether the models agree, and with the truth, in a sentence or two of Markdown."""
    classes = answers[0].info.classes
    known = f" It is **{classes[truth]}**." if truth is not None else ""
    votes = Counter(answer.top for answer in answers)
    (favourite, most), *others = votes.most_common()
    name = f"**{classes[favourite]}**"
    if not others:
        everyone = "All models say" if len(answers) > 1 else f"{escape(answers[0].name)} says"
        seeds = sum(len(answer.seeds) for answer in answers)
        agreeing = sum(answer.agreeing for answer in answers)
        which = f"all their {seeds}" if agreeing == seeds else f"{agreeing} of their {seeds}"
        return f"{everyone} {name}" + (f", with {which} seeds." if seeds > len(answers) else ".") + known
    if most == 1:
        said = (f"{escape(answer.name)} says **{answer.said}**" for answer in answers)
        return f"They disagree: {listed(said)}.{known}"
    odd = (f"{escape(answer.name)} says **{answer.said}**" for answer in answers if answer.top != favourite)
    return f"{_count(most)} of {_count(len(answers)).lower()} say {name}, but {listed(odd)}.{known}"


def _count(number: int) -> str:
    return COUNTS[number] if number < len(COUNTS) else str(number)


def _all_computed(
    library: Library, groups: Sequence[Group], image: np.ndarray
) -> list[tuple[Group, np.ndarray, float]]:
    """Each group with what `_computed` gives; of a custom model that raises something instead, it is said."""
    known = []
    for group in groups:
        with explained():
            known.append((group, *_computed(library, group, image)))
    return known


def _computed(library: Library, group: Group, image: np.ndarray) -> tuple[np.ndarray, float]:
    """Each seed's probabilities for an image, float (seeds, 10), and the seconds that it took; remembered."""
    return _remembered(str(library.own.path), tuple(run.address for run in group.runs), image.tobytes(), library, group)


@st.cache_data(max_entries=256, show_spinner=False)
def _remembered(
    store: str, run_ids: tuple[str, ...], pixels: bytes, _library: Library, _group: Group
) -> tuple[np.ndarray, float]:
    from fmnist.predict import prediction

    image = np.frombuffer(pixels, np.uint8).reshape(1, SIDE, SIDE)
    seeds, seconds = prediction.timed_probabilities(_library, _group, image)
    return seeds[:, 0], seconds
