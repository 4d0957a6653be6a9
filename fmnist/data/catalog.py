"""The data sets that can be trained on, and all that is known of them without reading them. No NumPy, no torch.

A further one that torchvision has in MNIST's layout (28 x 28 grey images of ten classes, in files of the IDX format) is
one more `register`: every page, the command line and the tests then have it.
"""

from __future__ import annotations

from dataclasses import dataclass

from fmnist.data.framing import CENTRED, FILLING, HANGING, Framing


@dataclass(frozen=True)
class Subject:
    """What the images of some data sets show, and how: they share the words that pages need."""

    classes: tuple[str, ...]  # in the order of the labels
    short: tuple[str, ...]  # the same for the axes of charts
    thing: str  # one of what is shown
    things: str  # many
    drawing: str  # what to know before drawing one
    photo: str  # what to take one of
    framing: Framing
    filled: bool = False  # whether it is a shape, so that who draws its outline means what is inside, too


CLOTHES = Subject(
    ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"),
    thing="piece of clothing",
    things="clothes",
    drawing="Draw one piece of clothing, and fill it: the models know clothes, not outlines.",
    photo="one piece of clothing on a plain background; one shoe, not a pair, seen from the side",
    framing=HANGING,
    filled=True,
)
DIGITS = Subject(
    *(tuple("0123456789"),) * 2,
    thing="digit",
    things="digits",
    drawing="Draw one digit, large and with a thick line: the models know handwriting.",
    photo="one digit on a plain background",
    framing=CENTRED,
)
KANA = Subject(  # One for each row of the table of hiragana.
    *(("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),) * 2,
    thing="character",
    things="characters",
    drawing="Draw one character as a brush would: the models know the cursive hiragana of old Japanese books.",
    photo="one character on a plain background",
    framing=FILLING,
)


@dataclass(frozen=True)
class File:
    """One file of a data set, as it is when unpacked."""

    name: str  # without the ending .gz that it is published with
    md5: str  # of the packed file, as torchvision publishes it
    sha256: str | None = None  # of what is in it, where that is known: then an unpacked file can be trusted, too


@dataclass(frozen=True)
class DatasetInfo:
    """One data set.

    Attributes:
        id: in recipes, addresses and on the command line.
        title: for people.
        train, test: how many images.
        files: training images, training labels, test images, test labels; none of generated data.
        torchvision: the class in `torchvision.datasets` that fetches it, and the name of its folder; "" if none does.
        download_bytes: the packed files together: what a progress bar counts to.
        about: what the images are, and who made them: Markdown.
    """

    id: str
    title: str
    subject: Subject
    train: int
    test: int
    files: tuple[File, ...] = ()
    torchvision: str = ""
    download_bytes: int = 0
    about: str = ""

    @property
    def test_files(self) -> tuple[File, ...]:
        """Test images and test labels."""
        return self.files[2:]

    @property
    def download_size(self) -> str:
        """What is to be downloaded, for people: "31 MB"."""
        return f"{self.download_bytes / 1e6:.0f} MB"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self.subject.classes

    @property
    def short(self) -> tuple[str, ...]:
        """The same for the axes of charts."""
        return self.subject.short


DATASETS: dict[str, DatasetInfo] = {}
"""By id, in the order in which they are offered."""

DEFAULT = "fashion-mnist"
SAMPLE = "sample"

MNIST_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
QMNIST_FILES = (
    *("qmnist-train-images-idx3-ubyte", "qmnist-train-labels-idx2-int"),
    *("qmnist-test-images-idx3-ubyte", "qmnist-test-labels-idx2-int"),
)


def register(
    title: str,
    subject: Subject,
    train: int,
    test: int,
    download_bytes: int,
    md5: tuple[str, str, str, str],
    about: str,
    *,
    id: str | None = None,
    names: tuple[str, str, str, str] = MNIST_FILES,
    sha256: tuple[str | None, ...] = (None,) * 4,
) -> None:
    """Add a data set of torchvision's.

    Args:
        title: the name of its class in `torchvision.datasets`.
        md5: sums of the packed files, as its `resources` give them: training images and labels, test images and labels.
        about: what the images are, and who made them: Markdown.
        id: the title in small letters if not given.
        names: of the files, without .gz.
    """
    id = id or title.lower()
    files = tuple(File(*parts) for parts in zip(names, md5, sha256, strict=True))
    DATASETS[id] = DatasetInfo(id, title, subject, train, test, files, title, download_bytes, about)


register(
    "FashionMNIST",
    CLOTHES,
    60_000,
    10_000,
    30_878_645,
    (
        *("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe"),
        *("bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    "Photos from the online shop Zalando, scaled down and made grey, as a harder test than handwritten digits. By "
    "[Xiao, Rasul and Vollgraf (2017)](https://arxiv.org/abs/1708.07747), Zalando Research; "
    "[MIT licence](https://github.com/zalandoresearch/fashion-mnist/blob/master/LICENSE).",
    id=DEFAULT,
    # Taken from files whose MD5 sums are these.
    sha256=(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)
register(
    "MNIST",
    DIGITS,
    60_000,
    10_000,
    11_594_722,
    (
        *("f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432"),
        *("9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    "Digits handwritten by employees of the US Census Bureau and by students. By "
    "[LeCun, Cortes and Burges](http://yann.lecun.com/exdb/mnist/).",
)
register(
    "KMNIST",
    KANA,
    60_000,
    10_000,
    21_240_888,
    (
        *("bdb82020997e1d708af4cf47b453dcf7", "e144d726b3acfaa3e44228e80efcd344"),
        *("5c965bf0a639b31b8f53240b1b52f4d7", "7320c461ea6c1c855c0b718fb2a4b134"),
    ),
    "Hiragana from old Japanese books, one character for each of ten rows of the syllabary. By "
    "[Clanuwat and others (2018)](https://arxiv.org/abs/1812.01718); CC BY-SA 4.0.",
)
register(
    "QMNIST",
    DIGITS,
    60_000,
    60_000,
    20_436_162,
    (
        *("ed72d4157d28c017586c42bc6afe6370", "0058f8dd561b90ffdd0f734c6a30e5e4"),
        *("1394631089c404de565df7b7aeaf9412", "5b5b05890a5e13444e108efe57b788aa"),
    ),
    "MNIST rebuilt from its source, with all 60,000 test digits. By "
    "[Yadav and Bottou (2019)](https://arxiv.org/abs/1905.10498).",
    names=QMNIST_FILES,
)
DATASETS[SAMPLE] = DatasetInfo(  # Drawn by `fmnist.data.sample`.
    SAMPLE, "Sample data", CLOTHES, 12_000, 2_000, about="Computer-drawn clothes, for use without internet."
)
