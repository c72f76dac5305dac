"""What lies in a run's folder, by name."""

SPEC = "spec.yaml"
RECORD = "run.json"
HISTORY = "history.jsonl"
TABLE = "history.csv"
MODEL = "model.keras"
CURVES = "curves.png"
CHECKPOINTS = "checkpoints"
LOCK = "lock"

OWN = frozenset({SPEC, RECORD, HISTORY, TABLE, MODEL, CURVES, CHECKPOINTS, LOCK})
