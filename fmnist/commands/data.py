"""data: check or download a data set."""

from __future__ import annotations

import argparse

from tqdm import tqdm

from fmnist.commands.arguments import Commands, add_command
from fmnist.data import files
from fmnist.data.catalog import DATASETS, DEFAULT
from fmnist.data.files import DataError


def add(commands: Commands) -> None:
    group = commands.add_parser("data", help="check or download a data set").add_subparsers(
        required=True, metavar="WHAT"
    )
    published = [info.id for info in DATASETS.values() if info.files]
    for name, function, help in (
        ("check", data_check, "say whether a data set is there, complete and as published"),
        ("download", data_download, "fetch a data set through torchvision, unless it is there"),
    ):
        sub = add_command(group, name, function, help, models=False, changes=function is data_download)
        sub.add_argument("--dataset", choices=published, default=DEFAULT, help="default: %(default)s")


def data_check(options: argparse.Namespace) -> int:
    dataset = files.load(options.dataset, options.data, options.runs.parent)
    print(
        f"{dataset.info.title} in {options.data}: complete and as published; "
        f"{len(dataset.train_images):,} training and {len(dataset.test_images):,} test images."
    )
    return 0


def data_download(options: argparse.Namespace) -> int:
    try:
        files.load(options.dataset, options.data, options.runs.parent)
    except DataError:
        info = DATASETS[options.dataset]
        with tqdm(desc=info.title, total=info.download_bytes, unit="B", unit_scale=True, disable=None) as bar:
            for arrived in files.download(info.id, options.data):
                bar.update(arrived - bar.n)
    return data_check(options)
