"""predict: what every model makes of image files; convert: what the models see of one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from fmnist import settings
from fmnist.background import printable
from fmnist.commands import CommandError, models_at_work, options, say
from fmnist.commands.options import Places
from fmnist.commands.tables import Column, print_json, print_rows, room, table
from fmnist.compare import ensemble
from fmnist.compare.sentences import say_share
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.data.framing import Framing
from fmnist.export.folder import write_file
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import answer_table
from fmnist.predict.answer_table import Picture
from fmnist.predict.conversion import OPTIONAL, USUALLY_WITHOUT, Converted, convert_file, to_png
from fmnist.predict.picture_file import ImageError, pictures_in
from fmnist.store.library import Group, default_groups
from fmnist.words import shortened

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

    Table and CSV have a row for each file: every model's answer, its probability, and in CSV remarks on what may
    mislead the models. JSON has the probability of every class.

    A model's answer is the average over its runs: your own if there are any, otherwise the reference runs. If the data
    are available, standard error says how often that average is right on the test images. A file that can't be used is
    named there too; the others are classified, and the exit code is 1.
    """
    info, library = DATASETS[dataset], places.library
    groups = default_groups(library.groups(dataset))
    if not groups:
        yet = " without holding out images" if library.trials(dataset) else ""
        raise CommandError(
            f"No model has been trained on {info.title}{yet} yet: run {settings.command(f'train --dataset {dataset}')}."
        )
    pictures, complete = _read(images, info.subject.framing, without, item)
    pixels = [picture.image for picture in pictures if picture.image is not None]
    if not pixels:
        return 1
    pictures = _with_warnings(places, dataset, pictures)
    from fmnist.predict import prediction  # imports torch

    with models_at_work():
        means = [prediction.probabilities(library, group, np.stack(pixels)).mean(axis=0) for group in groups]
    labels = _labels(places, dataset)
    rows = answer_table.rows(pictures, groups, means)
    if format == "csv":
        print_rows(rows, answer_table.columns(groups), format)
    elif format == "json":
        accuracies = [_accuracy(places, group, labels) for group in groups]
        print_json(_every_probability(pictures, groups, means, accuracies))
    else:
        _print_table(rows, groups)
        for picture in pictures:
            for remark in picture.remarks if picture.image is not None else ():
                click.echo(printable(f"{picture.name}: {remark}"), err=True)
        if labels is not None:
            for group in groups:
                click.echo(printable(ensemble.say(library, group, labels)), err=True)
    return 0 if complete else 1


def _print_table(rows: Sequence[Mapping[str, Any]], groups: Sequence[Group]) -> None:
    """A line for each file that can be used."""

    def column(group: Group) -> Column:
        answer, probability = answer_table.answers_of(group), answer_table.probability_of(group)
        name = ARCHITECTURES[group.recipe.model].name
        return Column(name, lambda row: f"{row[answer]} {say_share(row[probability])}")

    columns = [Column("file", lambda row: row["file"], shortens=True), *map(column, groups)]
    print(table([row for row in rows if row[answer_table.answers_of(groups[0])] is not None], columns, room()))


def _every_probability(
    pictures: Sequence[Picture],
    groups: Sequence[Group],
    means: Sequence[np.ndarray],
    accuracies: Sequence[float | None],
) -> list[dict[str, Any]]:
    """For programs: each file that can be used with each model."""
    usable = [picture for picture in pictures if picture.image is not None]
    return [
        {
            "file": picture.name,
            "model": group.recipe.model,
            "label": group.recipe.info.classes[int(mean[place].argmax())],
            "seeds": len(group.runs),
            "test_accuracy": accuracy,
            "probabilities": mean[place].tolist(),
            "remarks": list(picture.remarks),
        }
        for place, picture in enumerate(usable)
        for group, mean, accuracy in zip(groups, means, accuracies, strict=True)
    ]


def _accuracy(places: Places, group: Group, labels: np.ndarray | None) -> float | None:
    """On the test images; None without their labels."""
    return None if labels is None else ensemble.on_test_images(places.library, group.runs, labels).accuracy


def _labels(places: Places, dataset: str) -> np.ndarray | None:
    """The test labels, by which it is known how good the answers are; None where they are not at hand."""
    try:
        return places.load_test_set(dataset).test_labels
    except DataError:
        return None


def _with_warnings(places: Places, dataset: str, pictures: Sequence[Picture]) -> list[Picture]:
    """With a remark on each that is unlike the training images, where it is known what they look like."""
    from fmnist.predict import unfamiliar  # imports SciPy

    known = unfamiliar.shipped(dataset)
    try:
        known = known or unfamiliar.learn(places.load(dataset))
    except DataError:
        return list(pictures)
    return answer_table.with_warnings(pictures, known)


def _read(paths: Iterable[Path], framing: Framing, without: Collection[str], item: int) -> tuple[list[Picture], bool]:
    """The picture files, and whether all can be used; of any other it is said what is wrong."""
    pictures, complete = [], True
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
                pictures.append(Picture(str(file), None, (str(error),)))
            else:  # Without its steps: those of many photos would fill the memory.
                pictures.append(Picture(str(file), converted.image, converted.remarks))
    return pictures, complete


def _convert(path: Path, framing: Framing, without: Collection[str], item: int) -> Converted:
    """`convert_file` with the options of a command.

    Raises:
        ImageError: from `convert_file`, or there is no such item.
    """
    converted = convert_file(path, framing, without=USUALLY_WITHOUT.union(without), item=item - 1 if item else None)
    if item > converted.items:
        items = "1 item" if converted.items == 1 else f"{converted.items} items"
        raise ImageError(f"{path} has {items}: --item {shortened(item)} is not there.")
    return converted


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
        said = f"{output} would not be a PNG file: give the result a name that ends with .png"
        raise click.BadParameter(said, click.get_current_context(), param_hint="'OUT.png'")
    converted = _convert(image, DATASETS[dataset].subject.framing, without, item)
    write_file(output, to_png(converted.image), replace=force)
    for remark in converted.remarks:
        click.echo(remark, err=True)
