"""Runs that somebody changed: each function makes a change that no training makes."""

import base64
import io
import itertools
import json
import marshal
import os
import shutil
import socket
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Tamper = Callable[[Path, Path], None]
"""A change to the run at the first path; the second is a folder of the user's that must stay."""


def change_arrays(run: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the arrays of every checkpoint."""
    for path in (run / "checkpoints").glob("*.npz"):
        with np.load(path) as stored:
            arrays = dict(stored)
        change(arrays)
        np.savez(path, **arrays)


def change_state(run: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the position and the callbacks in every checkpoint."""

    def within(arrays: dict[str, Any]) -> None:
        state = json.loads(arrays["state"].tobytes())
        change(state)
        arrays["state"] = np.frombuffer(json.dumps(state).encode(), np.uint8)

    change_arrays(run, within)


def _plain(index: int, **values: Any) -> Tamper:
    """Change the state of callbacks; VICTIM in a text is the user's folder."""

    def tamper(run: Path, victim: Path) -> None:
        replaced = {
            name: value.replace("VICTIM", str(victim)) if isinstance(value, str) else value
            for name, value in values.items()
        }
        change_state(run, lambda state: state["callbacks"][index]["plain"].update(replaced))

    return tamper


def _state(**values: Any) -> Tamper:
    return lambda run, _: change_state(run, lambda state: state.update(values))


def _array(name: str, make: Callable[[Any], Any]) -> Tamper:
    def change(arrays: dict[str, Any]) -> None:
        arrays[name] = make(arrays.get(name))

    return lambda run, _: change_arrays(run, change)


def _header(name: str, shape: str) -> Tamper:
    """Declare another shape in the header of an array than its data has."""

    def tamper(run: Path, victim: Path) -> None:
        del victim
        for path in (run / "checkpoints").glob("*.npz"):
            with zipfile.ZipFile(path) as old:
                members = {entry: old.read(entry) for entry in old.namelist()}
            text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117)
            members[f"{name}.npy"] = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
            members[f"{name}.npy"] += text.encode() + b"\n" + bytes(16)
            with zipfile.ZipFile(path, "w") as new:
                for entry, raw in members.items():
                    new.writestr(entry, raw)

    return tamper


def _pickled(run: Path, victim: Path) -> None:
    harm = np.array([_Harm(victim)], dtype=object)
    change_arrays(run, lambda arrays: arrays.update({"variable/0": harm}))


def _zip_bomb(run: Path, victim: Path) -> None:
    del victim
    for path in (run / "checkpoints").glob("*.npz"):
        raw = io.BytesIO()
        np.save(raw, np.zeros(1 << 26, "f4"))
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files if name != "state"}
        arrays.pop("variable/0")
        np.savez(path, **arrays)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
            for name in ("variable/0.npy", "state.npy"):
                file.writestr(name, raw.getvalue())


def _link(name: str, target: str) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        path = run / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(victim / target)

    return tamper


def _hard_link(name: str) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        (run / name).unlink(missing_ok=True)
        os.link(victim / "precious", run / name)

    return tamper


def _pipe(name: str) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        del victim
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)

    return tamper


def _record(**values: Any) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        del victim
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        (run / "run.json").write_text(json.dumps(record | values), encoding="utf-8")

    return tamper


def _text(name: str, text: str) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        del victim
        (run / name).write_text(text, encoding="utf-8")

    return tamper


def _spec(old: str, new: str) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        text = (run / "spec.yaml").read_text(encoding="utf-8")
        assert old in text, text
        (run / "spec.yaml").write_text(text.replace(old, new.replace("VICTIM", str(victim))))

    return tamper


def _config(change: Callable[[dict[str, Any], Path], Any]) -> Tamper:
    """Change the configuration in ``model.keras``."""

    def tamper(run: Path, victim: Path) -> None:
        path = run / "model.keras"
        with zipfile.ZipFile(path) as old:
            members = {name: old.read(name) for name in old.namelist()}
        config = json.loads(members["config.json"])
        change(config, victim)
        members["config.json"] = json.dumps(config).encode()
        with zipfile.ZipFile(path, "w") as new:
            for name, raw in members.items():
                new.writestr(name, raw)

    return tamper


