"""How far the three models can go: the best recipes that were found for them, and the runs that confirm these.

They come with the project as a second set of reference runs, made by `reference/make_best.py`, and stand apart from all
others: in a library of their own. No torch, no Streamlit.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from statistics import fmean

from fmnist.compare import confirmation, pairs, statistics
from fmnist.compare.comparison import Comparison, Picture
from fmnist.compare.sentences import say_points
from fmnist.compare.statistics import Difference
from fmnist.data.catalog import DEFAULT
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.database import StoreError
from fmnist.store.library import Group, Library
from fmnist.store.store import REFERENCE, Store
from fmnist.words import as_number, digits, listed, reason

BEST, FOUND = REFERENCE.with_name("best.db"), REFERENCE.with_name("best.json")


@dataclass(frozen=True)
class Found:
    """A setting that was chosen on held-out images.

    Attributes:
        recipe: what confirms it, on all training images.
        accuracy: on the held-out images, a share of 1: the mean over the seeds that chose it.
        settings: how many it was chosen from.
        not_told_apart: how many of the others the test can't tell from it.
    """

    recipe: Recipe
    accuracy: float
    settings: int
    not_told_apart: int


@dataclass(frozen=True)
class Search:
    """What was tried: so many settings, each with so many seeds and held-out images, in so many seconds of training."""

    settings: int
    seeds: int
    held_out: int
    seconds: float
    found: tuple[Found, ...]

    def to_json(self) -> str:
        """As it is kept in `FOUND`."""
        found = [asdict(one) | {"recipe": json.loads(one.recipe.to_json())} for one in self.found]
        return json.dumps(asdict(self) | {"found": found}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Search:
        fields = json.loads(text)
        found = [Found(**one | {"recipe": Recipe(**one["recipe"])}) for one in fields["found"]]
        return cls(**fields | {"found": tuple(found)})


@dataclass(frozen=True)
class Gain:
    """A model by a recipe that was found for it, and by the published one.

    Attributes:
        comparisons: how many such differences are looked at, this one among them.
    """

    found: Found
    best: Group
    published: Group
    comparisons: int

    @property
    def difference(self) -> Difference:
        """How much more it reaches."""
        best, published = map(pairs.accuracies, (self.best, self.published))
        found = statistics.difference(best, published, self.comparisons)
        assert found, "there are several runs of each"
        return found

    @property
    def seconds(self) -> tuple[float, float] | None:
        """How long a run of each is trained, on average; None where they were not timed under the same conditions."""
        runs = [*self.best.runs, *self.published.runs]
        if len({run.conditions for run in runs}) > 1:
            return None
        best, published = (
            fmean(run.finished_result.train_seconds for run in group.runs) for group in (self.best, self.published)
        )
        return best, published

    def say(self) -> str:
        """What it gains and what it costs: a sentence of Markdown."""
        recipe, difference = self.found.recipe, self.difference
        points = f"{say_points(abs(difference.mean))} points {'more' if difference.mean > 0 else 'less'}"
        gained = f"{points} than by the published recipe{'' if difference.seen else ', which may be chance'}"
        interval = f"95% interval {say_points(difference.low)} to {say_points(difference.high)}"
        cost = f"{recipe.epochs} epochs instead of {self.published.recipe.epochs}"
        if self.seconds:
            took, took_before = map(digits, self.seconds)
            ratio = as_number(took) / as_number(took_before)
            times = f"{ratio:.{1 if ratio < 10 else 0}f} times the training time"
            cost = f"{times} ({took} s instead of {took_before} s)"
        reached = f"**{self.best.title}: {pairs.mean_accuracy(self.best):.1%}**"
        return f"{reached}, {gained} ({interval}), for {cost}: {recipe.describe()}."


class BestRecipes:
    """The best recipes, each with its runs and those of the published recipe.

    Args:
        library: with the runs that confirm as its own: of what was found, and of the published recipe.
    """

    def __init__(self, library: Library, search: Search) -> None:
        self.library, self.search = library, search
        by_recipe = {group.recipe: group for group in library.groups(DEFAULT, "own")}
        seen: set[str] = set()
        self.gains = []
        for found in search.found:
            model, compared = found.recipe.model, confirmation.published(found.recipe)
            if not {found.recipe, compared} <= by_recipe.keys():
                continue  # Its runs are damaged, and left out.
            best = _named(by_recipe[found.recipe], "best that mirrors" if model in seen else "best")
            self.gains.append(Gain(found, best, _named(by_recipe[compared], "published"), len(search.found)))
            seen.add(model)
        models = list(dict.fromkeys(found.recipe.model for found in search.found))
        self.gains.sort(key=lambda gain: models.index(gain.found.recipe.model))

    @classmethod
    def shipped(cls) -> BestRecipes:
        """Those that come with the project.

        Raises:
            StoreError: a file of theirs can't be read.
        """
        try:
            library = Library(Store(BEST, read_only=True), reference=None)
            library.own.finished()  # In a damaged file that may be what can't be read.
        except StoreError as error:
            raise StoreError(f"{BEST} can't be read: install the project again.") from error
        try:
            search = Search.from_json(FOUND.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, KeyError) as error:  # RecipeError is a ValueError.
            raise StoreError(f"{FOUND} can't be read ({reason(error)}): install the project again.") from error
        return cls(library, search)

    @property
    def groups(self) -> list[Group]:
        """All groups: what was found for a model, then its published recipe."""
        shown = []
        for gain, following in zip_longest(self.gains, self.gains[1:]):
            shown.append(gain.best)
            if following is None or following.found.recipe.model != gain.found.recipe.model:
                shown.append(gain.published)
        return shown

    def picture(self) -> Picture:
        """All of them beside what others have published."""
        return Comparison(self.library, self.groups).accuracy(with_lines=True)

    def answer(self) -> str:
        """How far the models get: a sentence of Markdown."""
        reached: dict[str, tuple[float, float]] = {}
        for gain in self.gains:
            means = pairs.mean_accuracy(gain.best), pairs.mean_accuracy(gain.published)
            reached.setdefault(ARCHITECTURES[gain.found.recipe.model].name, means)
        (name, (best, before)), *others = sorted(reached.items(), key=lambda each: -each[1][0])
        said = [f"{name} recognises **{best:.1%}** of the test images (instead of {before:.1%})"]
        said += [f"{name} **{best:.1%}** ({before:.1%})" for name, (best, before) in others]
        return f"By the best recipes that were found, {listed(said)}."

    def say_search(self) -> str:
        """How they were found: sentences."""
        search, seeds = self.search, len(self.gains[0].best.runs)
        alike = listed(
            f"{one.not_told_apart} of {one.settings - 1} for {ARCHITECTURES[one.recipe.model].name}"
            + (" with mirroring" if one.recipe.mirror else "")
            for one in search.found
        )
        return (
            f"{search.settings} settings were tried with {search.seeds} seeds each, {search.seconds / 3600:.1f} hours "
            f"of training in all, and the best were chosen on {search.held_out:,} training images that were held out. "
            "What was chosen, and the published recipe, were then trained on all "
            f"{search.found[0].recipe.info.train:,} images with {seeds} new seeds; only these runs were tested. So "
            f"many of the other settings can't be told from the best: {alike}. The intervals of what is gained allow "
            f"for {len(self.gains)} comparisons."
        )


def _named(group: Group, what: str) -> Group:
    return replace(group, title=f"{ARCHITECTURES[group.recipe.model].name} · {what}")
