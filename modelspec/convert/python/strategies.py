"""Strategies for loss weights: a function ``balance`` that gives a model another training step.

Its numbers are those of ``backend/loss_weights``, in TensorFlow, because Keras has no gradients of
its own.
"""

from collections.abc import Iterator
from typing import Any

from modelspec.catalog import Catalog
from modelspec.catalog.losses import folded, is_regression, named_loss
from modelspec.convert.python.layout import Code, call, lines, string
from modelspec.convert.python.outputs import in_form
from modelspec.convert.python.values import Values
from modelspec.graph.shared_layers import outputs_of_layers
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.loss_weights import (
    APART,
    BEST,
    Auto,
    GradNorm,
    Strategy,
    Uncertainty,
)
from modelspec.problems.errors import ModelError

_BALANCE = '''def balance(model, losses{arguments}):
    """{help}"""
    losses = keras.tree.flatten(losses)
    count = len(losses)
{state}
    steps = keras.Variable(0.0, dtype="float32")
    current = keras.Variable(np.ones(count), dtype="float32")

    def values_of(y, predicted, weights):
        weights = [None] * count if weights is None else keras.tree.flatten(weights)
        columns = [keras.tree.flatten(y), keras.tree.flatten(predicted), weights]
        return tf.stack([loss(*row) for loss, *row in zip(losses, *columns)])

    def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=False):
        values = values_of(y, y_pred, sample_weight)
        return tf.reduce_sum(current * values) + sum(model.losses){beside}

    def train_step(data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape(persistent=True) as tape:
            predicted = model(x, training=True)
            values = values_of(y, predicted, sample_weight)
            with tape.stop_recording():
{choose}
                current.assign(chosen)
            total = tf.reduce_sum(chosen * values) + sum(model.losses)
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(total, variables), variables)
{learn}        steps.assign_add(1.0)
        metrics = model.compute_metrics(x, y, predicted, sample_weight)
        return {{**metrics, "loss": total{beside}}}

    model.compute_loss, model.train_step = compute_loss, train_step'''

_UNCERTAINTY = {
    "arguments": ", forms",
    "help": "Learn the variances of the losses with the model (Kendall, Gal and Cipolla 2018).",
    "state": """    forms = tf.constant(keras.tree.flatten(forms), "float32")
    adam = keras.optimizers.Adam({learning_rate}, epsilon=1e-5)
    log_variances = keras.Variable(np.zeros(count), dtype="float32")
    adam.build([log_variances])""",
    "choose": """{started}                chosen = forms * tf.exp(-log_variances)""",
    "started": """                best = tf.math.log(2 * forms * tf.abs(values))
                best = tf.clip_by_value(best, -20, 80)
                log_variances.assign(tf.where(steps > 0, log_variances, best))
""",
    "learn": """        adam.apply([0.5 - chosen * tf.abs(values)], [log_variances])
        log_variances.assign(tf.clip_by_value(log_variances, -20, 80))
        current.assign(forms * tf.exp(-log_variances))
""",
    "beside": " + tf.reduce_sum(log_variances) / 2",
}

_GRADNORM = {
    "arguments": ", shared",
    "help": "Balance the gradients of the losses on a shared layer (Chen et al. 2018).",
    "state": """    shared = shared.trainable_variables
    adam = keras.optimizers.Adam({learning_rate})
    first = keras.Variable(np.ones(count), dtype="float32")
    units = keras.Variable(np.ones(count), dtype="float32")
    relative = keras.Variable(np.ones(count), dtype="float32")
    adam.build([relative])""",
    "choose": """                norms = []
                for index in range(count):
                    row = tf.one_hot(index, count)
                    gradients = tape.gradient(values, shared, output_gradients=row)
                    norms.append(tf.add_n([tf.reduce_sum(g * g) for g in gradients]))
                norms = tf.sqrt(tf.stack(norms))
                first.assign(tf.where(steps > 0, first, values))
{started}                chosen = relative * units""",
    "started": """                best = 1 / norms
                units.assign(tf.where(steps > 0, units, best / tf.reduce_mean(best)))
""",
    "learn": """        pulls = chosen * norms
        left = values / first
        targets = tf.reduce_mean(pulls) * (left / tf.reduce_mean(left)) ** {alpha}
        apart = pulls - targets
        signs = tf.where(tf.abs(apart) > 1e-5 * targets, tf.sign(apart), 0.0)
        adam.apply([signs * units * norms], [relative])
        positive = tf.maximum(relative, 1e-3)
        relative.assign(positive * count / tf.reduce_sum(positive * units))
        current.assign(relative * units)
""",
    "beside": "",
}

