"""A plain PyTorch script: the weights, the model's code and a predict.py, which need nothing of this project."""

from __future__ import annotations

import re
from pathlib import Path

from fmnist.export.chosen import Chosen, classes, dataset_title, file_name
from fmnist.export.source import source
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.run import Run

TEMPLATE = Path(__file__).parent / "plain" / "predict.py"
FACTS = re.compile(r"(?<=# <facts>\n).*?(?=# </facts>\n)", re.DOTALL)
README = """# {title}

`predict.py` says what {what} of pictures:

```sh
pip install torch safetensors numpy pillow
python predict.py picture.jpg                            # class and probability
python predict.py t10k-images-idx3-ubyte.gz --csv        # every test image of a data set in the IDX format
```

- `model.py`: the network in PyTorch.
- `{files}`: the weights{seeds}.
- `predict.py`: reads pictures, scales the grey values to [0, 1], and gives the softmax of the logits{mean}.

Data: {dataset}. Recipe: {recipe}. Test accuracy: {accuracy}.

A picture of 28 × 28 pixels is taken as it is. Any other is turned grey, negated if its border is lighter than the
middle of the scale (these networks know light things on black), and scaled to fit 28 × 28, with a black margin.
`predict.py` says what it did. Nothing is cut out or sharpened: a photo with much around the thing will be misread.
"""


def write(chosen: Chosen, folder: Path) -> list[str]:
    """A folder for each recipe, or the folder itself if there is only one: predict.py, model.py, weights, README.md.

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
    code, name = source(architecture)
    (folder / "model.py").write_text(f"# {architecture.name}: {architecture.layers}\n\n{code}", encoding="utf-8")
    layout = "channels_last" if architecture.channels_last else "contiguous_format"
    facts = f"from model import {name} as build\n\nCLASSES = {classes(run)!r}\nLAYOUT = torch.{layout}\n"
    (folder / "predict.py").write_text(FACTS.sub(lambda _: facts, TEMPLATE.read_text("utf-8")), encoding="utf-8")
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
        accuracy=", ".join(f"{one.finished_result.test_accuracy:.2%} (seed {one.recipe.seed})" for one in group),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
