"""Tables to arrays: columns of CSV, TSV and Parquet files, typed by reading all of their rows."""
