"""What other projects say of real logs, beside what is read of them here and what alerts.

    python -m bench.conformance                  # tables for every set
    python -m bench.conformance fail2ban         # one of fail2ban, ossec, crowdsec, thresholds
    python -m bench.conformance decisions        # other people's rule tests: precision and recall by log type
    python -m bench.conformance false-alarms     # ordinary logs, and what an intrusion becomes
    python -m bench.conformance --misses         # each miss, with its reason
    python -m bench.conformance --json           # the same for programs

The sets lie in `shared/data` beside the checkout, and are read in place.
"""

import argparse
import json
from itertools import groupby
from types import ModuleType

from bench.conformance import crowdsec, fail2ban, ossec, tables, thresholds
from bench.conformance.cases import Case, tally

SETS: dict[str, ModuleType] = {
    "fail2ban": fail2ban,
    "ossec": ossec,
    "crowdsec": crowdsec,
    "thresholds": thresholds,
}
"""Sets of cases that are right or missed."""
TOLD = {"decisions": tables.decisions_told, "false-alarms": tables.alarms_told}
"""What is told in another way, by name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", choices=[*SETS, *TOLD, []], help="which sets; all by default")
    parser.add_argument("--misses", action="store_true", help="list each miss")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args()
    names = asked.sets or [*SETS, *TOLD]
    found = {name: SETS[name].cases() for name in names if name in SETS}
    told = {name: TOLD[name]() for name in names if name in TOLD}
    if asked.json:
        plain = {name: _plain(SETS[name], cases) for name, cases in found.items()}
        print(json.dumps({**plain, **{name: each.plain for name, each in told.items()}}, indent=2))
        return
    for name, cases in found.items():
        print(table(name, cases))
        if asked.misses:
            print(misses(SETS[name], cases))
    for each in told.values():
        print(each.table)
        if asked.misses:
            print(each.misses)


def table(name: str, cases: list[Case]) -> str:
    rows = [f"| {name} | right | all |", "|---|---:|---:|"]
    rows += [f"| {group} | {right} | {count} |" for group, (right, count) in tally(cases).items()]
    right = sum(case.right for case in cases)
    return "\n".join([*rows, f"| **all** | **{right}** | **{len(cases)}** |", ""])


def misses(of: ModuleType, cases: list[Case]) -> str:
    missed = sorted((case for case in cases if not case.right), key=lambda case: (case.why, case.group))
    lines = []
    for why, together in groupby(missed, key=lambda case: case.why):
        lines.append(f"- {of.WHY.get(why, 'Not explained.')}")
        for group, each in groupby(together, key=lambda case: case.group):
            lines.append(f"  {group}: {', '.join(f'{_line(case)} ({case.miss})' for case in each)}")
    return "\n".join([*lines, ""])


def _line(case: Case) -> str:
    return case.at.partition(":")[2] or case.at


def _plain(of: ModuleType, cases: list[Case]) -> dict[str, object]:
    return {
        "right": sum(case.right for case in cases),
        "all": len(cases),
        "groups": {group: list(counts) for group, counts in tally(cases).items()},
        "misses": [
            {"at": case.at, "miss": case.miss, "why": of.WHY.get(case.why, "")} for case in cases if not case.right
        ],
        **({"others": of.others()} if hasattr(of, "others") else {}),
        **(dict(zip(("values_right", "values"), of.values(), strict=True)) if hasattr(of, "values") else {}),
    }


if __name__ == "__main__":
    main()