def _weights(change: Callable[[h5py.File, Path], Any]) -> Tamper:
    """Change the weights in ``model.keras``."""

    def tamper(run: Path, victim: Path) -> None:
        path = run / "model.keras"
        with zipfile.ZipFile(path) as old:
            members = {name: old.read(name) for name in old.namelist()}
        raw = io.BytesIO(members["model.weights.h5"])
        with h5py.File(raw, "r+") as file:
            change(file, victim)
        members["model.weights.h5"] = raw.getvalue()
        with zipfile.ZipFile(path, "w") as new:
            for name, content in members.items():
                new.writestr(name, content)

    return tamper


def _members(change: Callable[[dict[str | zipfile.ZipInfo, bytes], Path], Any]) -> Tamper:
    """Change the entries of ``model.keras``."""

    def tamper(run: Path, victim: Path) -> None:
        path = run / "model.keras"
        with zipfile.ZipFile(path) as old:
            members: dict[str | zipfile.ZipInfo, bytes] = {n: old.read(n) for n in old.namelist()}
        change(members, victim)
        with zipfile.ZipFile(path, "w") as new:
            for entry, raw in members.items():
                new.writestr(entry, raw)

    return tamper


def _paths_out_of_the_archive(members: dict[str | zipfile.ZipInfo, bytes], victim: Path) -> None:
    link = zipfile.ZipInfo("assets")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    members[link] = str(victim / "folder").encode()
    for name in ("../../made", f"{victim}/made", "assets/../../../made", "assets/precious"):
        members[name] = b"made"


def _weights_as_pickle(members: dict[str | zipfile.ZipInfo, bytes], victim: Path) -> None:
    raw = io.BytesIO()
    harm: dict[str, Any] = {"layers/dense/vars": np.array([_Harm(victim)], dtype=object)}
    np.savez(raw, **harm)
    del members["model.weights.h5"]
    members["model.weights.npz"] = raw.getvalue()


class _Harm:
    """A pickle that deletes a file when it is loaded."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> Any:
        return os.remove, (str(self.victim / "precious"),)


def _unknown_filter(members: dict[str | zipfile.ZipInfo, bytes], victim: Path) -> None:
    """Let HDF5 look for a plugin that decodes the values."""
    del victim
    raw = io.BytesIO(members["model.weights.h5"])
    with h5py.File(raw, "r+") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars"].create_dataset(
            "0", data=np.ones((4, 3), "f4"), compression="gzip"
        )
    content = bytearray(raw.getvalue())
    at = content.index(b"deflate") - 8
    assert content[at : at + 2] == b"\x01\x00", content[at - 8 : at + 8]
    content[at : at + 2] = (32_013).to_bytes(2, "little")
    members["model.weights.h5"] = bytes(content)


def _virtual(file: h5py.File, victim: Path) -> None:
    del file["layers/dense/vars/0"]
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource(str(victim / "other.h5"), "data", (4, 3))
    file["layers/dense/vars"].create_virtual_dataset("0", layout)


def _loop(file: h5py.File, victim: Path) -> None:
    del victim
    del file["layers/dense"]
    file["layers/dense"] = h5py.SoftLink("/layers")


def _optimizer_elsewhere(file: h5py.File, victim: Path) -> None:
    del file["optimizer/vars/1"]
    file["optimizer/vars/1"] = h5py.ExternalLink(str(victim / "other.h5"), "/data")


def _legacy(run: Path, victim: Path) -> None:
    """A model of Keras 2 with a Lambda whose code is marshalled."""
    code = base64.b64encode(
        marshal.dumps(compile(f"open({str(victim / 'ran')!r}, 'w')", "", "eval"))
    )
    function = {"class_name": "__lambda__", "config": {"code": code.decode()}}
    layer = {"class_name": "Lambda", "config": {"name": "y", "function": function}}
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [layer]}}
    (run / "model.keras").unlink()
    with h5py.File(run / "model.keras", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.create_group("model_weights")


def _activation(module: str, name: str, *, compiled: str = "") -> Tamper:
    """Name a function of a module where Keras expects one of its own."""
    function = {"module": module, "class_name": "function", "config": name}
    function["registered_name"] = "function"

    def change(config: dict[str, Any], victim: Path) -> None:
        del victim
        if compiled:
            config["compile_config"][compiled] = function
        else:
            _first_layer(config)["config"]["activation"] = function

    return _config(change)


def _object(class_name: str, **config: Any) -> Tamper:
    """Write an object of Keras's own format as an initializer."""

    def change(whole: dict[str, Any], victim: Path) -> None:
        del victim
        _first_layer(whole)["config"]["kernel_initializer"] = {
            "class_name": class_name,
            "config": config,
        }

    return _config(change)


