"""The long form can be asked what it does, and tells what came of each fault in one line."""

from typing import Any

import pytest
from faultlab import soak
from faultlab.verdict import Verdict


def test_it_says_what_it_would_do(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["script/soak", "--help"])
    with pytest.raises(SystemExit):
        soak.main()
    told = capsys.readouterr().out
    assert "--kills" in told
    assert "--hours" in told


@pytest.mark.parametrize(
    ("problems", "told"),
    [
        ([], "all as undisturbed"),
        (["2 of 3 records", "an incident was raised twice", "more"], "2 of 3 records; an inc"),
    ],
)
def test_a_row_tells_what_came_of_a_fault(problems: list[str], told: str) -> None:
    verdict: Any = Verdict(8_000, 8_000, 8_000, 15, 10, 10, problems)
    row = soak.Row("a worker is killed", "300 kills", 1234.5, 6.78, 2, verdict).markdown()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:6] == ["a worker is killed", "300 kills", "1234", "6.8", "2", "8,000"]
    assert cells[-1].startswith(told)
