"""Large compressed arrays go through files of the cache folder, which are whole or not there."""

import fcntl
import io
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from ending import PATIENCE

from modelspec.data import unpacking as unpacked
from modelspec.data.arrays import digest, load, read_headers
from modelspec.data.concatenated import Concatenated
from modelspec.data.dataset import load_dataset
from modelspec.data.npz import Member
from modelspec.data.npz_contents import contents
from modelspec.problems.diagnostic import Diagnostic

ARRAY = np.random.default_rng(0).integers(0, 99, (4000, 25)).astype("f4")


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of unpacked arrays, and nothing of it in use yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("modelspec.data.unpacking._in_use", set())
    return tmp_path / "cache" / "modelspec" / "unpacked"


def compressed(array: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, a=array)
    return file.getvalue()


COMPRESSED = compressed(ARRAY)


def packed(path: Path, array: Any = ARRAY) -> Path:
    path.write_bytes(COMPRESSED if array is ARRAY else compressed(array))
    return path


def member(path: Path) -> Member:
    return read_headers(path)[0]["a"]


def unpack(path: Path) -> tuple[Any, list[Diagnostic]]:
    return load(member(path), room=0)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "array",
    [
        ARRAY,
        np.asfortranarray(ARRAY),
        ARRAY.astype(">f8"),
        np.asfortranarray(ARRAY.astype(">i2")),
        np.array(["x" * 400_000, "y"]),
        np.array(["x" * 400_000, "y"]).astype(">U400000"),
        np.float64(3),
    ],
    ids=["C", "F", "foreign", "foreign F", "wide", "foreign wide", "single"],
)
def test_is_mapped_from_the_cache(tmp_path: Path, kept: Path, array: Any) -> None:
    got, problems = unpack(packed(tmp_path / "x.npz", array))
    assert problems == []
    assert isinstance(got, np.memmap)
    assert not got.flags.writeable
    assert got.dtype.isnative
    assert got.flags.f_contiguous == np.asarray(array).flags.f_contiguous
    np.testing.assert_array_equal(got, array)
    [file] = kept.iterdir()
    assert file.stat().st_size == array.nbytes


def test_foreign_byte_order_goes_the_same_way(tmp_path: Path, kept: Path) -> None:
    np.savez(tmp_path / "x.npz", a=ARRAY.astype(">f4"))
    got, _ = unpack(tmp_path / "x.npz")
    assert digest(got) == digest(ARRAY)
    assert len(names(kept)) == 1


def test_is_unpacked_once_and_again_when_the_file_changes(tmp_path: Path, kept: Path) -> None:
    path = packed(tmp_path / "x.npz")
    unpack(path)
    [file] = kept.iterdir()
    first = file.stat()
    (tmp_path / "link.npz").symlink_to(path)
    assert unpacked.is_unpacked(member(tmp_path / "link.npz"))
    unpack(tmp_path / "link.npz")
    assert file.stat().st_ino == first.st_ino
    packed(path, ARRAY + 1)
    assert not unpacked.is_unpacked(member(path))
    got, _ = unpack(path)
    assert digest(got) == digest(ARRAY + 1)
    assert len(names(kept)) == 2


def test_what_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    first, second = ARRAY.astype(">f4"), ARRAY[::-1].astype(">f4")
    np.savez(path, a=first, b=second)
    members, _ = read_headers(path)
    one, other = (load(members[name], room=0)[0] for name in "ab")
    assert one is not None
    assert other is not None
    assert digest(one) != digest(other)
    time = path.stat().st_mtime_ns
    np.savez(path, a=second, b=second)
    os.utime(path, ns=(time, time))
    assert digest(unpack(path)[0]) == digest(second)
    np.savez(path, a=second, b=first)
    assert not unpacked.is_unpacked(member(path))


def test_a_file_of_the_wrong_size_is_not_used(tmp_path: Path, kept: Path) -> None:
    path = packed(tmp_path / "x.npz")
    unpack(path)
    [file] = kept.iterdir()
    file.write_bytes(b"short")
    got, _ = unpack(path)
    assert digest(got) == digest(ARRAY)