def _folder(name: str) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        del victim
        (run / name).unlink(missing_ok=True)
        (run / name).mkdir(parents=True)
        (run / name / "inside").write_text("inside", encoding="utf-8")

    return tamper


def _socket(name: str) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        del victim
        (run / name).unlink(missing_ok=True)
        before = Path.cwd()
        os.chdir(run)  # the path of a socket is short
        try:
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(name)
        finally:
            os.chdir(before)

    return tamper


def _callback(text: str) -> Tamper:
    return _spec("- SwapEMAWeights", f"- SwapEMAWeights\n  - {text}")


def _first_layer(config: dict[str, Any]) -> dict[str, Any]:
    return next(x for x in config["config"]["layers"] if x["class_name"] == "Dense")


def _replace_layer(class_name: str, **arguments: Any) -> Tamper:
    def change(config: dict[str, Any], victim: Path) -> None:
        layer = _first_layer(config)
        replaced = {
            name: value.replace("VICTIM", str(victim)) if isinstance(value, str) else value
            for name, value in arguments.items()
        }
        layer.update(class_name=class_name, module="keras.layers", registered_name=None)
        layer["config"] = {"name": layer["config"]["name"], **replaced}

    return _config(change)


def _external(file: h5py.File, victim: Path) -> None:
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.ExternalLink(str(victim / "other.h5"), "/data")


def _external_storage(file: h5py.File, victim: Path) -> None:
    del file["layers/dense/vars/0"]
    file["layers/dense/vars"].create_dataset(
        "0", (4, 3), "f4", external=[(str(victim / "precious"), 0, h5py.h5f.UNLIMITED)]
    )


def _other_shape(file: h5py.File, victim: Path) -> None:
    del victim
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = np.zeros((40_000, 3), "f4")


def _twice_as_wide(array: Any) -> Any:
    return np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)


