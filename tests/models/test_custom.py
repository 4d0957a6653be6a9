"""Custom models: how they are found and tried, which they are, and when they are another version."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.making import finished_run

from fmnist.compare.diagnosis import diagnose
from fmnist.models import custom, custom_answers, custom_check, inference, registry
from fmnist.models.registry import ARCHITECTURES, ModelError
from fmnist.models.source import Source
from fmnist.recipe import Recipe, RecipeError
from fmnist.store.library import Library
from fmnist.store.store import Store
from fmnist.training import loop
from models.conftest import HEAD, LAYERS, SMALL, TINY, forward, own, source, tried_here

# The process in which they are tried


def test_the_process_tells_models_from_what_the_file_prints_and_tries_those_after_one_that_ends_it():
    crashes = forward("import os, signal", "os.kill(os.getpid(), signal.SIGSEGV)")
    wrong = forward("return [x]").replace('"odd", "Odd"', '"list", "List"')
    prints = '\nprint("hello")\nprint(input() if False else "{}")\n'
    first, second, good = custom.check(source(crashes + (wrong + TINY).replace(HEAD, "") + prints))
    assert (first["id"], first["fault"]) == ("odd", "It ended the process (exit code -11) when it was tried.")
    assert second["id"] == "list" and second["fault"].startswith("It gives a list")
    assert (good["id"], good["layers"]) == ("tiny", "Flatten, Linear(784, 10)")


def test_a_file_that_never_ends_is_given_up():
    [answer] = custom.check(source("while True:\n    pass\n"), seconds=0.5)
    assert answer == {"fault": "my_models.py can't be read: it did not end within 0.5 seconds."}


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Models with "hang" in their ids hang for as long as they may; gives the time limits of the processes."""
    limits: list[float] = []
    clock = [0.0]

    def tried(source: Source, known: list[str], seconds: float) -> tuple[list[custom.Answer], int | None]:
        limits.append(seconds)
        said = []
        for answer in custom_check.check(source, known):
            said.append(answer)
            if "hang" in answer.get("trying", ""):
                clock[0] += seconds
                return said, None
        return said, 0

    monkeypatch.setattr(custom, "_try", tried)
    monkeypatch.setattr(custom.time, "monotonic", lambda: clock[0])
    return limits


def renamed(*names: str) -> str:
    """A file with a good model for each name."""
    return HEAD + "".join(TINY.replace(HEAD, "").replace('"tiny", "Tiny"', f'"{name}", "{name}"') for name in names)


def test_models_beside_one_that_hangs_are_tried_all_the_same(hanging):
    first, second, third = custom.check(source(renamed("first", "hangs", "last")), seconds=5)
    assert (first["id"], third["id"]) == ("first", "last") and "layers" in first and "layers" in third
    assert second == {"id": "hangs", "name": "hangs", "fault": "It did not end within 5 seconds when it was tried."}
    assert hanging == [5, 5]


def test_where_too_many_models_hang_it_is_said_that_those_after_them_are_not_tried(hanging):
    names = [f"hang{number}" for number in range(custom.MAX_HANGS)]
    *models, rest = custom.check(source(renamed(*names, "last")), seconds=5)
    assert [model["id"] for model in models] == names and all("did not end" in model["fault"] for model in models)
    assert rest == {"fault": "my_models.py was tried no further: 3 of its models did not end within 5 seconds."}
    assert hanging == [5, 5, 5]


# Which they are


def test_registering_takes_an_id_and_a_name_and_finds_the_rest(use):
    use(TINY + TINY.replace("tiny", "second").replace('"Tiny"', '"Second", "One layer", color="#123456", symbol="x"'))
    first, second = own()
    assert (first.short_id, first.name, first.layers) == ("tiny", "Tiny", "Flatten, Linear(784, 10)")
    assert (first.channels_last, first.parts, first.compiled) == (False, 1, False)
    assert (second.layers, second.color, second.symbol) == ("One layer", "#123456", "x")
    for field in ("color", "symbol"):
        assert len({getattr(model, field) for model in ARCHITECTURES.values()}) == 5
    assert list(ARCHITECTURES)[:3] == ARCHITECTURES.project == ["0", "1", "2"]


