"""The organisation's directory of people: a CSV or NDJSON file, or an SQL query run read-only.

Each entry names one person by the identifiers that logs use, and says how to reach them. Files and results are
streamed. A faulty row keeps nobody else from being found: it is left out, and `skipped` tells how many were and where.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection, Row, create_engine, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from breachwatch.kernel.errors import ContentError, Problem, UnavailableError
from breachwatch.kernel.ports import Contact, DirectoryEntry

MOST_PLACES = 20
"""Of so many faulty rows the place is told; of all others only the number."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_].*)?")
_READS = re.compile(r"\s*(select|with|values|table)\b", re.IGNORECASE)
_FETCH_ROWS = 1_000


class _Columns:
    """Which columns mean what, and how a row becomes an entry."""

    def __init__(self, identifiers: Mapping[str, str], name: str, email: str, language: str) -> None:
        self._identifiers = dict(identifiers)
        self._contact = (name, email, language)

    def missing(self, present: Iterable[str]) -> list[str]:
        """Promised columns that are not there, in order."""
        wanted = dict.fromkeys((*self._identifiers.values(), *self._contact))
        return [column for column in wanted if column not in set(present)]

    def entry(self, row: Mapping[str, Any]) -> DirectoryEntry:
        """The entry of one row.

        Raises:
            ValueError: what is wrong with it, without quoting it.
        """
        identifiers = {kind: _plain(row, column) for kind, column in self._identifiers.items()}
        known = {kind: value for kind, value in identifiers.items() if value}
        if not known:
            raise ValueError("no identifier: " + ", ".join(sorted(set(self._identifiers.values()))) + " are empty")
        name, email, language = (_plain(row, column) for column in self._contact)
        if email and (email.count("@") != 1 or " " in email or email.startswith("@") or email.endswith("@")):
            raise ValueError(f"{self._contact[1]} is not a mail address")
        tongue = _LANGUAGE.fullmatch(language)
        if language and tongue is None:
            raise ValueError(f"{self._contact[2]} is not a language tag such as en or fr-BE")
        return DirectoryEntry(known, Contact(name, email, tongue[1].lower() if tongue else ""))


