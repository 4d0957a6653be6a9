"""predict: what every model makes of image files; convert: what the models see of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fmnist.commands import CommandError, options
from fmnist.commands.options import Places
from fmnist.commands.tables import Column, print_json, print_rows, room, table
from fmnist.data.catalog import DATASETS
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict.conversion import convert, to_png
from fmnist.predict.picture_file import open_image
from fmnist.store.library import default_groups

COLUMNS = (
    Column("file", lambda answer: answer["file"], shortens=True),
    Column("model", lambda answer: ARCHITECTURES[answer["model"]].name),
    Column("label", lambda answer: answer["label"]),
    Column("probability", lambda answer: f"{max(answer['probabilities']):.1%}", right=True),
)
IMAGE = click.Path(path_type=Path)
trained_on = options.dataset_option("What the models were trained on.")


@options.command("predict")
@click.argument("images", nargs=-1, required=True, type=IMAGE, metavar="IMAGE...")
@trained_on
@options.format_option("table", "csv", "json")
def predict(places: Places, images: tuple[Path, ...], dataset: str, format: str) -> None:
    """Say what every model makes of image files.

    A model's answer is the mean over its seeds: your own runs where there are any, else those of the project.
    """
    info = DATASETS[dataset]
    converted = [convert(open_image(path), info.subject.framing) for path in images]
    library = places.library
    groups = default_groups(library.groups(dataset))
    if not groups:
        raise CommandError(f"No model is trained on {info.title} yet: python -m fmnist train --dataset {dataset}.")
    from fmnist.predict import prediction  # imports torch

    answers: list[dict[str, Any]] = []
    for path, image in zip(images, converted, strict=True):
        for group in groups:
            probabilities = prediction.probabilities(library, group, image.image[None]).mean(axis=0)[0]
            label = info.classes[int(probabilities.argmax())]
            answer = {"file": str(path), "model": group.recipe.model, "label": label}
            answers.append(answer | {"probabilities": [float(probability) for probability in probabilities]})
    if format == "json":
        print_json(answers)
        return
    for path, image in zip(images, converted, strict=True):
        for remark in image.remarks:
            click.echo(f"{path}: {remark}", err=True)
    if format == "csv":
        rows = [answer | dict(zip(info.classes, answer["probabilities"], strict=True)) for answer in answers]
        print_rows(rows, ("file", "model", "label", *info.classes), format)
    else:
        print(table(answers, COLUMNS, room(), header=False))


@options.command("convert", custom_models=False)
@click.argument("image", type=IMAGE)
@click.argument("output", type=IMAGE, metavar="OUT.png")
@trained_on
def convert_image(places: Places, image: Path, output: Path, dataset: str) -> None:
    """Write the 28 x 28 grey image that the models see of an image file."""
    converted = convert(open_image(image), DATASETS[dataset].subject.framing)
    for remark in converted.remarks:
        click.echo(remark, err=True)
    try:
        output.write_bytes(to_png(converted.image))
    except OSError as error:
        raise CommandError(f"{output} can't be written: {error.strerror or error}.") from None