_EQUAL = {
    "arguments": "",
    "help": "Divide each loss by its running mean.",
    "state": """    first = keras.Variable(np.zeros(count), dtype="float32")
    sums = keras.Variable(np.zeros(count), dtype="float32")""",
    "choose": """                sizes = tf.abs(values)
                first.assign(tf.where(steps > 0, first, sizes))
                sums.assign({momentum} * sums + (1 - {momentum}) * sizes)
                means = sums / (1 - {momentum} ** (steps + 1))
                chosen = 1 / tf.maximum(means, 1e-3 * first)
                chosen = chosen / tf.reduce_mean(chosen)""",
    "started": "",
    "learn": "",
    "beside": "",
}


def chosen_strategy(valid: ValidSpec, weighted: frozenset[str]) -> Strategy | None:
    """Return the strategy of a spec; ``weighted`` are the layers with trained weights.

    Raises:
        ModelError: A script cannot have it.
    """
    settings = valid.strategy
    if settings is None:
        return None
    if any(head.loss is None for head in valid.heads):
        raise ModelError(
            "a script cannot have a strategy for loss_weights beside outputs without a loss"
        )
    if valid.spec.training.precision != "float32":
        raise ModelError("a script cannot have a strategy for loss_weights in half precision")
    if isinstance(settings, Auto):
        return APART() if shared_layer(valid, weighted) is None else BEST()
    return settings


def shared_layer(valid: ValidSpec, weighted: frozenset[str]) -> str | None:
    """Return the last layer with weights on which all outputs depend."""
    outputs = [head.output for head in valid.heads]
    reached = outputs_of_layers(valid.graph, outputs).items()
    shared = [name for name, served in reached if served.issuperset(outputs) and name in weighted]
    return shared[-1] if shared else None


def balance_function(strategy: Strategy) -> str:
    """Return the function ``balance`` of a script."""
    texts = {"gradnorm": _GRADNORM, "uncertainty": _UNCERTAINTY, "equal": _EQUAL}
    match strategy:
        case GradNorm():
            chosen = texts["gradnorm"]
        case Uncertainty():
            chosen = texts["uncertainty"]
        case _:
            chosen = texts["equal"]
    settings: dict[str, Any] = strategy.model_dump()
    started = chosen["started"] if settings.get("from_first_batch") else ""
    parts = {
        key: text.format(**settings, started=started)
        for key, text in chosen.items()
        if key != "started"
    }
    return _BALANCE.format(**parts)


def balance_lines(
    valid: ValidSpec, values: Values, strategy: Strategy, weighted: frozenset[str]
) -> Iterator[str]:
    """Yield the call of ``balance`` in ``main``."""
    graph = valid.graph
    losses = {head.output: _loss(valid.catalog, values, head.loss) for head in valid.heads}
    arguments = [Code("model"), in_form(graph, losses)]
    if isinstance(strategy, GradNorm):
        name = shared_layer(valid, weighted)
        assert name is not None
        arguments.append(Code(f"model.get_layer({string(name).flat})"))
    elif isinstance(strategy, Uncertainty):
        forms = {
            head.output: Code("0.5" if is_regression(head.loss) else "1.0") for head in valid.heads
        }
        arguments.append(in_form(graph, forms))
    yield from lines(call("balance", arguments), 4)


def _loss(catalog: Catalog, values: Values, loss: Any) -> Code:
    """Return a loss as an object: a function returns one value for each row, without a mean."""
    if not isinstance(loss, str):
        return values.construct("loss", loss, {})
    wanted = named_loss(loss, (), None)[0]
    for name in catalog.names("loss"):
        entry = catalog.find("loss", name)
        if entry is not None and not entry.function and folded(entry.name) == wanted:
            return values.construct("loss", entry.name, {})
    raise ModelError(f"a script cannot have a strategy for loss_weights with the loss {loss}")