def test_what_a_model_consists_of_is_found_in_the_order_of_its_forward_pass(use):
    init = "self.act, self.first = nn.ReLU(), nn.Linear(784, 10)"
    use(forward("return self.act(self.linear(self.act(self.first(x.flatten(1))).repeat(1, 79)[:, :784]))", init=init))
    [model] = own()
    assert model.modules == (("first", "Linear"), ("act", "ReLU"), ("linear", "Linear"), ("act", "ReLU"))
    assert model.rectified
    use(forward("return self.act(self.linear(x.flatten(1))) - 1", init=init))
    [model] = own()
    assert model.modules == (("linear", "Linear"), ("act", "ReLU"))  # The other one is never used.
    assert not model.rectified


def test_a_chain_of_convolutions_is_trained_by_compiled_kernels(use, small_data):
    layers = "nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(784, 10)"
    use(TINY.replace(LAYERS, layers))
    [model] = own()
    assert model.compiled and next(loop.train(Recipe(model.id, **SMALL), small_data)).compiled


def test_of_a_custom_model_it_is_told_where_its_relus_are(use, small_data):
    use(TINY.replace("nn.Linear(784, 10))", "nn.Linear(784, 10), nn.ReLU())"))
    logits = np.eye(10, dtype=np.float16)[small_data.test_labels % 9]
    history = pd.DataFrame(columns=["split", "step", "epoch", "loss", "accuracy"])
    recipe = Recipe("tiny", dataset="sample")
    answers = logits, logits.argmax(axis=1), small_data.test_labels
    found = diagnose(recipe, [], *answers, history)
    assert "the ReLU after the last layer holds its logit at 0" in found[0].sentence
    _, layer = diagnose(recipe, ["2"], np.ones_like(logits), np.zeros(100), small_data.test_labels, history)
    assert "Every unit of the linear layer is zero" in layer.sentence


def test_a_models_look_does_not_depend_on_the_order_of_the_files():
    ids = [f"model-{number}" for number in range(6)]
    one = custom._looks(dict.fromkeys(ids, ("", "")))
    assert one == custom._looks(dict.fromkeys(reversed(ids), ("", "")))
    assert len(set(one.values())) == 6
    assert not {color for color, _ in one.values()} & {ARCHITECTURES[id].color for id in ARCHITECTURES.project}


@pytest.mark.parametrize(
    "old, new",
    [
        ("def tiny():\n", 'def tiny():\n    """What it is."""\n'),
        ("def tiny():\n", "def tiny():\n    # Why.\n\n"),
        ("import torch\n", '"""My models."""\n\nimport torch\n'),
        ('"Tiny"', '"Tiny", "One layer", color="#123456", symbol="x"'),
        ('"Tiny"', '"Another name"'),
    ],
)
def test_what_does_not_compute_makes_no_new_version(old, new):
    assert source(TINY.replace(old, new)).version == source(TINY).version


@pytest.mark.parametrize(
    "old, new",
    [("784, 10", "784, 10, bias=False"), ("import torch\n", "import torch\nx = 1\n"), ('"Tiny"', '"Tiny", parts=2')],
)
def test_what_may_compute_makes_a_new_version(old, new):
    assert source(TINY.replace(old, new)).version != source(TINY).version


def test_an_edited_model_is_another_one(use, tmp_path):
    path = use(TINY)
    before, library = Recipe("tiny"), Library(Store(tmp_path / "runs" / "fmnist.db"))
    places = library.remember("places", lambda: ARCHITECTURES.place(before.model))
    path.write_text(TINY.replace("784, 10", "784, 10, bias=False"))
    custom.refresh(tmp_path / "runs")
    after = Recipe("tiny")
    assert before.model != after.model and before.key("data") != after.key("data")
    assert before.model not in ARCHITECTURES and ARCHITECTURES[before.model].name == "Tiny"  # For who still has it.
    assert inference.build(before.model, 0, torch.device("cpu"))[1].bias is not None
    assert inference.build(after.model, 0, torch.device("cpu"))[1].bias is None
    with pytest.raises(RecipeError):
        Recipe.from_json(before.to_json())
    assert library.remember("places", lambda: ARCHITECTURES.place(before.model)) != places
    library.own.close()


