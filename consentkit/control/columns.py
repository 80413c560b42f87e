"""The kinds of columns, and what a statement needs that SQLite and PostgreSQL say each in its own way.

Owns that one table and one statement mean the same in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import TEXT, BigInteger, Integer, Text, TypeDecorator, cast, func, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Dialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine

# 64 bits in both; SQLite numbers rows by itself in a column that is called INTEGER, and in no other.
Number: Final = BigInteger().with_variant(Integer(), "sqlite")


def plain_text(text: str) -> str:
    """Return a text that every database takes: U+FFFD for U+0000 and for halves of surrogate pairs."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode() if _has_surrogate(text) else text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


class Line(TypeDecorator[str]):
    """Text of any length, ordered by code points in both databases; what neither can hold is replaced."""

    impl = Text
    cache_ok = True

    @property
    def python_type(self) -> type[str]:
        """What it holds."""
        return str

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """Return the type for a dialect: PostgreSQL would order by the language of its machine."""
        return TEXT(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what is handed to the driver."""
        return None if value is None else plain_text(value)


def total(column: ColumnElement[int]) -> ColumnElement[int]:
    """Return the sum of a column, 0 where there are no rows; PostgreSQL's own is a decimal number."""
    return cast(func.coalesce(func.sum(column), 0), Number)


class JsonNumber(FunctionElement[int]):
    """The whole number that a member of a JSON object has; null where it has none.

    Args:
        column: holds a JSON object as text.
        member: its name; letters and underscores.
    """

    type = Number
    inherit_cache = True

    def __init__(self, column: ColumnElement[str], member: str) -> None:
        if not member.replace("_", "").isalpha():
            raise ValueError("the name of a member is made of letters and underscores")
        super().__init__(column, literal_column(f"'{member}'", Text()))


@compiles(JsonNumber)
def _as_sqlite(element: JsonNumber, compiler: SQLCompiler, **options: object) -> str:
    column, member = (compiler.process(clause, **options) for clause in element.clauses)
    path = f"'$.' || {member}"
    return f"CASE json_type({column}, {path}) WHEN 'integer' THEN json_extract({column}, {path}) END"


@compiles(JsonNumber, "postgresql")
def _as_postgresql(element: JsonNumber, compiler: SQLCompiler, **options: object) -> str:
    column, member = (compiler.process(clause, **options) for clause in element.clauses)
    # A cast that fails would end the statement, in whichever order conditions are looked at.
    value = f"(({column})::json ->> {member})"
    is_whole = f"json_typeof(({column})::json -> {member}) = 'number' AND {value} ~ '^-?[0-9]{{1,18}}$'"
    return f"CASE WHEN {is_whole} THEN {value}::bigint END"