RESUMED: dict[str, Tamper] = {
    "a path of ModelCheckpoint": _plain(0, filepath="VICTIM/b.weights.h5"),
    "a path out of the folder": _plain(0, filepath="../../outside.weights.h5"),
    "a file of CSVLogger": _plain(1, filename="VICTIM/precious"),
    "a separator": _plain(1, sep="\x1b]0;title\x07"),
    "a folder of no callback": _plain(2, backup_dir="VICTIM"),
    "a private path": _plain(0, _training_metadata_path="VICTIM/precious"),
    "a method": _plain(2, on_train_end="VICTIM"),
    "a class": _plain(2, __class__="VICTIM"),
    "a model": _plain(2, _model=None),
    "a setting": _plain(2, patience=-1),
    "a counter that is text": _plain(2, wait="x"),
    "a counter below 0": _plain(2, wait=-5),
    "a switch that is a number": _plain(3, _ema_weights_in_model=7),
    "a number that is a list": _plain(2, wait=[1]),
    "callbacks that lack": _state(callbacks=[]),
    "callbacks too many": _state(callbacks=[{"plain": {}, "armed": False, "weights": {}}] * 99),
    "callbacks as text": _state(callbacks="x"),
    "callbacks of another form": _state(callbacks=[[]] * 4),
    "armed without a monitor": lambda run, _: change_state(
        run, lambda state: state["callbacks"][3].update(armed=True)
    ),
    "weights of no callback": lambda run, _: change_state(
        run, lambda state: state["callbacks"][3].update(weights={"_model": 4})
    ),
    "weights by the million": lambda run, _: change_state(
        run, lambda state: state["callbacks"][2].update(weights={"best_weights": 10**9})
    ),
    "an epoch as text": _state(epoch="x"),
    "an epoch below 0": _state(epoch=-5),
    "half an epoch": _state(epoch=1.5),
    "an epoch far off": _state(epoch=10**15),
    "an epoch that is no number": _state(epoch=None),
    "an epoch of True": _state(epoch=True),
    "seconds as text": _state(seconds="x"),
    "seconds that are not finite": _state(seconds=float("nan")),
    "samples beyond": _state(samples=10**6),
    "samples within a batch": _state(samples=3),
    "stopped as text": _state(stopped="x"),
    "a state that is a list": lambda run, _: change_arrays(
        run, lambda arrays: arrays.update(state=np.frombuffer(b"[1, 2]", np.uint8))
    ),
    "a state that is not JSON": _array("state", lambda array: array[:-5]),
    "a state that is deep": _array(
        "state", lambda _: np.frombuffer(b"[" * 100_000 + b"]" * 100_000, np.uint8)
    ),
    "a variable too wide": _array("variable/0", _twice_as_wide),
    "a variable of float64": _array("variable/0", lambda array: array.astype("f8")),
    "a variable of text": _array("variable/0", lambda array: array.astype("U32")),
    "a variable turned": _array("variable/0", np.transpose),
    "a variable flat": _array("variable/0", np.ravel),
    "a later variable too wide": _array("variable/3", _twice_as_wide),
    "a variable too many": _array("variable/999", lambda _: np.zeros(3)),
    "a best weight too wide": _array("callback/2/best_weights/0", _twice_as_wide),
    "a best weight of integers": _array(
        "callback/2/best_weights/1", lambda array: array.astype("i8")
    ),
    "a pickle": _pickled,
    "a header of 10^15 rows": _header("variable/0", "(1000000000000000, 3)"),
    "a header of 10^30 rows": _header("variable/0", "(1000000000000000000000000000000,)"),
    "a header below 0": _header("variable/0", "(-4, 3)"),
    "a zip bomb": _zip_bomb,
    "a link for checkpoints": _link("checkpoints", "folder"),
    "a link for a checkpoint": _link("checkpoints/epoch-000009.npz", "precious"),
    "a link for the lock": _link("lock", "precious"),
    "a link for the lock to nowhere": _link("lock", "not-there"),
    "a link for history.csv": _link("history.csv", "precious"),
    "a link for history.jsonl": _link("history.jsonl", "precious"),
    "a link for run.json": _link("run.json", "precious"),
    "a link for run.json to nowhere": _link("run.json", "not-there"),
    "a link for spec.yaml": _link("spec.yaml", "precious"),
    "a link for model.keras": _link("model.keras", "precious"),
    "a link for curves.png": _link("curves.png", "precious"),
    "a link for a callback's file": _link("log.csv", "precious"),
    "a link for a callback's model": _link("b.weights.h5", "not-there"),
    "a link for a callback's folder": _link("sub", "folder"),
    "a link among hidden files": _link(".history.1.jsonl", "precious"),
    "a hard link for the lock": _hard_link("lock"),
    "a hard link for a callback's file": _hard_link("log.csv"),
    "a pipe for history.jsonl": _pipe("history.jsonl"),
    "a pipe for run.json": _pipe("run.json"),
    "a pipe for the lock": _pipe("lock"),
    "a pipe for a checkpoint": _pipe("checkpoints/epoch-000009.npz"),
    "a record with other seconds": _record(seconds="x"),
    "a record with seconds of null": _record(resumed=[None]),
    "a record resumed 5 times": _record(resumed=5),
    "a record with other data": _record(data="x"),
    "a record with a list of digests": _record(data={"sha256": [1]}),
    "a record with other arguments": _record(arguments={"data": "x"}),
    "a record with another name": _record(name=["x"]),
    "a record without a status": _record(status="won"),
    "a record that is a list": _text("run.json", "[]"),
    "a record that is deep": _text("run.json", "[" * 100_000),
    "a history of text": _text("history.jsonl", '{"epoch": "a"}\n'),
    "a history of null": _text("history.jsonl", '{"epoch": null}\n'),
    "a history of other values": _text("history.jsonl", '{"epoch": 1, "loss": "x"}\n'),
    "a history out of order": _text("history.jsonl", '{"epoch": 2}\n{"epoch": 1}\n'),
    "a history that is short": _text("history.jsonl", '{"epoch": 1, "loss": 1, "seconds": 1}\n'),
    "a spec with a path": _spec("log.csv", "VICTIM/precious"),
    "a spec with a path above": _spec("log.csv", "../../precious"),
}
"""Changes that ``train --resume`` must refuse."""

