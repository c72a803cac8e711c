"""Detection beside its peers: the same rules, the same events, one core, and the same matches or no figure.

    script/bench detection                                  # every lane, 5 rounds
    script/bench detection --lanes sysmon,heavy --rounds 3
    script/bench detection --lanes sysmon --profile
    script/bench detection --resume                         # go on where a run was cut short

Each side is a process of its own on one core, loads first, and then runs round after round in turn with the others.
Figures are medians. What is found is held against the peers', rule by rule and record by record.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.detection.lanes import LANES
from bench.detection.measure import measure, profile
from bench.detection.peers import CACHE, ROOT, SIDES
from bench.detection.report import print_table, write_markdown

CORPUS = ROOT.parent / "shared" / "data" / "sigma-corpus" / "rules.tar.xz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--lanes", default=",".join(LANES), help="names, parted by commas (bench.detection.lanes --list)"
    )
    parser.add_argument("--sides", default=",".join(SIDES), help=f"of {', '.join(SIDES)}")
    parser.add_argument("--events", type=int, default=20_000, help="in each lane")
    parser.add_argument("--few", type=int, default=1_000, help="events of each round of the SQLite peer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rules", type=Path, default=CORPUS, help="a folder of Sigma rules, or a packed one")
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1)
    parser.add_argument("--out", type=Path, default=CACHE / "detection.json")
    parser.add_argument("--resume", action="store_true", help="take lanes from --out that were measured at this commit")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, and no table")
    parser.add_argument("--markdown", type=Path, help="write the table as Markdown, too")
    parser.add_argument("--profile", action="store_true", help="print where breachwatch's time goes, and nothing else")
    given = parser.parse_args()
    names, sides = given.lanes.split(","), given.sides.split(",")
    for unknown in [*({*names} - LANES.keys()), *({*sides} - {*SIDES})]:
        parser.error(f"there is no {unknown}")
    if not given.rules.exists():
        parser.error(f"there are no rules at {given.rules}; --rules DIR names a folder of Sigma rules")
    if given.profile:
        for name in names:
            print(profile(LANES[name], given))
        return
    key = {"commit": _commit(), "events": given.events, "few": given.few, "rounds": given.rounds, "sides": sides}
    results = _kept(given.out, key) if given.resume else {"key": key, "lanes": {}}
    for name in names:
        if name not in results["lanes"]:
            print(f"lane {name}: {LANES[name].title}", file=sys.stderr)
            results["lanes"][name] = measure(LANES[name], sides, given)
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    shown = {name: results["lanes"][name] for name in names}
    if given.json:
        print(json.dumps({**results, "lanes": shown}))
    else:
        print_table(shown)
    if given.markdown:
        write_markdown(shown, given.markdown)
    if any(cell["differs"] for lane in shown.values() for cell in lane["sides"].values()):
        sys.exit(1)


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _kept(path: Path, key: dict[str, Any]) -> dict[str, Any]:
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return kept
    return {"key": key, "lanes": {}}


if __name__ == "__main__":
    main()