def _plain(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{column} is neither text nor a whole number")
    plain = str(value).strip()
    if _UNPRINTABLE.search(plain):
        raise ValueError(f"{column} holds control characters")
    return plain


class _Skipped:
    """Counts the faulty rows of one reading, and remembers where the first of them are."""

    def __init__(self, place: str, counted: str = "line") -> None:
        self._place, self._counted = place, counted
        self._count = 0
        self._places: dict[str, list[int]] = {}

    def clear(self) -> None:
        """Begin another reading."""
        self._count, self._places = 0, {}

    def add(self, row: int, message: str) -> None:
        """Leave one row out."""
        self._count += 1
        if self._count <= MOST_PLACES:
            self._places.setdefault(message, []).append(row)

    def tell(self) -> str:
        """One sentence, without any value of a row; empty when none was left out."""
        if not self._count:
            return ""
        told = "; ".join(f"{message} ({self._rows(rows)})" for message, rows in self._places.items())
        more = f"; and {self._count - MOST_PLACES:,} more" if self._count > MOST_PLACES else ""
        rows = "1 row was" if self._count == 1 else f"{self._count:,} rows were"
        return f"{self._place}: {rows} left out at the last look-up: {told}{more}"

    def _rows(self, rows: Sequence[int]) -> str:
        return f"{self._counted}{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows))}"


def _missing_columns(place: str, line: int, missing: Sequence[str], present: Iterable[str]) -> ContentError:
    there = ", ".join(present) or "none"
    message = "no column " + ", ".join(repr(column) for column in missing)
    return ContentError([Problem(place, line, 0, message, f"there are: {there}")])


@contextmanager
def _file(path: Path) -> Iterator[Iterator[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="", errors="strict") as lines:
            yield lines
    except FileNotFoundError as error:
        raise UnavailableError(f"the directory {path} does not exist (now)") from error
    except OSError as error:
        raise UnavailableError(f"the directory {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ContentError([Problem(str(path), 0, 0, "is not UTF-8", "save it as UTF-8")]) from error


class _Directory:
    """What every directory does with its rows: the good ones become entries, of the faulty ones the place is kept."""

    def __init__(self, columns: _Columns, place: str, counted: str = "line") -> None:
        self._columns = columns
        self._skipped = _Skipped(place, counted)

    def skipped(self) -> str:
        """What was left out when it was last read, with its places; empty when nothing was."""
        return self._skipped.tell()

    def _good(self, rows: Iterable[tuple[int, Mapping[str, Any] | str]]) -> Iterator[DirectoryEntry]:
        """The entries of numbered rows; a text in place of a row says what is wrong with it."""
        for number, row in rows:
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                entry = self._columns.entry(row)
            except ValueError as error:
                self._skipped.add(number, str(error))
            else:
                yield entry


class _FileDirectory(_Directory):
    """A file of people; read anew at each look-up."""

    def __init__(
        self,
        path: Path,
        identifiers: Mapping[str, str],
        name: str = "name",
        email: str = "email",
        language: str = "language",
    ) -> None:
        super().__init__(_Columns(identifiers, name, email, language), str(path))
        self._path = path


class CsvDirectory(_FileDirectory):
    """A CSV file (RFC 4180, UTF-8, comma or semicolon) whose first row names the columns.

    Args:
        path: the file; read anew at each look-up.
        identifiers: identifier kind to column, e.g. `{"customer_id": "id", "login": "user"}`.
        name, email, language: columns of the contact. An empty address is a person nobody can write to.
    """

    def entries(self) -> Iterator[DirectoryEntry]:
        """Every good row, streamed.

        Raises:
            ContentError: columns are missing, or it is not UTF-8.
            UnavailableError: the file cannot be read now.
        """
        self._skipped.clear()
        with _file(self._path) as lines:
            head = next(lines, "")
            separator = ";" if head.count(";") > head.count(",") else ","
            names = next(csv.reader([head], delimiter=separator), [])
            missing = self._columns.missing(names)
            if missing:
                raise _missing_columns(str(self._path), 1, missing, names)
            yield from self._good(_csv_rows(csv.reader(lines, delimiter=separator, strict=True), names))


class _Reader(Protocol):
    line_num: int

    def __next__(self) -> list[str]: ...


def _csv_rows(reader: _Reader, names: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """Each row that is not blank, with the line it begins at."""
    while True:
        line = reader.line_num + 2
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"not CSV: {error}"
            continue
        if len(row) == len(names):
            yield line, dict(zip(names, row, strict=True))
        elif row:
            yield line, f"{len(row)} columns instead of {len(names)}"


class NdjsonDirectory(_FileDirectory):
    """A file of one JSON object a line; arguments as for `CsvDirectory`. A key that is absent is an empty value."""

    def entries(self) -> Iterator[DirectoryEntry]:
        """Every good line, streamed.

        Raises:
            ContentError: it is not UTF-8.
            UnavailableError: the file cannot be read now.
        """
        self._skipped.clear()
        with _file(self._path) as lines:
            yield from self._good((number, _object(line)) for number, line in enumerate(lines, 1) if line.strip())


def _object(line: str) -> Mapping[str, Any] | str:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return "not JSON"
    return value if isinstance(value, dict) else "not a JSON object"


class SqlDirectory(_Directory):
    """The rows of an SQL query, in a transaction that cannot write and is rolled back.

    Args:
        url: SQLAlchemy URL of the database; it never appears in an error, since it may hold a password.
        query: one `SELECT` (or `WITH`) statement that gives the promised columns.
        identifiers, name, email, language: as for `CsvDirectory`.

    Raises:
        ContentError: the URL or the query cannot be one.
    """

    def __init__(
        self,
        url: str,
        query: str,
        identifiers: Mapping[str, str],
        name: str = "name",
        email: str = "email",
        language: str = "language",
    ) -> None:
        super().__init__(_Columns(identifiers, name, email, language), "directory.query", "row")
        self._query = query.strip().rstrip(";")
        if not _READS.match(self._query) or ";" in self._query:
            raise ContentError([Problem("directory.query", 0, 0, "is not a single SELECT statement")])
        try:
            self._engine = create_engine(url, pool_pre_ping=True, pool_size=1)
        except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
            hint = "write it like postgresql+psycopg://user:password@host/database or sqlite:////path/file.db"
            raise ContentError([Problem("directory.url_file", 0, 0, "is not a database URL", hint)]) from error

    def entries(self) -> Iterator[DirectoryEntry]:
        """Every good row of the result, streamed.

        Raises:
            ContentError: columns are missing, or the query is refused.
            UnavailableError: the database cannot be reached now.
        """
        self._skipped.clear()
        url = self._engine.url
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_file():
            raise UnavailableError("the directory's database file does not exist (now)")
        try:
            with self._engine.connect() as connection:
                _forbid_writing(connection)
                yield from self._rows(connection)
                connection.rollback()
        except DBAPIError as error:
            raise _database_error(error) from None
        except SQLAlchemyError as error:
            raise UnavailableError(f"the directory's database cannot be asked: {type(error).__name__}") from None

    def _rows(self, connection: Connection) -> Iterator[DirectoryEntry]:
        streaming = connection.execution_options(stream_results=True, yield_per=_FETCH_ROWS)
        result = streaming.execute(text(self._query))
        names = list(result.keys())
        missing = self._columns.missing(names)
        if missing:
            raise _missing_columns("directory.query", 0, missing, names)
        yield from self._good((number, _mapped(row)) for number, row in enumerate(result, 1))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def _mapped(row: Row[Any]) -> Mapping[str, Any]:
    return {
        str(name): str(value) if isinstance(value, UUID | Decimal) else value for name, value in row._mapping.items()
    }


def _forbid_writing(connection: Connection) -> None:
    dialect = connection.dialect.name
    if dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only=ON")
    elif dialect in ("postgresql", "mysql", "mariadb", "oracle"):
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _database_error(error: DBAPIError) -> ContentError | UnavailableError:
    kind = type(error.orig).__name__
    wrong_query = type(error).__name__ in ("ProgrammingError", "NotSupportedError", "DataError", "InternalError")
    no_such = "no such" in str(error.orig) or "syntax" in str(error.orig) or "readonly" in str(error.orig)
    if wrong_query or no_such:
        return ContentError([Problem("directory.query", 0, 0, f"the database refuses the query: {kind}")])
    return UnavailableError(f"the directory's database cannot be asked: {kind}")
