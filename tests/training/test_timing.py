"""Timing recipes again: in turn, by the real loop, on an idle machine; on the command line and from a page."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest
from helpers.answers import is_one_sentence
from helpers.making import finished_run, queued_run, running_run
from helpers.processes import wait_for
from helpers.ui import again, labels, texts
from streamlit.testing.v1 import AppTest

from fmnist import __main__ as cli
from fmnist import settings
from fmnist.background import BackgroundProcess
from fmnist.recipe import Recipe
from fmnist.store.store import Store
from fmnist.training import hardware, launcher, loop, timing
from fmnist.training.timing import Timing
from fmnist.ui import timing_panel

SHORT = ["--steps", "3", "--rounds", "2"]


def timed(model: str, *milliseconds: float, batch_size: int = 32, threads: int = 1) -> Timing:
    seconds = tuple(value / 1000 for value in milliseconds)
    return Timing(Recipe(model, batch_size=batch_size), "cpu", threads, 60_000 // batch_size, seconds)


# Measuring


def test_recipes_are_timed_in_turn_after_a_warm_up(small_data, monkeypatch):
    # By processor time: whoever else is at work here can't make the small model seem the slower one.
    monkeypatch.setattr(loop, "now", lambda device: time.process_time())
    recipes = [Recipe("0", dataset="sample", device="cpu"), Recipe("2", dataset="sample", device="cpu")]
    turns = list(timing.turns(recipes, small_data, steps=3, rounds=2))
    assert [(turn.round, turn.index) for turn in turns] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    linear, vgg = timing.timings(recipes, small_data, turns)
    assert linear.seconds_per_step == tuple(turn.seconds_per_step for turn in turns[2::2])
    assert (linear.steps_per_epoch, linear.device, linear.threads) == (11, "cpu", 1)
    assert vgg.threads == min(2, hardware.slots())
    assert 0 < linear.median < vgg.median and vgg.epoch == vgg.median * 11


def test_seconds_per_step_are_those_of_the_training(small_data, monkeypatch):
    """By a clock that goes on by a second whenever it is looked at, which is before and after each report's steps."""
    looks = itertools.count()
    monkeypatch.setattr(loop, "now", lambda device: float(next(looks)))
    recipe = Recipe("0", dataset="sample", device="cpu", epochs=10)
    (found,) = timing.timings([recipe], small_data, list(timing.turns([recipe], small_data, 5, 3)))
    *_, finished = loop.train(recipe, small_data)
    assert found.seconds_per_step == (1.0, 1.0, 1.0)
    assert finished.result.train_seconds == 110


def test_a_turn_of_slow_steps_ends_before_it_has_them_all(small_data, monkeypatch):
    """By the same clock: a step takes a second."""
    looks = itertools.count()
    monkeypatch.setattr(loop, "now", lambda device: float(next(looks)))
    monkeypatch.setattr(timing, "MAX_SECONDS", 5)
    steps = []

    def watched(*arguments, **options) -> Iterator[object]:
        for event in train(*arguments, **options):
            steps.append(getattr(event, "step", 0))
            yield event

    train = loop.train
    monkeypatch.setattr(loop, "train", watched)
    list(timing.turns([Recipe("0", dataset="sample", device="cpu")], small_data, steps=100_000, rounds=1))
    assert max(steps) == 6  # One of them is the warm-up.


# Sentences


def test_each_is_compared_with_the_quickest():
    timings = [timed("2", 2.3, 2.31, 9), timed("0", 0.2, 0.186, 0.18), timed("1", 0.3, 0.3, 0.3)]
    first, second = timing.sentences(timings, ["Model 2", "Model 0", "Model 1"])
    assert first == (
        "Model 2 takes 12.4 times as long per step as Model 0 "
        "(2.31 ms to 0.186 ms, medians of 3 rounds in turn on this machine)."
    )
    assert second.startswith("Model 1 takes 1.61 times as long per step as Model 0 (0.3 ms to 0.186 ms")


@pytest.mark.parametrize(
    "slow, quick, said",
    [
        (32.149, 1.4551, "22 times as long per step as B (32.1 ms to 1.46 ms"),  # The full figures give 22.1.
        (1534, 999.6, "1.53 times as long per step as B (1.53 s to 1,000 ms"),
        (2_000_400, 2, "1,000,000 times as long per step as B (2,000 s to 2 ms"),
        (0.20049, 0.20001, "hardly longer per step than B (0.2 ms to 0.2 ms"),
    ],
)
def test_the_figures_that_are_printed_give_the_ratio_that_is_printed(slow, quick, said):
    (sentence,) = timing.sentences([timed("0", slow), timed("1", quick)], ["A", "B"])
    assert sentence.startswith(f"A takes {said}")


