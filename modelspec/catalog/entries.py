"""Entries of the catalogue: Keras objects and their arguments."""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, get_args

from modelspec.catalog.file_models import FileModel
from modelspec.catalog.plugins import Plugin

Family = Literal[
    "layer",
    "optimizer",
    "loss",
    "metric",
    "initializer",
    "regularizer",
    "constraint",
    "schedule",
    "callback",
    "activation",
    "operation",
]
FAMILIES: tuple[Family, ...] = get_args(Family)

OPERATION_PREFIX = "ops."
"""The prefix of every operation's name, as in ``ops.mean``."""

FROM = "from"
"""The default of a tensor that an operation requires: it comes from another layer."""

Payload = dict[str, Any]
"""A whole catalogue as plain JSON data, which the survey creates and the cache stores."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One keyword argument of a Keras object.

    ``default`` is source text, None when the argument is required. ``kinds`` is a subset of int,
    float, bool, str, list and object; if it is empty, the types are unknown and every value is
    accepted. ``family`` is set where the argument is a Keras object (then ``kinds`` says "object"
    for one of them, "list" for a list of them, "float" if a plain number is accepted too), and
    ``many`` where a list of them is accepted. ``choices`` are the only strings that Keras
    documents.
    """

    name: str
    required: bool
    default: str | None
    kinds: frozenset[str]
    family: Family | None
    many: bool
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One Keras object that a spec can name.

    ``name`` is its attribute in Keras's public package, also where an alias was looked up.
    ``extra`` says that it takes keyword arguments which could not be read; ``refused`` why a spec
    may not use it. A ``function`` takes no arguments in a spec, which writes only its name.
    ``adapts`` says of a layer that it has ``adapt``, which fits it to data.
    ``module`` is that of a model of ``keras.applications``, which is a layer here; ``model`` is one
    that the spec takes from a file.
    ``call_arguments`` are those of a layer's ``call``, and the tensors of an operation; ``several``
    are those of them that take a list of tensors. ``plugin`` is the name of the plugin that offers
    it; such a loss may need no ``targets``, and such a layer adds a loss of its own.
    """

    name: str
    family: Family
    arguments: Mapping[str, Argument]
    extra: bool
    call_arguments: tuple[str, ...]
    help: str
    doc: str
    refused: str | None
    function: bool
    adapts: bool = False
    several: frozenset[str] = frozenset()
    module: str | None = None
    model: FileModel | None = None
    plugin: str | None = None
    targets: bool = True
    adds_loss: bool = False

    @property
    def is_model(self) -> bool:
        """True for a model as a layer, from ``keras.applications`` or from a file."""
        return self.module is not None or self.model is not None

    def is_needed(self, name: str) -> bool:
        """Return True where a tensor of an operation has no default."""
        return self.arguments[name].default == FROM


def item_family(name: str) -> Family:
    """Return the family of the name in a layer item: "operation" or "layer"."""
    return "operation" if name.startswith(OPERATION_PREFIX) else "layer"


class Catalog:
    """All objects of the installed Keras, by family and name.

    Entries are created on first use, because a spec uses a dozen of several hundred.
    """

    def __init__(self, payload: Payload, plugins: tuple[Plugin, ...] = ()) -> None:
        self.version: str = payload["version"]
        self.plugins = plugins
        self.models: Mapping[str, FileModel] = {}
        self._arguments: list[list[Any]] = payload["arguments"]
        self._families: dict[Family, dict[str, Any]] = payload["families"]
        self._entry = lru_cache(maxsize=None)(self._make_entry)

    @property
    def identity(self) -> str:
        """The version of Keras, the plugins and the models from files, as a key for caches."""
        plugins = (plugin.sha256 for plugin in self.plugins)
        models = (model.identity for model in self.models.values())
        return " ".join([self.version, *plugins, *models])

    def with_models(self, models: Iterable[FileModel]) -> "Catalog":
        """Return a copy of the catalogue in which models from files are layers too."""
        extended = copy(self)
        extended.models = {model.name: model for model in models}
        return extended

    def with_restored_models(self) -> "Catalog":
        """Return a copy whose models from files have the weights of a checkpoint."""
        return self.with_models(replace(model, restored=True) for model in self.models.values())

    def find(self, family: Family, name: str) -> Entry | None:
        """Return the entry that Keras's ``get`` finds; optimizers also in other case."""
        if family == "layer" and name in self.models:
            return _model_entry(self.models[name])
        known = self._families[family]
        aliases = known["aliases"]
        real = aliases.get(name, name)
        if real not in known["entries"] and family == "optimizer":
            real = aliases.get(name.lower(), name)
        return self._entry(family, real) if real in known["entries"] else None

    def names(self, family: Family) -> tuple[str, ...]:
        """Return the public names that a spec can write, one for each object, sorted."""
        entries = self._families[family]["entries"]
        return tuple(sorted(name for name, entry in entries.items() if not entry["refused"]))

    def known(self, family: Family) -> tuple[str, ...]:
        """Return all names and aliases that a spec can write, sorted."""
        names = set(self.names(family))
        aliases = self._families[family]["aliases"]
        others = {alias for alias, name in aliases.items() if name in names}
        models = set(self.models) if family == "layer" else set()
        return tuple(sorted(names | others | models))

    def _make_entry(self, family: Family, name: str) -> Entry:
        raw = self._families[family]["entries"][name]
        arguments = (self._argument(index) for index in raw["arguments"])
        return Entry(
            name=name,
            family=family,
            arguments=MappingProxyType({argument.name: argument for argument in arguments}),
            extra=raw["extra"],
            call_arguments=tuple(raw["call_arguments"]),
            help=raw["help"],
            doc=raw["doc"],
            refused=raw["refused"],
            function=raw["function"],
            adapts=raw["adapts"],
            several=frozenset(raw["several"]),
            module=raw["module"],
            plugin=raw.get("plugin"),
            targets=raw.get("targets", True),
            adds_loss=raw.get("adds_loss", False),
        )

    def _argument(self, index: int) -> Argument:
        name, default, kinds, family, many, choices, text = self._arguments[index]
        return Argument(
            name=name,
            required=default is None,
            default=default,
            kinds=frozenset(kinds),
            family=family,
            many=many,
            choices=tuple(choices),
            help=text,
        )


def _model_entry(model: FileModel) -> Entry:
    return Entry(
        name=model.name,
        family="layer",
        arguments={},
        extra=False,
        call_arguments=(*model.inputs, "training"),
        help=f"The model in {model.path}.",
        doc="",
        refused=None,
        function=False,
        model=model,
    )
