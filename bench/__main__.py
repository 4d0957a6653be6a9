"""All benches, one after the other:  python -m bench [--data PATH] [--only NAME]

Shows what each prints, and writes it into docs/measurements.md, between the markers there, with the machine, the
versions and the date. If one fails, that file stays as it is and the command ends with status 1. Use the machine for
nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import ast
import re
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import date
from importlib.metadata import version
from pathlib import Path

from bench.common import descendants, kill
from fmnist import settings
from fmnist.data import files
from fmnist.training.hardware import machine, versions

NAMES = (
    *("training", "trainer", "scale", "live", "strip", "long_runs", "pages", "viewers", "predict", "conversion"),
    "suggestions",
)
LONGEST = 1800.0  # Seconds that one may take.
MEASUREMENTS = settings.PROJECT / "docs" / "measurements.md"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


class BenchError(Exception):
    """A bench failed. The message is a sentence."""


def run(name: str, root: Path) -> str:
    """What a bench prints; it is shown as it comes.

    Raises:
        BenchError: it ended with an error, or took too long.
    """
    command = [sys.executable, "-u", f"bench/{name}.py", "--data", str(root)]
    process = subprocess.Popen(
        command, cwd=settings.PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    late = threading.Event()

    def stop() -> None:
        late.set()
        end(process)

    watchdog = threading.Timer(LONGEST, stop)
    watchdog.start()
    lines = []
    try:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
        process.wait()
    finally:
        watchdog.cancel()
        end(process)
    if late.is_set():
        raise BenchError(f"{name} was stopped: it took more than {LONGEST / 60:.0f} minutes.")
    if process.returncode:
        raise BenchError(f"{name} failed, with status {process.returncode}.")
    return "".join(lines).strip()


def end(process: subprocess.Popen[str]) -> None:
    """End a bench that still runs: it cleans up after Ctrl-C; what is left after that is killed."""
    if process.poll() is not None:
        return
    left = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=30)
    process.kill()
    process.wait()
    kill(left)


def about(name: str) -> str:
    """A bench's question and how it answers it, from its docstring."""
    text = ast.get_docstring(ast.parse((settings.PROJECT / f"bench/{name}.py").read_text(encoding="utf-8"))) or ""
    question, _, rest = text.partition("\n")
    return f"**{question.partition('  ')[0]}** {' '.join(rest.split())} (`python bench/{name}.py`)"


def where() -> str:
    """On what, with what, and when all was measured."""
    found = versions(compiled=True) | {name: version(name) for name in ("streamlit", "plotly")}
    named = ", ".join(f"{name} {number}" for name, number in found.items())
    return f"{machine()}; {named}; {date.today():%d %B %Y} (`python -m bench`)."


def write(parts: list[str]) -> None:
    """Put the parts between the markers of docs/measurements.md, in place of what was there.

    Raises:
        BenchError: the file is missing, or does not have each marker once.
    """
    begin, end = (re.escape(marker) for marker in (BEGIN, END))
    before = MEASUREMENTS.read_text(encoding="utf-8") if MEASUREMENTS.exists() else ""
    results = "\n\n".join([BEGIN, *parts, END])
    text, count = re.subn(f"{begin}.*?{end}", lambda _: results, before, flags=re.DOTALL)
    if count != 1:
        raise BenchError(f"{MEASUREMENTS} has no place for the results: {BEGIN} and {END}.")
    MEASUREMENTS.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Run all benches; write the results into docs/measurements.md."
    )
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    parser.add_argument("--only", choices=NAMES, help="this one alone; docs/measurements.md stays as it is")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that the bench that runs is ended, too.
    parts, failed = [where()], False
    print(parts[0])
    for name in [options.only] if options.only else NAMES:
        said = about(name)
        print(f"\n{said}\n", flush=True)
        try:
            parts.append(f"{said}\n\n{run(name, options.data)}")
        except BenchError as error:
            failed = True
            print(error, flush=True)
    if failed:
        return 1
    if not options.only:
        try:
            write(parts)
        except BenchError as error:
            print(error)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
