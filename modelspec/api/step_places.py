"""The place in the spec of an error that ends a step."""

from collections.abc import Iterator
from contextlib import contextmanager

from modelspec.api.model_spec import ModelSpec
from modelspec.problems.errors import ModelError, StepError


@contextmanager
def place_step_errors(source: ModelSpec | None) -> Iterator[None]:
    """Add the line of the layer to the error of a step.

    Raises:
        ModelError: A step cannot be computed.
    """
    try:
        yield
    except StepError as error:
        raise ModelError(f"{_where(error, source)}{error}") from error


def _where(error: StepError, source: ModelSpec | None) -> str:
    layer = error.layer
    if layer is None:
        if not error.in_optimizer or source is None or source.document is None:
            return ""
        place = source.document.locate(("optimizer",), "value")
        return f"{place.file}:{place.span.line}: "
    nodes = source.graph.nodes if source and source.graph else ()
    route = next((node.route for node in nodes if node.name == layer), None)
    if route is None or source is None or source.document is None:
        return f"layer {layer}: "
    place = source.document.locate(route, "key")
    return f"{place.file}:{place.span.line}: layer {layer}: "