def test_what_is_not_slower_in_every_round_is_not_called_slower():
    (sentence,) = timing.sentences([timed("0", 1, 2, 3), timed("1", 1.1, 1.9, 3.3)], ["Model 0", "Model 1"])
    assert "can't be told apart" in sentence and "times as long" not in sentence


@pytest.mark.parametrize("models", [2, 3, 4, 5, 8])
def test_of_models_that_take_equally_long_hardly_ever_one_is_called_slower(models):
    rng, names = np.random.default_rng(0), [f"Model {place}" for place in range(models)]
    called = 0
    for _ in range(1000):
        timings = [timed("0", *rng.normal(1, 0.05, timing.usual_rounds(models))) for _ in names]
        called += any(" takes " in sentence for sentence in timing.sentences(timings, names))
    assert called <= 60


def test_with_different_batches_epochs_are_compared():
    """128 images in 2 ms are less than 32 in 1 ms."""
    (sentence,) = timing.sentences([timed("0", 1), timed("0", 2, batch_size=128)], ["small", "large"])
    assert sentence.startswith("small takes 2.01 times as long per epoch as large (1.88 s to 936 ms")


def test_one_alone():
    (sentence,) = timing.sentences([timed("0", 1, 2, 3)], ["Model 0"])
    assert sentence == "Model 0 takes 2 ms per step (median of 3 rounds in turn on this machine, 1 ms to 3 ms)."


def test_a_busy_machine_is_named():
    assert timing.unsteady([timed("0", 1, 1.2), timed("2", 5, 5.1)]) == ""
    assert "factor of 2.0" in timing.unsteady([timed("0", 1, 1.1), timed("2", 5, 10)])


# The command


@pytest.fixture
def call(store: Store, small_sample, capsys):
    """Call `time` on the small data: exit code, output, errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(["time", "--dataset", "sample", *SHORT, "--runs", str(store.path), *arguments])
        answer = capsys.readouterr()
        return code, answer.out, answer.err

    return call


def test_models_on_the_command_line(call, store):
    code, out, err = call("--models", "0,2")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("Model 2 takes ") and "times as long per step as Model 0" in lines[0]
    assert [line.partition(",")[0] for line in err.splitlines()] == [
        f"{which}: {name}" for which in ("Warm-up", "Round 1 of 2", "Round 2 of 2") for name in ("Model 0", "Model 2")
    ]
    assert store.runs() == []  # nothing is kept


def test_runs_on_the_command_line(call, store, small_sample):
    for recipe in (Recipe("0", dataset="sample"), Recipe("0", dataset="sample", batch_size=64)):
        finished_run(store, recipe, small_sample)
    code, out, _ = call("1", "2", "--json")
    rows = json.loads(out)
    assert code == 0 and [row["recipe"]["batch_size"] for row in rows] == [32, 64]
    assert [row["name"] for row in rows] == [
        "Model 0 (SGD, lr 0.1, batch 32, 3 epochs)",
        "Model 0 (SGD, lr 0.1, batch 64, 3 epochs)",
    ]
    for row in rows:
        assert len(row["seconds_per_step"]) == 2 and min(row["seconds_per_step"]) > 0


@pytest.mark.parametrize("state", [queued_run, running_run])
def test_a_busy_machine_is_not_timed(call, store, small_sample, state):
    state(store, Recipe("0", dataset="sample"), small_sample)
    with launcher.held(launcher.lock(store.path)):  # A trainer seems to work on the store.
        code, out, err = call()
    assert (code, out) == (1, "") and "1 run is queued or being trained" in err and is_one_sentence(err.strip())


def test_a_training_that_begins_meanwhile_ends_the_timing(call, store, small_sample, monkeypatch):
    turns = timing.turns

    def disturbed(*arguments):
        for turn in turns(*arguments):
            queued_run(store, Recipe("0", dataset="sample"), small_sample)
            yield turn

    monkeypatch.setattr(timing, "turns", disturbed)
    code, out, err = call()
    assert (code, out) == (1, "") and "queued or being trained" in err


def test_what_a_dead_trainer_left_behind_does_not_count(call, store, small_sample):
    running_run(store, Recipe("0", dataset="sample"), small_sample)
    assert call("--models", "0")[0] == 0


@pytest.mark.parametrize("arguments", [["77"], ["reference-77"], ["reference-1", "1"]], ids=" ".join)
def test_what_cannot_be_timed(call, store, small_sample, arguments):
    finished_run(store, Recipe("0", dataset="sample"), small_sample)
    code, out, err = call(*arguments)
    assert (code, out) == (1, "") and is_one_sentence(err.strip())


@pytest.mark.parametrize(
    "option, value", [("--steps", "0"), ("--rounds", "many"), ("--steps", "-1"), ("--models", "9")]
)
def test_wrong_usage(option, value, capsys):
    assert cli.main(["time", option, value]) == 2
    assert capsys.readouterr().err.startswith("Usage: ")


# The panel


def panel() -> None:
    """A page with nothing but the panel."""
    from fmnist.store.library import Library
    from fmnist.ui import resources
    from fmnist.ui.timing_panel import time_again

    library = Library(resources.open_library().own, None)
    time_again(library, library.groups("sample"), steps=3, rounds=2)


@pytest.fixture
def page(store: Store, small_sample, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The panel over one finished run of Models 0 and 2. What it times does not outlive the test, and gets no further
    than `finish` lets it: nobody has to be quicker."""

    def halted(*arguments: str) -> BackgroundProcess:
        process = BackgroundProcess(*arguments)
        process._process.send_signal(signal.SIGSTOP)
        return process

    for model in ("0", "2"):
        finished_run(store, Recipe(model, dataset="sample"), small_sample)
    with monkeypatch.context() as context:
        context.setattr(timing_panel, "BackgroundProcess", halted)
        yield again(AppTest.from_function(panel, default_timeout=90))
    if process := timing_panel._clock().process:
        process._process.kill()
    wait_for(lambda: not timing_panel._clock().running())


