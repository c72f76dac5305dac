"""The arrays of a script: what reads the data file, and the expression for each array."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from modelspec.convert.python.layout import Code, call, lines, sequence, string
from modelspec.convert.python.names import Names
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.spec import ClassColumn
from modelspec.problems.errors import ModelError

_DELIMITERS: Mapping[str, str] = {".csv": ",", ".tsv": "\\t"}

READ_TABLE = '''def read_table(path, text=()):
    """Return the columns of a table; those that are not ``text`` become numbers if they can."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file{more})
    columns = {{}}
    for name, cells in zip(header, zip(*rows)):
        columns[name] = np.array(cells, object)
        if name not in text:
            try:
                columns[name] = np.array([float(cell or "nan") for cell in cells])
            except ValueError:
                pass
    return columns'''

CLASS_IDS = '''def class_ids(names, classes=None):
    """Return the position of each name in the classes, or else in all names, sorted."""
    names = [name.strip() if isinstance(name, str) else name for name in names.tolist()]
    position = {name: index for index, name in enumerate(classes or sorted(set(names)))}
    return np.array([position[name] for name in names])'''

LOAD = '''def load(data, name):
    """Return an array of the training part."""
    return data[f"{name}_train" if f"{name}_train" in data else name]'''


@dataclass(frozen=True, slots=True)
class ArrayNames:
    """The arrays of a data file, by the names of inputs, outputs and ``NAME_weight``.

    ``validation`` are those of a validation part, None where there is none.
    """

    path: str
    training: Mapping[str, str]
    validation: Mapping[str, str] | None = None


class Arrays:
    """Expressions for arrays by the names of the spec; without ``names``, the data is not known."""

    def __init__(self, valid: ValidSpec, names: ArrayNames | None) -> None:
        self._valid, self._names = valid, names
        sources = valid.spec.data
        self._stacks = {name: each for name, each in sources.items() if isinstance(each, tuple)}
        self._classes = {
            name: each for name, each in sources.items() if isinstance(each, ClassColumn)
        }
        suffix = PurePath(names.path).suffix.lower() if names else ""
        self._delimiter = _DELIMITERS.get(suffix)
        if suffix in {".parquet", ".pq"}:
            raise ModelError("a script reads no Parquet files: it needs Keras and NumPy alone")
        if names and names.validation is not None and (self._stacks or self._classes):
            raise ModelError(
                "a script cannot have a validation part with columns side by side or with names "
                "of classes"
            )
        own = Names(["x", "y", "weights", "held_out", "count", "data_path", "model_path", "array"])
        made = [*self._stacks, *self._classes]
        self._variables = {name: own.give(name) for name in made}

    @property
    def is_table(self) -> bool:
        """Whether the data is a CSV or TSV file."""
        return self._delimiter is not None

    def helpers(self) -> Iterator[str]:
        """The functions that the expressions call."""
        if self._delimiter is not None:
            more = "" if self._delimiter == "," else f', delimiter="{self._delimiter}"'
            yield READ_TABLE.format(more=more)
        if self._names is None or (self._stacks and not self.is_table):
            yield LOAD
        if self._classes:
            yield CLASS_IDS

    def opened(self) -> Iterator[str]:
        """Lines that open the data, and make the arrays that consist of several."""
        if self.is_table:
            text = [
                string(self._column(name))
                for name, entry in self._valid.graph.inputs.items()
                if entry.dtype == "string"
            ]
            arguments = [Code("data_path")]
            arguments += [sequence(text).before("text=")] if text else []
            yield from lines(call("data = read_table", arguments), 4)
        else:
            yield "    data = np.load(data_path)"
        for name, columns in self._stacks.items():
            stack = call("np.stack", [sequence(map(self._read, columns)), Code("axis=-1")])
            yield from lines(stack.before(f"{self._variables[name]} = "), 4)
        for name, source in self._classes.items():
            column = self._read(source.column) if self._names is None else self._member(name)
            arguments = [column]
            if source.classes is not None:
                arguments.append(sequence(map(_class_name, source.classes)))
            yield from lines(call(f"{self._variables[name]} = class_ids", arguments), 4)

    def of(self, name: str, names: Mapping[str, str] | None) -> Code:
        """The array of an input, of an output or of weights; ``names`` are those of a part."""
        if name in self._variables:
            return Code(self._variables[name])
        if names is None:
            return self._read(self._column(name))
        return Code(f"data[{string(names[name]).flat}]")

    def _column(self, name: str) -> str:
        if self._names is not None and name in self._names.training:
            return self._names.training[name]
        return str(self._valid.spec.data.get(name, name))

    def _member(self, name: str) -> Code:
        return Code(f"data[{string(self._column(name)).flat}]")

    def _read(self, column: str) -> Code:
        if self.is_table:
            return Code(f"data[{string(column).flat}]")
        return call("load", [Code("data"), string(column)])


def _class_name(name: str | int) -> Code:
    return string(name) if isinstance(name, str) else Code(str(name))
