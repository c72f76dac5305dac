"""The JSON Schema of the language, for editors: the envelope's facts and the installed Keras's.

It follows draft-07. yaml-language-server shows the same under 2020-12, but releases of it that are
still about read the newer draft with the older keywords, and skip the others in silence.
It takes every spec that ``modelspec check`` takes, but for names that only Keras may have: a block
that is called like no layer but starts with a capital, an output that is called like a loss class.
"""

import json
from typing import Any

from modelspec.catalog import Catalog
from modelspec.schema.frame import frame
from modelspec.schema.heads import heads
from modelspec.schema.items import item
from modelspec.schema.objects import objects

DRAFT = "http://json-schema.org/draft-07/schema#"


def language_schema(catalog: Catalog) -> dict[str, Any]:
    """The schema of a whole spec, for the Keras that the catalogue was read from."""
    top, sections = frame()
    top["properties"] |= heads(catalog, top["properties"])
    callbacks = sections["Training"]["properties"]["callbacks"]
    callbacks["items"] = {"$ref": "#/definitions/callback"}
    sections["LayerItem"] = item(catalog, sections["LayerItem"]["properties"])
    return {
        "$schema": DRAFT,
        "description": f"A modelspec spec, for Keras {catalog.version}.",
        **top,
        "definitions": {**sections, **objects(catalog)},
    }


def schema_text(catalog: Catalog) -> str:
    return json.dumps(language_schema(catalog), ensure_ascii=False, separators=(",", ":"))
