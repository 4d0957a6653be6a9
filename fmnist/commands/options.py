"""What the commands have in common on the command line: how text is read, and the options that several of them take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property, partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from fmnist import settings
from fmnist.commands import CommandError, say
from fmnist.commands.addresses import split
from fmnist.data import files
from fmnist.data.catalog import DATASETS, DEFAULT
from fmnist.data.files import DataMissing, Dataset, TestSet
from fmnist.grid import decimals, held_out_numbers, is_yes, whole_numbers
from fmnist.models import custom
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import KEPT, OPTIMIZERS, SCHEDULES, Recipe
from fmnist.settings import SettingsError
from fmnist.store import store
from fmnist.store.database import DamagedRun, say_damaged
from fmnist.store.library import Library
from fmnist.store.run import Status
from fmnist.store.store import Store, StoreError
from fmnist.words import listed, shortened

T = TypeVar("T")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

MAX_RANGE = 1000
"""Numbers that a range may have, such as 0-999."""
MAX_DIGITS = 100
"""Of a number in a list: Python itself reads no more than some thousands."""


# --- Readers of text ---


class Read(click.ParamType):  # type: ignore[type-arg]  # Not a generic class in earlier versions of Click.
    """Text as a function reads it. The message of its ValueError is told as wrong usage."""

    def __init__(self, name: str, function: Callable[[str], Any]) -> None:
        self.name = name
        self.function = function

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value  # A default that was computed.
        try:
            return self.function(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def numbers(text: str) -> list[int]:
    """ "0-4" or "0,2,5-7" as a list of whole numbers, each once.

    Raises:
        ValueError: it is no such list, or a range in it is too long.
    """
    found: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"{shortened(text)!r} is not a list of numbers such as 0,1,2 or 0-4")
        if max(len(first), len(last)) > MAX_DIGITS:
            raise ValueError(f"{shortened(text)!r} has a number of more than {MAX_DIGITS} digits")
        if int(last or first) < int(first):
            raise ValueError(f"{shortened(text)!r} has a range that ends before it begins")
        if int(last or first) - int(first) > MAX_RANGE:
            raise ValueError(f"{shortened(text)!r} asks for more than {MAX_RANGE:,} numbers")
        found |= dict.fromkeys(range(int(first), int(last or first) + 1))
    return list(found)


def as_ranges(values: Iterable[int]) -> str:
    """Whole numbers as `numbers` reads them, in a few characters: "1-3,7"."""
    ranges: list[tuple[int, int]] = []
    for value in sorted(values):
        if ranges and value == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], value
        else:
            ranges.append((value, value))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def names(text: str) -> list[str]:
    """ "0,norm-cnn" as a list of names, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",")))


def _one_of(without: str, known: Iterable[str]) -> Callable[[str], list[str]]:
    """A reader of "sgd,adam" as a list of ids, each of which must be known.

    Args:
        without: what is said before those that are not: "there is no optimizer".
    """

    def read(text: str) -> list[str]:
        chosen = names(text)
        if unknown := [repr(shortened(id)) for id in chosen if id not in known]:
            raise ValueError(f"{without} {listed(unknown, 'or')}: choose from {', '.join(known)}")
        return chosen

    return read


def _statuses(text: str) -> list[Status]:
    """Reads "failed,stopped"; JSON has the words of the store's file, and these are understood, too."""
    words = [str(Status(name).word) if name in list(Status) else name for name in names(text)]
    by_word = {status.word: status for status in Status}
    return [by_word[word] for word in _one_of("there is no status", by_word)(",".join(words))]


def _of_recipes(field: str, read: Callable[[str], list[T]]) -> Callable[[str], list[T]]:
    """A reader that refuses what no recipe can have in a field."""

    def checked(text: str) -> list[T]:
        for value in (values := read(text)):
            given: dict[str, Any] = {field: value}
            Recipe("0", **given)
        return values

    return checked


def _run_ids(text: str) -> list[int]:
    """ "12" or "3-5" as ids of runs in the user's own store."""
    if text.startswith("reference-"):
        raise CommandError(f"{text} is a reference run, which comes with the project: it can't be changed or deleted.")
    return numbers(text)


def _file(text: str) -> Path:
    """A file or folder that has to be named; a path that is not set in a script is empty."""
    if not text:
        raise ValueError("an empty name is no file or folder")
    return settings.expanded(text)