def test_only_what_has_no_room_in_memory(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=ARRAY, y=ARRAY[:, 0], y_weight=ARRAY[:, 1])
    monkeypatch.setattr("modelspec.data.arrays.IN_MEMORY", 2 * ARRAY[:, 0].nbytes)
    said: list[str] = []
    for _ in range(2):
        dataset, _ = load_dataset(tmp_path / "x.npz", inputs=["x"], outputs=["y"], say=said.append)
        assert dataset is not None
        assert isinstance(dataset.inputs["x"], Concatenated)
        assert not isinstance(dataset.targets["y"], np.memmap)
        assert not isinstance(dataset.weights["y"], np.memmap)
    assert said == [f"unpacking x, 400.0 KB, to {kept}"]
    monkeypatch.setattr("modelspec.data.arrays.IN_MEMORY", ARRAY[:, 0].nbytes)
    dataset, _ = load_dataset(tmp_path / "x.npz", inputs=["x"], outputs=["y"], say=said.append)
    assert said[1:] == [f"unpacking y_weight, 16.0 KB, to {kept}"]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)


def test_damage_shows_in_the_checksum_and_leaves_nothing(tmp_path: Path, kept: Path) -> None:
    path = packed(tmp_path / "x.npz")
    flip(path)
    got, [problem] = unpack(path)
    assert got is None
    assert (problem.code, problem.file) == ("bad-array", str(path))
    assert names(kept) == []


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a full disk, writing fails at some point."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 1000, 300_000])
def test_disk_that_fills_up_leaves_nothing(tmp_path: Path, kept: Path, size: int) -> None:
    path = packed(tmp_path / "x.npz")
    with largest_file(size):
        got, [problem] = unpack(path)
    assert got is None
    assert problem.code == "array-too-large"
    assert problem.message.startswith("array a is compressed, and its 400.0 KB cannot be unpacked ")
    assert problem.message.endswith("File too large")
    assert names(kept) == []
    assert unpack(path)[1] == []


def test_disk_without_room_is_seen_before_it_is_full(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "x.npz")
    usage = type("Usage", (), {"free": ARRAY.nbytes - 1})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    _, [problem] = unpack(path)
    assert problem.message.endswith("No space left on device")
    assert names(kept) == []


def test_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    said: list[str] = []
    path = packed(tmp_path / "x.npz")
    _, [problem] = unpack(path)
    assert problem.code == "array-too-large"
    assert problem.message.endswith("Not a directory")
    assert said == []


def test_limit_that_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "x.npz")
    for value in ("much", "-1", "nan"):
        monkeypatch.setenv(unpacked.LIMIT, value)
        _, [problem] = unpack(path)
        assert problem.message.endswith(f"{unpacked.LIMIT} is a number of gigabytes, not {value}")


