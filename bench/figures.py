"""Bring the figures and screenshots in the documents up to date:  python -m bench.figures [--data PATH] [--text-only]

A figure that follows from the reference runs or from docs/measurements.md stands in a document between two comments, of
which the first names it: <!-- figure: accuracy-2 -->88.0%<!-- /figure -->. To be run when the reference runs have been
trained again, when `python -m bench` has measured again, and when a page looks different. Screenshots need Chromium and
FashionMNIST.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np

from fmnist import settings
from fmnist.compare.best_recipes import BEST, BestRecipes
from fmnist.compare.pairs import mean_accuracy as mean_of
from fmnist.compare.summary import comparison
from fmnist.data import files
from fmnist.data.catalog import CLOTHES, DEFAULT
from fmnist.models.registry import ARCHITECTURES
from fmnist.reference import make, make_best
from fmnist.store.library import Library, default_groups
from fmnist.store.store import REFERENCE, Store, store_path

DOCUMENTS = (settings.PROJECT / "README.md", *sorted((settings.PROJECT / "docs").glob("*.md")))
MEASUREMENTS = settings.PROJECT / "docs" / "measurements.md"
DRAWINGS = settings.PROJECT / "tests" / "predict" / "drawings.json"
FIRST_DRAWINGS = DRAWINGS.with_name("first_drawings.json")
MARKED = re.compile(r"(<!-- figure: ([\w-]+) -->)(.*?)(<!-- /figure -->)", re.DOTALL)


class FigureError(Exception):
    """A figure can't be found. The message is a sentence."""


def brought_up_to_date(text: str) -> str:
    """A document with every figure as it is now.

    Raises:
        FigureError: it names a figure that is not known, or one that is not where it should be.
    """

    def now(found: re.Match[str]) -> str:
        begin, name, before, end = found.groups()
        if name not in FIGURES:
            raise FigureError(f"There is no figure {name!r}: choose from {', '.join(FIGURES)}.")
        figure = FIGURES[name]()
        return f"{begin}\n\n{figure}\n\n{end}" if before.startswith("\n") else begin + figure + end

    return MARKED.sub(now, text)


def named(text: str) -> list[str]:
    """The figures that a document quotes."""
    return [name for _, name, _, _ in MARKED.findall(text)]


# --- From the reference runs ---


def mean_accuracy(model: str, seeds: int | None = None) -> str:
    """The mean test accuracy of the reference runs of a model, of all seeds or of the first ones: "88.0%"."""
    table = comparison(Library(Store(REFERENCE, read_only=True), reference=None), "own").set_index("model")
    return f"{np.mean([run.result.test_accuracy for run in table.loc[model, 'runs'][:seeds]]):.1%}"


def best_accuracy(model: str) -> str:
    """The mean test accuracy of a model by its best recipe: "90.9%"."""
    [gain, *_] = [gain for gain in best().gains if gain.found.recipe.model == model]
    return f"{mean_of(gain.best):.1%}"


def mirrored_shoes(*, published: bool) -> str:
    """The share of mirrored shoes that Model 2 answers rightly, by the published recipe or the best that mirrors."""
    from fmnist.predict.mirrored import shoes_right

    [gain] = [gain for gain in best().gains if gain.found.recipe.model == "2" and gain.found.recipe.mirror]
    with tempfile.TemporaryDirectory() as folder:
        data = files.load_test_set(DEFAULT, Path(folder), Path(folder))
    return f"{shoes_right(best().library, gain.published if published else gain.best, data).mirrored:.0%}"


@cache
def best() -> BestRecipes:
    """The best recipes that come with the project."""
    return BestRecipes.shipped()


def drawings_named() -> str:
    """How many of the drawings of the tests Model 2 names, on average over its seeds: "17.4"."""
    return _named(DRAWINGS, helped=False)


def first_drawings_named() -> str:
    """The same of those that are drawn as people draw first."""
    return _named(FIRST_DRAWINGS, helped=False)


def first_drawings_helped() -> str:
    """How many of these Model 2 names or get the suggestion that leads there, on average over its seeds."""
    return _named(FIRST_DRAWINGS, helped=True)


@cache
def _named(path: Path, helped: bool) -> str:
    from bench.suggestions import suggestions
    from fmnist.predict import conversion, drawing, outlines, unfamiliar

    drawings = json.loads(path.read_text(encoding="utf-8"))
    labels = [CLOTHES.classes.index(each["label"]) for each in drawings]
    known = unfamiliar.shipped(DEFAULT)
    if known is None:
        raise FigureError("What FashionMNIST looks like does not come with the project: make it again.")
    images = []
    for strokes in (drawing.read(each["strokes"]) for each in drawings):
        filled = outlines.filled(strokes, outlines.fillings(strokes))
        images.append(conversion.convert(drawing.picture(filled), item=None).image)
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Store(store_path(folder)))
        groups = default_groups(library.groups(DEFAULT, "reference"))
        found = suggestions(library, groups, known, np.stack(images))
    right = [
        (one.answers[-1].seeds.argmax(axis=1) == label) | (helped and change is not None and said == label)
        for (one, change, said), label in zip(found, labels, strict=True)
    ]
    return f"{np.sum(right, axis=0).mean():.1f}"


# --- From the measurements ---


def measured(row: str, column: str) -> str:
    """A cell of the tables in docs/measurements.md, by its row's first cell and its column's title.

    Raises:
        FigureError: there is no such cell.
    """
    header: list[str] = []
    for line in MEASUREMENTS.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells or not header:
            header = cells
        elif cells[0] == row and column in header:
            return cells[header.index(column)]
    raise FigureError(f"{MEASUREMENTS} has no row {row!r} with a column {column!r}: run python -m bench.")


FIGURES: dict[str, Callable[[], str]] = {
    **{f"accuracy-{model}": partial(mean_accuracy, model) for model in ARCHITECTURES.project},
    "accuracy-2-of-three-seeds": lambda: mean_accuracy("2", 3),
    "reference-runs": lambda: make.table(REFERENCE),
    **{f"best-{model}": partial(best_accuracy, model) for model in ARCHITECTURES.project},
    "best-runs": lambda: make.table(BEST, with_recipes=True),
    "mirrored-shoes": lambda: mirrored_shoes(published=False),
    "mirrored-shoes-published": lambda: mirrored_shoes(published=True),
    "drawings": drawings_named,
    "first-drawings": first_drawings_named,
    "first-drawings-helped": first_drawings_helped,
    "times-as-fast": lambda: f"{float(measured('together', 'usual / ours')):.1f} times as fast",
    "stroke-to-answers": lambda: measured("from stroke to answers", "median"),
}
"""What gives each figure, by its name."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.figures", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    parser.add_argument("--text-only", action="store_true", help="leave the screenshots as they are")
    options = parser.parse_args()
    texts = {
        make.README: lambda _: make.describe(REFERENCE),
        make_best.README: lambda _: make_best.describe(),
        **dict.fromkeys(DOCUMENTS, brought_up_to_date),
    }
    try:
        for path, write in texts.items():
            before = path.read_text(encoding="utf-8")
            if (now := write(before)) != before:
                path.write_text(now, encoding="utf-8")
                print(f"written: {path.relative_to(settings.PROJECT)}")
        if not options.text_only:
            from bench import screenshots

            for path in screenshots.take(options.data):
                print(f"taken: {path.relative_to(settings.PROJECT)}")
    except (FigureError, files.DataError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
