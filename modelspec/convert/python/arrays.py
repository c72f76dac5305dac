"""The arrays of a script: the code that reads the data file, and the expression for each array."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from modelspec.catalog.losses import outputs_of_one_hot
from modelspec.convert.python.layout import Code, call, lines, mapping, sequence, string
from modelspec.convert.python.names import Names
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.columns import ColumnSource, Source
from modelspec.problems.errors import ModelError

_DELIMITERS: Mapping[str, str] = {".csv": ",", ".tsv": "\\t"}
_PARQUET = frozenset({".parquet", ".pq"})

_TYPED_COLUMN = """        cells = ["" if cell in missing.get(name, ()) else cell for cell in cells]
        columns[name] = np.array(cells, object)
        if name not in text:
            try:
                columns[name] = np.array([float(cell or "nan") for cell in cells])
            except ValueError:
                pass
    return columns"""
"""Code that both kinds of tables share, for the cells of a column."""

READ_TABLE = (
    '''def read_table(path, text=(), missing={{}}):
    """Return the columns of a table; those that are not ``text`` become numbers if they can."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file{more})
    columns = {{}}
    for name, cells in zip(header, zip(*rows)):
'''
    + _TYPED_COLUMN
)

READ_PARQUET = (
    '''def read_table(path, text=(), missing={}):
    """Return the columns of a table; those that are not ``text`` become numbers if they can."""
    columns = {}
    for column in pl.read_parquet(path, glob=False):
        name = column.name
        if column.dtype == pl.Boolean and name not in text:
            column = column.cast(pl.Int8)
        cells = column.cast(pl.String).fill_null("").to_list()
'''
    + _TYPED_COLUMN
)

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
    """Expressions for arrays by the names of the spec; without ``names``, the data is unknown."""

    def __init__(self, valid: ValidSpec, names: ArrayNames | None) -> None:
        self._valid, self._names = valid, names
        sources = valid.spec.data
        self._stacks = {
            name: columns
            for name, source in sources.items()
            if isinstance(columns := _columns(source), tuple)
        }
        self._classes = {
            name: source
            for name, source in sources.items()
            if isinstance(source, ColumnSource)
            and source.has_classes
            and name in valid.graph.outputs
        }
        self._pinned = {
            name: source for name, source in sources.items() if isinstance(source, ColumnSource)
        }
        self._one_hot = outputs_of_one_hot(valid.heads)
        suffix = PurePath(names.path).suffix.lower() if names else ""
        self._delimiter = _DELIMITERS.get(suffix)
        self._is_parquet = suffix in _PARQUET
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
        """True where the data is a CSV, TSV or Parquet file."""
        return self._is_parquet or self._delimiter is not None

    def helpers(self) -> Iterator[str]:
        """Yield the functions that the expressions call."""
        if self._delimiter is not None:
            more = "" if self._delimiter == "," else f', delimiter="{self._delimiter}"'
            yield READ_TABLE.format(more=more)
        if self._is_parquet:
            yield READ_PARQUET
        if self._names is None or (self._stacks and not self.is_table):
            yield LOAD
        if self._classes:
            yield CLASS_IDS

    def opened(self) -> Iterator[str]:
        """Yield lines that open the data, and create the arrays that consist of several."""
        if self.is_table:
            arguments = [Code("data_path")]
            if text := self._text_columns():
                arguments.append(sequence(map(string, text)).before("text="))
            missing = {
                string(column): sequence(map(string, source.missing))
                for source in self._pinned.values()
                if source.missing
                for column in _tuple(source.column)
            }
            if missing:
                arguments.append(mapping(missing.items()).before("missing="))
            yield from lines(call("data = read_table", arguments), 4)
        else:
            yield "    data = np.load(data_path)"
        for name, columns in self._stacks.items():
            stack = call("np.stack", [sequence(map(self._read, columns)), Code("axis=-1")])
            yield from lines(stack.before(f"{self._variables[name]} = "), 4)
        for name, source in self._classes.items():
            arguments = [self._of_column(name)]
            if source.classes is not None:
                arguments.append(sequence(map(_class_name, source.classes)))
            ids = call(f"{self._variables[name]} = class_ids", arguments)
            yield from lines(ids, 4)
            if name in self._one_hot:
                variable = self._variables[name]
                size = f"{variable}.max() + 1" if source.classes is None else len(source.classes)
                yield f"    {variable} = np.eye({size})[{variable}]"

    def _text_columns(self) -> list[str]:
        """Return the columns of a table that stay text."""
        inputs = self._valid.graph.inputs
        names = [name for name, entry in inputs.items() if entry.dtype == "string"]
        names += [name for name, source in self._pinned.items() if source.dtype == "string"]
        sources = self._valid.spec.data
        columns = [
            column
            for name in dict.fromkeys(names)
            for column in (
                _tuple(_columns(sources[name])) if name in sources else (self._column(name),)
            )
        ]
        return list(dict.fromkeys(columns))

    def _of_column(self, name: str) -> Code:
        if self._names is None:
            return self._read(self._column(name))
        return Code(f"data[{string(self._column(name)).flat}]")

    def of(self, name: str, names: Mapping[str, str] | None) -> Code:
        """Return the array of an input, an output or weights; ``names`` are those of a part."""
        if name in self._variables:
            return Code(self._variables[name])
        if names is None:
            return self._read(self._column(name))
        return Code(f"data[{string(names[name]).flat}]")

    def _column(self, name: str) -> str:
        if self._names is not None and name in self._names.training:
            return self._names.training[name]
        source = self._valid.spec.data.get(name, name)
        return str(_columns(source))

    def _read(self, column: str) -> Code:
        if self.is_table:
            return Code(f"data[{string(column).flat}]")
        return call("load", [Code("data"), string(column)])


def _columns(source: Source) -> str | tuple[str, ...]:
    columns: str | tuple[str, ...] = source.column if isinstance(source, ColumnSource) else source
    return columns


def _tuple(columns: str | tuple[str, ...]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else columns


def _class_name(name: str | int) -> Code:
    return string(name) if isinstance(name, str) else Code(str(name))
