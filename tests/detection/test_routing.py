"""What is counted together comes to one place, and that place never changes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from breachwatch.detection.correlating.families import families
from breachwatch.detection.correlating.routing import Router, partition_of
from breachwatch.detection.playbooks.content import Content
from breachwatch.detection.rules import SEPARATOR, Correlation, Input, Rule
from breachwatch.kernel.ids import EventId
from breachwatch.kernel.streams import Match


def correlation(name: str, listened: Sequence[tuple[str, tuple[str, ...]]], **more: Any) -> Correlation:
    given: dict[str, Any] = {
        "playbook": "p",
        "id": name,
        "title": name,
        "name": name,
        "level": "high",
        "kind": "event_count",
        "inputs": tuple(Input(rule, fields) for rule, fields in listened),
        "group": ("ip",),
        "tests": (("gte", 3),),
        "timespan_us": 60,
        "ways": (),
        "suppress_us": 0,
        "lateness_us": 0,
        "sources": ("s",),
        "max_samples": 3,
        "alerts": True,
        "raises_incident": True,
        "shape": "1",
    }
    return Correlation(**{**given, **more})


def router(*correlations: Correlation) -> Router:
    return Router(Content({}, {}, (), correlations))


def match(rule: str, **values: str) -> Match:
    return Match("p", rule, EventId("e"), 0, "s", values)


SSH = correlation("ssh", [("failed", ("src",)), ("refused", ("peer",))])
AFTER = correlation("after", [("ssh", ("ip",)), ("accepted", ("from",))], kind="temporal_ordered")


def test_rules_of_linked_correlations_have_one_key_whatever_they_call_it() -> None:
    ways = router(SSH, AFTER)
    routes = [
        *ways.route(match("failed", src="192.0.2.1")),
        *ways.route(match("refused", peer="192.0.2.1")),
        *ways.route(match("accepted", **{"from": "192.0.2.1"})),
    ]
    assert len(routes) == 3
    assert len({(family, key) for family, key, _ in routes}) == 1


def test_correlations_that_only_share_a_rule_are_counted_apart() -> None:
    other = correlation("accounts", [("failed", ("login",))], group=("user",))
    routes = router(SSH, other).route(match("failed", src="192.0.2.1", login="x"))
    assert len({family for family, _, _ in routes}) == 2
    assert len({key for _, key, _ in routes}) == 2


def test_a_key_is_what_all_of_a_family_have_in_common() -> None:
    fine = correlation("fine", [("failed", ("src", "login"))], group=("ip", "user"))
    coarse = correlation("coarse", [("fine", ("ip",))])
    (family,) = families(Content({}, {}, (), (fine, coarse)))
    assert family.key == 1
    ways = router(fine, coarse)
    (one,) = ways.route(match("failed", src="192.0.2.1", login="a"))
    (two,) = ways.route(match("failed", src="192.0.2.1", login="b"))
    assert one[1] == two[1]


def test_without_anything_in_common_a_family_is_counted_in_one_place() -> None:
    everywhere = correlation("everywhere", [("ssh", ())], group=())
    ways = router(SSH, everywhere)
    keys = {key for n in range(50) for _, key, _ in ways.route(match("failed", src=f"192.0.2.{n}"))}
    assert len(keys) == 1


def test_a_field_that_is_also_counted_is_no_key_for_a_match_cannot_be_narrowed_to_it() -> None:
    odd = correlation("odd", [], kind="value_count", inputs=(Input("failed", ("src",), ("src",)),))
    (family,) = families(Content({}, {}, (), (odd,)))
    assert family.key == 0


def test_a_rule_that_two_of_a_family_group_by_two_fields_makes_none_of_them_a_key() -> None:
    source = correlation("by-source", [("failed", ("src",))])
    target = correlation("by-target", [("failed", ("dst",))])
    both = correlation("both", [("by-source", ("ip",)), ("by-target", ("ip",))], kind="temporal")
    (family,) = families(Content({}, {}, (), (source, target, both)))
    assert family.key == 0


def test_an_event_with_several_values_goes_to_the_place_of_each_as_if_it_had_that_one() -> None:
    told = match("failed", src=f"192.0.2.1{SEPARATOR}192.0.2.2{SEPARATOR}192.0.2.1")
    routes = router(SSH).route(told)
    assert [each.values["src"] for _, _, each in routes] == ["192.0.2.1", "192.0.2.2"]
    assert [key for _, key, _ in routes] == [
        router(SSH).route(match("failed", src=ip))[0][1] for ip in ("192.0.2.1", "192.0.2.2")
    ]
    assert told.values["src"].count(SEPARATOR) == 2, "the match itself stays as it is"


def test_lists_that_are_too_long_are_cut_and_it_is_told() -> None:
    ways = router(SSH)
    assert len(ways.route(match("failed", src=SEPARATOR.join(map(str, range(1_200)))))) == 1_000
    assert list(ways.shortfalls.values()) == [200]


def test_what_has_no_key_goes_nowhere_unless_its_rule_alerts_by_itself() -> None:
    assert router(SSH).route(match("failed", other="x")) == []
    assert router(SSH).route(match("unknown", src="x")) == []
    lone = correlation("failed", [], inputs=(Input("failed", ("src", "login"), lenient=True),), group=("ip", "user"))
    ((_, key, told),) = router(lone).route(match("failed", src="x"))
    assert key == router(lone).route(match("failed", src="x", login=""))[0][1]
    assert told.values == {"src": "x"}


def test_a_rule_that_alerts_by_itself_is_no_correlation_that_others_hear() -> None:
    rule = Rule("p", "failed", "t", "failed", frozenset({"failed"}), "low", None, {}, ("s",))  # type: ignore[arg-type]
    lone = correlation("failed", [("failed", ("src",))])
    many = correlation("many", [("failed", ("login",))], group=("user",))
    assert len(families(Content({}, {}, (rule,), (lone, many)))) == 2


def test_a_family_is_called_the_same_for_as_long_as_it_is_divided_the_same() -> None:
    (alone,) = families(Content({}, {}, (), (SSH,)))
    (grown,) = families(Content({}, {}, (), (SSH, AFTER)))
    assert alone.name == grown.name
    undivided = replace(SSH, group=(), inputs=(Input("failed", ()),))
    assert families(Content({}, {}, (), (undivided,)))[0].name != alone.name


@pytest.mark.parametrize(
    ("key", "of_3", "of_12", "of_1000"),
    [
        (b"", 0, 0, 876),
        (b"a", 2, 11, 343),
        ("f-é\udcff".encode("utf-8", "surrogatepass"), 2, 11, 111),
    ],
)
def test_the_place_of_a_key_is_the_same_for_ever(key: bytes, of_3: int, of_12: int, of_1000: int) -> None:
    assert (partition_of(key, 3), partition_of(key, 12), partition_of(key, 1_000)) == (of_3, of_12, of_1000)


def test_keys_are_spelt_the_same_for_ever() -> None:
    ((family, key, _),) = router(SSH).route(match("failed", src="é\udcff"))
    assert family == "f-siyqe4grdr4o6uki7cdm2e3c3e"
    assert key.hex() == "0000001c662d73697971653467726472346f36756b693763646d32653363336500000005c3a9edb3bf"


def test_keys_spread_evenly() -> None:
    ways = router(SSH)
    places = Counter(partition_of(ways.route(match("failed", src=str(n)))[0][1], 12) for n in range(12_000))
    assert len(places) == 12
    assert max(places.values()) < 1_150


def test_matches_are_divided_by_partition_and_family_in_order_of_arrival() -> None:
    ways = router(SSH, AFTER)
    told = [match("failed", src=str(n % 7)) for n in range(70)]
    divided = ways.split(told, 3)
    assert sum(len(some) for by_family in divided.values() for some in by_family.values()) == 70
    for place, by_family in divided.items():
        for some in by_family.values():
            assert {partition_of(ways.route(each)[0][1], 3) for each in some} == {place}
