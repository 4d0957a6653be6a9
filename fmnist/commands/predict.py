"""predict: what every model makes of image files; convert: what the models see of one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from fmnist.background import printable
from fmnist.commands import CommandError, options, say
from fmnist.commands.options import Places
from fmnist.commands.tables import Column, print_json, print_rows, room, table
from fmnist.compare import ensemble
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.data.framing import Framing
from fmnist.export.folder import write_file
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict.conversion import OPTIONAL, USUALLY_WITHOUT, Converted, convert_file, to_png
from fmnist.predict.picture_file import ImageError, pictures_in
from fmnist.store.library import default_groups

COLUMNS = (
    Column("file", lambda answer: answer["file"], shortens=True),
    Column("model", lambda answer: ARCHITECTURES[answer["model"]].name),
    Column("label", lambda answer: answer["label"]),
    Column("probability", lambda answer: f"{max(answer['probabilities']):.1%}", right=True),
)
left_out = click.option(
    "--without",
    multiple=True,
    type=click.Choice([step for step in OPTIONAL if step not in USUALLY_WITHOUT]),
    help="A step of the conversion to leave out, such as cut-out; can be given several times.",
)
which_item = click.option(
    "--item",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Which of several items in a picture, the largest first; 0: all of them together.",
)
trained_on = options.dataset_option("What the models were trained on.")


@options.command("predict")
@click.argument("images", nargs=-1, required=True, type=options.FILE, metavar="IMAGE...")
@trained_on
@left_out
@which_item
@options.format_option("table", "csv", "json")
def predict(
    places: Places, images: tuple[Path, ...], dataset: str, without: tuple[str, ...], item: int, format: str
) -> int:
    """Classify image files, or folders of them, with every model.

    A model's answer is the average over its runs: your own if there are any, otherwise the reference runs. If the data
    are available, standard error says how often that average is right on the test images. A file that can't be used is
    named there too; the others are classified, and the exit code is 1.
    """
    info, library = DATASETS[dataset], places.library
    groups = default_groups(library.groups(dataset))
    if not groups:
        yet = " without holding out images" if library.trials(dataset) else ""
        raise CommandError(
            f"No model has been trained on {info.title}{yet} yet: run python -m fmnist train --dataset {dataset}."
        )
    usable, complete = _read(images, info.subject.framing, without, item)
    if not usable:
        return 1
    from fmnist.predict import prediction  # imports torch

    pixels = np.stack([picture.image for picture in usable])
    labels = _labels(places, dataset)
    means = [prediction.probabilities(library, group, pixels).mean(axis=0) for group in groups]
    answers: list[dict[str, Any]] = []
    for place, picture in enumerate(usable):
        for group, mean in zip(groups, means, strict=True):
            label = info.classes[int(mean[place].argmax())]
            answer: dict[str, Any] = {"file": str(picture.path), "model": group.recipe.model, "label": label}
            answer |= {"seeds": len(group.runs), "test_accuracy": None}
            if labels is not None:
                answer["test_accuracy"] = ensemble.on_test_images(library, group.runs, labels).accuracy
            answers.append(answer | {"probabilities": mean[place].tolist()})
    if format == "json":
        print_json(answers)
        return 0 if complete else 1
    for picture in usable:
        for remark in picture.remarks:
            click.echo(printable(f"{picture.path}: {remark}"), err=True)
    if format == "csv":
        rows = [answer | dict(zip(info.classes, answer["probabilities"], strict=True)) for answer in answers]
        print_rows(rows, ("file", "model", "label", *info.classes, "seeds", "test_accuracy"), format)
    else:
        print(table(answers, COLUMNS, room(), header=False))
        if labels is not None:
            for group in groups:
                click.echo(printable(ensemble.say(library, group, labels)), err=True)
    return 0 if complete else 1


def _labels(places: Places, dataset: str) -> np.ndarray | None:
    """The test labels, by which it is known how good the answers are; None where they are not at hand."""
    try:
        return places.load_test_set(dataset).test_labels
    except DataError:
        return None


@dataclass(frozen=True)
class Picture:
    """A file that can be answered: its image, uint8 (28, 28), and what may mislead a model."""

    path: Path
    image: np.ndarray
    remarks: tuple[str, ...]


def _read(paths: Iterable[Path], framing: Framing, without: Collection[str], item: int) -> tuple[list[Picture], bool]:
    """The pictures that can be used, and whether these are all; of any other it is said what is wrong."""
    usable, complete = [], True
    for path in paths:
        try:
            files = pictures_in(path)
        except ImageError as error:
            files, complete = [], False
            say(error)
        for file in files:
            try:
                converted = _convert(file, framing, without, item)
            except ImageError as error:
                complete = False
                say(error)
            else:  # Without its steps: those of many photos would fill the memory.
                usable.append(Picture(file, converted.image, converted.remarks))
    return usable, complete


def _convert(path: Path, framing: Framing, without: Collection[str], item: int) -> Converted:
    """`convert_file` with the options of a command."""
    return convert_file(path, framing, without=USUALLY_WITHOUT.union(without), item=item - 1 if item else None)


@options.command("convert", custom_models=False)
@click.argument("image", type=options.FILE)
@click.argument("output", type=options.FILE, metavar="OUT.png")
@click.option("--force", is_flag=True, help="Overwrite OUT.png if it exists.")
@trained_on
@left_out
@which_item
def convert_image(
    places: Places, image: Path, output: Path, force: bool, dataset: str, without: tuple[str, ...], item: int
) -> None:
    """Convert an image file to the 28 x 28 grey image that the models see."""
    if output.suffix.lower() != ".png":
        raise CommandError(f"{output} would not be a PNG file: give the result a name that ends with .png.")
    converted = _convert(image, DATASETS[dataset].subject.framing, without, item)
    write_file(output, to_png(converted.image), replace=force)
    for remark in converted.remarks:
        click.echo(remark, err=True)