def test_runs_of_a_model_that_is_gone_are_left_alone_and_shown_again_with_it(
    use, store, small_data, monkeypatch, tmp_path
):
    path = use(TINY)
    finished_run(store, Recipe("tiny", dataset="sample"), small_data)
    monkeypatch.setenv("FMNIST_MODELS", "")
    custom.refresh(tmp_path / "runs")
    assert store.runs() == [] and store.count() == 1
    monkeypatch.setenv("FMNIST_MODELS", str(path))
    custom.refresh(tmp_path / "runs")
    assert [run.name for run in store.runs()] == ["Tiny, seed 0"]


def test_what_was_said_of_a_file_is_kept_for_other_processes(use, tmp_path, monkeypatch):
    use(TINY, forward("return x"))
    expected = own(), custom.faults()[:]
    monkeypatch.setattr(custom, "_answers", {})
    monkeypatch.setattr(custom, "check", lambda source: pytest.fail("tried again"))
    custom.refresh(tmp_path / "runs")
    assert (own(), custom.faults()) == expected
    monkeypatch.setattr(custom, "_answers", {})
    monkeypatch.setattr(custom_answers, "FAULTY_SECONDS", 0)
    custom.refresh(tmp_path / "runs", trying=False)  # As the trainer does, for whom nobody waits.
    assert (own(), custom.faults()) == expected


def test_where_nothing_can_be_kept_nothing_is_left(use, tmp_path, monkeypatch):
    def no_space(content: object, file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(custom_answers.json, "dump", no_space)
    use(TINY)
    assert own() and not list((tmp_path / "runs").glob("custom-models*"))


def test_what_was_said_of_a_file_is_forgotten_with_it(use):
    path = use(TINY)
    for width in range(10, 15):
        path.write_text(TINY.replace("784, 10)", f"784, {width}), nn.Linear({width}, 10)"))
        custom.refresh(path.parent)
    assert len(custom._answers) == len(own()) == 1


@pytest.mark.parametrize("kept", ["", "[]", "not JSON", "[" * 100_000, '{"%s": {"at": 9e9, "answers": [{"id": 3}]}}'])
def test_what_is_kept_is_not_trusted(use, tmp_path, monkeypatch, kept):
    use(TINY)
    monkeypatch.setattr(custom, "_answers", {})
    checksum = custom_answers.checksum(own()[0].source)
    (tmp_path / "runs" / "custom-models.json").write_text(kept.replace("%s", checksum))
    custom.refresh(tmp_path / "runs")
    assert [model.name for model in own()] == ["Tiny"]


def test_a_module_that_an_installed_package_names_is_found_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "site" / "their_models"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "inner" / "__init__.py").write_text("")
    (package / "inner" / "ours.py").write_text(TINY)
    information = tmp_path / "site" / "their_models-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: their-models\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[fmnist.models]\nany = their_models.inner.ours\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    custom._installed.cache_clear()
    try:
        assert custom._installed() == [(str(package / "inner" / "ours.py"), "their_models.inner")]
        assert custom._sources()[0] == [Source(str(package / "inner" / "ours.py"), TINY, "their_models.inner")]
    finally:
        custom._installed.cache_clear()


def test_a_module_may_import_what_stands_beside_it_in_its_package(tmp_path, monkeypatch):
    package = tmp_path / "with_helpers"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helpers.py").write_text("CLASSES = 10\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = "from .helpers import CLASSES\n" + TINY.replace("10)", "CLASSES)")
    assert "layers" in tried_here(Source(str(package / "ours.py"), text, "with_helpers"))[0]


def test_model_error_is_a_sentence_of_its_own():
    assert registry.in_short(ModelError("the id is taken"), "") == "the id is taken"