RUN_IDS = Read("ID", _run_ids)
ADDRESS = Read("RUN", split)
MODELS = Read("LIST", names)
SEEDS = Read("LIST", _of_recipes("seed", numbers))
EPOCHS = Read("LIST", _of_recipes("epochs", whole_numbers))
BATCH_SIZES = Read("LIST", _of_recipes("batch_size", whole_numbers))
LEARNING_RATES = Read("LIST", _of_recipes("learning_rate", decimals))
WEIGHT_DECAYS, SHIFTS, HELD_OUT = Read("LIST", decimals), Read("LIST", whole_numbers), Read("LIST", held_out_numbers)
"""Whether they go with the data set and the optimizer, the recipes say."""
SCHEDULE_LIST = Read("LIST", _one_of("there is no schedule", SCHEDULES))
KEPT_LIST = Read("LIST", _one_of("the epoch whose weights are kept can't be", KEPT))
MIRROR_LIST = Read("LIST", lambda text: [is_yes(word) for word in names(text)])
OPTIMIZER_LIST = Read("LIST", _one_of("there is no optimizer", OPTIMIZERS))
DATASET_LIST = Read("LIST", _one_of("there is no dataset", DATASETS))
STATUS_LIST = Read("LIST", _statuses)
FILE = Read("PATH", _file)
COUNT = click.IntRange(1, 100_000)


# --- Options that several commands take ---


def dataset_option(help: str = "The data set.", known: Sequence[str] = tuple(DATASETS)) -> Decorator:
    return click.option("--dataset", type=click.Choice(known), default=DEFAULT, show_default=True, help=help)


def models_option(help: str) -> Decorator:
    default = ",".join(ARCHITECTURES.project)
    return click.option("--models", type=MODELS, default=default, show_default=True, help=help)