def click(at: AppTest) -> None:
    at.button[0].click()
    again(at)


def finish(at: AppTest) -> None:
    """Wait until nothing is being timed any more, and look at the page again, as its fragment does."""
    _let_go()
    again(at)


def _let_go() -> None:
    if process := timing_panel._clock().process:
        process._process.send_signal(signal.SIGCONT)
    wait_for(lambda: not timing_panel._clock().running())


def test_a_click_times_what_is_shown(page):
    assert labels(page) == ["Time them again"] and not page.button[0].disabled and not page.dataframe
    click(page)
    assert page.button[0].disabled
    finish(page)
    assert not page.error
    (sentence, *_) = texts(page, "markdown")
    assert sentence.startswith("- Model 2") and "times as long per step as Model 0" in sentence
    table = page.dataframe[0].value
    assert [name[:7] for name in table["name"]] == ["Model 0", "Model 2"]
    assert (table["quickest round"] <= table["median"]).all() and (table["median"] <= table["slowest round"]).all()
    other = again(AppTest.from_function(panel, default_timeout=90))
    assert other.dataframe[0].value.equals(table)  # another viewer sees it too


def test_a_page_that_shows_other_models_waits(page, store, small_sample):
    click(page)
    finished_run(store, Recipe("1", dataset="sample"), small_sample)
    other = again(AppTest.from_function(panel, default_timeout=90))
    assert other.button[0].disabled and "Other models are being timed at the moment." in texts(other, "caption")


def test_the_button_waits_for_trainings(page, store, small_sample):
    id = queued_run(store, Recipe("1", dataset="sample"), small_sample)
    again(page)
    assert page.button[0].disabled
    assert any("1 run is queued or being trained" in text for text in texts(page, "caption"))
    store.request_stop([id])
    assert not again(page).button[0].disabled


def test_a_training_that_begins_is_said_in_a_sentence(page, store, small_sample):
    click(page)
    id = queued_run(store, Recipe("1", dataset="sample"), small_sample)
    finish(page)
    assert "queued or being trained" in page.error[0].value and is_one_sentence(page.error[0].value)
    store.request_stop([id])
    click(again(page))
    assert not page.error


@pytest.mark.parametrize("output", ["", "Hello\n[]", "[]", "3"])
def test_an_answer_that_is_none_is_said_and_the_models_can_be_timed_again(page, monkeypatch, output):
    click(page)
    monkeypatch.setattr(BackgroundProcess, "output", output)
    monkeypatch.setattr(BackgroundProcess, "exit_code", 0)
    again(page)
    assert texts(page, "error") == ["The timing ended unexpectedly\\: try again."] and not page.button[0].disabled


def test_that_no_process_can_be_started_is_said(page, monkeypatch):
    def refuse(*arguments: str) -> BackgroundProcess:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(timing_panel, "BackgroundProcess", refuse)
    click(page)
    [said] = texts(page, "error")
    assert "No process can be started" in said and "temporarily unavailable" in said and not page.button[0].disabled


def test_torch_is_not_imported_for_the_panel():
    code = "import sys, fmnist.ui.timing_panel; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=settings.PROJECT).returncode == 0
