"""Parquet files of pictures: in the column `image` the bytes of a file, and `id`, the name of its row.

A table is read in spans: so many rows of one row group, that any process can read by itself.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from numeral.errors import UsageError

SUFFIX = ".parquet"
ID, IMAGE = "id", "image"
NEEDED = f"needed: {ID} (text or whole numbers) and {IMAGE} (the bytes of a picture file)"


class Span(NamedTuple):
    """`names` are the ids of its rows, which begin with row `start` of the row group."""

    path: str
    group: int
    start: int
    names: list[str]


def is_table(path: str) -> bool:
    return path.lower().endswith(SUFFIX)


def find(paths: Sequence[str], rows: int) -> list[Span]:
    """Of at most so many `rows`, in the order of the tables. Raises UsageError where one is none of these."""
    return [span for path in paths for span in spans_of(path, rows)]


def spans_of(path: str, rows: int) -> Iterator[Span]:
    try:
        for group, names in enumerate(ids_of(path)):
            for start in range(0, len(names), rows):
                yield Span(path, group, start, names[start : start + rows])
    except (OSError, ValueError) as error:  # pyarrow's own are kinds of these
        raise UsageError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from error


def ids_of(path: str) -> Iterator[list[str]]:
    """By row group. Only the one column is read."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as table:
        refuse_other_columns(path, table.schema_arrow)
        for group in range(table.num_row_groups):
            ids = table.read_row_group(group, columns=[ID]).column(ID)
            if ids.null_count:
                raise UsageError(f"{path} has {ids.null_count:,} rows without an {ID}, in row group {group}")
            yield [str(value) for value in ids.to_pylist()]


def refuse_other_columns(path: str, schema: Any) -> None:
    from pyarrow import types

    columns = dict(zip(schema.names, schema.types, strict=True))
    if missing := [name for name in (ID, IMAGE) if name not in columns]:
        raise UsageError(f"{path} has no column {missing[0]}, but {', '.join(schema.names)}; {NEEDED}")
    textual = types.is_string(columns[ID]) or types.is_large_string(columns[ID]) or types.is_integer(columns[ID])
    if not textual:
        raise UsageError(f"{path}: the column {ID} is of type {columns[ID]}; {NEEDED}")
    if not (types.is_binary(columns[IMAGE]) or types.is_large_binary(columns[IMAGE])):
        raise UsageError(f"{path}: the column {IMAGE} is of type {columns[IMAGE]}; {NEEDED}")


def batches(span: Span, size: int) -> Iterator[list[bytes]]:
    """The pictures of the span, `size` at a time, of which its `start` is a multiple; an empty one is no bytes."""
    from pyarrow import parquet

    first, last = span.start // size, -(-(span.start + len(span.names)) // size)
    with parquet.ParquetFile(span.path) as table:
        read = table.iter_batches(batch_size=size, row_groups=[span.group], columns=[IMAGE])
        for batch in islice(read, first, last):
            yield [content or b"" for content in batch.column(0).to_pylist()]