def ray_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The address of the Ray cluster that trains; None for this machine."""
    return click.option(
        "--ray",
        "cluster",
        type=Read("ADDRESS", lambda address: address.strip() and settings.checked_ray_address(address.strip())),
        default=_named_cluster,
        callback=lambda _ctx, _param, address: address or None,
        help="Train on the Ray cluster at HOST:PORT, or auto.  [default: FMNIST_RAY_ADDRESS, else this machine]",
    )(function)


def _named_cluster() -> str | None:
    """That of the environment.

    Raises:
        SettingsError: it can never be one.
    """
    try:
        return (address := settings.ray_address()) and settings.checked_ray_address(address)
    except ValueError as error:
        raise SettingsError(f"FMNIST_RAY_ADDRESS can't be used: {error}.") from None


quiet_option = click.option("-q", "--quiet", is_flag=True, help="Show no progress, only results and errors.")


def format_option(*formats: str) -> Decorator:
    """How the result is printed: `--format`, of which the first is the default, and `--json` for short."""
    known = click.Choice(formats)
    option = click.option("--format", type=known, default=formats[0], show_default=True, help="Output format.")
    short = click.option("--json", "format", flag_value="json", help="Short for --format json.")
    return lambda function: option(short(function))


# --- Commands ---


@dataclass(frozen=True)
class Places:
    """Where the runs and the data are with which a command works."""

    runs: Path  # the store's file
    data: Path  # the data root

    @cached_property
    def library(self) -> Library:
        return Library(Store(self.runs))

    def damaged(self) -> list[tuple[str, int, str]]:
        """What was found to be damaged in the stores, if they were opened: source, id and what of it."""
        if "library" not in vars(self):
            return []
        with suppress(StoreError):
            return self.library.damaged()
        return []

    def fault(self) -> str:
        """`Library.fault`; nothing if the stores were not opened."""
        with suppress(StoreError):
            return self.library.fault if "library" in vars(self) else ""
        return ""

    def rounded(self) -> int:
        """How many runs of the store, if it was opened, are `Run.rounded`."""
        if "library" not in vars(self):
            return 0
        with suppress(StoreError):
            return len(self.library.own.rounded_ids())
        return 0

    @cached_property
    def load(self) -> Callable[[str], Dataset]:
        """Gives the data set with a name; each is read once. Where it is missing, the error says how to get it."""

        def load(name: str) -> Dataset:
            try:
                return files.load(name, self.data, self.runs.parent)
            except DataMissing as error:
                command = files.download_command(DATASETS[name], self.data)
                if settings.read_only() or command in str(error):
                    raise
                raise DataMissing(f"{error} To get it: {command}") from None

        return cache(load)

    @cached_property
    def load_test_set(self) -> Callable[[str], TestSet]:
        """Gives the test images of the data set with a name; each is read once. Some come with the project."""
        return cache(lambda name: files.load_test_set(name, self.data, self.runs.parent))


def say_recounted(places: Places) -> None:
    """Count the runs that an earlier version finished from their weights, where that is possible; say how many."""
    if places.library.own.rounded_ids():
        from fmnist.predict.recount import recount

        if count := recount(places.library.own, places.load_test_set):
            say(f"{count} run{'s' if count > 1 else ''} of an earlier version: accuracy recomputed from the weights.")


def _default_place(name: str) -> str:
    """For the help."""
    try:
        return str(settings.home() / name)
    except settings.SettingsError:
        return f"{name} in a home folder, where there is one"


PLACES: list[click.Parameter] = [
    click.Option(
        ["--runs"],
        type=Read("PATH", store.store_path),
        default=store.store_path,
        help=f"The store's file, or its folder.  [default: FMNIST_RUNS, else {_default_place('runs')}]",
    ),
    click.Option(
        ["--data"],
        type=Read("PATH", files.data_root),
        default=files.data_root,
        help=f"The folder of the data sets.  [default: FMNIST_DATA, else {_default_place('data')}]",
    ),
]


def command(
    name: str, *, custom_models: bool = True, changes: bool = False, begins: bool = False, **click_settings: Any
) -> Callable[[Callable[..., int | None]], click.Command]:
    """Make a command of a function, whose docstring is the help. It is called with `Places` and the options.

    Args:
        custom_models: whether it may meet custom models, which take seconds to be tried.
        changes: whether it writes into the store or the data root: then a read-only dashboard's environment refuses it
            at once (what lies below would refuse it too, but later).
        begins: whether it may make the folder of a store, as one may that changes it; to all others a folder that was
            named and is not there is a slip of the pen.
        click_settings: for `click.command`.
    """

    def decorate(function: Callable[..., int | None]) -> click.Command:
        @wraps(function)
        def call(runs: Path, data: Path, **options: Any) -> int | None:
            if changes and settings.read_only():
                raise CommandError(settings.READ_ONLY)
            if not (changes or begins) and is_named("runs") and settings.is_missing(runs.parent):
                raise CommandError(f"There is no folder {runs.parent}: see that --runs names the store that you mean.")
            if custom_models:
                custom.refresh(runs.parent)
            if options.get("models"):
                options["models"] = _full_ids(options["models"])
            return _call(partial(function, **options), Places(runs, data))

        make: Callable[[Callable[..., int | None]], click.Command] = click.command(name, **click_settings)
        made = make(call)
        made.params += PLACES
        return made

    return decorate


def is_named(option: str) -> bool:
    """Whether an option stands on the command line."""
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE


def _call(function: Callable[[Places], int | None], places: Places) -> int | None:
    """Call a command; what is damaged is left out, and named at the end.

    Commands tell nothing before they have read what they need: one that meets a damaged run is called again without it.
    """
    met: set[tuple[str, int]] = set()
    refused: tuple[str, int] | None = None
    try:
        while True:
            try:
                return function(places)
            except DamagedRun as damage:
                if damage.run in met:
                    refused = damage.run  # The error says it.
                    raise
                met.add(damage.run)
    finally:
        for source, id, what in places.damaged():
            if (source, id) != refused:
                say(say_damaged(source, id, what))
        if fault := places.fault():
            say(fault)
        if count := places.rounded():
            say(
                f"{count} run{'s' if count > 1 else ''} of an earlier version: accuracy may be a few hundredths of a "
                f"point off. {settings.command('verify')} recomputes it from the weights if the test images are "
                "available."
            )


def _full_ids(names: list[str]) -> list[str]:
    """The ids of models that were named on the command line; wrong usage if there is none of a name.

    Raises:
        CommandError: a custom model can't be used, or may be in a file that can't.
    """
    unknown = [model for model in names if ARCHITECTURES.full_id(model) not in ARCHITECTURES]
    faults = custom.faults()
    told = [fault.text for fault in faults if fault.id in unknown]
    if len(told) < len(unknown):  # Where one is that nobody knows, it may be in a file that can't be read.
        told += [fault.text for fault in faults if fault.id is None]
    if told:
        raise CommandError(" ".join(told))
    if unknown:
        known = ", ".join(architecture.short_id for architecture in ARCHITECTURES.values())
        context = click.get_current_context()
        [option] = [parameter for parameter in context.command.params if parameter.name == "models"]
        raise click.BadParameter(
            f"there is no model {listed(map(repr, map(shortened, unknown)), 'or')}: choose from {known}",
            context,
            param_hint=repr(option.opts[0]),
        )
    return [ARCHITECTURES.full_id(model) for model in names]