LOADED: dict[str, Tamper] = {
    "a Lambda": _replace_layer("Lambda", function={"class_name": "__lambda__", "config": {}}),
    "a saved program": _replace_layer("TFSMLayer", filepath="VICTIM/folder"),
    "a vocabulary of another file": _replace_layer("StringLookup", vocabulary="VICTIM/precious"),
    "a class of another module": _config(
        lambda config, _: _first_layer(config).update(module="os", class_name="remove")
    ),
    "a class of a private module": _config(
        lambda config, _: _first_layer(config).update(
            module="keras.src.utils.io_utils", class_name="print_msg"
        )
    ),
    "a wide layer": _config(lambda config, _: _first_layer(config)["config"].update(units=10**12)),
    "a layer of text": _config(lambda config, _: _first_layer(config)["config"].update(units="x")),
    "a model without layers": _config(lambda config, _: config["config"].update(layers=[])),
    "a config that is a list": _config(lambda config, _: config.update(config=[])),
    "an external link": _weights(_external),
    "an external storage": _weights(_external_storage),
    "a weight too large": _weights(_other_shape),
    "a weight that lacks": _weights(lambda file, _: file.pop("layers/dense/vars/0")),
    "no zip": _text("model.keras", "x"),
    "an empty zip": _text("model.keras", "PK\x05\x06" + "\0" * 18),
    "a link for the model": _link("model.keras", "precious"),
    "a pipe for the model": _pipe("model.keras"),
    "a link for the spec": _link("spec.yaml", "precious"),
    "a pipe for the spec": _pipe("spec.yaml"),
    "a pipe for the record": _pipe("run.json"),
    "a spec of another model": _spec("shape: [4]", "shape: [5]"),
    "a spec of another input": _spec("\n  x:", "\n  other:"),
}
"""Changes that ``evaluate`` and ``predict`` must refuse."""

_OF_WEIGHTS = {
    *("an epoch as text", "an epoch below 0", "half an epoch", "an epoch far off"),
    *("an epoch that is no number", "an epoch of True", "seconds as text"),
    *("seconds that are not finite", "a state that is a list", "a state that is not JSON"),
    *("a state that is deep", "a variable too wide", "a variable of float64"),
    *("a variable of text", "a variable turned", "a variable flat", "a later variable too wide"),
    *("a pickle", "a header of 10^15 rows", "a header of 10^30 rows", "a header below 0"),
    *("a zip bomb", "a link for checkpoints", "a link for spec.yaml", "a link for run.json"),
    *("a pipe for run.json", "a record that is a list", "a record without a status"),
}


def _without_model(tamper: Tamper) -> Tamper:
    def of_weights(run: Path, victim: Path) -> None:
        (run / "model.keras").unlink()
        tamper(run, victim)

    return of_weights


CHECKPOINTED: dict[str, Tamper] = {name: _without_model(RESUMED[name]) for name in _OF_WEIGHTS}
"""Changes that ``evaluate`` and ``predict`` must refuse in a run with checkpoints, but no model."""

