"""Makes every .npz and .csv beside it: ``python data/make_data.py [FOLDER]``.

digits, digits_placed, digits_faint, digits_heads, digit_pairs, breast_cancer and wine are real
measurements, bundled with scikit-learn; mlp, question_answering, author_profile and reviews are
generated.
README.md describes all.
The same versions of Python and NumPy write the same bytes again.
"""

import csv
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split

Array = NDArray[Any]
Arrays = dict[str, Array]

MIXED = 0.2
"""The share of adjectives of the other kind in a review."""

CANVAS = 12
"""Rows and columns of ``digits_placed`` and ``digits_faint``."""

FEW = 5
"""The labelled digits of each kind in ``digits_faint``."""

CONTRAST, NOISE = 0.7, 1.28
"""Of ``digits_faint``: contrast as a share, and noise as a standard deviation, of 0 to 16."""

MISSING = 0.1
"""The share of empty cells in a column of wines."""


def digits() -> Arrays:
    images, digit = real_digits()
    return parts({"image": images, "digit": digit}, stratified(digit))


def digits_heads() -> Arrays:
    images, digit = real_digits()
    heads = {
        "image": images,
        "digit": digit,
        "parity": column(digit % 2),
        "ink": column(16 * images.sum(axis=(1, 2))),  # the original 0..16 units
    }
    return parts(heads, stratified(digit))


def digits_placed() -> Arrays:
    """Digits at random places of a larger image; each training digit at five.

    Digits of the training part of ``digits_faint`` are not among them.
    """
    rng = np.random.default_rng(8)
    images, digit = real_digits()
    train, test = stratified(digit)
    few = labelled_few(digit, train)
    rows = {"train": np.tile(np.setdiff1d(train, few), 5), "test": test}
    return placed(rng, images, digit, rows)


def digits_faint() -> Arrays:
    """Five digits of each kind to train on, placed likewise, with less contrast and with noise."""
    rng = np.random.default_rng(9)
    images, digit = real_digits()
    train, test = stratified(digit)
    arrays = placed(rng, images, digit, {"train": labelled_few(digit, train), "test": test})
    for part in ("train", "test"):
        bright = CONTRAST * (arrays[f"image_{part}"] - 8.0) + 8.0
        noisy = bright + NOISE * rng.standard_normal(bright.shape)
        arrays[f"image_{part}"] = np.clip(np.round(noisy), 0, 16).astype(np.uint8)
    return arrays


def digit_pairs() -> Arrays:
    """Half of the pairs show the same digit; no image is in both a train and a test pair."""
    rng = np.random.default_rng(1)
    images, digit = real_digits()
    arrays: Arrays = {}
    for part, rows, count in zip(("train", "test"), stratified(digit), (4000, 600), strict=True):
        left, right = pair_rows(rng, digit[rows], count)
        arrays[f"left_{part}"] = images[rows][left]
        arrays[f"right_{part}"] = images[rows][right]
        arrays[f"same_{part}"] = column(digit[rows][left] == digit[rows][right])
    return arrays


def breast_cancer() -> Arrays:
    """Measurements stay as they were taken: a new patient's row needs no preparation."""
    bunch = load_breast_cancer()
    mean, error, worst = np.split(bunch.data.astype(np.float32), 3, axis=1)
    malignant = column(bunch.target == 0)  # scikit-learn's classes: 0 malignant, 1 benign
    return parts(
        {"mean": mean, "error": error, "worst": worst, "malignant": malignant},
        stratified(malignant[:, 0]),
    )


def mlp() -> Arrays:
    """Each class is one pattern of 64 values, seen through noise of the same strength."""
    rng = np.random.default_rng(2)
    label = rng.integers(10, size=2500)
    patterns = rng.random((10, 64))
    noisy = (patterns[label] + 1.5 * rng.random((len(label), 64))) / 2.5
    features = np.round(noisy * 32) / 32  # few distinct values: the file compresses
    return parts(
        {"features": features.astype(np.float32), "label": one_hot(label, 10)}, first(2000)
    )


