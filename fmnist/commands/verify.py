"""verify: say of each finished run whether what is stored of it is still true; 1 if something is not."""

from __future__ import annotations

import argparse
import json
from functools import lru_cache

from fmnist.commands.addresses import place
from fmnist.commands.arguments import Commands, add_command
from fmnist.data import files
from fmnist.store.library import Library
from fmnist.store.store import Store


def add(commands: Commands) -> None:
    sub = add_command(commands, "verify", verify, "compute again what is stored of finished runs; name what differs")
    sub.add_argument(
        "addresses", nargs="*", metavar="RUN", help="for example 12, or reference-3 (default: all, and the reference)"
    )
    sub.add_argument("--json", action="store_true", help="the verdicts as a list")


def verify(options: argparse.Namespace) -> int:
    library = Library(Store(options.runs))
    if options.addresses:
        places = [place(library, address) for address in options.addresses]
    else:
        places = [(source, id) for source, runs in library.stores.items() for id in runs.sealed_ids()]
    from fmnist.commands.verification import verify as check  # imports torch

    load = lru_cache(lambda name: files.load(name, options.data, options.runs.parent))
    verdicts = []
    for source, id in places:
        verdicts.append(check(library, source, id, load))
        if not options.json:
            print(verdicts[-1].text, flush=True)
    if options.json:
        print(json.dumps([verdict.facts for verdict in verdicts], indent=2, default=repr))
    return int(not all(verdict.agrees for verdict in verdicts))
