"""Steady state: epochs, evaluation and prediction in processes that are warm."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from harness import REPOSITORY, Measured, Row, Worker, alternate, environment, python

FIT, TUNED = "model.fit", "model.fit, best steps_per_execution"
JAX, TORCH = "Keras on JAX, best steps_per_execution", "PyTorch, eager loop"


@dataclass(frozen=True)
class Peer:
    """The other side of a row: its worker, and the required ratio."""

    name: str
    script: str
    bar: float | None
    more: tuple[str, ...] = ()
    backend: str = "tensorflow"
    interpreter: str = ""

    def start(self, *arguments: str) -> Worker:
        interpreter = self.interpreter or python()
        return Worker(interpreter, self.script, *arguments, *self.more, KERAS_BACKEND=self.backend)


def mlp(rounds: int, *, quick: bool, torch: str | None) -> Iterator[Row]:
    rows = 640 if quick else 20_000
    peers = [
        Peer(FIT, "keras_fit.py", 20),
        Peer(TUNED, "keras_fit.py", None, ("tuned",)),
        Peer(JAX, "keras_fit.py", 1.3, ("tuned",), backend="jax"),
    ]
    if torch:
        peers.append(Peer(TORCH, "torch_fit.py", 10, interpreter=torch))
    return _epochs("mlp", f"mlp, batch 32, {rows:,} rows, steady epoch", rows, peers, rounds)


def question_answering(rounds: int, *, quick: bool) -> Iterator[Row]:
    rows = 256 if quick else 3_840
    work = f"question_answering, batch 128, {rows:,} rows of 100 words, steady epoch"
    peers = [Peer(FIT, "keras_fit.py", 1.15)]
    return _epochs("question_answering", work, rows, peers, rounds)


def author_profile(rounds: int, *, quick: bool) -> Iterator[Row]:
    """Yield rows compared with ``fit``, and with the largest speed of the machine."""
    rows = 64 if quick else 320
    work = f"author_profile, batch 64, {rows} rows of 500 words, steady epoch"
    flops = _training_flops("author_profile", "posts=500")
    with ExitStack() as opened:
        workers = {
            "ours": opened.enter_context(
                Worker(python(), "ours_fit.py", "author_profile", str(rows))
            ),
            "fit": opened.enter_context(
                Worker(python(), "keras_fit.py", "author_profile", str(rows))
            ),
            "peak": opened.enter_context(Worker(python(), "matmul.py")),
        }
        rates = alternate(workers, rounds)
    yield Row(work, FIT, "samples/s", rates["ours"], rates["fit"], 1.0)
    ours, peak = ([rate / 1e9 for rate in side] for side in (rates["ours"], rates["peak"]))
    ours = [flops * rate for rate in ours]
    yield Row("its arithmetic", "product of matrices of 3,000", "GFLOP/s", ours, peak)


def _training_flops(name: str, shape: str) -> float:
    """Return the operations of training one sample, as ``summary --costs`` counts them."""
    spec = str(REPOSITORY / "specs" / f"{name}.yaml")
    command = [python(), "-m", "modelspec", "summary", spec, "--costs", "--shape", shape]
    ran = subprocess.run(
        [*command, "--format", "json"], capture_output=True, check=True, env=environment()
    )
    return float(json.loads(ran.stdout)["costs"]["flops"]["training_sample"])


def inference(rounds: int, *, quick: bool) -> Iterator[Row]:
    ours, theirs = ("6400", "640") if quick else ("640000", "64000")
    for verb in ("evaluate", "predict"):
        with (
            Worker(python(), "ours_infer.py", verb, ours) as mine,
            Worker(python(), "keras_infer.py", verb, theirs) as plain,
        ):
            rates = alternate({"ours": mine, "plain": plain}, rounds)
        work, against = f"mlp, {verb}, batch 32, steady", f"model.{verb}"
        yield Row(work, against, "samples/s", rates["ours"], rates["plain"], 10)


def _epochs(name: str, work: str, rows: int, peers: list[Peer], rounds: int) -> Iterator[Row]:
    with ExitStack() as opened:
        started = {
            peer.name: opened.enter_context(peer.start(name, str(rows)))
            for peer in [Peer("ours", "ours_fit.py", None), *peers]
        }
        sides: dict[str, Measured] = {**started}
        rates = alternate(sides, rounds)
    for peer in peers:
        note = started[peer.name].note
        yield Row(work, peer.name, "samples/s", rates["ours"], rates[peer.name], peer.bar, note)