def question_answering() -> Arrays:
    """The answer is a pair: what the text is about (10), and what the question asks (10)."""
    rng = np.random.default_rng(3)
    topic, kind = rng.integers(10, size=8600), rng.integers(10, size=8600)
    text_words, question_words = word_groups(rng, 10_000, 10, 2), word_groups(rng, 10_000, 10, 2)
    text = chatter(rng, 10_000, (len(topic), 40))
    mix_in(rng, text, text_words[topic], 0.5)
    question = chatter(rng, 10_000, (len(kind), 10))
    mix_in(rng, question, question_words[kind], 0.6)
    return parts(
        {"text": text, "question": question, "answer": one_hot(10 * topic + kind, 500)},
        first(8000),
    )


def author_profile() -> Arrays:
    """Among common words, authors use some typical of their age, income group and gender."""
    rng = np.random.default_rng(4)
    age, gender = rng.integers(18, 78, size=1152), rng.integers(2, size=1152)
    income = np.clip((age - 18) // 6 + rng.integers(-1, 2, size=len(age)), 0, 9)
    posts = chatter(rng, 50_000, (len(age), 280))
    mix_in(rng, posts, word_groups(rng, 50_000, 4, 2)[(age - 18) // 15], 0.4)
    mix_in(rng, posts, word_groups(rng, 50_000, 10, 2)[income], 0.1)
    mix_in(rng, posts, word_groups(rng, 50_000, 2, 2)[gender], 0.2)
    decades = column((age - 48) / 10)
    targets = {"age": decades, "income": one_hot(income, 10), "gender": column(gender)}
    return parts({"posts": posts, **targets}, first(960))


def reviews() -> Arrays:
    """Sentences about films, whose adjectives tell whether the reviewer liked the film."""
    rng = np.random.default_rng(6)
    positive = rng.integers(2, size=1000)
    nouns = np.array(["plot", "cast", "music", "ending", "dialogue", "camera", "pace", "script"])
    good = np.array(["great", "moving", "funny", "superb", "fresh", "warm", "clever", "bold"])
    bad = np.array(["dull", "weak", "bland", "awful", "slow", "cold", "flat", "noisy"])
    frames = np.array(["The {} is {}.", "A {} so {}!", "I found the {} {},", "{}: {},"])
    texts = []
    for liked in positive:
        count = rng.integers(2, 6)
        # One adjective in five is of the other kind.
        kinds = np.where(rng.random(count) < MIXED, 1 - liked, liked)
        words = np.where(kinds == 1, rng.choice(good, count), rng.choice(bad, count))
        parts_of_film, forms = rng.choice(nouns, count), rng.choice(frames, count)
        texts.append(" ".join(map(str.format, forms, parts_of_film, words)))
    return parts({"review": np.array(texts), "positive": column(positive)}, first(800))


def wine() -> dict[str, list[list[str]]]:
    """Two tables, for training and for tests: wines with missing cells, and names of cultivars.

    ``body`` is a word in place of the share of alcohol; one cell in ten of ``malic_acid`` is empty.
    """
    bunch = load_wine()
    rng = np.random.default_rng(7)
    names = [name.replace("/", "_") for name in bunch.feature_names]
    alcohol = bunch.data[:, names.index("alcohol")]
    body = np.array(["light", "medium", "full"])[np.digitize(alcohol, [12.5, 13.3])]
    missing = rng.random(len(alcohol)) < MISSING
    cultivars = np.array(["barolo", "grignolino", "barbera"])[bunch.target]
    kept = [at for at, name in enumerate(names) if name != "alcohol"]
    header = ["id", "body", *(names[at] for at in kept), "cultivar"]
    rows = []
    for row in range(len(alcohol)):
        cells = [f"{bunch.data[row, at]:g}" for at in kept]
        if missing[row]:
            cells[header.index("malic_acid") - 2] = ""
        rows.append([f"w{row:03}", body[row], *cells, cultivars[row]])
    train, test = stratified(bunch.target)
    return {
        "wine_train": [header, *(rows[row] for row in np.sort(train))],
        "wine_test": [header, *(rows[row] for row in np.sort(test))],
    }


def real_digits() -> tuple[Array, Array]:
    """Images (1797, 8, 8) as float32 in 0..1, and their digits (1797,) as int32."""
    bunch = load_digits()
    return (bunch.images / 16).astype(np.float32), bunch.target.astype(np.int32)


def labelled_few(digit: Array, train: Array) -> Array:
    """Training rows: the first few of each digit."""
    return np.concatenate([train[digit[train] == kind][:FEW] for kind in range(10)])


def placed(
    rng: np.random.Generator, images: Array, digit: Array, rows: Mapping[str, Array]
) -> Arrays:
    """Rows of each part, with brightness from 0 to 16, at random places of a larger image."""
    arrays: Arrays = {}
    room = CANVAS - images.shape[1] + 1
    for part, chosen in rows.items():
        canvas = np.zeros((len(chosen), CANVAS, CANVAS), np.uint8)
        for image, source, (y, x) in zip(
            canvas, images[chosen], rng.integers(room, size=(len(chosen), 2)), strict=True
        ):
            image[y : y + len(source), x : x + len(source)] = 16 * source
        arrays |= {f"image_{part}": canvas, f"digit_{part}": digit[chosen]}
    return arrays


def pair_rows(rng: np.random.Generator, digit: Array, count: int) -> tuple[Array, Array]:
    left = rng.integers(len(digit), size=count)
    partner = rng.random((count, len(digit)))
    same = digit[left][:, None] == digit
    wanted = same == (np.arange(count) % 2 == 0)[:, None]
    wanted[np.arange(count), left] = False  # never an image with itself
    return left, np.where(wanted, partner, -1).argmax(axis=1)


def word_groups(rng: np.random.Generator, vocabulary: int, groups: int, words: int) -> Array:
    """Ids (groups, words), all different, none of them 0."""
    return (1 + rng.permutation(vocabulary - 1)[: groups * words]).reshape(groups, words)


def chatter(rng: np.random.Generator, vocabulary: int, shape: tuple[int, int]) -> Array:
    """Ids 1..vocabulary-1 as in natural text: the n-th commonest word has a share like 1/n."""
    return np.floor(vocabulary ** rng.random(shape)).astype(np.int32)


def mix_in(rng: np.random.Generator, text: Array, words: Array, share: float) -> None:
    """Replace about `share` of each row of `text` by that row's `words`, in place."""
    chosen = rng.integers(words.shape[1], size=text.shape)
    typical = np.take_along_axis(words, chosen, axis=1)
    np.copyto(text, typical, where=rng.random(text.shape) < share, casting="same_kind")


def column(values: Array) -> Array:
    return values.astype(np.float32).reshape(-1, 1)


def one_hot(ids: Array, classes: int) -> Array:
    return np.eye(classes, dtype=np.float32)[ids]


def first(train: int) -> tuple[slice, slice]:
    return slice(None, train), slice(train, None)


def stratified(classes: Array) -> tuple[Array, Array]:
    """Rows of the training four fifths and of the test fifth, with equal shares of each class."""
    rows = np.arange(len(classes))
    train, test = train_test_split(rows, test_size=0.2, stratify=classes, random_state=0)
    return train, test


def parts(arrays: Mapping[str, Array], rows: tuple[Any, Any]) -> Arrays:
    train, test = rows
    return {
        f"{name}_{part}": np.ascontiguousarray(array[chosen])
        for name, array in arrays.items()
        for part, chosen in (("train", train), ("test", test))
    }


SETS: dict[str, Callable[[], dict[str, Any]]] = {
    "digits": digits,
    "digits_heads": digits_heads,
    "digits_placed": digits_placed,
    "digits_faint": digits_faint,
    "digit_pairs": digit_pairs,
    "breast_cancer": breast_cancer,
    "mlp": mlp,
    "question_answering": question_answering,
    "author_profile": author_profile,
    "reviews": reviews,
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in SETS.items():
        path = folder / f"{name}.npz"
        np.savez_compressed(path, **make())
        print(f"{path}  {path.stat().st_size / 1000:.0f} kB")
    for name, rows in wine().items():
        path = folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        print(f"{path}  {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
