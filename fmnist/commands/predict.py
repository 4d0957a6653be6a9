"""predict: what every model makes of image files; convert: what the models see of one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from fmnist.commands import CommandError
from fmnist.commands.arguments import Commands, add_command, add_dataset
from fmnist.data.catalog import DATASETS
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict.conversion import convert, open_image, to_png
from fmnist.store.library import Library, default_groups
from fmnist.store.store import Store


def add(commands: Commands) -> None:
    trained_on = "what the models were trained on"
    sub = add_command(commands, "predict", predict, "what every model makes of image files")
    sub.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    sub.add_argument("--format", choices=("table", "json"), default="table")
    add_dataset(sub, trained_on)

    sub = add_command(commands, "convert", convert_image, "the 28 x 28 grey image that the models see", models=False)
    sub.add_argument("image", type=Path, metavar="IMAGE")
    sub.add_argument("output", type=Path, metavar="OUT.png")
    add_dataset(sub, trained_on)


def predict(options: argparse.Namespace) -> int:
    """Every model's mean probabilities over its seeds: the user's own runs where there are any, else the reference."""
    framing = DATASETS[options.dataset].subject.framing
    converted = [convert(open_image(path), framing) for path in options.images]
    library = Library(Store(options.runs))
    groups = default_groups(library.groups(options.dataset))
    if not groups:
        title = DATASETS[options.dataset].title
        raise CommandError(f"No model is trained on {title} yet: python -m fmnist train --dataset {options.dataset}.")
    from fmnist.predict import prediction  # imports torch

    answers: list[dict[str, Any]] = []
    for path, image in zip(options.images, converted, strict=True):
        for group in groups:
            probabilities = prediction.probabilities(library, group, image.image[None]).mean(axis=0)[0]
            answers.append(
                {
                    "file": str(path),
                    "model": group.recipe.model,
                    "label": group.recipe.info.classes[int(probabilities.argmax())],
                    "probabilities": [float(probability) for probability in probabilities],
                }
            )
    if options.format == "json":
        print(json.dumps(answers, indent=2))
        return 0
    for path, image in zip(options.images, converted, strict=True):
        for remark in image.remarks:
            print(f"{path}: {remark}", file=sys.stderr)
    for answer in answers:
        model, probability = ARCHITECTURES[answer["model"]].name, max(answer["probabilities"])
        print(f"{answer['file']}  {model}  {answer['label']:<11}  {probability:6.1%}")
    return 0


def convert_image(options: argparse.Namespace) -> int:
    converted = convert(open_image(options.image), DATASETS[options.dataset].subject.framing)
    for remark in converted.remarks:
        print(remark, file=sys.stderr)
    try:
        options.output.write_bytes(to_png(converted.image))
    except OSError as error:
        raise CommandError(f"{options.output} can't be written: {error.strerror or error}.") from None
    return 0
