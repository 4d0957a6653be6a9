"""Custom models that can't be used or learn badly, and files that can't be read: what is said of them, and where."""

from __future__ import annotations

import json
import os
import sys

import pytest
import torch
from helpers.answers import is_one_sentence
from helpers.making import finished_run
from helpers.ui import again, says, shown, texts, visit

from fmnist import __main__ as cli
from fmnist.models import custom, custom_check
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict.conversion import to_png
from fmnist.recipe import Recipe
from models.conftest import HEAD, LAYERS, SMALL, TINY, forward, own, source, tried_here

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


def test_what_a_model_prints_is_no_part_of_what_a_command_answers(use, store, small_sample, capsys, tmp_path):
    use(TINY + forward("print('So many images:', len(x))", "return self.linear(x.flatten(1))"))
    run = finished_run(store, Recipe("odd", epochs=1, **SMALL), small_sample, weights=True)
    (tmp_path / "one.png").write_bytes(to_png(small_sample.test_images[0]))
    capsys.readouterr()
    for command in (
        ["time", str(run.id), "--steps", "1", "--rounds", "1"],
        ["predict", str(tmp_path / "one.png"), "--dataset", "sample"],
        ["verify", str(run.id)],  # It finds that the answers were made up.
    ):
        assert cli.main([*command, "--json"]) == (command[0] == "verify")
        answered = capsys.readouterr()
        assert len(json.loads(answered.out)) == 1 and "So many images: " in answered.err


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


@pytest.mark.skipif(sys.platform == "win32", reason="bounds no files")
@pytest.mark.parametrize("where", ["when it is read", "when it is asked"])
def test_a_file_that_prints_without_end_does_not_fill_the_disk(where):
    flood = "while True: print('x' * 100_000)"
    [answer] = custom.check(source(f"{HEAD}\n{flood}\n" if where == "when it is read" else forward(flood)), seconds=30)
    assert is_one_sentence(answer["fault"]) and "File too large" in answer["fault"]
