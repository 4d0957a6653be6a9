"""Where the program is and what its environment says: every FMNIST_* variable is read here and nowhere else.

| variable | function | |
|---|---|---|
| FMNIST_RUNS | `runs` | the store's file, or its folder |
| FMNIST_DATA | `data_root` | the data root |
| FMNIST_MODELS | `model_files` | files with custom models |
| FMNIST_RAY_ADDRESS | `ray_address` | the Ray cluster that trains new runs |
| FMNIST_READ_ONLY | `read_only` | look, compare and predict, but change nothing |
| FMNIST_QUEUE_LIMIT | `queue_limit` | how many queued and running runs one viewer may have |
| FMNIST_USERS | `users` | who may log in |

They are read anew at each question, so a test or a process that sets one is answered by it. What is allowed to whom is
asked where something would be changed: no page decides it, so no client gets round it by doing without the pages.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
"""The folder that holds this package: a checkout, or wherever packages are installed."""
MODELS = "FMNIST_MODELS"
"""Named here because messages name it too, and because it is handed on to processes: `environment`."""

MAX_ECHO = 60
"""Characters of a path that is too long that are said."""

OFF = {"", "0", "false", "no", "off"}

READ_ONLY = (
    "This dashboard is view-only (FMNIST_READ_ONLY is set): nothing is trained, timed, downloaded, changed or deleted."
)


class SettingsError(Exception):
    """A variable has a value that can't be used. The message is a sentence for the user."""


# --- Where things are ---


def is_checkout() -> bool:
    """Whether the program runs from its source folder, and not from where pip has installed it."""
    return (PROJECT / "pyproject.toml").is_file() and (PROJECT / "dashboard.py").is_file()


def home() -> Path:
    """Where `runs/` and `data/` are by default: in the checkout, or in the user's own folder for a program's data.

    Raises:
        SettingsError: the user has no home folder.
    """
    if is_checkout():
        return PROJECT
    from platformdirs import user_data_path

    found = user_data_path("fmnist", appauthor=False)
    if not found.is_absolute():
        raise SettingsError(
            "There is no home folder in which runs and data could be kept: choose folders with FMNIST_RUNS and "
            "FMNIST_DATA."
        )
    return found


def runs() -> Path:
    """FMNIST_RUNS: the store's file, or its folder; else `runs/` in `home`.

    Raises:
        SettingsError: as `absolute` and `home`.
    """
    named = unquoted(os.environ.get("FMNIST_RUNS", ""))
    return absolute(named or home() / "runs", "FMNIST_RUNS")


def named_data_root() -> Path | None:
    """FMNIST_DATA: the data root; None where it is not set, and a page may choose one.

    Raises:
        SettingsError: as `absolute`.
    """
    named = unquoted(os.environ.get("FMNIST_DATA", ""))
    return absolute(named, "FMNIST_DATA") if named else None


def data_root() -> Path:
    """FMNIST_DATA: the data root; else `data/` in `home`.

    Raises:
        SettingsError: as `absolute` and `home`.
    """
    return named_data_root() or absolute(home() / "data")


def model_files() -> list[Path]:
    """FMNIST_MODELS: the files with custom models, several as in PATH, whether they exist or not. One that `absolute`
    refuses is given as it is named: who reads the others says so."""
    files = []
    for name in filter(None, map(unquoted, os.environ.get(MODELS, "").split(os.pathsep))):
        try:
            files.append(absolute(name))
        except SettingsError:
            files.append(Path(name))
    return files


def ray_address() -> str | None:
    """FMNIST_RAY_ADDRESS: the Ray cluster that shall train new runs, as HOST:PORT or auto; None for this machine."""
    return os.environ.get("FMNIST_RAY_ADDRESS", "").strip() or None


def checked_ray_address(address: str) -> str:
    """The address of a Ray cluster, if it has the form of one; whether anybody answers there is another matter.

    Raises:
        ValueError: it can never be one.
    """
    if "://" in address:
        raise ValueError(
            f"{address} is an address of Ray Client, which can't stream the curves: join the cluster with "
            "ray start --address=HOST:PORT --num-cpus=0, and name it as HOST:PORT"
        )
    host, _, port = address.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) <= 65535
    if address != "auto" and not (host and is_port and not re.search(r"\s", host)):
        raise ValueError(f"{address!r} is not the address of a Ray cluster: it has the form HOST:PORT, or is auto")
    return address


def unquoted(path: str | Path) -> str:
    """A path without the blanks and quotes that come along when it is copied: a file manager and an .env file put them
    there, and a shell takes them away, a form does not."""
    text = str(path).strip()
    while len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


