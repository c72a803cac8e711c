"""The directory of people: every faulty row has its address, every good one comes, and nothing is ever written."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from breachwatch.collectors.directory import CsvDirectory, NdjsonDirectory, SqlDirectory
from breachwatch.kernel.errors import ContentError, UnavailableError
from breachwatch.kernel.ports import Contact, DirectoryEntry

IDENTIFIERS = {"customer_id": "id", "login": "user"}
JEANNE = DirectoryEntry({"customer_id": "7", "login": "jeanne"}, Contact("Jeanne Exemple", "jeanne@example.org", "fr"))
PAUL = DirectoryEntry({"customer_id": "8"}, Contact("Paul", "", ""))


class TestCsv:
    @pytest.mark.parametrize("separator", [",", ";"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_rows_become_entries(self, tmp_path: Path, separator: str, mark: str) -> None:
        rows = [
            "id,user,name,email,language,more",
            '7,jeanne,"Jeanne Exemple",jeanne@example.org,fr-BE,x',
            "",
            "8,,Paul,,,",
        ]
        path = tmp_path / "people.csv"
        path.write_text(mark + "\r\n".join(rows).replace(",", separator), encoding="utf-8")
        assert list(CsvDirectory(path, IDENTIFIERS).entries()) == [JEANNE, PAUL]

    def test_a_missing_column_is_named_beside_those_there_are(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("id,name,mail\n")
        with pytest.raises(ContentError) as caught:
            list(CsvDirectory(path, IDENTIFIERS).entries())
        assert str(caught.value) == f"{path}:1: no column 'user', 'email', 'language'; there are: id, name, mail"

    def test_a_faulty_row_keeps_nobody_else_from_being_found_and_is_told_with_its_line(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        rows = [
            "id,user,name,email,language",
            "7,jeanne,Jeanne Exemple,jeanne@example.org,fr",
            ",,Nobody,nobody@example.org,en",
            "9,x,Nine,not an address,en",
            "10,x,Ten,ten@example.org,English (UK)",
            "11,x,Eleven",
            '12,x,"Line\nbreak",twelve@example.org,en',
        ]
        path.write_text("\n".join(rows))
        people = CsvDirectory(path, IDENTIFIERS)
        assert people.skipped() == ""
        assert list(people.entries()) == [DirectoryEntry({"customer_id": "7", "login": "jeanne"}, JEANNE.contact)]
        assert people.skipped() == (
            f"{path}: 5 rows were left out at the last look-up: "
            "no identifier: id, user are empty (line 3); "
            "email is not a mail address (line 4); "
            "language is not a language tag such as en or fr-BE (line 5); "
            "3 columns instead of 5 (line 6); "
            "name holds control characters (line 7)"
        )
        assert "nobody@example.org" not in people.skipped(), "a fault tells its place, not the person"

    def test_a_row_that_is_mended_is_told_no_more(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("id,user,name,email,language\n,,,,\n8,,Paul,,\n")
        people = CsvDirectory(path, IDENTIFIERS)
        assert list(people.entries()) == [PAUL]
        assert "1 row was left out" in people.skipped()
        path.write_text("id,user,name,email,language\n8,,Paul,,\n")
        assert list(people.entries()) == [PAUL]
        assert people.skipped() == ""

    def test_what_is_no_text_is_said(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_bytes("id,user,name,email,language\n7,é,,,\n".encode("latin-1"))
        with pytest.raises(ContentError, match="not UTF-8"):
            list(CsvDirectory(path, IDENTIFIERS).entries())

    def test_a_row_that_is_no_csv_is_left_out_and_reading_goes_on(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text('id,user,name,email,language\n7,"wrong"ly quoted,,,\n8,,Paul,,\n9,"open,,,\n10,,,,\n')
        people = CsvDirectory(path, IDENTIFIERS)
        assert list(people.entries()) == [PAUL]
        assert "2 rows were left out" in people.skipped()
        assert "(line 2); not CSV: unexpected end of data (line 4)" in people.skipped()

    def test_a_file_that_is_away_may_come_back(self, tmp_path: Path) -> None:
        with pytest.raises(UnavailableError, match="does not exist"):
            list(CsvDirectory(tmp_path / "people.csv", IDENTIFIERS).entries())
        with pytest.raises(UnavailableError, match="cannot be read"):
            list(CsvDirectory(tmp_path, IDENTIFIERS).entries())

    def test_of_many_faulty_rows_twenty_are_placed_and_all_are_counted(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("id,user,name,email,language\n" + ",,,,\n" * 3_000 + "8,,Paul,,\n")
        people = CsvDirectory(path, IDENTIFIERS)
        assert list(people.entries()) == [PAUL]
        assert "3,000 rows were left out" in people.skipped()
        assert people.skipped().endswith("20, 21); and 2,980 more")


class TestNdjson:
    def test_lines_become_entries(self, tmp_path: Path) -> None:
        path = tmp_path / "people.ndjson"
        path.write_text(
            '{"id": 7, "user": "jeanne", "name": "Jeanne Exemple", "email": "jeanne@example.org", "language": "fr"}\n\n'
            '{"id": "8", "name": "Paul", "email": null}\n'
        )
        assert list(NdjsonDirectory(path, IDENTIFIERS).entries()) == [JEANNE, PAUL]

    def test_faulty_lines_are_left_out_and_told_together(self, tmp_path: Path) -> None:
        path = tmp_path / "people.ndjson"
        faulty = '[]\n{"id": 7.5}\nnot json\n{"id": true}\n{"id": {"a": 1}}\n' + "[" * 100_000 + "\n"
        path.write_text(faulty + '{"id": "8", "name": "Paul"}\n')
        people = NdjsonDirectory(path, IDENTIFIERS)
        assert list(people.entries()) == [PAUL]
        assert people.skipped() == (
            f"{path}: 6 rows were left out at the last look-up: not a JSON object (line 1); "
            "id is neither text nor a whole number (lines 2, 4, 5); not JSON (lines 3, 6)"
        )


QUERY = "SELECT id, login AS user, name, email, lang AS language FROM people ORDER BY id"


@pytest.fixture
def shop(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE people (id INTEGER, login TEXT, name TEXT, email TEXT, lang TEXT)")
        db.execute("INSERT INTO people VALUES (7, 'jeanne', 'Jeanne Exemple', 'jeanne@example.org', 'fr')")
        db.execute("INSERT INTO people VALUES (8, NULL, 'Paul', NULL, NULL)")
    db.close()
    return f"sqlite:///{path}"


class TestSql:
    def test_rows_become_entries(self, shop: str) -> None:
        assert list(SqlDirectory(shop, QUERY + ";", IDENTIFIERS).entries()) == [JEANNE, PAUL]

    def test_nothing_can_be_written(self, shop: str) -> None:
        writing = "WITH x AS (SELECT 1) INSERT INTO people SELECT 9, 'x', 'x', 'x', 'x' FROM x RETURNING *"
        with pytest.raises(ContentError, match="refuses the query"):
            list(SqlDirectory(shop, writing, IDENTIFIERS).entries())
        assert len(list(SqlDirectory(shop, QUERY, IDENTIFIERS).entries())) == 2

    @pytest.mark.parametrize("query", ["DELETE FROM people", "SELECT 1; DROP TABLE people", ""])
    def test_only_one_select_is_a_query(self, shop: str, query: str) -> None:
        with pytest.raises(ContentError, match="not a single SELECT"):
            SqlDirectory(shop, query, IDENTIFIERS)

    def test_missing_columns_and_faulty_rows_are_told(self, shop: str) -> None:
        with pytest.raises(ContentError, match="no column 'user', 'email', 'language'; there are: id, name"):
            list(SqlDirectory(shop, "SELECT id, name FROM people", IDENTIFIERS).entries())
        faulty = "SELECT 1.5 AS id, 'u' AS user, 'n' AS name, '' AS email, '' AS language"
        people = SqlDirectory(shop, faulty, IDENTIFIERS)
        assert list(people.entries()) == []
        assert people.skipped().endswith("id is neither text nor a whole number (row 1)")

    def test_a_query_the_database_does_not_know_is_a_fault_of_the_settings(self, shop: str) -> None:
        with pytest.raises(ContentError, match="refuses the query"):
            list(SqlDirectory(shop, "SELECT * FROM nowhere", IDENTIFIERS).entries())

    def test_a_database_that_is_away_is_unavailable_and_its_url_stays_hidden(self, tmp_path: Path) -> None:
        with pytest.raises(UnavailableError):
            list(SqlDirectory(f"sqlite:///{tmp_path}/none.db", QUERY, IDENTIFIERS).entries())
        assert not (tmp_path / "none.db").exists()
        away = SqlDirectory("postgresql+psycopg://app:hunter2@127.0.0.1:1/shop", QUERY, IDENTIFIERS)
        with pytest.raises(UnavailableError) as caught:
            list(away.entries())
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("url", ["nonsense", "nosuchdb://localhost/x"])
    def test_what_is_no_database_url_is_said_without_quoting_it(self, url: str) -> None:
        with pytest.raises(ContentError, match="is not a database URL"):
            SqlDirectory(url, QUERY, IDENTIFIERS)

    def test_postgresql_is_streamed_in_a_transaction_that_cannot_write(self, postgresql_url: str) -> None:
        engine = sa.create_engine(postgresql_url)
        with engine.begin() as db:
            db.execute(sa.text("CREATE TABLE directory_people (id uuid, n int, name text, email text, language text)"))
            db.execute(
                sa.text(
                    "INSERT INTO directory_people SELECT gen_random_uuid(), n, 'P', n || '@example.org', 'en'"
                    " FROM generate_series(1, 2500) AS n"
                )
            )
            db.execute(
                sa.text(
                    "CREATE FUNCTION directory_leak() RETURNS text LANGUAGE sql AS"
                    " $$ DELETE FROM directory_people RETURNING 'x'::text $$"
                )
            )
        try:
            query = "SELECT id, n, name, email, language FROM directory_people ORDER BY n"
            found = list(SqlDirectory(postgresql_url, query, {"uid": "id", "customer_id": "n"}).entries())
            assert [one.identifiers["customer_id"] for one in found] == [str(n) for n in range(1, 2_501)]
            assert len(found[0].identifiers["uid"]) == 36
            leaking = "SELECT directory_leak() AS id, '' AS name, '' AS email, '' AS language"
            with pytest.raises(ContentError, match="refuses the query"):
                list(SqlDirectory(postgresql_url, leaking, {"uid": "id"}).entries())
        finally:
            engine.dispose()


def test_every_directory_is_what_people_look_up_asks_for(tmp_path: Path, shop: str) -> None:
    from breachwatch.kernel.ports import Directory

    several: list[Directory] = [
        CsvDirectory(tmp_path / "a", IDENTIFIERS),
        NdjsonDirectory(tmp_path / "a", IDENTIFIERS),
        SqlDirectory(shop, QUERY, IDENTIFIERS),
    ]
    assert all(callable(one.entries) for one in several)
