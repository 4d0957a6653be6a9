"""data: check or download a data set."""

from __future__ import annotations

import sys

import click
from tqdm import tqdm

from fmnist.commands import options
from fmnist.commands.options import Places
from fmnist.commands.tables import print_json
from fmnist.data import files as files
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError

published = options.dataset_option(known=[info.id for info in DATASETS.values() if info.files])


@options.command("check", custom_models=False)
@published
@options.format_option("table", "json")
def check(places: Places, dataset: str, format: str) -> None:
    """Check that a data set is there, complete and as published."""
    _report(places, dataset, format)


@options.command("download", custom_models=False, changes=True)
@published
@options.quiet_option
def download(places: Places, dataset: str, quiet: bool) -> None:
    """Download a data set through torchvision, unless it is already there."""
    try:
        places.load(dataset)
    except DataError:
        info = DATASETS[dataset]
        shown = not quiet and sys.stderr.isatty()
        with tqdm(desc=info.title, total=info.download_bytes, unit="B", unit_scale=True, disable=not shown) as bar:
            for arrived in files.download(info.id, places.data):
                bar.update(arrived - bar.n)
    _report(places, dataset, "table")


def _report(places: Places, dataset: str, format: str) -> None:
    loaded = places.load(dataset)
    train, test = len(loaded.train_images), len(loaded.test_images)
    if format == "json":
        facts = {"dataset": dataset, "root": str(places.data), "fingerprint": loaded.fingerprint}
        print_json(facts | {"train_images": train, "test_images": test})
    else:
        print(
            f"{loaded.info.title} in {places.data}: complete and as published; "
            f"{train:,} training and {test:,} test images."
        )


data = click.Group("data", help="Check or download a data set.", commands=[check, download])