ODD: dict[str, Tamper] = {
    "paths out of the archive": _members(_paths_out_of_the_archive),
    "weights as a pickle": _members(_weights_as_pickle),
    "an unknown filter": _members(_unknown_filter),
    "a config that is large": _members(
        lambda members, _: members.update({"config.json": b"[" + b"0," * (1 << 22) + b"0]"})
    ),
    "a config that is deep": _members(
        lambda members, _: members.update({"config.json": b"[" * 100_000})
    ),
    "no config": _members(lambda members, _: members.pop("config.json")),
    "metadata that is a list": _members(
        lambda members, _: members.update({"metadata.json": b"[1]"})
    ),
    "a virtual dataset": _weights(_virtual),
    "a loop of weights": _weights(_loop),
    "state of the optimizer elsewhere": _weights(_optimizer_elsewhere),
    "code of Keras 2": _legacy,
    "a function of os": _activation("os", "remove"),
    "a function of subprocess": _activation("subprocess", "Popen"),
    "a function of builtins": _activation("builtins", "exec"),
    "a function that downloads": _activation("keras.utils", "get_file"),
    "a function that loads": _activation("keras.saving", "load_model"),
    "a function of a decoy": _activation("dense", "main"),
    "a loss of os": _activation("os", "remove", compiled="loss"),
    "a metric of a decoy": _activation("y", "main", compiled="metrics"),
    "an optimizer of subprocess": _activation("subprocess", "Popen", compiled="optimizer"),
    "a lambda": _object("__lambda__", value=["4wAAAAA=", None, None]),
    "a type of another module": _object("__typespec__", spec_name="x", module="dense"),
    "bytes of a pickle": _object("__bytes__", value="cos\nsystem\n(S'true'\ntR."),
    "a module of torch": _replace_layer("TorchModuleWrapper", module="gAR9lC4="),
    "a name that is a path": _config(
        lambda config, victim: _first_layer(config)["config"].update(name=f"../..{victim}/made")
    ),
    "an asset that is a path": _replace_layer("TextVectorization", vocabulary="../victim/precious"),
    "a plugin of a decoy": _record(
        plugins=[{"name": "dense.py", "sha256": "x", "file": "dense.py"}]
    ),
    "plugins as text": _record(plugins="dense"),
    "models as numbers": _record(models={"dense": {"sha256": "x"}}),
    "overrides of other paths": _record(overrides=["training.callbacks=[]", "x"]),
    "overrides that are numbers": _record(overrides=[1]),
    "other epochs": _record(epochs="x"),
    "another end": _record(end_reason=[1]),
    "other workers": _record(workers="x", devices=[1]),
    "another machine": _record(machine={"threads": [1]}),
    "another epoch of the model": _record(model_epoch="x"),
    "parameters as a list": _record(parameters=[1]),
    "other versions": _record(versions=5),
    "weights of a decoy": _record(weights={"from": "../victim/other.h5", "layers": 5}),
    **{
        f"a folder for {name}": _folder(name)
        for name in (
            *("run.json", "spec.yaml", "model.keras", "history.jsonl", "history.csv", "lock"),
            *("curves.png", "report.html", "checkpoints/epoch-000009.npz", ".spec.1.yaml"),
            *("log.csv", "b.weights.h5", "fitted.npz"),
        )
    },
    "a socket for the lock": _socket("lock"),
    "a socket for run.json": _socket("run.json"),
    "a link for report.html": _link("report.html", "precious"),
    "a link for the plugins": _link("plugins", "folder"),
    "a link for the models": _link("models", "folder"),
    "a link for fitted.npz": _link("fitted.npz", "precious"),
    "a link of a dead process": _link("checkpoints/.epoch-000001.1.npz", "precious"),
    "a log elsewhere": _callback("TensorBoard: {log_dir: VICTIM/log}"),
    "a backup elsewhere": _callback("BackupAndRestore: {backup_dir: VICTIM/folder}"),
    "a monitor on the network": _callback("RemoteMonitor: {root: 'http://localhost:9'}"),
    "a monitor of files": _callback("ModelCheckpoint: {filepath: '../victim/{epoch}.keras'}"),
    "a spec with a vocabulary": _spec(
        "- Dense: {units: 3}", "- StringLookup: {vocabulary: VICTIM/precious}"
    ),
    "a spec with weights": _spec("outputs: y", "outputs: y\nweights: {from: VICTIM/other.h5}"),
    "a spec with a model": _spec("outputs: y", "outputs: y\nmodels: {m: {path: VICTIM/other.h5}}"),
    "a spec with Python": _spec(
        "outputs: y", "outputs: !!python/object/apply:os.remove [VICTIM/precious]"
    ),
    "a spec with aliases": _text(
        "spec.yaml",
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{y}: &{y} [{', '.join([f'*{x}'] * 9)}]\n" for x, y in itertools.pairwise("abcdefghi")
        ),
    ),
}
"""Changes that some commands refuse and others do not read: none may do harm."""
