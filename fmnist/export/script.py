"""A plain PyTorch script: the weights, the model's code and a predict.py, which need nothing of this project."""

from __future__ import annotations

import re
from pathlib import Path

from fmnist.data.catalog import DATASETS
from fmnist.export import plain
from fmnist.export.chosen import Chosen, classes, dataset_title, file_name
from fmnist.export.plain import check_pictures
from fmnist.export.source import copies, source
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict.conversion import convert
from fmnist.predict.picture_file import open_image
from fmnist.recipe import measured_on
from fmnist.store.run import Run

PLAIN = Path(plain.__file__).parent
FACTS = re.compile(r"(?<=# <facts>\n)(.*?)(?=# </facts>\n)", re.DOTALL)
PACKAGE = "picture_code"
"""Copies of this project's modules, which read pictures."""
README = """# {title}

`predict.py` says what {what} of pictures:

```sh
pip install torch safetensors numpy pillow
python predict.py picture.jpg folder                     # class and probability
python predict.py t10k-images-idx3-ubyte.gz --csv        # every test image of a data set in the IDX format
python check_pictures.py                                 # are pictures still read as they were?
```

- `model.py`: the network in PyTorch.
- `{files}`: the weights{seeds}.
- `predict.py`: reads pictures, scales the grey values to [0, 1], and gives the softmax of the logits{mean}.
- `picture_code/`: how a picture becomes 28 × 28 grey values, with `check_pictures.py`, which tests it.

Data: {dataset}. Recipe: {recipe}. {images} accuracy: {accuracy}.

A picture of 28 × 28 pixels is taken as it is, and inverted if its border is light. Any other is treated as the images
of the data set were: what is around the thing is cut off, it is scaled, put on black and made grey, and its contrast is
stretched. Light that falls off is evened, and of several things in a picture the largest is answered. A busy background
is cut away where OpenCV is installed (`pip install opencv-python-headless`); without it, that is left away, and
`predict.py` says so. It says what else may mislead the network, too. A picture that can't be used is named on standard
error, the others are answered, and the exit code is 1.
"""


def write(chosen: Chosen, folder: Path) -> list[str]:
    """A folder for each recipe, or the folder itself if there is only one: predict.py and model.py, the weights, what
    reads pictures, with a check of it, and README.md.

    Raises:
        ExportError: the code of a model can't stand by itself.
    """
    for group in chosen.groups:
        place = folder if len(chosen.groups) == 1 else folder / file_name(group[0])
        place.mkdir(exist_ok=True)
        _write_group(chosen, group, place)
    return []


def _write_group(chosen: Chosen, group: list[Run], folder: Path) -> None:
    run, architecture = group[0], ARCHITECTURES[group[0].recipe.model]
    code, build = source(architecture)
    (folder / "model.py").write_text(f"# {architecture.name}: {architecture.layers}\n\n{code}", encoding="utf-8")
    _write_scripts(run, build, folder)
    for member in group:
        (folder / f"{file_name(member)}.safetensors").write_bytes(chosen.library.weights(member))
    several = len(group) > 1
    text = README.format(
        title=run.name if not several else f"{architecture.name}, {len(group)} seeds",
        what=f"{len(group)} networks together make" if several else "a network makes",
        files="*.safetensors" if several else f"{file_name(run)}.safetensors",
        seeds=" of each seed" if several else "",
        mean=", the mean over the seeds" if several else "",
        dataset=dataset_title(run),
        recipe=run.recipe.describe(),
        images=measured_on([run.recipe]).capitalize(),
        accuracy=", ".join(
            f"{one.finished_result.accuracy_to_choose_by:.2%} (seed {one.recipe.seed})" for one in group
        ),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def _write_scripts(run: Run, build: str, folder: Path) -> None:
    """predict.py and check_pictures.py, with copies of what they need of this project."""
    layout = "channels_last" if ARCHITECTURES[run.recipe.model].channels_last else "contiguous_format"
    framing = DATASETS[run.recipe.dataset].subject.framing
    drawn = check_pictures.drawn().items()
    expected = {name: check_pictures.packed(convert(open_image(content), framing).image) for name, content in drawn}
    facts = {
        "predict.py": f"from model import {build} as build\n\nCLASSES = {classes(run)!r}\nLAYOUT = torch.{layout}\n"
        f"FRAMING = {framing!r}\n",
        "check_pictures.py": f"FRAMING = {framing!r}\nEXPECTED = {expected!r}\n",
    }
    package = folder / PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text('"""A picture file -> what a network sees of it."""\n', encoding="utf-8")
    for name, stated in facts.items():
        before, _, after = FACTS.split((PLAIN / name).read_text(encoding="utf-8"))
        text, modules = copies(before + stated + after, PACKAGE)
        (folder / name).write_text(text, encoding="utf-8")
        for module, code in modules.items():
            (package / f"{module}.py").write_text(code, encoding="utf-8")
