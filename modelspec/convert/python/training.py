"""``main``: the data, ``fit`` and ``save``."""

from collections.abc import Iterator, Mapping

from modelspec.catalog.losses import LOSSES, named_loss
from modelspec.convert.python.arrays import ArrayNames, Arrays
from modelspec.convert.python.fitting import fitting_lines
from modelspec.convert.python.layout import Code, call, lines, sequence, string
from modelspec.convert.python.outputs import in_form
from modelspec.convert.python.rates import rates_function, rates_lines
from modelspec.convert.python.starting import Start, starting_functions, starting_lines
from modelspec.convert.python.strategies import balance_function, balance_lines
from modelspec.convert.python.validation_rows import ValidationRows
from modelspec.convert.python.values import Values
from modelspec.graph.heads import Head
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.loss_weights import Strategy
from modelspec.language.training import GroupedRows

CLASS_WEIGHTS = '''def class_weights(target, weights):
    """Return the weight of each row, by its class."""
    classes = target.reshape(-1) if target.size == len(target) else target.argmax(-1)
    return np.array([weights.get(int(each), 1.0) for each in classes], "float32")'''


class Main:
    """Writes ``main`` for a spec; without ``arrays``, the names are those of the spec."""

    def __init__(
        self,
        valid: ValidSpec,
        arrays: ArrayNames | None,
        values: Values,
        *,
        strategy: Strategy | None = None,
        weighted: frozenset[str] = frozenset(),
        start: Start | None = None,
    ) -> None:
        self._strategy, self._weighted, self._start = strategy, weighted, start
        self._valid, self._arrays, self._values = valid, arrays, values
        self._training = valid.spec.training
        self._heads = [head for head in valid.heads if head.loss is not None or head.metrics]
        separate = arrays is not None and arrays.validation is not None
        self._held_out = ValidationRows(self._training.validation_split, separate=separate)
        self._data = Arrays(valid, arrays)
        self._weighted_classes = [head for head in valid.heads if head.class_weights]

    def helpers(self) -> Iterator[str]:
        """Yield functions that ``main`` calls."""
        yield from self._held_out.helpers()
        if self._weighted_classes and not self._plain_class_weights():
            yield CLASS_WEIGHTS
        if _is_trained(self._valid):
            yield from self._data.helpers()
            if self._strategy is not None:
                yield balance_function(self._strategy)
            if self._training.learning_rates:
                yield rates_function(self._valid)
        if self._start is not None:
            yield from starting_functions(self._start)

    def lines(self) -> Iterator[str]:
        yield "def main(data_path=DATA, model_path=MODEL):"
        if not _is_trained(self._valid):
            yield "    keras.utils.set_random_seed(SEED)"
            if self._start is None:
                yield "    build_model().save(model_path)"
                return
            if self._start.needs_data:
                yield "    data = np.load(data_path)"
            yield "    model = build_model()"
            yield from starting_lines(self._start)
            yield "    model.save(model_path)"
            return
        yield "    # TensorFlow then adds numbers in the same order in every run."
        yield '    os.environ["TF_DETERMINISTIC_OPS"] = "1"'
        yield from self._data.opened()
        yield from self._arrays_of("", self._arrays.training if self._arrays else None)
        yield from self._split()
        yield "    keras.utils.set_random_seed(SEED)"
        yield "    model = build_model()"
        if self._start is not None:
            yield from starting_lines(self._start)
        if self._training.learning_rates:
            yield from rates_lines(self._valid)
        names = self._arrays.training if self._arrays else None
        rows = "~held_out" if self._held_out else None
        yield from fitting_lines(self._valid, self._data, names, rows)
        if self._strategy is not None:
            yield from balance_lines(self._valid, self._values, self._strategy, self._weighted)
        yield from self._comments()
        yield from lines(call("model.fit", self._arguments()), 4)
        yield "    model.save(model_path)"

    def _arrays_of(self, prefix: str, names: Mapping[str, str] | None) -> Iterator[str]:
        inputs = []
        for name, entry in self._valid.graph.inputs.items():
            dtype = "float32" if entry.dtype == "bfloat16" else entry.dtype
            kind = Code("object") if dtype == "string" else string(dtype)
            array = self._data.of(name, names).flat
            inputs.append(Code(f"{array}.astype(", (kind,), ")"))
        x = inputs[0] if len(inputs) == 1 else sequence(inputs)
        yield from lines(x.before(f"{prefix}x = "), 4)
        targets = {head.output: self._target(head, names) for head in self._valid.heads}
        yield from lines(in_form(self._valid.graph, targets).before(f"{prefix}y = "), 4)
        weights = self._weights(prefix, names)
        if weights is not None:
            yield from lines(weights.before(f"{prefix}weights = "), 4)

    def _target(self, head: Head, names: Mapping[str, str] | None) -> Code:
        if head not in self._heads or (names is not None and head.output not in names):
            first = self._data.of(next(iter(self._valid.graph.inputs)), names).flat
            return Code(f"np.zeros((len({first}), 1))")
        return self._data.of(head.output, names)

    def _weights(self, prefix: str, names: Mapping[str, str] | None) -> Code | None:
        """Return weights of samples, if there are any."""
        graph, spec = self._valid.graph, self._valid.spec
        weights: dict[str, Code] = {}
        for head in self._valid.heads:
            array = (names or {}).get(f"{head.output}_weight")
            parts = [f"data[{string(array).flat}]"] if array else []
            if head.class_weights and not prefix and not self._plain_class_weights():
                table = self._values.value(dict(spec.training.class_weights[head.output])).flat
                parts.append(f"class_weights({self._target(head, names).flat}, {table})")
            if parts:
                weights[head.output] = Code(" * ".join(parts))
        if not weights:
            return None
        first = self._data.of(next(iter(graph.inputs)), names).flat
        rest = Code(f"np.ones(len({first}))")
        return in_form(
            graph, {head.output: weights.get(head.output, rest) for head in self._valid.heads}
        )

    def _plain_class_weights(self) -> bool:
        """Return True where ``fit`` accepts the class weights: one output, no other weights."""
        names = self._arrays.training if self._arrays else {}
        single = len(self._valid.heads) == 1 and self._valid.graph.form != "mapping"
        return single and f"{self._valid.heads[0].output}_weight" not in names

    def _split(self) -> Iterator[str]:
        if self._arrays and self._arrays.validation is not None:
            yield from self._arrays_of("val_", self._arrays.validation)
            return
        first = "x" if len(self._valid.graph.inputs) == 1 else "x[0]"
        names = self._arrays.training if self._arrays else None
        head = next((head for head in self._heads if _has_classes(head)), None)
        classes = self._target(head, names) if head is not None else None
        yield from self._held_out.lines(first, classes)

    def _comments(self) -> Iterator[str]:
        training = self._training
        if isinstance(training.validation_split, GroupedRows):
            yield "    # Validation on whole groups is not written out: all rows train."
        if training.shuffle:
            yield "    # Keras shuffles the rows in its own order."
        if self._arrays is None:
            yield "    # Weights of samples are not known without the data; fit has sample_weight."

    def _arguments(self) -> Iterator[Code]:
        weighted = self._weights("", self._arrays.training if self._arrays else None) is not None
        chosen = "~held_out" if self._held_out else None
        yield self._rows("x", chosen)
        yield self._rows("y", chosen)
        yield Code("batch_size=BATCH_SIZE")
        yield Code("epochs=EPOCHS")
        yield Code(f"shuffle={self._training.shuffle}")
        if weighted:
            yield self._rows("weights", chosen).before("sample_weight=")
        if self._weighted_classes and self._plain_class_weights():
            table = self._training.class_weights[self._weighted_classes[0].output]
            yield self._values.value(dict(table)).before("class_weight=")
        if self._held_out:
            held = [self._rows("x", "held_out"), self._rows("y", "held_out")]
            yield Code("validation_data=(", tuple(held), ")")
        elif self._arrays and self._arrays.validation is not None:
            names = ["val_x", "val_y"]
            if self._weights("val_", self._arrays.validation) is not None:
                names.append("val_weights")
            yield Code(f"validation_data=({', '.join(names)})")
        if self._training.callbacks:
            callbacks = [self._callback(value) for value in self._training.callbacks]
            yield sequence(callbacks).before("callbacks=")

    def _callback(self, value: object) -> Code:
        return self._values.construct("callback", value, {})

    def _rows(self, variable: str, chosen: str | None) -> Code:
        """Select rows of all arrays of a variable, in its form."""
        if chosen is None:
            return Code(variable)
        graph = self._valid.graph
        if variable == "x":
            single, by_name = len(graph.inputs) == 1, False
        else:
            form = in_form(graph, {head.output: Code("a") for head in self._valid.heads})
            single, by_name = form.head == "a", form.head == "{"
        if single:
            return Code(f"{variable}[{chosen}]")
        if by_name:
            return Code(f"{{name: array[{chosen}] for name, array in {variable}.items()}}")
        return Code(f"[array[{chosen}] for array in {variable}]")


def _is_trained(valid: ValidSpec) -> bool:
    return any(head.loss is not None for head in valid.heads)


def _has_classes(head: Head) -> bool:
    facts = LOSSES.get(named_loss(head.loss, (), None)[0])
    return facts is not None and facts.targets in ("ids", "one-hot", "binary")
