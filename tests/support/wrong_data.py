"""Data that does not fit, written as npz files; the files in ``mistakes/`` name these functions."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

N = 12

_RANDOM = np.random.default_rng(5)
_IDS = np.arange(N) % 3
_X = _RANDOM.normal(size=(N, 4)).astype(np.float32)
_Y = _RANDOM.normal(size=(N, 1)).astype(np.float32)
_IMAGES = _RANDOM.random((N, 8, 6, 3)).astype(np.float32)
_WORDS = _RANDOM.integers(0, 50, (N, 20))


def _save(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)


def good(path: Path) -> None:
    """Fits: the mistake is in the spec."""
    _save(path, x=_X, y=_Y)


def good_ids(path: Path) -> None:
    _save(path, x=_X, y=_IDS)


def binary(path: Path) -> None:
    _save(path, x=_X, y=_IDS[:, None] > 0)


def tags(path: Path) -> None:
    """Several labels a sample."""
    _save(path, x=_X, y=(_X[:, :3] > 0).astype(np.int8))


def price(path: Path) -> None:
    _save(path, x=_X, y=200 + 300 * _Y)


def columns_of_other_scales(path: Path) -> None:
    _save(path, x=_X * [1, 1, 1, 9000], y=_Y)


def without_target(path: Path) -> None:
    _save(path, x=_X, label=_Y)


def without_input(path: Path) -> None:
    _save(path, features=_X, y=_Y)


def without_second_input(path: Path) -> None:
    _save(path, left=_X, y=_Y)


def one_letter_off(path: Path) -> None:
    _save(path, imgae=_IMAGES, digit=_IDS)


def only_test_arrays(path: Path) -> None:
    _save(path, x_test=_X, y_test=_Y)


def capital_x_and_y(path: Path) -> None:
    _save(path, X_train=_X, y_train=_Y)


def nothing(path: Path) -> None:
    _save(path)


def one_more_array(path: Path) -> None:
    _save(path, x=_X, y=_Y, ids=np.arange(N))


def misspelt_weights(path: Path) -> None:
    _save(path, x=_X, y=_Y, y_wieght=np.ones(N))


def fewer_targets(path: Path) -> None:
    _save(path, x=_X, y=_Y[:-2])


def fewer_right(path: Path) -> None:
    _save(path, left=_X, right=_X[:5], y=_Y)


def fewer_weights(path: Path) -> None:
    _save(path, x=_X, y=_Y, y_weight=np.ones(N - 1))


def no_samples(path: Path) -> None:
    _save(path, x=_X[:0], y=_Y[:0])


def no_targets(path: Path) -> None:
    _save(path, x=_X, y=_Y[:0])


def transposed(path: Path) -> None:
    _save(path, x=_X.T, y=_Y)


def wider(path: Path) -> None:
    _save(path, x=np.hstack([_X, _X]), y=_Y)


def one_sample_without_batch(path: Path) -> None:
    _save(path, x=_X[0], y=_Y[:4])


def single_number(path: Path) -> None:
    _save(path, x=_X, y=np.float32(3))


def images_without_channels(path: Path) -> None:
    _save(path, image=_IMAGES[..., 0], digit=_IDS)


def images_of_other_size(path: Path) -> None:
    _save(path, image=_IMAGES[:, :7], digit=_IDS)


def images_flat(path: Path) -> None:
    _save(path, image=_IMAGES.reshape(N, -1), digit=_IDS)


def images_channels_first(path: Path) -> None:
    _save(path, image=np.moveaxis(_IMAGES, -1, 1), digit=_IDS)


def images_of_rows_and_columns_swapped(path: Path) -> None:
    _save(path, image=_IMAGES.transpose(0, 2, 1, 3), digit=_IDS)


def images_in_colour_and_alpha(path: Path) -> None:
    _save(path, image=np.concatenate([_IMAGES, _IMAGES[..., :1]], -1), digit=_IDS)


def image_ids_as_one_hot(path: Path) -> None:
    _save(path, image=_IMAGES, digit=np.eye(3)[_IDS])


def one_hot(path: Path) -> None:
    _save(path, x=_X, y=np.eye(3)[_IDS])


def one_hot_of_four(path: Path) -> None:
    _save(path, x=_X, y=np.eye(4)[_IDS])


def ids(path: Path) -> None:
    _save(path, x=_X, y=_IDS)


def ids_in_a_column(path: Path) -> None:
    _save(path, x=_X, y=_IDS[:, None])


def ids_from_one(path: Path) -> None:
    _save(path, x=_X, y=_IDS + 1)


def ids_up_to_seven(path: Path) -> None:
    _save(path, x=_X, y=np.where(_IDS == 2, 7, _IDS))


def ids_with_minus_one(path: Path) -> None:
    _save(path, x=_X, y=_IDS - 1)


def ids_as_fractions(path: Path) -> None:
    _save(path, x=_X, y=_IDS / 2)


def ids_as_text(path: Path) -> None:
    _save(path, x=_X, y=np.array(["cat", "dog", "cow"])[_IDS])


def signs(path: Path) -> None:
    _save(path, x=_X, y=np.where(_Y > 0, 1, -1))


def three_classes_for_two(path: Path) -> None:
    _save(path, x=_X, y=_IDS[:, None])


def bytes_for_probabilities(path: Path) -> None:
    _save(path, x=_X, y=(_RANDOM.random((N, 4)) * 255).round())


def flat_targets_for_two_units(path: Path) -> None:
    _save(path, x=_X, y=_Y[:, 0])


def words(path: Path) -> None:
    _save(path, words=_WORDS, y=_Y)


def words_up_to_the_vocabulary(path: Path) -> None:
    _save(path, words=np.where(_WORDS == 0, 50, _WORDS), y=_Y)


def words_with_minus_one(path: Path) -> None:
    _save(path, words=_WORDS - 1, y=_Y)


def words_as_text(path: Path) -> None:
    _save(path, words=_WORDS.astype(str), y=_Y)


def words_as_fractions(path: Path) -> None:
    _save(path, words=_WORDS + 0.5, y=_Y)


def words_in_too_short_a_type(path: Path) -> None:
    _save(path, words=_WORDS + 250, y=_Y)


def words_ragged(path: Path) -> None:
    """Lists of several lengths, which NumPy can only store as pickled objects."""
    ragged = np.empty(N, object)
    ragged[:] = [list(range(i + 1)) for i in range(N)]
    _save(path, words=ragged, y=_Y)


def short_posts(path: Path) -> None:
    _save(path, posts=_RANDOM.integers(0, 50, (N, 30)), y=_Y)


def no_number_in_x(path: Path) -> None:
    x = _X.copy()
    x[3, 1] = np.nan
    _save(path, x=x, y=_Y)


def infinity_in_y(path: Path) -> None:
    y = _Y.copy()
    y[[2, 5]] = np.inf
    _save(path, x=_X, y=y)


def no_number_anywhere(path: Path) -> None:
    _save(
        path, x=np.full_like(_X, np.nan), y=np.full_like(_Y, -np.inf), y_weight=np.full(N, np.nan)
    )


def complex_numbers(path: Path) -> None:
    _save(path, x=_X + 1j, y=_Y)


def dates(path: Path) -> None:
    _save(path, x=np.datetime64("2024-01-01") + np.arange(4 * N).reshape(N, 4), y=_Y)


def table_of_records(path: Path) -> None:
    records = np.zeros(N, [("age", "f4"), ("income", "f4")])
    _save(path, x=records, y=_Y)


def object_numbers(path: Path) -> None:
    """The result of ``DataFrame.to_numpy`` for columns of several types."""
    _save(path, x=_X.astype(object), y=_Y)


def both_as_objects(path: Path) -> None:
    _save(path, x=_X.astype(object), y=_Y.astype(object))


def negative_weights(path: Path) -> None:
    _save(path, x=_X, y=_Y, y_weight=np.linspace(-1, 1, N))


def weights_for_each_unit(path: Path) -> None:
    _save(path, x=_X, y=_IDS, y_weight=np.ones((N, 3)))


def everything_wrong(path: Path) -> None:
    _save(path, image=_IMAGES[..., 0], words=_WORDS + 50, digit=_IDS + 1, mood=np.sign(_Y))


def single_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, _X)


def pickled_whole(path: Path) -> None:
    path.write_bytes(b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00}\x94.")


def truncated(path: Path) -> None:
    good(path)
    path.write_bytes(path.read_bytes()[:-40])


def empty_file(path: Path) -> None:
    path.touch()


def absent(path: Path) -> None:
    """A missing file."""


def folder(path: Path) -> None:
    path.mkdir()


def csv(path: Path) -> None:
    path.write_text("a,b,c,d,y\n1,2,3,4,5\n", encoding="utf-8")


def zip_of_csv(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.csv", "1,2,3,4\n")


def array_twice(path: Path) -> None:
    raw = io.BytesIO()
    np.save(raw, _X)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", raw.getvalue())
        file.writestr("x", raw.getvalue())
        file.writestr("y.npy", raw.getvalue())


def lying_header(path: Path) -> None:
    """The header of ``x`` promises twice the rows that follow."""
    doubled = io.BytesIO()
    np.save(doubled, np.concatenate([_X, _X]))
    header = doubled.getvalue()[: -2 * _X.nbytes]
    targets = io.BytesIO()
    np.save(targets, _Y)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", header + _X.tobytes())
        file.writestr("y.npy", targets.getvalue())


def zeros_by_the_gigabyte(path: Path) -> None:
    """Some hundred kilobytes that would be unpacked to 300 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, width in (("x", 4), ("y", 1)):
            rows = 19_000_000
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                header, {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
            )
            with file.open(f"{name}.npy", "w") as member:
                member.write(header.getvalue())
                for _ in range(rows // 1_000_000):
                    member.write(bytes(4_000_000 * width))


def ids_of_pixels(path: Path) -> None:
    _save(path, x=_IMAGES, y=_RANDOM.integers(0, 3, (N, 8, 6)))


def rows_of_three(path: Path) -> None:
    _save(path, x=_X, y=np.eye(3, dtype=np.float32)[_IDS])


def text_in_latin_1(path: Path) -> None:
    texts = [b"plain", b"caf\xe9", b"\xffnot at all", *[b"plain"] * (N - 3)]
    _save(path, x=np.array(texts), y=_Y)


def csv_decimal_comma(path: Path) -> None:
    path.write_text('x,kind,y\n1.5,a,1\n"2,5",b,2\n')


def csv_ragged(path: Path) -> None:
    path.write_text("x,kind,y\n1.5,a,1\n2,5,b,2\n")


def csv_other_class(path: Path) -> None:
    path.write_text("x,kind,y\n1.5,a,1\n2.5,b,2\n3.5,c,1\n")


def csv_missing_number(path: Path) -> None:
    path.write_text("x,kind,y\n1.5,a,1\n,b,2\n3.5,b,2\n")


def one_group(path: Path) -> None:
    _save(path, x=_X, y=_Y, user=np.zeros(N, int))


_SPECIES = np.array(["iris", "lily"] * (N // 2))


def other_class_to_validate(path: Path) -> None:
    part = {"x_val": _X, "species_val": np.where(_X[:, 0] < 0, "rose", "iris")}
    _save(path, x_train=_X, species_train=_SPECIES, **part)


def narrow_part_to_validate(path: Path) -> None:
    _save(path, x_train=_X, species_train=_SPECIES, x_val=_X[:, 1:], species_val=_SPECIES)


def rare_class(path: Path) -> None:
    _save(path, x=_X, species=np.where(np.arange(N) < N - 1, _SPECIES, "rose"))


def ids_and_words(path: Path) -> None:
    words = np.array(["a", "b", "c"])[_IDS][:, None]
    ids = {"id": _IDS + 1, "other": _IDS[:, None] + 5, "place": _IDS[:, None] - 2}
    targets = dict.fromkeys(("coded", "taken", "words", "others", "placed"), _Y)
    _save(path, word=words, table=_X, **ids, **targets)


def constant_column(path: Path) -> None:
    _save(path, x=_X * [1, 0, 1, 1] + [0, 3, 0, 0], y=_Y)


def ones(path: Path) -> None:
    _save(path, x=_X, y=np.ones(N, int))
