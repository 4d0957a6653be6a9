"""Python processes beside ours: how they are started, what they have said, how they end. No torch, no Streamlit.

What they write goes into files, so that none of them waits until somebody reads it.

The commands of `python -m fmnist` say what a person shall read in lines on standard error that begin with `SAID`
(`say`). One that can't do what it was asked to ends with an exit code other than 0, and the last of these lines is what
was wrong. What libraries write there besides is not for a page.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fmnist import settings
from fmnist.words import plain

if sys.platform != "win32":
    import fcntl

SAID = "fmnist: "
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def say(sentence: object) -> None:
    """Tell the person, or the page, that has started this process something that is no result."""
    print(printable(f"{SAID}{sentence}"), file=sys.stderr)


def printable(text: str) -> str:
    r"""Text for a line of a terminal. What would break the line, colour it, or can't be written in UTF-8 (the bytes of
    a file's name may be no text at all) becomes an escape sequence such as \n."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class BackgroundProcess:
    """A process that works for this one, and for nobody else.

    Args:
        arguments: of Python: of a module of ours what `settings.module` gives, and then the module's own.
        text: what it reads on its standard input.
        with_children: may start processes of its own, which end with it; Ctrl-C in our terminal does not reach them.

    Raises:
        OSError: it can't be started.
    """

    def __init__(
        self,
        *arguments: str,
        text: str = "",
        with_children: bool = False,
    ) -> None:
        self._output, self._reports = _file(), _file()
        self._with_children = with_children
        with _file() as given:
            given.write(text.encode())
            given.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=given,
                stdout=self._output,
                stderr=self._reports,
                cwd=settings.start_folder(),
                env=settings.environment(),
                start_new_session=with_children,
            )

    @property
    def exit_code(self) -> int | None:
        """None while it is running."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """Its exit code; None if it is still running after so long."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def stop(self) -> None:
        """End it, however far it is; nothing if it has ended."""
        if self._with_children:
            with suppress(OSError, AttributeError):  # AttributeError: Windows.
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    @property
    def output(self) -> str:
        """What it has written to its standard output."""
        return _content(self._output)

    @property
    def reports(self) -> list[str]:
        """The lines that it has written to its standard error."""
        return plain(_content(self._reports)).splitlines()

    @property
    def sentences(self) -> list[str]:
        """What it has to say to people."""
        return [line.removeprefix(SAID) for line in self.reports if line.startswith(SAID)]

    def fault(self, otherwise: str) -> str:
        """What was wrong, of one that has failed: a sentence.

        Args:
            otherwise: for one that could not say it.
        """
        return (self.sentences or [otherwise])[-1]


def _file() -> IO[bytes]:
    """The process appends: what is read here does not move the place where it goes on.

    Raises:
        OSError: there is no temporary folder, nor does this system have files in memory.
    """
    try:
        return tempfile.TemporaryFile("a+b")
    except OSError:
        if not hasattr(os, "memfd_create"):
            raise
        memory = os.memfd_create("fmnist")
        fcntl.fcntl(memory, fcntl.F_SETFL, os.O_APPEND)
        return os.fdopen(memory, "a+b")


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


@contextmanager
def ended_by_signals(end: Callable[..., object]) -> Iterator[None]:
    """Signals that ask this process to end call `end` instead, which sees that it ends in order: Python itself would
    leave folders in the temporary folder."""
    before = {name: signal.signal(name, end) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def detach(*arguments: str, log: Path) -> None:
    """Start a process that goes on when this one ends.

    Args:
        arguments: as of a `BackgroundProcess`.
        log: where all that it writes is added.

    Raises:
        OSError: it can't be started, or the log can't be written.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=settings.start_folder(),
            env=settings.environment(),
            start_new_session=True,  # Ctrl-C and the end of a server must not reach it.
        )
    # Somebody has to take note of its end, else it stays in the process table as a zombie.
    threading.Thread(target=process.wait, daemon=True).start()
