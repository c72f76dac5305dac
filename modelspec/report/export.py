"""The proof of an exported file as tables."""

from rich.console import Console

from modelspec.problems.units import size
from modelspec.report.prose import print_prose
from modelspec.report.table import print_table
from modelspec.results.export import OutputProof, Proof


def print_proof(console: Console, proof: Proof) -> None:
    """Print outputs, metrics, size and time of a file beside those of Keras."""
    header = ("output", "largest difference", "relative", "typical", "same argmax", "")
    rows = [_output_row(output) for output in proof.outputs]
    if rows:
        print_table(console, header, rows, {1, 2, 3, 4})
    if proof.before:
        names = proof.before.keys() & proof.after.keys()
        metrics = [
            (name, f"{value:.6g}", f"{proof.after[name]:.6g}")
            for name, value in proof.before.items()
            if name in names
        ]
        print_table(console, ("metric", "Keras", proof.format), metrics, {1, 2})
    for line in proof_lines(proof):
        print_prose(console, line)


def proof_lines(proof: Proof) -> list[str]:
    """Return the facts about the file as a whole."""
    if not proof.outputs:
        return [size(proof.bytes), *(f"note: {note}" for note in proof.notes)]
    rows = "rows of the data" if proof.from_data else "random rows"
    measure = "typical" if proof.int8 else "relative"
    where = f"{proof.rows:,} {rows}, {proof.runtime} in a separate process"
    speed = f"{proof.milliseconds:.3g} ms a row, Keras {proof.milliseconds_keras:.3g} ms"
    lines = [
        f"{where}; the tolerance is {proof.tolerance:g} {measure}",
        f"{size(proof.bytes)}; {speed}",
    ]
    return [*lines, *(f"note: {note}" for note in proof.notes)]


def _output_row(output: OutputProof) -> tuple[str, ...]:
    same = "" if output.same_argmax is None else f"{100 * output.same_argmax:.4g} %"
    verdict = "" if output.passed else "differs"
    return (
        output.name,
        f"{output.largest_absolute:.3g}",
        f"{output.largest_relative:.3g}",
        f"{output.typical_relative:.3g}",
        same,
        verdict,
    )
