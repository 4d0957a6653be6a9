"""verify: say of each finished run whether what is stored of it is still true; 1 if something is not."""

from __future__ import annotations

import click

from fmnist.commands import models_at_work, options
from fmnist.commands.addresses import check_finished
from fmnist.commands.options import Places, say_recounted
from fmnist.commands.tables import print_json


@options.command("verify")
@click.argument("addresses", nargs=-1, type=options.ADDRESS, metavar="[RUN]...")
@options.format_option("table", "json")
def verify(places: Places, addresses: tuple[tuple[str, int], ...], format: str) -> int:
    """Recompute the stored figures of finished runs, and report differences.

    A RUN is given as 12 or reference-3. Without one, all runs are checked, the reference runs included.
    """
    library = places.library
    for address in addresses:
        check_finished(library, *address)
    found = list(addresses)
    if not addresses:
        found = [(source, id) for source, runs in library.stores.items() for id in runs.sealed_ids()]
    from fmnist.commands.verification import verify as check  # imports torch

    say_recounted(places)
    verdicts = []
    for source, id in found:
        with models_at_work():
            verdicts.append(check(library, source, id, places.load))
        if format == "table":
            print(verdicts[-1].text, flush=True)
    if format == "json":
        print_json([verdict.facts for verdict in verdicts], default=repr)
    return int(not all(verdict.agrees for verdict in verdicts))
