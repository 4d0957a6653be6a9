"""Custom models: what is said of those that can't be used, and that the example of the docs does all that the project's
models do."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import is_one_sentence, keep_as_sample, kill_trainers, only_trainer, wait_for
from export.test_export import alone, write_idx
from helpers import ui
from helpers.making import finished_run
from helpers.ui import PAGES, PROJECT, again, says, shown, texts, visit

from fmnist import __main__ as cli
from fmnist.compare.diagnosis import diagnose
from fmnist.data.catalog import CLOTHES
from fmnist.data.files import Dataset
from fmnist.export import FORMATS
from fmnist.models import custom, custom_answers, custom_check, inference, registry
from fmnist.models.registry import ARCHITECTURES, Architecture, ModelError
from fmnist.models.source import Source
from fmnist.predict import attribution, prediction
from fmnist.predict.conversion import to_png
from fmnist.recipe import Recipe, RecipeError
from fmnist.store.arrays import rounded
from fmnist.store.library import Library
from fmnist.store.run import ACTIVE
from fmnist.store.store import Store
from fmnist.training import launcher, loop
from fmnist.training.checkpoint import load_checkpoint, save_checkpoint
from fmnist.training.events import EpochEnd, Finished, Progress
from fmnist.training.loop import TrainingError

EXAMPLE = PROJECT / "docs" / "my_models.py"
NAMES = {"norm-cnn": "Norm CNN", "mlp": "MLP"}
HEAD = "import torch\nfrom torch import nn\nfrom fmnist.models import register\n\n"
TINY = HEAD + ('@register("tiny", "Tiny")\ndef tiny():\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n')
SMALL = {"dataset": "sample", "device": "cpu"}


def forward(*lines: str, init: str = "pass") -> str:
    """A file with a linear model whose forward pass is these lines, and that has something more."""
    body = "".join(f"        {line}\n" for line in lines)
    return HEAD + (
        '@register("odd", "Odd")\n'
        "class Odd(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.linear = nn.Linear(784, 10)\n"
        f"        {init}\n\n"
        f"    def forward(self, x):\n{body}"
    )


def source(text: str, name: str = "my_models.py") -> Source:
    return Source(f"/somewhere/{name}", text)


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Have files with these texts as the user's own; tried in this process, which has torch already."""
    folder = tmp_path / "own"

    def put(*texts: str) -> Path:
        folder.mkdir(exist_ok=True)
        paths = [folder / f"models_{number}.py" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        monkeypatch.setenv("FMNIST_MODELS", os.pathsep.join(map(str, paths)))
        custom.refresh(tmp_path / "runs")
        return paths[0]

    monkeypatch.setattr(custom, "check", tried_here)
    yield put
    monkeypatch.delenv("FMNIST_MODELS", raising=False)
    custom.refresh(tmp_path / "runs")


def tried_here(source: Source) -> list[dict]:
    """`custom.check` without the seconds that a process takes to import torch."""
    threads = torch.get_num_threads()
    answers = [answer for answer in custom_check.check(source) if "fault" in answer or "layers" in answer]
    torch.set_num_threads(threads)
    return answers


def own() -> list[Architecture]:
    return [model for model in ARCHITECTURES.values() if model.custom]


# What is said of models that can't be used

FAULTS = {
    "raises in colours": (
        forward("raise ValueError('\\x1b[31mtoo \\x1b[1mred\\x1b[0m')"),
        "training mode: ValueError: too red (line 13)",
    ),
    "wrong shape": (forward("return self.linear(x.flatten(1))[:, :5]"), "gives (2, 5) where (2, 10) is needed"),
    "raises in forward": (forward("raise KeyError('depth')"), "pass in training mode: KeyError: 'depth' (line 13)"),
    "raises when built": (forward("return x", init="nn.Linear(wide, 3)"), "built: NameError: name 'wide' is not"),
    "no module": (TINY.replace("return nn.Sequential", "return list"), "TypeError: list expected"),
    "a list": (TINY.replace("return ", "return [1]  # "), "It is a list, where a torch.nn.Module is needed"),
    "no tensor": (forward("return [self.linear(x.flatten(1))]"), "gives a list, where a tensor"),
    "no floats": (forward("return self.linear(x.flatten(1)).long()"), "torch.int64"),
    "not finite for black": (forward("return self.linear(x.flatten(1) / x.amax((1, 2, 3))[:, None])"), "a black image"),
    "no parameters": (TINY.replace("nn.Linear(784, 10)", "nn.Identity()"), "no parameters"),
    "frozen": (forward("return x", init="self.requires_grad_(False)"), "no parameters"),
    "lazy": (TINY.replace("nn.Linear(784, 10)", "nn.LazyLinear(10)"), "give the size"),
    "detached": (forward("return self.linear(x.flatten(1)).detach()"), "It raises when it is trained"),
    "squeezes a single image": (forward("return self.linear(x.squeeze().flatten(-2))"), "(10,) where (1, 10)"),
    "in place": (forward("x -= 0.5", "return self.linear(x.flatten(1))"), "x = x - 0.5"),
    "random answers": (forward("return self.linear(nn.functional.dropout(x.flatten(1)))"), "even in evaluation mode"),
    "NumPy's random numbers": (
        forward("import numpy as np", "return self.linear(x.flatten(1)) * (2 - np.random.rand() * self.training)"),
        "draw random numbers from torch alone",
    ),
    "forgets": (
        forward("self.steps += self.training", "return self.linear(x.flatten(1)) * self.steps", init="self.steps = 1"),
        "must be in its state_dict",
    ),
    "more than tensors": (
        forward("return self.linear(x.flatten(1))") + "\n    def get_extra_state(self):\n        return 'secret'\n",
        "something other than tensors",
    ),
    "changes torch": (forward("torch.set_num_threads(7)", "return self.linear(x.flatten(1))"), "changes a setting"),
    "parts and dropout": (
        TINY.replace('"Tiny"', '"Tiny", parts=2').replace("nn.Flatten()", "nn.Flatten(), nn.Dropout()"),
        "leave parts out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("text, said", FAULTS.values(), ids=FAULTS)
def test_a_model_that_cannot_be_used_is_told_in_a_sentence(text, said):
    threads = torch.get_num_threads()
    *_, answer, end = custom_check.check(source(text))
    torch.set_num_threads(threads)
    assert end == {"end": True} and answer["id"] in ("odd", "tiny") and answer["name"] in ("Odd", "Tiny")
    assert said in answer["fault"]
    assert is_one_sentence(answer["fault"]) and answer["fault"].endswith(".")


@pytest.mark.parametrize(
    "text, said",
    [
        ("import nothing_like_this\n", "ModuleNotFoundError: No module named 'nothing_like_this' (line 1)"),
        ("x = 1\nx.y\n", "AttributeError: 'int' object has no attribute 'y' (line 2)"),
        ("import sys\nsys.exit('enough')\n", "SystemExit: enough (line 2)"),
        ("x = 1\n", "registers no model"),
        (TINY + TINY, "the id 'tiny' is taken by Tiny: choose another (line 12)"),
        (TINY.replace('"tiny"', '"2"'), "the id '2' is taken by Model 2"),
        (TINY.replace('"Tiny"', '"model 2"'), "the name 'model 2' is taken"),
        (TINY.replace('"tiny"', '"a,b"'), "'a,b' can't be an id"),
        (TINY.replace('"tiny"', '"a@b"'), "'a@b' can't be an id"),
        (TINY.replace('"Tiny"', '"<b>Tiny"'), "can't be a name"),
        (TINY.replace('"Tiny"', '"Tiny", color="red"'), "'red' is not a colour"),
        (TINY.replace('"Tiny"', '"Tiny", symbol="heart"'), "no symbol 'heart'"),
        (TINY.replace('"Tiny"', '"Tiny", parts=99'), "parts must be"),
        (TINY.replace('"Tiny"', '"Tiny", channels_last="no"'), "channels_last must be"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_a_sentence(text, said):
    [answer, *rest] = custom_check.check(source(text))
    assert rest in ([], [{"end": True}]) and "id" not in answer
    assert answer["fault"].startswith("my_models.py ") and said in answer["fault"]
    assert is_one_sentence(answer["fault"]) and answer["fault"].endswith(".")


@pytest.mark.parametrize(
    "place, said",
    [
        ("none.py", "which can't be read: No such file or directory."),
        ("", "which can't be read: Is a directory."),
        ("broken.py", "broken.py can't be read: expected ':' (line 1)."),
        ("other.py", "other.py can't be read"),
    ],
)
def test_a_file_without_python_is_told_in_a_sentence(use, tmp_path, monkeypatch, place, said):
    (tmp_path / "broken.py").write_text("def model()\n")
    (tmp_path / "other.py").write_bytes(b"\xff\xfe\x00")
    use(TINY)
    monkeypatch.setenv("FMNIST_MODELS", f"{os.environ['FMNIST_MODELS']}{os.pathsep}{tmp_path / place}")
    custom.refresh(tmp_path / "runs")
    [fault] = custom.faults()
    assert said in fault.text and is_one_sentence(fault.text)
    assert [model.short_id for model in own()] == ["tiny"]  # The other file's.


def test_what_two_files_call_the_same_is_had_once(use):
    use(TINY, TINY.replace('"Tiny"', '"Tiny too"'), TINY.replace('"tiny"', '"other"'))
    assert [model.name for model in own()] == ["Tiny"]
    assert [(fault.source, fault.id) for fault in custom.faults()] == [
        ("models_1.py", "tiny"),
        ("models_2.py", "other"),
    ]
    assert all("taken by a model of models_0.py" in fault.text for fault in custom.faults())


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


@pytest.mark.parametrize("kept", ["", "[]", "not JSON", '{"%s": {"at": 9e9, "answers": [{"id": 3}]}}'])
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


# Training


def finish(recipe: Recipe, data: Dataset, checkpoint: loop.Checkpoint | None = None) -> Finished:
    *_, last = loop.train(recipe, data, checkpoint)
    return last


def same_weights(one: Finished, other: Finished) -> bool:
    return all(torch.equal(tensor, other.weights[name]) for name, tensor in one.weights.items())


@pytest.fixture
def example(use) -> None:
    """The models of the docs."""
    use(EXAMPLE.read_text())


@pytest.mark.parametrize("model", NAMES)
def test_dropout_and_batch_norm_give_the_same_weights_each_time_and_after_a_break(example, small_data, model):
    recipe = Recipe(model, epochs=2, learning_rate=0.05, **SMALL)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    events = []
    for event in loop.train(recipe, small_data):
        events.append(event)
        torch.rand(1) if isinstance(event, Progress) else None  # Whoever takes events may draw numbers too.
    torch.manual_seed(5)
    again = finish(recipe, small_data)
    assert same_weights(events[-1], again) and np.array_equal(events[-1].logits, again.logits)
    assert torch.equal(torch.rand(3), expected)  # A training leaves those of others alone.
    checkpoint = next(event.checkpoint for event in events if isinstance(event, EpochEnd))
    resumed = finish(recipe, small_data, load_checkpoint(save_checkpoint(checkpoint)))
    assert same_weights(resumed, again) and np.array_equal(resumed.logits, again.logits)
    assert not same_weights(again, finish(Recipe(model, 1, epochs=2, learning_rate=0.05, **SMALL), small_data))


def test_batch_norm_has_learnt_and_answers_by_what_it_has_learnt(example, small_data):
    finished = finish(Recipe("norm-cnn", epochs=1, **SMALL), small_data)
    assert finished.weights["features.1.num_batches_tracked"] == -(-331 // 32)
    module = inference.build(ARCHITECTURES.full_id("norm-cnn"), 9, torch.device("cpu"))
    module.load_state_dict(finished.weights)
    images = inference.as_input(small_data.test_images)
    assert np.array_equal(rounded(inference.evaluate(module, images)), finished.logits)
    assert module.training and int(module.features[1].num_batches_tracked) == -(-331 // 32)
    with torch.inference_mode():
        one = torch.cat([module.eval()(image) for image in images.split(1)])
    np.testing.assert_allclose(one.numpy(), finished.logits, rtol=0.01, atol=0.02)


def test_a_single_image_left_for_batch_norm_is_told_before_training(use, small_data):
    use(TINY.replace("784, 10)", "784, 10), nn.BatchNorm1d(10)"))
    with pytest.raises(TrainingError) as failed:
        finish(Recipe("tiny", batch_size=33, **SMALL), small_data)  # 331 = 10 * 33 + 1
    assert "1 image" in str(failed.value) and "another batch size than 33" in str(failed.value)
    assert "\n" not in str(failed.value)
    assert finish(Recipe("tiny", epochs=1, batch_size=32, **SMALL), small_data)


def test_a_model_that_raises_in_the_middle_of_training_ends_its_run_with_a_sentence(use, small_data):
    lines = ("self.seen += self.training", "if self.seen > 25:", "    raise ValueError('Too\\nmany')")
    init = "self.register_buffer('seen', torch.zeros(()))"
    path = use(forward(*lines, "return self.linear(x.flatten(1))", init=init))
    with pytest.raises(TrainingError) as failed:
        finish(Recipe("odd", epochs=9, **SMALL), small_data)
    assert str(failed.value) == f"Odd ({path.name}) raised ValueError: Too many (line 15)."


def test_a_step_for_which_the_memory_does_not_suffice_ends_with_a_sentence(use, small_data):
    use(forward("x = x if len(x) < 9 else torch.empty(2**60)", "return self.linear(x.flatten(1))"))
    with pytest.raises(TrainingError, match="choose a smaller batch size") as failed:
        finish(Recipe("odd", **SMALL), small_data)
    assert is_one_sentence(failed.value)


def test_a_fault_of_ours_is_not_blamed_on_the_projects_models():
    with pytest.raises(KeyError), ARCHITECTURES["0"].blamed():
        raise KeyError("ours")


UNUSED = "self.unused = nn.ReLU(); self.frozen = nn.Linear(3, 3).requires_grad_(False)"


@pytest.mark.parametrize(
    "text",
    [
        forward("return self.linear(x.double().flatten(1))", init="self.double()"),
        forward("return self.linear(x.flatten(1))", init=UNUSED),
        forward("return self.linear(x.flatten(1)) @ self.linear.weight[:, :10]", init="self.tied = self.linear"),
        TINY.replace("nn.Flatten()", "nn.ReLU(inplace=True), nn.Flatten()"),
        TINY.replace('"Tiny"', '"Tiny", parts=2').replace("10)", "10), nn.Linear(10, 10).requires_grad_(False)"),
    ],
    ids=["float64", "unused and frozen", "tied weights", "first in place", "frozen in parts"],
)  # fmt: skip
def test_unusual_models_are_trained_stored_and_explained(use, small_data, text):
    use(text)
    assert custom.faults() == []
    [architecture] = own()
    events = list(loop.train(Recipe(architecture.id, epochs=1, learning_rate=0.01, **SMALL), small_data))
    finished = events[-1]
    assert finished.result.zero_layers == ()
    assert events[0].parameters == 7850
    module = inference.build(architecture.id, 0, torch.device("cpu")).eval()
    from safetensors.torch import load, save

    module.load_state_dict(load(save(finished.weights)))
    assert np.array_equal(
        rounded(inference.evaluate(module, inference.as_input(small_data.test_images))), finished.logits
    )
    found = attribution.contributions(module, small_data.test_images[0], 3)
    assert found.pixels.sum() == pytest.approx(found.logit - found.start, rel=0.01, abs=1e-4)


def test_smooth_models_are_explained_too(example, small_data):
    for name in NAMES:
        module = inference.build(ARCHITECTURES.full_id(name), 0, torch.device("cpu")).eval()
        found = attribution.contributions(module, small_data.test_images[0], 3)
        assert found.pixels.sum() == pytest.approx(found.logit - found.start, rel=0.01, abs=1e-4)
    layers = attribution.convolutions(
        inference.build(ARCHITECTURES.full_id("norm-cnn"), 0, torch.device("cpu")).eval(), small_data.test_images[0]
    )
    assert [layer.maps.shape for layer in layers] == [(16, 28, 28), (32, 14, 14)]
    assert min(layer.maps.min() for layer in layers) == 0  # Behind batch norm and ReLU.


# The trainer


def ended(store: Store, *ids: int) -> list:
    wait_for(lambda: not any(store.run(id).status in ACTIVE for id in ids), timeout=120)
    return [store.run(id) for id in ids]


def ask(store: Store, *recipes: Recipe) -> list[int]:
    return [id for id, _ in store.enqueue([(recipe, recipe.key("data")) for recipe in recipes], Path("/nowhere"))]


def test_a_warm_trainer_trains_each_version_as_it_was_asked_for(use, store, small_sample):
    path = use(TINY)
    (first,) = ask(store, Recipe("tiny", epochs=1, **SMALL))
    launcher.start(store)
    [run] = ended(store, first)
    assert (run.status, run.parameters) == ("done", 7850)
    process = only_trainer(store.path.parent)

    path.write_text(TINY.replace("784, 10", "784, 10, bias=False"))
    custom.refresh(store.path.parent)
    launcher.start(store)
    (second,) = ask(store, Recipe("tiny", epochs=1, **SMALL))
    [run] = ended(store, second)
    assert (run.status, run.parameters) == ("done", 7840)
    assert only_trainer(store.path.parent) == process
    assert store.run(first) is None  # Of a version that is no more.


def test_a_trainer_that_knows_nothing_of_the_models_is_followed_by_one_that_does(use, store, small_sample, monkeypatch):
    launcher.start(store)
    wait_for(lambda: store.setting(launcher.EXPECTED))
    process = only_trainer(store.path.parent)
    use(TINY)
    (id,) = ask(store, Recipe("tiny", epochs=1, **SMALL))
    launcher.start(store)
    launcher.start(store)  # As every visit of the Train page does: nobody else comes to wait.
    [run] = ended(store, id)
    assert run.status == "done"
    assert only_trainer(store.path.parent) != process


# The example of the docs, everywhere


@pytest.fixture(scope="module")
def trained_example(tmp_path_factory: pytest.TempPathFactory, small_data: Dataset) -> Iterator[Path]:
    """The folder of a store in which the command line has trained the models of the docs, and Model 0."""
    folder = tmp_path_factory.mktemp("runs")
    keep_as_sample(small_data, folder)
    command = [sys.executable, "-m", "fmnist", "train", "--models", "norm-cnn,mlp,0", "--seeds", "0-1", "--epochs", "2"]
    command += ["--dataset", "sample", "--lr", "0.05", "--runs", str(folder)]
    variables = os.environ | {"FMNIST_MODELS": "docs/my_models.py"}
    process = subprocess.run(command, cwd=PROJECT, env=variables, capture_output=True, text=True, timeout=250)
    kill_trainers(folder)
    assert process.returncode == 0, process.stderr
    yield folder


@pytest.fixture
def their_place(trained_example: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The store of the example, and its models, are those of this test; a copy."""
    folder = tmp_path / "example"
    shutil.copytree(trained_example, folder)
    monkeypatch.setenv("FMNIST_RUNS", str(folder))
    monkeypatch.setenv("FMNIST_MODELS", str(EXAMPLE))
    custom.refresh(folder)
    yield folder
    kill_trainers(folder)
    monkeypatch.setenv("FMNIST_MODELS", "")
    custom.refresh(folder)


def test_the_example_is_trained_compared_and_verified_by_the_command_line(their_place, capsys):
    runs = Store(their_place / "fmnist.db").runs("done")
    assert {run.name for run in runs} >= {"Norm CNN, seed 0", "Norm CNN, seed 1", "MLP, seed 0", "MLP, seed 1"}
    assert cli.main(["compare", "--format", "json"]) == 0
    rows = {row["model"].partition("@")[0]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["norm-cnn"]["seeds"] == rows["mlp"]["seeds"] == [0, 1]
    assert (rows["norm-cnn"]["parameters"], rows["mlp"]["parameters"]) == (20_538, 101_770)
    assert cli.main(["verify", *(str(run.id) for run in runs)]) == 0
    assert capsys.readouterr().out.count("agrees") == len(runs) == 6


def test_the_example_answers_on_the_command_line(their_place, capsys, small_data, tmp_path):
    (tmp_path / "one.png").write_bytes(to_png(small_data.test_images[0]))
    assert cli.main(["predict", str(tmp_path / "one.png"), "--dataset", "sample", "--format", "json"]) == 0
    answers = {answer["model"].partition("@")[0]: answer for answer in json.loads(capsys.readouterr().out)}
    library = Library(Store(their_place / "fmnist.db"))
    [group] = [group for group in library.groups("sample") if group.title.startswith("Norm CNN")]
    expected = prediction.probabilities(library, group, small_data.test_images[:1]).mean(axis=0)[0]
    assert answers.keys() == {"0", "norm-cnn", "mlp"}
    assert answers["norm-cnn"]["probabilities"] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_the_example(their_place, started, page):
    at = visit(page, data="Sample data", **({"how": "Test image"} if "Predict" in page else {}))
    everything = " ".join([str(at), *(chart.spec for chart in ui.charts(at).values())])
    for name in NAMES.values() if "Data" not in page else ():
        assert name in everything, page
    for key, chart in ui.charts(at).items():
        for name, colors in ui.model_colors(key, chart).items():
            [model] = [known for known in ARCHITECTURES.values() if known.name == name]
            assert colors <= {model.color.upper()}, (page, key)


@pytest.mark.parametrize("form", [id for id, form in FORMATS.items() if not form.tracking])
def test_the_example_is_exported_in_every_format(their_place, tmp_path, form):
    if FORMATS[form].missing:
        pytest.skip(FORMATS[form].missing)
    runs = Library(Store(their_place / "fmnist.db")).own.runs()
    for run in [run for run in runs if ARCHITECTURES[run.recipe.model].custom and run.recipe.seed == 0]:
        place = tmp_path / run.recipe.model
        assert cli.main(["export", str(run.id), "--to", form, "--out", str(place)]) == 0
        assert any(place.rglob("*"))


def test_the_exported_example_answers_without_us_as_it_does_with_us(their_place, small_data, tmp_path):
    library = Library(Store(their_place / "fmnist.db"))
    images = write_idx(tmp_path / "images", small_data.test_images)
    for group in library.groups("sample", "own"):
        if group.title.startswith("Model 0"):
            continue
        place = tmp_path / group.id
        assert cli.main(["export", group.id, "--group", "--to", "script", "--out", str(place)]) == 0
        answers = pd.read_csv(io.StringIO(alone(place, "predict.py", images, "--csv")))
        expected = prediction.probabilities(library, group, small_data.test_images).mean(axis=0)
        assert np.array_equal(answers[list(CLOTHES.classes)], expected)


def test_the_example_is_explained(their_place):
    at = visit("pages/4_Predict.py", data="Sample data", how="Test image")
    at.session_state["why"] = True
    again(at)
    shown = " ".join(element.proto.body for element in at.get("html"))
    for name in NAMES.values():
        assert f"{name}" in shown


def test_train_offers_the_example_and_leaves_the_three_as_they_are(their_place, started):
    at, three = visit("pages/1_Train.py"), [ARCHITECTURES[id] for id in ARCHITECTURES.project]
    [pills] = [group for group in at.get("button_group") if group.label == "Models"]
    assert pills.options == [*(model.full_name for model in three), "Norm CNN", "MLP"]
    assert pills.value == ["0", "1", "2"]


def test_train_tells_what_cannot_be_used_and_forgets_what_is_gone(use, store, small_sample, started):
    path = use(TINY + forward("return x"))
    at = visit("pages/1_Train.py")
    assert says(at, "Odd \\(models\\_0.py\\)\\: It gives \\(2, 1, 28, 28\\) where \\(2, 10\\) is needed")
    at.session_state["models"] = ["0", ARCHITECTURES.full_id("tiny")]
    again(at)
    path.write_text(TINY.replace("784, 10", "784, 10, bias=False"))
    again(at)
    assert at.session_state["models"] == ["0", ARCHITECTURES.full_id("tiny")]
    assert ARCHITECTURES[at.session_state["models"][1]].definition == source(path.read_text()).definition
    path.write_text("def broken(:\n")
    again(at)
    assert at.session_state["models"] == ["0"]
    assert any("can't be read" in text for text in texts(at, "error"))


def test_a_bad_model_is_refused_on_the_command_line_with_its_sentence(use, store, capsys):
    use(forward("return x") + TINY)
    assert cli.main(["train", "--models", "odd"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("fmnist: Odd (models_0.py): It gives (2, 1, 28, 28) where (2, 10) is needed")
    use("import nothing_like_this\n")
    assert cli.main(["train", "--models", "tiny"]) == 1
    assert "No module named 'nothing_like_this' (line 1)" in capsys.readouterr().err


def test_each_bad_model_and_each_unreadable_file_is_named_at_once(use, store, capsys):
    twice = forward("return x") + forward("return [x]").replace('"odd", "Odd"', '"list", "List"').replace(HEAD, "")
    use(twice, "import nothing_like_this\n", "def broken(:\n")
    assert cli.main(["train", "--models", "odd,list,tiny"]) == 1
    said = capsys.readouterr().err
    for named in ("Odd (models_0.py): It gives", "List (models_0.py): It gives a list", "models_1.py", "models_2.py"):
        assert named in said
    use(TINY)
    assert cli.main(["train", "--models", "odd,tiny,list"]) == 2
    assert "there is no model 'odd' or 'list': choose from" in capsys.readouterr().err
    assert cli.main(["runs", "list", "--status", "gone,done,lost"]) == 2
    assert "there is no status 'gone' or 'lost': choose from" in capsys.readouterr().err


LAYERS = "nn.Flatten(), nn.Linear(784, 10)"
REMARKS = {
    "softmax": (TINY.replace(LAYERS, f"{LAYERS}, nn.Softmax(1)"), "sum to 1, as after a softmax"),
    "softmax of sure answers": (
        forward("return torch.softmax(1e4 * self.linear(x.flatten(1)), 1)"),
        "sum to 1, as after a softmax",
    ),
    "sigmoid": (TINY.replace(LAYERS, f"{LAYERS}, nn.Sigmoid()"), "between 0 and 1 alone, as after a sigmoid"),
    "no image": (forward("return self.linear(torch.ones(len(x), 784))"), "every image the same logits"),
    "logits": (TINY, ""),
    "log of a softmax": (TINY.replace(LAYERS, f"{LAYERS}, nn.LogSoftmax(1)"), ""),
    "a rectified layer norm": (TINY.replace(LAYERS, f"{LAYERS}, nn.LayerNorm(10), nn.ReLU()"), ""),
    "no weights yet": (forward("return self.linear(x.flatten(1))", init="nn.init.zeros_(self.linear.weight)"), ""),
}


@pytest.mark.parametrize("text, said", REMARKS.values(), ids=REMARKS)
def test_a_model_that_learns_badly_by_its_last_layer_is_told_so_when_it_is_tried(text, said):
    [answer] = tried_here(source(text))
    assert "fault" not in answer
    assert (said in answer["remark"] and is_one_sentence(answer["remark"])) if said else answer["remark"] == ""


def test_what_makes_a_model_learn_badly_stands_on_train_and_on_the_command_line(
    use, store, small_sample, started, capsys
):
    use(TINY.replace(LAYERS, f"{LAYERS}, nn.Softmax(1)"))
    said = "Tiny: It gives probabilities, which sum to 1, as after a softmax, and so learns badly"
    assert cli.main(["train", "--models", "tiny", "--dataset", "sample", "--dry-run"]) == 0
    assert f"fmnist: {said}" in capsys.readouterr().err
    at = visit("pages/1_Train.py")
    assert not texts(at, "warning")
    at.session_state["models"] = [ARCHITECTURES.full_id("tiny")]
    again(at)
    assert any(text.replace("\\", "").startswith(said) for text in texts(at, "warning"))


def test_a_model_that_raises_for_an_image_leaves_the_others_their_answers(use, store, small_sample, monkeypatch):
    use(
        TINY
        + forward(
            "if len(x) == 1 and x.mean() > 0.01 and not self.training and LATER:",
            "    raise ValueError('No')",
            "return self.linear(x.flatten(1))",
        )
        + "\nLATER = False\n"
    )
    for model in ("0", "tiny", "odd"):
        finished_run(store, Recipe(model, dataset="sample"), small_sample, weights=True)
    found = custom.registered(own()[0].source)
    sys.modules[found["odd"].build.__module__].LATER = True
    at = visit("pages/4_Predict.py", data="Sample data", how="Test image")
    assert any("Odd (models_0.py) raised ValueError: No" in text for text in shown(at, "error"))
    assert says(at, "Tiny") and says(at, "Model 0")


def test_no_page_and_no_command_imports_torch_to_list_custom_models(their_place):
    code = (
        "import sys; from pathlib import Path; from fmnist.models import custom; "
        "from fmnist.models.registry import ARCHITECTURES; "
        f"custom.refresh(Path({str(their_place)!r})); "
        "print(len(ARCHITECTURES), 'torch' in sys.modules, 'streamlit' in sys.modules)"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert process.stdout.split() == ["5", "False", "False"], process.stderr


def test_model_error_is_a_sentence_of_its_own():
    assert registry.in_short(ModelError("the id is taken"), "") == "the id is taken"
