"""What a person wrote, held against its model: each misfit with its place and the nearest right word."""

from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from breachwatch.kernel.errors import ContentError
from breachwatch.kernel.shapes import conform, did_you_mean
from breachwatch.kernel.yaml import read


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Cat(Strict):
    kind: Literal["cat"]
    lives: int


class Dog(Strict):
    kind: Literal["dog"]
    tricks: tuple[str, ...] = ()


class Home(Strict):
    street: str
    size_m2: int = Field(alias="size", ge=1, default=1)


class Person(Strict):
    name: str
    home: Home
    pets: list[Cat | Dog] = []
    named: dict[Literal["left", "right"], Home] = {}
    friend: "Person | None" = None


class Zoo(Strict):
    animals: list[Cat | Dog] = Field(default=[])


Person.model_rebuild()


def problems(text: str, model: type[BaseModel] = Person) -> list[str]:
    with pytest.raises(ContentError) as caught:
        conform(model, read(text, "p.yml"))
    return [str(problem) for problem in caught.value.problems]


def test_what_fits_becomes_the_model() -> None:
    person = conform(Person, read("name: Ana\nhome: {street: Main, size: 40}\n", "p.yml"))
    assert (person.name, person.home.size_m2) == ("Ana", 40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: Ana\nhome: {street: a}\nhmoe: 1\n", ['p.yml:3:1: unknown key "hmoe"']),
        ("name: Ana\nhome: {street: a, sise: 2}\n", ['p.yml:2:19: unknown key "sise"; did you mean "size"?']),
        ("name: Ana\nhome: {size: 0, street: a}\n",
         ["p.yml:2:14: home.size: input should be greater than or equal to 1"]),
        ("nmae: Ana\nhome: {street: a}\n",
         ['p.yml:1:1: missing key "name"; is "nmae" meant to be it?',
          'p.yml:1:1: unknown key "nmae"; did you mean "name"?']),
        ("name: Ana\nhome: {}\n", ['p.yml:2:7: missing key "street" in home']),
        ("name: [1]\nhome: {street: a}\n", ["p.yml:1:7: name: input should be a valid string"]),
        ("name: Ana\nhome: {street: a}\nnamed: {lefd: {street: a}}\n",
         ['p.yml:3:9: unknown key "lefd"; did you mean "left"?']),
        ("name: Ana\nhome: {street: a}\nnamed: {left: {steet: a}}\n",
         ['p.yml:3:15: missing key "street" in named.left; is "steet" meant to be it?',
          'p.yml:3:16: unknown key "steet"; did you mean "street"?']),
        ("name: Ana\nhome: {street: a}\nfriend:\n  name: Bo\n  home: {street: b, color: red}\n",
         ['p.yml:5:21: unknown key "color"; known: size']),
        ("just text\n", ["p.yml:1:1: input should be a valid dictionary or instance of Person"]),
    ],
)  # fmt: skip
def test_each_misfit_has_its_place_and_mending(text: str, expected: list[str]) -> None:
    found = problems(text)
    assert [line if "hmoe" not in line else line.split(";", maxsplit=1)[0] for line in found] == expected


def test_a_union_names_the_misfit_in_the_member_it_is_in() -> None:
    found = problems("animals:\n  - {kind: cat, live: 9}\n", Zoo)
    assert 'p.yml:2:17: unknown key "live"; did you mean "lives"?' in found


def test_a_part_of_a_document_keeps_the_places_of_the_whole() -> None:
    node = read("rooms:\n  - {street: a}\n  - {steet: b}\n", "p.yml")
    assert conform(Home, node, ("rooms", 0)).street == "a"
    with pytest.raises(ContentError, match=r'p\.yml:3:6: unknown key "steet"; did you mean "street"\?'):
        conform(Home, node, ("rooms", 1))


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("treshold", ["threshold", "timespan"], 'did you mean "threshold"?'),
        ("TIMESPAN", ["threshold", "timespan"], 'did you mean "timespan"?'),
        ("zzz", ["a", "b"], "known: a, b"),
        ("zzz", [str(n) * 9 for n in range(20)], ""),
        (5, [], ""),
    ],
)
def test_the_nearest_known_word(word: object, known: list[str], hint: str) -> None:
    assert did_you_mean(word, known) == hint
