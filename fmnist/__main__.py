"""The same work without a browser: python -m fmnist train | compare | time | verify | export | predict | ...

Exit codes: 0 done, 1 it could not be done (one sentence on standard error), 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from fmnist import access, data, own_models, store, timing, trainer
from fmnist.data import DataError
from fmnist.datasets import DATASETS, DEFAULT
from fmnist.export import FORMATS, TRACKING_URI, ExportError, chosen, folder
from fmnist.grid import Grid, decimals, whole_numbers
from fmnist.images import ImageError, convert, open_image, to_png
from fmnist.library import Library, comparison, default_groups
from fmnist.models import ARCHITECTURES, ModelError
from fmnist.plan import Plan
from fmnist.recipe import DEVICES, OPTIMIZERS, Recipe, RecipeError
from fmnist.store import ACTIVE, Run, Store, StoreError

T = TypeVar("T")

FOLLOW_SECONDS = 0.2
MOST_BARS = 8  # Runs that are trained at the same time and have a bar.


class CommandError(Exception):
    """What was asked for can't be done. The message is a sentence for the user."""


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if access.read_only() and options.command in CHANGING:
            raise CommandError(access.READ_ONLY)
        if options.knows_models:
            own_models.refresh(options.runs.parent)
        if "models" in options:
            options.models = _full_ids(parser, options.models)
        code = options.command(options) or 0
        sys.stdout.flush()
        return code
    except (CommandError, DataError, ExportError, ImageError, ModelError, RecipeError, StoreError) as error:
        print(f"fmnist: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # The reader of our output (head, less) has gone.
        # Else Python would complain when it flushes at its end (docs.python.org, signal, "Note on SIGPIPE").
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


# --- train ---


def train(options: argparse.Namespace) -> int:
    """Queue the grid as the Train page does, see that a trainer works on it, and show how it goes."""
    library = Library(Store(options.runs))
    runs = library.own
    grid = Grid(
        options.models,
        options.seeds,
        options.epochs,
        options.batch_size,
        options.lr,
        options.optimizer,
        options.dataset,
        options.device,
    )
    grid.recipes()  # A grid that can't be trained is said to be so before data are read.
    loaded = data.load(options.dataset, options.data, runs.path.parent)
    plan = Plan(library, grid, loaded, trainer.slots_of(runs, options.ray), options.again)
    if len(plan.todo) > 1 or options.dry_run:
        print(f"fmnist: {plan.say()}", file=sys.stderr)
    if options.dry_run:
        print(plan.table().to_string(index=False, na_rep="?", float_format="{:.0f}".format))
        return 0
    cluster = options.ray or None
    queued = runs.enqueue(plan.keyed, options.data, again=options.again, cluster=cluster)
    ids = [id for id, needed in queued if needed]
    if ids:
        trainer.start(runs)
        try:
            _follow(runs, ids, cluster)
        except KeyboardInterrupt:
            runs.request_stop(ids)
            print("fmnist: stopped; what was trained so far is kept.", file=sys.stderr)
            raise
    failed = False
    for id, needed in queued:
        run = runs.run(id)
        print(_outcome(run, needed, grid))
        failed |= run is None or run.status != "done"
    return int(failed)


def _follow(runs: Store, ids: list[int], cluster: str | None) -> None:
    """Show how many of them are done, and a bar for each one that is trained, until none is queued or running.

    No bars where the output is not a terminal.

    Args:
        cluster: the address of the Ray cluster that trains them; it is said if that can't be used.
    """
    whole = _bar("All runs", 0, unit=" runs", total=len(ids))
    bars: dict[int, tuple[int, tqdm]] = {}  # by run: the line, and what stands there
    waited, told = time.monotonic(), None
    try:
        while True:
            running = {run.id: run for run in runs.some(ids, "running")[:MOST_BARS]}
            for id in bars.keys() - running.keys():
                bars.pop(id)[1].close()
            for id, run in running.items():
                if id not in bars:
                    line = min({*range(1, MOST_BARS + 1)} - {line for line, _ in bars.values()})
                    # It leaves nothing behind: the lines of a sweep would fill the screen.
                    bars[id] = line, _bar(run.name, line, unit=" steps", leave=False)
                bar = bars[id][1]
                bar.total, bar.n = run.steps, run.step
                bar.refresh()
            left = runs.left(ids)
            whole.n = len(ids) - left
            whole.refresh()
            if not left:
                return
            problem = cluster and trainer.cluster_state(runs, cluster).problem
            if problem and problem != told:
                tqdm.write(f"fmnist: {problem} Its runs wait until it is back; Ctrl-C stops them.", file=sys.stderr)
            told = problem
            if trainer.is_alive(runs):
                waited = time.monotonic()
            elif time.monotonic() - waited > 10:  # Seconds: a process starts and takes its lock in less than one.
                raise CommandError(f"The trainer does not start, or has ended. {trainer.last_words(runs.path)}".strip())
            time.sleep(FOLLOW_SECONDS)
    finally:
        for bar in (*(bar for _, bar in bars.values()), whole):
            bar.close()


def _bar(name: str, line: int, **options: Any) -> tqdm:
    return tqdm(desc=name, position=line, dynamic_ncols=True, disable=None, **options)


def _outcome(run: Run | None, trained: bool, grid: Grid) -> str:
    if run is None:
        return "A run was deleted while it was being trained."
    name = f"{run.name}, {run.recipe.describe()}" if grid.is_sweep else run.name
    if run.result:
        cached = "" if trained else " (trained before)"
        return f"{name}: {run.result['test_accuracy']:.2%}, {run.result['train_seconds']:.1f} s{cached}"
    return f"{name}: {run.status}. {run.error or ''}".strip()


# --- compare ---

COMPARED = (
    "model",
    "dataset",
    "source",
    "recipe",
    "seeds",
    "accuracy_mean",
    "accuracy_std",
    "accuracy_min",
    "accuracy_max",
    "dead",
    "train_seconds",
    "eval_seconds",
    "image_seconds",
    "single_seconds",
    "parameters",
    "device",
    "conditions",
)


def compare(options: argparse.Namespace) -> int:
    library = Library(Store(options.runs))
    sources = ("own", "reference") if options.reference else ("own",)
    table = comparison(library, *sources).assign(recipe=lambda table: table["described"])[list(COMPARED)]
    if options.format == "json":
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        print(json.dumps(rows, indent=2, default=lambda value: value.item()))
    elif options.format == "csv":
        table["seeds"] = table["seeds"].map(lambda seeds: " ".join(map(str, seeds)))
        print(table.to_csv(index=False), end="")
    elif table.empty:
        print(
            "Nothing is trained yet: python -m fmnist train. The runs that come with the project: compare --reference."
        )
    else:
        shown = table.assign(
            model=table["model"].map(lambda id: ARCHITECTURES[id].name),
            seeds=table["seeds"].map(len),
            train_seconds=table["train_seconds"].map("{:.1f}".format),
            eval_seconds=table["eval_seconds"].map("{:.2f}".format),
        )
        for column in ("accuracy_mean", "accuracy_std", "accuracy_min", "accuracy_max"):
            shown[column] = table[column].map(lambda share: "" if share != share else f"{share:.2%}")
        # A table for each data set: accuracies on different data are not to be compared.
        tables = [
            f"{info.title}\n{rows.drop(columns='dataset').to_string(index=False)}"
            for info in DATASETS.values()
            if len(rows := shown[shown["dataset"] == info.id])
        ]
        print("\n\n".join(tables))
    return 0


# --- time ---


def time_steps(options: argparse.Namespace) -> int:
    """Measure again, under the same conditions, how long a step of each recipe takes."""
    library = Library(Store(options.runs))
    recipes, names = _to_be_timed(library, options)
    loaded = data.load(recipes[0].dataset, options.data, options.runs.parent)
    trainer.is_alive(library.own)  # If it is not, what it has left behind is not being trained.
    _check_idle(library.own)
    from fmnist.training import TrainingError

    turns = []
    try:
        for turn in timing.turns(recipes, loaded, options.steps, options.rounds):
            _check_idle(library.own)
            turns.append(turn)
            which = f"Round {turn.round} of {options.rounds}" if turn.round else "Warm-up"
            print(f"{which}: {names[turn.index]}, {timing.in_words(turn.seconds_per_step)} per step", file=sys.stderr)
    except TrainingError as error:
        raise CommandError(str(error)) from error
    timings = timing.timings(recipes, loaded, turns)
    if options.json:
        rows = [vars(found) | {"recipe": json.loads(found.recipe.to_json())} for found in timings]
        print(json.dumps([{"name": name} | row for name, row in zip(names, rows, strict=True)], indent=2))
    else:
        print("\n".join([*timing.sentences(timings, names), timing.unsteady(timings)]).strip())
    return 0


def _to_be_timed(library: Library, options: argparse.Namespace) -> tuple[list[Recipe], list[str]]:
    """Recipes on one data set, and what they are called."""
    runs = [_finished(library, address) for address in options.addresses]
    recipes = [run.recipe for run in runs] or [Recipe(model, dataset=options.dataset) for model in options.models]
    if len({recipe.dataset for recipe in recipes}) > 1:
        raise CommandError("Runs on different data can't be timed together: name those on one data set.")
    models = [ARCHITECTURES[recipe.model].name for recipe in recipes]
    # Where a name stands for two of them, it does not tell which is meant.
    names = [
        name if models.count(name) == 1 else f"{name} ({recipe.describe()})"
        for name, recipe in zip(models, recipes, strict=True)
    ]
    return recipes, names


def _finished(library: Library, address: str) -> Run:
    source, id = _place(library, address)
    run = library.stores[source].run(id)
    if run is None:
        raise CommandError(f"Run {address} is of a model that this program does not have.")
    return run


def _check_idle(runs: Store) -> None:
    active = len(runs.runs(*ACTIVE))
    if active:
        raise CommandError(
            f"{active} run{'s are' if active > 1 else ' is'} queued or being trained: times are measured while "
            "nothing else runs. Wait for the end, or stop."
        )


# --- verify ---


def verify(options: argparse.Namespace) -> int:
    """Say of each finished run whether what is stored of it is still true; 1 if something is not."""
    library = Library(Store(options.runs))
    if options.addresses:
        places = [_place(library, address) for address in options.addresses]
    else:
        places = [(source, id) for source, runs in library.stores.items() for id in runs.ended()]
    from fmnist.verify import verify as check  # imports torch

    load = lru_cache(lambda name: data.load(name, options.data, options.runs.parent))
    verdicts = []
    for place in places:
        verdicts.append(check(library, *place, load))
        if not options.json:
            print(verdicts[-1].text, flush=True)
    if options.json:
        print(json.dumps([verdict.facts for verdict in verdicts], indent=2, default=repr))
    return int(not all(verdict.agrees for verdict in verdicts))


def _place(library: Library, address: str) -> tuple[str, int]:
    """The store and the id of a run that has ended, from its address: "12" or "reference-3"."""
    source, dash, number = address.rpartition("-")
    source = source if dash else "own"
    if source not in library.stores or not number.isdecimal() or int(number) not in library.stores[source].ended():
        raise CommandError(f"There is no finished run {address}: python -m fmnist runs list.")
    return source, int(number)


# --- export ---


def export(options: argparse.Namespace) -> int:
    """Write finished runs in another format, or log them into a tracking server."""
    form = FORMATS[options.to]
    if form.tracking and not options.tracking_uri:
        raise CommandError(f"Where to? Name it with --tracking-uri, or in {TRACKING_URI}.")
    library = Library(Store(options.runs))
    runs = [_finished(library, address) for address in dict.fromkeys(options.addresses)]
    if options.group:
        runs = chosen.widen(library, runs)
    function = form.load()
    load = lru_cache(lambda name: data.load(name, options.data, options.runs.parent))
    exported = chosen.Chosen(library, tuple(runs), load)
    if form.tracking:
        remarks = function(exported, options.tracking_uri, options.experiment)
    else:
        place = options.out or Path(f"fmnist-{form.id}-{runs[0].address}")
        files, remarks = folder.fill(place, partial(function, exported), replace=options.force)
        print(*files, sep="\n")
    for remark in remarks:
        print(f"fmnist: {remark}", file=sys.stderr)
    return 0


# --- predict, convert ---


def predict(options: argparse.Namespace) -> int:
    """Every model's mean probabilities over its seeds: the user's own runs where there are any, else the reference."""
    framing = DATASETS[options.dataset].subject.framing
    converted = [convert(open_image(path), framing) for path in options.images]
    library = Library(Store(options.runs))
    groups = default_groups(library.groups(options.dataset))
    if not groups:
        title = DATASETS[options.dataset].title
        raise CommandError(f"No model is trained on {title} yet: python -m fmnist train --dataset {options.dataset}.")
    from fmnist import prediction  # imports torch

    answers = []
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


# --- data, runs ---


def data_check(options: argparse.Namespace) -> int:
    dataset = data.load(options.dataset, options.data, options.runs.parent)
    print(
        f"{dataset.info.title} in {options.data}: complete and as published; "
        f"{len(dataset.train_images):,} training and {len(dataset.test_images):,} test images."
    )
    return 0


def data_download(options: argparse.Namespace) -> int:
    try:
        data.load(options.dataset, options.data, options.runs.parent)
    except DataError:
        info = DATASETS[options.dataset]
        with tqdm(desc=info.title, total=info.download_bytes, unit="B", unit_scale=True, disable=None) as bar:
            for arrived in data.download(info.id, options.data):
                bar.update(arrived - bar.n)
    return data_check(options)


def runs_list(options: argparse.Namespace) -> int:
    for run in Store(options.runs).runs():
        result = f"{run.result['test_accuracy']:.2%}" if run.result else f"{run.step:,}/{run.steps or 0:,} steps"
        print(
            f"{run.id:>5}  {run.status:<11}  {run.name:<16}  {run.recipe.info.title:<12}  "
            f"{run.recipe.describe():<36}  {result}"
        )
    return 0


def _wanted(runs: Store, options: argparse.Namespace) -> Run:
    run = runs.run(options.id) if abs(options.id) < 2**63 else None  # SQLite's largest number
    if run is None:
        raise CommandError(f"There is no run {options.id} in {options.runs}: python -m fmnist runs list.")
    return run


def runs_show(options: argparse.Namespace) -> int:
    run = _wanted(Store(options.runs), options)
    times = {
        name: value and datetime.fromtimestamp(value).isoformat(" ", "seconds")
        for name in ("created", "started", "finished")
        for value in [getattr(run, name)]
    }
    facts = vars(run) | {"recipe": json.loads(run.recipe.to_json())} | times
    print(json.dumps({name: value for name, value in facts.items() if name not in ("updated", "stop")}, indent=2))
    return 0


def runs_delete(options: argparse.Namespace) -> int:
    runs = Store(options.runs)
    run = _wanted(runs, options)
    if not runs.delete(options.id):
        raise CommandError(f"Run {options.id} is {run.status}: stop it before you delete it.")
    print(f"Run {options.id} ({run.name}) is deleted.")
    return 0


def runs_import(options: argparse.Namespace) -> int:
    """Take in what another store has; the file stays as it is."""
    from fmnist.importing import import_runs  # imports torch

    load = lru_cache(lambda name: data.load(name, options.data, options.runs.parent))
    print(import_runs(Library(Store(options.runs)), options.file, load).text)
    return 0


# --- Arguments ---

CHANGING = (train, time_steps, data_download, runs_import, runs_delete)
"""What a read-only dashboard's environment refuses at once; what lies below would refuse it too, but later."""


def _numbers(text: str) -> list[int]:
    """ "0-4" or "0,2,5-7" as a list of whole numbers, each once."""
    numbers: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 0,1,2 or 0-4")
        if int(last or first) < int(first):
            raise argparse.ArgumentTypeError(f"{text!r} has a range that ends before it begins")
        if int(last or first) - int(first) > 1000:
            raise argparse.ArgumentTypeError(f"{text!r} asks for more than 1,000 seeds")
        numbers |= dict.fromkeys(range(int(first), int(last or first) + 1))
    return list(numbers)


def _count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 100,000")
    return int(text)


def _models(text: str) -> list[str]:
    """ "0,norm-cnn" as a list of names, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",")))


def _full_ids(parser: argparse.ArgumentParser, models: list[str]) -> list[str]:
    """The ids of models that were named on the command line; wrong usage if there is none of a name.

    Raises:
        CommandError: an own model can't be used, or may be in a file that can't.
    """
    faults = own_models.faults()
    for model in models:
        if ARCHITECTURES.full_id(model) in ARCHITECTURES:
            continue
        if told := [fault.text for fault in faults if fault.id == model] or [
            fault.text for fault in faults if fault.id is None
        ]:
            raise CommandError(" ".join(told))
        names = ", ".join(known.short_id for known in ARCHITECTURES.values())
        parser.error(f"there is no model {model!r}: choose from {names}")
    return [ARCHITECTURES.full_id(model) for model in models]


def _choices(what: str, known: Iterable[str]) -> Callable[[str], list[str]]:
    """Reads "0,2" as a list of ids, each of which must be known."""

    def read(text: str) -> list[str]:
        chosen = [part.strip() for part in text.split(",")]
        for id in chosen:
            if id not in known:
                raise argparse.ArgumentTypeError(f"there is no {what} {id!r}: choose from {', '.join(known)}")
        return list(dict.fromkeys(chosen))

    return read


def _list(read: Callable[[str], list[T]]) -> Callable[[str], list[T]]:
    """A reader of `grid` for argparse, which says what is wrong with a list as wrong usage."""

    def checked(text: str) -> list[T]:
        try:
            return read(text)
        except RecipeError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def _parser() -> argparse.ArgumentParser:
    places = argparse.ArgumentParser(add_help=False)
    places.add_argument(
        "--runs",
        type=store.store_path,
        default=store.store_path(),
        metavar="PATH",
        help="the store's file, or its folder (default: FMNIST_RUNS, else runs/)",
    )
    places.add_argument(
        "--data",
        type=data.data_root,
        default=data.data_root(),
        metavar="PATH",
        help="the data root (default: FMNIST_DATA, else data/)",
    )

    parser = argparse.ArgumentParser(prog="python -m fmnist", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(where: argparse._SubParsersAction, name: str, function: Callable, help: str) -> argparse.ArgumentParser:
        added = where.add_parser(name, help=help, description=help, parents=[places])
        # The user's own models take seconds to be tried: not for what knows of no model.
        models = function not in (convert_image, data_check, data_download)
        added.set_defaults(command=function, knows_models=models)
        return added

    defaults = Recipe("0")
    sub = command(commands, "train", train, "train models, or say what they reached when they were trained before")
    sub.add_argument(
        "--models",
        type=_models,
        default=ARCHITECTURES.project,
        help="for example 0,1,2, or an own one (default: 0,1,2)",
    )
    sub.add_argument("--seeds", type=_numbers, default=[0], help="for example 0-4 (default: 0)")
    # Every combination of what is named is trained.
    numbers = (
        ("--epochs", whole_numbers, defaults.epochs, "for example 1,3"),
        ("--lr", decimals, defaults.learning_rate, "learning rate, for example 0.01,0.1"),
        ("--batch-size", whole_numbers, defaults.batch_size, "for example 32,64"),
    )
    for name, read, default, help in numbers:
        sub.add_argument(name, type=_list(read), default=[default], help=f"{help} (default: {default})")
    sub.add_argument(
        "--optimizer",
        type=_choices("optimizer", OPTIMIZERS),
        default=[defaults.optimizer],
        help=f"of {','.join(OPTIMIZERS)} (default: {defaults.optimizer})",
    )
    sub.add_argument("--dataset", choices=DATASETS, default=defaults.dataset, help="default: %(default)s")
    sub.add_argument("--device", choices=DEVICES, default=defaults.device, help="default: %(default)s")
    sub.add_argument("--again", action="store_true", help="train also what was trained before")
    sub.add_argument(
        "--ray",
        metavar="ADDRESS",
        default=trainer.cluster_address(),
        help="the Ray cluster that shall train them, as HOST:PORT or auto (default: FMNIST_RAY_ADDRESS, else here)",
    )
    sub.add_argument("--dry-run", action="store_true", help="say what would be trained and how long it takes; no more")

    sub = command(commands, "compare", compare, "accuracy, time and size of what is trained, over seeds")
    sub.add_argument("--format", choices=("table", "csv", "json"), default="table")
    sub.add_argument("--reference", action="store_true", help="with the runs that come with the project")

    sub = command(commands, "time", time_steps, "measure how long a step of each model takes, in turn on this machine")
    sub.add_argument("addresses", nargs="*", metavar="RUN", help="the recipes of these runs, for example reference-3")
    sub.add_argument("--models", type=_models, default=ARCHITECTURES.project, help="or these models' (default: 0,1,2)")
    sub.add_argument("--dataset", choices=DATASETS, default=defaults.dataset, help="default: %(default)s")
    sub.add_argument("--steps", type=_count, default=timing.STEPS, help="of a turn (default: %(default)s)")
    sub.add_argument("--rounds", type=_count, default=timing.ROUNDS, help="default: %(default)s")
    sub.add_argument("--json", action="store_true", help="every round's seconds per step, as a list")

    sub = command(commands, "verify", verify, "compute again what is stored of finished runs; name what differs")
    sub.add_argument(
        "addresses", nargs="*", metavar="RUN", help="for example 12, or reference-3 (default: all, and the reference)"
    )
    sub.add_argument("--json", action="store_true", help="the verdicts as a list")

    sub = command(commands, "export", export, "write finished runs in the formats of other programs")
    sub.add_argument("addresses", nargs="+", metavar="RUN", help="for example 12, or reference-3")
    sub.add_argument("--group", action="store_true", help="with all seeds of the same recipe")
    sub.add_argument("--to", choices=FORMATS, required=True, help="the format: docs/export.md explains each")
    sub.add_argument("--out", type=Path, metavar="PATH", help="the folder (default: fmnist-FORMAT-RUN, here)")
    sub.add_argument("--force", action="store_true", help="replace files of the same names")
    sub.add_argument(
        "--tracking-uri",
        default=os.environ.get(TRACKING_URI),
        metavar="URI",
        help=f"MLflow's (default: {TRACKING_URI})",
    )
    sub.add_argument("--experiment", default="fmnist", metavar="NAME", help="MLflow's (default: %(default)s)")

    sub = command(commands, "predict", predict, "what every model makes of image files")
    sub.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    sub.add_argument("--format", choices=("table", "json"), default="table")
    sub.add_argument("--dataset", choices=DATASETS, default=defaults.dataset, help="what the models were trained on")

    sub = command(commands, "convert", convert_image, "the 28 x 28 grey image that the models see")
    sub.add_argument("image", type=Path, metavar="IMAGE")
    sub.add_argument("output", type=Path, metavar="OUT.png")
    sub.add_argument("--dataset", choices=DATASETS, default=defaults.dataset, help="what the models were trained on")

    group = commands.add_parser("data", help="check or download a data set").add_subparsers(
        required=True, metavar="WHAT"
    )
    published = [info.id for info in DATASETS.values() if info.files]
    for sub in (
        command(group, "check", data_check, "say whether a data set is there, complete and as published"),
        command(group, "download", data_download, "fetch a data set through torchvision, unless it is there"),
    ):
        sub.add_argument("--dataset", choices=published, default=DEFAULT, help="default: %(default)s")

    group = commands.add_parser("runs", help="list, show, delete or import runs").add_subparsers(
        required=True, metavar="WHAT"
    )
    command(group, "list", runs_list, "one line per run")
    command(group, "show", runs_show, "one run, as JSON").add_argument("id", type=int, metavar="ID")
    command(group, "delete", runs_delete, "delete one run with its curves and weights").add_argument(
        "id", type=int, metavar="ID"
    )
    command(group, "import", runs_import, "take in the finished runs of another store").add_argument(
        "file", type=Path, metavar="FILE", help="its file, such as fmnist.db"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
