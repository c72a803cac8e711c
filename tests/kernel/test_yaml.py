"""Strict YAML: what is read, where it stood, and what is refused with its address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.kernel.errors import ContentError
from breachwatch.kernel.yaml import MAX_CHARACTERS, MAX_DEPTH, read, read_all


def refused(text: str | bytes) -> list[str]:
    with pytest.raises(ContentError) as caught:
        read(text, "x.yml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5", 5),
        ("-0x1f", "-0x1f"),
        ("0x1f", 31),
        ("0o17", 15),
        ("017", 17),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("1_000", "1_000"),
        ("true", True),
        ("no", "no"),  # Norway is no falsehood
        ("on", "on"),
        ("~", None),
        ("", None),
        ("2026-03-27", "2026-03-27"),
        ("12:30", "12:30"),
        ('"5"', "5"),
        ("'true'", "true"),
        ("!!str 5", "5"),
        ("!!int 5", 5),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
    ],
)
def test_scalars_are_those_of_the_core_schema(written: str, value: object) -> None:
    assert read(f"key: {written}", "x.yml").data == {"key": value}


def test_every_key_and_value_has_its_place() -> None:
    node = read("a: 1\nb:\n  - c: x\n    d: [y, z]\n", "x.yml")
    assert node.place(("b", 0, "d", 1)) == (4, 12)
    assert node.key_place(("b", 0, "d")) == (4, 5)
    assert node.place(("b", 0, "d", 7)) == (4, 8)  # absent: the nearest parent
    assert node.place(("nothing", "here")) == (1, 1)
    assert str(node.problem(("b", 0, "c"), "is wrong", "say y")) == "x.yml:3:8: is wrong; say y"
    assert str(node.problem(("b", 0, "c"), "is wrong", key=True)) == "x.yml:3:5: is wrong"


def test_an_empty_file_is_a_document_of_nothing() -> None:
    assert read("", "x.yml").data is None
    assert read("# only a remark\n", "x.yml").problem((), "says nothing").line == 1


def test_many_documents_keep_their_places() -> None:
    nodes = read_all("a: 1\n---\na: 2\n---\n", "x.yml")
    assert [node.data for node in nodes] == [{"a": 1}, {"a": 2}, None]
    assert nodes[1].place(("a",)) == (3, 4)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a: 1\n---\nb: 2\n", ["x.yml:3:1: a second document begins here, but this file must hold one"]),
        ("a: 1\na: 2\n", ['x.yml:2:1: duplicate key "a"; it stands already at 1:1']),
        ("a: {b: 1, b: {c: 2}}\n", ['x.yml:1:11: duplicate key "b"; it stands already at 1:5']),
        ("a: &x 1\n", ["x.yml:1:4: anchor &x is not allowed; write the value out where it is needed"]),
        ("a: !foo 1\n", ["x.yml:1:4: tag !foo is not allowed here; leave it out"]),
        ("a: !!python/object/apply:os.system [ls]\n",
         ["x.yml:1:4: tag !!python/object/apply:os.system is not allowed here; leave it out"]),
        ("a: !!set {b}\n", ["x.yml:1:4: tag !!set is not allowed here; leave it out"]),
        ("a: !!int x\n", ["x.yml:1:4: tag !!int is not allowed here; leave it out"]),
        ("a: !!timestamp 2026-03-27\n", ["x.yml:1:4: tag !!timestamp is not allowed here; leave it out"]),
        ("<<: {a: 1}\n", ["x.yml:1:1: merge key << is not allowed; write the keys out"]),
        ("? [a]\n: 1\n", ["x.yml:1:3: a key must be plain text, not a list or mapping"]),
        ("a: .nan\n", ["x.yml:1:4: a number must be finite; put it in quotes if it is text"]),
        ("a: -.inf\n", ["x.yml:1:4: a number must be finite; put it in quotes if it is text"]),
        ("a: 1e999\n", ["x.yml:1:4: a number must be finite; put it in quotes if it is text"]),
        ("a: " + "9" * 5000,
         ["x.yml:1:4: a number of more than 100 digits; put it in quotes if it is text"]),
        ("a: [1\n", ["x.yml:2:1: not YAML: while parsing a flow sequence, did not find expected ',' or ']'"]),
        ("a: 1\n\tb: 2\n",
         ["x.yml:2:1: not YAML: while scanning a plain scalar, found a tab character that violates indentation"]),
        (b"a: 1\nb: \xff\n", ["x.yml:2:4: not UTF-8"]),
        ("é: 1\né: \x07\n", ["x.yml:2:4: a control character is not allowed"]),
        ("a: \x07\n", ["x.yml:1:4: a control character is not allowed"]),
        ("a: \ud800\n", ["x.yml: holds characters that UTF-8 cannot write"]),
        ("[" * 5000, [f"x.yml:1:{MAX_DEPTH + 1}: nested deeper than {MAX_DEPTH} levels"]),
        ("- " * 5000, [f"x.yml:1:{2 * MAX_DEPTH + 1}: nested deeper than {MAX_DEPTH} levels"]),
        ("x" * (MAX_CHARACTERS + 1), [f"x.yml: longer than {MAX_CHARACTERS} characters"]),
        ("[" + "1," * 300_000 + "]", ["x.yml:1:400000: more than 200000 values"]),
    ],
)  # fmt: skip
def test_what_is_refused_has_its_place(text: str | bytes, problems: list[str]) -> None:
    assert refused(text) == problems


def test_a_bomb_of_aliases_stops_at_its_first_fuse() -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"
    assert [problem.split(":")[1] for problem in refused(bomb)] == ["1", "2", "2", "2", "3", "3", "3"]


def test_all_problems_of_a_file_come_at_once_in_their_order() -> None:
    found = refused("a: !x 1\na: *y\n")
    assert [problem.split(" ")[0] for problem in found] == ["x.yml:1:4:", "x.yml:2:1:", "x.yml:2:4:"]


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert read("\ufeffa: 1\n".encode(), "x.yml").data == {"a": 1}


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"#?%@`,\n\t 01~."), max_size=60) | st.text(max_size=30))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        nodes = read_all(text, "x.yml")
    except ContentError as error:
        places = [(problem.line, problem.column) for problem in error.problems]
    else:
        places = [node.place() for node in nodes]
    assert all(place >= (1, 1) for place in places)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(0, 999) | st.text("abc", min_size=1, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(PLAIN)
def test_what_was_written_plainly_is_read_back(data: object) -> None:
    assert read(_written(data), "x.yml").data == data


def _written(data: object) -> str:
    if isinstance(data, dict):
        return "{" + ", ".join(f"{key}: {_written(value)}" for key, value in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(_written(value) for value in data) + "]"
    if data is None:
        return "~"
    return str(data).lower()
