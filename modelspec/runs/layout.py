"""File names in the folder of a run."""

SPEC = "spec.yaml"
RECORD = "run.json"
HISTORY = "history.jsonl"
TABLE = "history.csv"
MODEL = "model.keras"
CURVES = "curves.png"
CHECKPOINTS = "checkpoints"
FITTED = "fitted.npz"
PLUGINS = "plugins"
MODELS = "models"
LOCK = "lock"
REPORT = "report.html"

OWN = frozenset(
    {SPEC, RECORD, HISTORY, TABLE, MODEL, CURVES, CHECKPOINTS, FITTED, PLUGINS, MODELS, LOCK}
)
