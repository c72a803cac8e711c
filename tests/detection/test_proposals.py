"""From false positives to a filter: it fits none of the true ones, hides no more than it must, and is Sigma."""

from datetime import date
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from sigma.filters import SigmaFilter
from sigma.types import SigmaString

from breachwatch.detection.trying.proposals import Trait, filter_document, flattened, propose

BACKUP = {"Image": r"C:\Windows\powershell.exe", "ParentImage": r"C:\Program Files\Backup\agent.exe", "User": "SYSTEM"}
ATTACK = {"Image": r"C:\Windows\powershell.exe", "ParentImage": r"C:\Users\eve\winword.exe", "User": "eve"}


def told(proposal: Any) -> list[dict[str, str]]:
    return [{trait.key: trait.value for trait in each.traits} for each in proposal.selections]


def test_what_all_false_ones_share_and_no_true_one_has_is_proposed_with_what_narrows_it() -> None:
    found = propose([{**BACKUP, "ProcessId": n} for n in range(5)], [ATTACK])
    assert told(found) == [{"ParentImage": r"C:\Program Files\Backup\agent.exe", "User": "SYSTEM"}]
    assert found.selections[0].covers == frozenset(range(5))
    assert found.left == ()


def test_a_common_beginning_is_sought_where_values_differ() -> None:
    false = [{"path": f"/export/nightly/{name}.csv", "who": name} for name in ("orders", "people", "stock")]
    found = propose(false, [{"path": "/export/all.csv", "who": "mallory"}])
    assert told(found) == [{"path|startswith": "/export/nightly/"}]


def test_several_causes_are_several_selections_the_widest_first() -> None:
    false = [{"agent": "scanner"}] * 4 + [{"agent": "monitor"}] * 2
    found = propose(false, [{"agent": "curl"}])
    assert told(found) == [{"agent": "scanner"}, {"agent": "monitor"}]


def test_numbers_ids_and_instants_describe_the_past_only_and_are_not_used() -> None:
    passing = {
        "EventRecordID": 4711,
        "ProcessGuid": "{0197231E-C424-69E1-C922-000000000800}",
        "UtcTime": "2026-04-17 05:24:53.079",
    }
    found = propose([passing], [{"EventRecordID": 1}])
    assert (told(found), found.left) == ([], (0,))


def test_false_ones_that_look_like_true_ones_are_left_and_named() -> None:
    found = propose([ATTACK, BACKUP], [ATTACK])
    assert found.left == (0,)
    assert len(found.selections) == 1


def test_capitals_and_lists_and_nested_fields_make_no_difference() -> None:
    found = propose([{"user": {"groups": ["Ops", "Backup"]}}, {"user": {"groups": ["BACKUP"]}}], [{"user": {}}])
    assert told(found) == [{"user.groups": "Backup"}]


VALUES = st.sampled_from(["a", "b", "/x/y/one", "/x/y/two", "7", "Z"])
EVENTS = st.lists(st.dictionaries(st.sampled_from(["f", "g", "h"]), VALUES, min_size=1), max_size=8)


@given(EVENTS, EVENTS)
def test_whatever_is_proposed_fits_no_true_positive_and_what_it_says_it_covers(
    false: list[dict[str, Any]], true: list[dict[str, Any]]
) -> None:
    found = propose(false, true)
    for selection in found.selections:
        for event in map(flattened, true):
            assert not all(trait.holds(event) for trait in selection.traits)
        for at, event in enumerate(map(flattened, false)):
            if at in selection.covers:
                assert all(trait.holds(event) for trait in selection.traits)
    covered = {at for selection in found.selections for at in selection.covers}
    assert set(found.left) == set(range(len(false))) - covered


def test_the_document_is_a_filter_that_refers_to_the_rule() -> None:
    found = propose([{"agent": "scan*ner"}, {"agent": "monitor"}], [{"agent": "curl"}])
    logsource = {"category": "webserver"}
    rule = "5013198c-e8ee-4b1d-9f7f-1f7dc2f2ae1c"
    text = filter_document(found, rule=rule, title="Scan", logsource=logsource, on=date(2026, 3, 27), false=2)
    document = yaml.safe_load(text)
    assert document["filter"]["rules"] == [rule]
    assert document["filter"]["condition"] == "not 1 of selection_*"
    assert document["filter"]["selection_2"] == {"agent": r"scan\*ner"}
    assert document["date"] == "2026-03-27"
    assert SigmaFilter.from_dict(document).title == "Known and harmless: Scan"
    again = filter_document(found, rule=rule, title="Scan", logsource=logsource, on=date(2026, 3, 27), false=2)
    assert again == text, "the same marks lead to the same filter, id and all"


@given(st.text(alphabet="a\\*? ", min_size=1, max_size=12))
def test_a_value_is_written_so_that_sigma_reads_the_same_value(value: str) -> None:
    found = propose([{"f": value}], [])
    for selection in found.selections:
        text = filter_document(found, rule="r", title="t", logsource={"product": "x"}, on=date(2026, 3, 27), false=1)
        written = yaml.safe_load(text)["filter"]["selection"]["f"]
        assert list(SigmaString(written).s) == [selection.traits[0].value]


def test_a_trait_is_about_the_beginning_the_end_or_the_whole() -> None:
    event = flattened({"f": "Alpha Beta"})
    assert Trait("f", "", "alpha beta").holds(event)
    assert Trait("f", "startswith", "ALPHA").holds(event)
    assert Trait("f", "endswith", " beta").holds(event)
    assert not Trait("g", "", "alpha beta").holds(event)