def test_what_was_used_longest_ago_is_dropped(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(unpacked.LIMIT, str(3.5 * ARRAY.nbytes / 1e9))
    places = []
    for number in range(3):
        path = packed(tmp_path / f"{number}.npz", ARRAY + number)
        unpack(path)
        places.append(unpacked.unpack(member(path)))
        os.utime(places[-1], ns=(number, places[-1].stat().st_mtime_ns))
    unpack(tmp_path / "0.npz")  # used again: now 1 is the oldest
    unpacked._in_use.clear()
    unpack(packed(tmp_path / "3.npz", ARRAY + 3))
    assert [place.exists() for place in places] == [True, False, True]
    assert len(names(kept)) == 3


def test_what_this_process_uses_is_not_dropped(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(unpacked.LIMIT, "0")
    for number in range(3):
        assert unpack(packed(tmp_path / f"{number}.npz", ARRAY + number))[1] == []
    assert len(names(kept)) == 3


def test_rubbish_of_dead_processes_goes_and_that_of_the_living_stays(
    tmp_path: Path, kept: Path
) -> None:
    kept.mkdir(parents=True)
    (kept / "dead.partial").write_bytes(b"half")
    with (kept / "living.partial").open("wb") as living:
        fcntl.flock(living, fcntl.LOCK_EX)
        unpack(packed(tmp_path / "x.npz"))
        assert [name for name in names(kept) if name.endswith(".partial")] == ["living.partial"]


def test_waits_for_another_process_at_the_same_array(tmp_path: Path, kept: Path) -> None:
    path = packed(tmp_path / "x.npz")
    place = unpacked.place(member(path))
    partial = place.with_suffix(".partial")
    kept.mkdir(parents=True)
    got: list[Any] = []
    with partial.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = threading.Thread(target=lambda: got.append(unpack(path)))
        waiting.start()
        time.sleep(0.1)
        assert not got
        other.write(ARRAY.tobytes())
        other.flush()
        inode = partial.stat().st_ino
        unpacked._mark_used(partial, member(path))
        partial.replace(place)
        time.sleep(0.1)
    waiting.join(PATIENCE)
    [(array, problems)] = got
    assert problems == []
    assert digest(array) == digest(ARRAY)
    assert place.stat().st_ino == inode


@pytest.mark.parametrize(
    "spoil",
    [
        lambda place: place.write_bytes(bytes(place.stat().st_size)),
        lambda place: place.write_bytes(place.read_bytes()[::-1]),
        os.utime,
        lambda place: place.write_bytes(b"short"),
    ],
)
def test_a_file_that_changed_is_unpacked_again(
    spoil: Callable[[Path], Any], tmp_path: Path, kept: Path
) -> None:
    path = packed(tmp_path / "x.npz")
    unpack(path)
    [place] = kept.glob("*.array")
    spoil(place)
    assert not unpacked.is_unpacked(member(path))
    array, problems = unpack(path)
    assert problems == []
    assert digest(array) == digest(ARRAY)


def test_goes_over_what_a_dead_process_left(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "x.npz")
    kept.mkdir(parents=True)
    unpacked.place(member(path)).with_suffix(".partial").write_bytes(b"half")
    reading = Mock(side_effect=contents)
    monkeypatch.setattr(unpacked, "contents", reading)
    assert digest(unpack(path)[0]) == digest(ARRAY)
    reading.assert_called_once()


def test_does_not_claim_what_was_finished_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial, place = tmp_path / "x.partial", tmp_path / "x.array"
    lock = unpacked._locked

    def late(file: Any) -> bool:
        partial.write_bytes(b"whole")
        partial.rename(place)
        return lock(file)

    monkeypatch.setattr(unpacked, "_locked", late)
    with unpacked._claimed(partial) as file:
        assert file is None
    assert place.read_bytes() == b"whole"


UNPACK = """
import sys
from pathlib import Path
from modelspec.data.arrays import load, read_headers
load(read_headers(Path(sys.argv[1]))[0]["a"], room=0)
"""


@pytest.mark.process
def test_killed_at_any_moment(tmp_path: Path, kept: Path) -> None:
    array = np.random.default_rng(1).integers(0, 30, (1000, 4000)).astype("f8")
    path = packed(tmp_path / "x.npz", array)
    for size in (0, 1 << 20, 16 << 20):
        process = subprocess.Popen([sys.executable, "-c", UNPACK, str(path)])
        while not any(file.stat().st_size >= size for file in kept.glob("*")):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not [name for name in names(kept) if name.endswith(".array")]
        assert len(names(kept)) == 1
    got, problems = unpack(path)
    assert problems == []
    assert digest(got) == digest(array)
    assert [Path(name).suffix for name in names(kept)] == [".array"]


def test_more_maps_than_files_may_be_open(tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    for number in range(40):
        np.savez(shards / f"{number:02}.npz", x=ARRAY[:2] + number, y=ARRAY[:2, 0])
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = len(list(Path("/proc/self/fd").iterdir())) + 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, before[1]))
    try:
        dataset, problems = load_dataset(shards, inputs=["x"], outputs=["y"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert problems == []
    assert dataset is not None
    assert dataset.inputs["x"][-1:][0, 0] == ARRAY[1, 0] + 39
