"""Files that people give in place of a spec, recognized by their first bytes or their name."""

_HDF5 = b"\x89HDF"
_MAGICS: tuple[tuple[bytes, str, str], ...] = (
    (_HDF5, "an HDF5 file", "data goes to --data as npz; a model is converted to .keras first"),
    (b"\x93NUMPY", "a NumPy array", "data goes to --data, as npz: numpy.savez"),
    (b"\x89PNG", "a PNG image", "data goes to --data, as npz arrays"),
    (b"\xff\xd8\xff", "a JPEG image", "data goes to --data, as npz arrays"),
    (b"GIF8", "a GIF image", "data goes to --data, as npz arrays"),
    (b"%PDF", "a PDF document", "a spec is a YAML text"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"PAR1", "a Parquet table", "data goes to --data, as npz"),
    (b"\x80", "a pickle, which modelspec never loads", "a spec is a YAML text"),
)
_TABLES = {".csv": ",", ".tsv": "\t"}


def describe_other_file(raw: bytes, name: str) -> tuple[str, str] | None:
    """Describe a file that is not a spec, with a hint; None if it may be a spec."""
    if raw.startswith(b"PK\x03\x04"):
        if b"config.json" in raw or b"metadata.json" in raw:
            return "a Keras model, not a spec", f"modelspec summary {name} shows it"
        if b".npy" in raw:
            return "an npz file with data, not a spec", f"modelspec check SPEC --data {name}"
        return "a zip archive, not a spec", "a spec is a YAML text"
    for magic, what, hint in _MAGICS:
        if raw.startswith(magic):
            return f"{what}, not a spec", hint
    suffix = next((suffix for suffix in _TABLES if name.lower().endswith(suffix)), None)
    if suffix is not None and _TABLES[suffix].encode() in raw[:4096].splitlines()[:1][0]:
        return "a table, not a spec", "data goes to --data, as npz: numpy.savez"
    return None


def is_hdf5(start: bytes) -> bool:
    return start.startswith(_HDF5)
