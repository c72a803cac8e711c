"""What rules are tagged with, as a table and as a layer of ATT&CK Navigator."""

from breachwatch.detection.trying.coverage import Tagged, coverage, navigator_layer, read_tags

RULE = "title: {}\nlevel: {}\ntags: {}\nlogsource: {{product: linux}}\ndetection: {{a: {{x: 1}}, condition: a}}\n"


def rules() -> list[Tagged]:
    texts = [
        RULE.format("Guessed", "medium", "[attack.credential-access, attack.t1110.001]"),
        RULE.format("Sprayed", "high", "[attack.credential_access, attack.T1110.003, attack.t1110.001]"),
        RULE.format("Plain", "low", "[cve.2021-44228]"),
    ]
    return read_tags({f"rules/{number}.yml": text.encode() for number, text in enumerate(texts)})


def test_techniques_count_their_rules_and_know_the_most_serious_level() -> None:
    found = coverage(rules())
    assert [(each.technique, each.titles, each.level) for each in found.techniques] == [
        ("T1110.001", ("Guessed", "Sprayed"), "high"),
        ("T1110.003", ("Sprayed",), "high"),
    ]
    assert found.tactics == {"credential-access": 2}
    assert [each.title for each in found.untagged] == ["Plain"]


def test_the_layer_opens_parents_and_colours_by_number_of_rules() -> None:
    layer = navigator_layer(coverage(rules()), "our rules")
    assert (layer["name"], layer["domain"]) == ("our rules", "enterprise-attack")
    assert layer["versions"]["layer"] == "4.5"
    assert layer["gradient"]["maxValue"] == 2
    by_id = {each["techniqueID"]: each for each in layer["techniques"]}
    assert by_id["T1110.001"]["score"] == 2
    assert by_id["T1110.001"]["comment"] == "Guessed\nSprayed"
    assert by_id["T1110"] == {"techniqueID": "T1110", "showSubtechniques": True}


def test_files_that_cannot_be_read_and_documents_that_are_no_rules_are_left_out() -> None:
    assert read_tags({"a.yml": b"[", "b.yml": b"title: x\n", "c.txt": b"title: x\ndetection: {}\n"}) == []
    assert coverage([]).techniques == ()
    assert navigator_layer(coverage([]), "none")["techniques"] == []