def absolute(path: str | Path, variable: str = "") -> Path:
    """A path as the user writes it, with ~ and relative to where we are, as an absolute one.

    Args:
        variable: that names it.

    Raises:
        SettingsError: as `expanded`, or its name is none that a store or a page can hold.
    """
    found = expanded(path, variable).absolute()
    try:
        str(found).encode()
    except UnicodeEncodeError:  # Linux takes any bytes.
        said = str(found).encode(errors="backslashreplace").decode()
        raise SettingsError(f"{variable or 'A path'} is {said}, which is not text in UTF-8: rename it.") from None
    return found


def expanded(path: str | Path, variable: str = "") -> Path:
    """A path as the user writes it, its ~ or ~user replaced by the home folder.

    Args:
        variable: that names it.

    Raises:
        SettingsError: there is no such home folder, and no file that is really called so; or a name is too long.
    """
    found = Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises for an unknown ~user.
    try:
        exists = bool(found.lstat())
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            named = f"{variable or 'A path'} is too long for a file or folder"
            raise SettingsError(f"{named}: {str(path)[:MAX_ECHO]}… has {len(str(path)):,} characters.") from None
        exists = False
    if exists or not found.parts or not found.parts[0].startswith("~"):
        return found
    who = f"of a user {found.parts[0][1:]!r}" if len(found.parts[0]) > 1 else "for this user"
    said = f"{variable} is {path}" if variable else f"{path} can't be found"
    raise SettingsError(f"{said}: no home folder {who} is known here. Write out the full path.")


def is_folder(path: Path) -> bool:
    """Whether a folder is there, as far as we may look: who uses it says what is wrong."""
    with suppress(OSError):
        return path.is_dir()
    return False


def is_missing(path: Path) -> bool:
    """Whether nothing is there; not where we may not look."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def dashboard_script() -> Path:
    """What `streamlit run` takes. `pages/` and `.streamlit/config.toml` lie beside it, in an installation too: wherever
    Streamlit is started, it reads the configuration beside the script."""
    return PROJECT / "dashboard.py" if is_checkout() else Path(__file__).parent / "_dashboard" / "dashboard.py"


def command(arguments: str) -> str:
    """A command line of this program, as somebody would type it here."""
    return f"{'python -m ' if is_checkout() else ''}fmnist {arguments}"


def how_to_install(extra: str) -> str:
    """The command that installs what an optional part needs: export, ray or serve."""
    return f"pip install -r requirements-{extra}.txt" if is_checkout() else f"pip install 'fmnist[{extra}]'"


# --- Processes of our own ---


def module(name: str) -> list[str]:
    """Python's arguments for a process that runs a module of this package, together with `start_folder`.

    Installed, it is found in any folder, and what lies in the user's must not be imported instead: hence -P.
    """
    return ["-m", name] if is_checkout() else ["-P", "-m", name]


def start_folder() -> Path | None:
    """The folder in which such a process starts: the checkout, else it would not find the package; or None for ours."""
    return PROJECT if is_checkout() else None


def environment() -> dict[str, str]:
    """Our environment for such a process: paths that are relative to our folder are made absolute."""
    files = os.pathsep.join(map(str, model_files()))
    return os.environ | ({MODELS: files} if files else {})


# --- What is allowed to whom ---


@dataclass(frozen=True)
class Asker:
    """Somebody who asks for runs, and whose runs are counted."""

    who: str  # tells askers apart, and not who they are
    limit: int  # of runs that are queued or running


def read_only() -> bool:
    """Whether FMNIST_READ_ONLY is set: look, compare and predict, but change nothing.

    What is not plainly "off" is on: a slip in a configuration must not open what was to be closed.
    """
    return os.environ.get("FMNIST_READ_ONLY", "").strip().lower() not in OFF


def queue_limit() -> int | None:
    """FMNIST_QUEUE_LIMIT: how many queued and running runs one viewer may have; None for any number.

    Raises:
        SettingsError: it is not a whole number from 1 on.
    """
    text = os.environ.get("FMNIST_QUEUE_LIMIT", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise SettingsError(f"FMNIST_QUEUE_LIMIT must be a whole number of at least 1, not {text!r}.")
    return int(text)


def users() -> list[str]:
    """FMNIST_USERS: who may log in, as e-mail addresses and domains ("@example.org"); empty for everybody who can.

    Raises:
        SettingsError: something else stands there.
    """
    named = os.environ.get("FMNIST_USERS", "").lower().replace(",", " ").split()
    for name in named:
        local, at, domain = name.rpartition("@")
        if not at or not domain or "@" in local:
            raise SettingsError(f"FMNIST_USERS must list e-mail addresses or @domains, and {name!r} is neither.")
    return named


def is_allowed(email: str) -> bool:
    """Whether FMNIST_USERS names this verified address, or its domain.

    Raises:
        SettingsError: as `users`.
    """
    named, address = users(), email.strip().lower()
    return not named or address in named or f"@{address.rpartition('@')[2]}" in named
