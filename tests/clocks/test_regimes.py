"""Law is data with a source: a file that does not name it is refused, with its line."""

import pytest

from breachwatch.clocks.regimes import load_regimes, package_regimes
from breachwatch.kernel.errors import ContentError

NIS2 = """\
name: nis2
title: NIS2
binds: essential and important entities
met_by: nis2-report
applies_from: 2024-10-18
stages:
  - name: notification
    label: Incident notification
    article: "23(4)(b)"
    url: https://eur-lex.europa.eu/eli/dir/2022/2555/oj
    checked_on: 2026-11-24
    period: PT72H
    reminders_hours: [24, 48]
  - name: final
    label: Final report
    article: "23(4)(d)"
    url: https://eur-lex.europa.eu/eli/dir/2022/2555/oj
    checked_on: 2026-11-24
    starts_with: notification
    period: P1M
"""


def problems(text: str, path: str = "nis2.yml") -> list[str]:
    with pytest.raises(ContentError) as caught:
        load_regimes({path: text.encode()})
    return [str(problem) for problem in caught.value.problems]


def test_the_gdpr_comes_with_the_program_and_names_its_source() -> None:
    (stage,) = package_regimes()["gdpr"].stages
    assert stage.article == "33(1)"
    assert stage.url.startswith("https://eur-lex.europa.eu/")
    assert (stage.period.hours, stage.reminders_hours) == (72, (24, 48, 66, 71))


def test_a_further_law_is_a_further_file() -> None:
    regime = load_regimes({"nis2.yml": NIS2.encode()})["nis2"]
    assert [(stage.name, stage.starts_with) for stage in regime.stages] == [
        ("notification", "awareness"),
        ("final", "notification"),
    ]
    assert regime.clock_of(regime.stages[1]) == "nis2/final"


@pytest.mark.parametrize("key", ["article", "url", "checked_on"])
def test_a_stage_without_its_source_is_refused(key: str) -> None:
    without = "".join(line for line in NIS2.splitlines(keepends=True)[:13] if not line.strip().startswith(key))
    assert problems(without) == [f'nis2.yml:7:5: missing key "{key}" in stages.0']


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("checked_on: 2026-11-24", "checked_on: yesterday", "nis2.yml:11:17: stages.0.checked_on: input should be"),
        ("checked_on: 2026-11-24", "checked_on: 1793000000", "nis2.yml:11:17: stages.0.checked_on: a day, such as"),
        ("url: https", "url: http", "nis2.yml:10:10: stages.0.url: the law's public page"),
        ('"23(4)(b)"', '""', "nis2.yml:9:14: stages.0.article: string should have at least 1 character"),
        ("PT72H", "72 hours", "nis2.yml:12:13: stages.0.period: a period is written as ISO 8601"),
        ("PT72H", "72", "nis2.yml:12:13: stages.0.period: a period is written as ISO 8601"),
        ("[24, 48]", "[48, 24]", "nis2.yml:13:22: must ascend, each less than the 72 hours"),
        ("[24, 48]", "[24, 72]", "nis2.yml:13:22: must ascend, each less than the 72 hours"),
        (
            "starts_with: notification",
            "starts_with: notifcation",
            'nis2.yml:19:18: no earlier stage is called "notifcat',
        ),
        ("starts_with: notification", "starts_with: final", 'nis2.yml:19:18: no earlier stage is called "final"'),
        ("- name: final", "- name: notification", 'nis2.yml:14:11: the name "notification" is taken'),
        ("period: P1M", "perod: P1M", 'nis2.yml:20:5: unknown key "perod"; did you mean "period"?'),
        ("applies_from: 2024-10-18", "applies_from: 2024-10-18\napplies_to: 2024-10-17", "nis2.yml:6:13: ends before"),
    ],
)
def test_a_mistake_is_told_with_its_place(old: str, new: str, said: str) -> None:
    assert NIS2.count(old)
    assert any(problem.startswith(said) for problem in problems(NIS2.replace(old, new, 1)))


def test_every_problem_of_every_file_is_told_at_once() -> None:
    with pytest.raises(ContentError) as caught:
        load_regimes({"a.yml": b"name: [", "b.yml": NIS2.replace("PT72H", "soon").encode(), "c.yml": b""})
    assert {problem.path for problem in caught.value.problems} == {"a.yml", "b.yml", "c.yml"}


def test_a_law_without_stages_is_refused() -> None:
    head = NIS2.split("stages:", maxsplit=1)[0]
    assert problems(head + "stages: []\n") == ["nis2.yml:6:9: a regime needs at least one stage"]


def test_two_files_cannot_be_the_same_law() -> None:
    with pytest.raises(ContentError, match=r'b\.yml:1:7: a regime called "nis2" was read before'):
        load_regimes({"a.yml": NIS2.encode(), "b.yml": NIS2.encode()})
