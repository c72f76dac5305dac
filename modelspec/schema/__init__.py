"""The JSON Schema of the language, for editors: modelspec's own keys and the installed Keras.

It follows draft-07. yaml-language-server understands 2020-12 too, but older releases read the newer
draft with the older keywords, and ignore the others without a message.
The schema accepts every spec that ``modelspec check`` accepts, except for some names that belong to
Keras: a block that starts with a capital, an output with the name of a loss class.
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
    """Return the schema of a whole spec, for the Keras of the catalogue."""
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
