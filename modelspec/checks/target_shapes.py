"""Checks of the shapes of targets and sample weights against the losses that use them."""

from modelspec.catalog.losses import LOSSES, Head, LossFacts, Shape, named_loss
from modelspec.data.concatenated import Column
from modelspec.problems.diagnostic import Diagnostic, Route

_IDS_BY_SAMPLE = {
    "sequences": "one row of ids for each sample",
    "groups": "the id of its group for each sample",
}


def check_target_shape(
    head: Head, loss: str, name: str, target: Shape, output: Shape
) -> Diagnostic | None:
    """Return the problem of a target that does not fit its loss; shapes are without the batch."""
    facts = LOSSES.get(loss)
    if facts is None or _fits(facts, loss, target, output):
        return None
    return _wrong_shape(head, facts, name, target, output)


def check_weight_shape(
    head: Head, name: str, weight: Shape, target: Shape, output: Shape
) -> Diagnostic | None:
    """Return the problem of weights whose samples do not fit the losses that they multiply."""
    losses = _loss_shape(head, target, output)
    scale, sizes = _same_rank(weight, losses)
    if len(scale) == len(sizes) and all(
        b is None or a in (1, b) for a, b in zip(scale, sizes, strict=True)
    ):
        return None
    message = (
        f"array {name} has samples of shape {written(weight)}, "
        f"but the losses of output {head.output} have {written(losses)}"
    )
    hint = None if weight else f"save it with shape (n{', 1' * len(losses)})"
    return Diagnostic("wrong-weight-shape", message, head.route, hint=hint)


def _fits(facts: LossFacts, loss: str, target: Shape, output: Shape) -> bool:
    if facts.targets == "groups":
        return target in ((), (1,))
    if facts.targets == "sequences":
        return len(target) == 1
    truth, prediction = _same_rank(target, output)
    if facts.targets != "ids" or not prediction:
        return agree(truth, prediction)
    # Only the sparse losses squeeze; the generalized one would broadcast (n, 1) to (n, n).
    if len(truth) == len(prediction) and truth[-1] == 1 and loss.startswith("sparse"):
        truth = truth[:-1]
    return agree(truth, prediction[:-1])


def _wrong_shape(
    head: Head, facts: LossFacts, name: str, target: Shape, output: Shape
) -> Diagnostic:
    family = facts.targets
    message = f"array {name} has samples of shape {written(target)}, but "
    hint = None
    if family == "ids" and agree(target, output):
        message += f"this loss needs class ids, samples of shape {written(output[:-1])}"
        hint = f"for one-hot rows use categorical_crossentropy, or save {name}.argmax(-1)"
    elif family == "one-hot" and target in (output[:-1], (*output[:-1], 1)):
        message += f"this loss needs one-hot rows as wide as output {head.output}: {output[-1]}"
        hint = (
            "for class ids use sparse_categorical_crossentropy, "
            f"or one-hot encode them: numpy.eye({output[-1]})[{name}]"
        )
    elif family in ("sequences", "groups"):
        message += f"this loss needs {_IDS_BY_SAMPLE[family]}"
    else:
        expected = output[:-1] if family == "ids" else output
        message += f"this loss on output {head.output} needs {written(expected)}"
        if target[: len(expected)] == expected and set(target[len(expected) :]) == {1}:
            hint = f"save {name}.reshape({name}.shape[:{len(expected) + 1}])"
    return Diagnostic("wrong-target-shape", message, head.route, hint=hint)


def _loss_shape(head: Head, target: Shape, output: Shape) -> Shape:
    """Return the shape of the losses of one sample, which the weights multiply."""
    facts = LOSSES.get(named_loss(head.loss, target, output)[0])
    if facts and facts.whole_sample:
        return ()
    return (output if facts and facts.targets == "ids" else _same_rank(target, output)[1])[:-1]


def _same_rank(one: Shape, other: Shape) -> tuple[Shape, Shape]:
    """Apply Keras's ``squeeze_or_expand_to_same_rank`` to shapes without the batch."""
    if len(one) == len(other) + 1 and one[-1] in (1, None):
        return (one, (1,)) if not other else (one[:-1], other)
    if len(other) == len(one) + 1 and other[-1] in (1, None):
        return ((1,), other) if not one else (one, other[:-1])
    return one, other


def extra_axis(
    name: str, array: Column, shape: Shape, route: Route, effect: str = "Keras drops the last one"
) -> list[Diagnostic]:
    """Warn of an additional last axis of length 1, which Keras drops."""
    sample = array.shape[1:]
    if len(sample) != len(shape) + 1 or sample[-1] != 1 or not shape:
        return []
    message = (
        f"array {name} has samples of shape {written(sample)}, one axis more than "
        f"{written(shape)}: {effect}"
    )
    hint = f"save it without that axis: {name}.squeeze(-1)"
    return [Diagnostic("wrong-shape", message, route, severity="warning", hint=hint)]


def agree(one: Shape, other: Shape) -> bool:
    """Return True where the shapes are equal as far as both are known."""
    return len(one) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(one, other, strict=True)
    )


def written(shape: Shape) -> str:
    """Return a shape as a spec writes it: ``[28, null]``."""
    return f"[{', '.join('null' if size is None else str(size) for size in shape)}]"
