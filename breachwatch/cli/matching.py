"""`breachwatch rules match` and `rules check`: a plain folder of Sigma rules, and files of one source."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import orjson
import typer

from breachwatch import wiring
from breachwatch.cli.common import (
    JsonOption,
    ReferenceOption,
    SourceFileOption,
    SourceOption,
    TimezoneOption,
    WorkersOption,
    account_line,
    err,
    logs_of,
    must_be_there,
    out,
    plural,
    printable,
    progress,
    total_bytes,
    write_json,
)
from breachwatch.cli.explaining import ExplainOption, RecordOption, RuleOption
from breachwatch.cli.explaining import tell as tell_explained
from breachwatch.cli.rules import FolderArgument, rules_app
from breachwatch.detection.sigma.ruleset import RuleSet
from breachwatch.engines.memory import settle_memory
from breachwatch.kernel.errors import Problem
from breachwatch.kernel.time import from_microseconds, rfc3339

RulesOption = Annotated[
    Path, typer.Option("--rules", "-r", help="A folder of Sigma rules, or one file.", metavar="DIR")
]
PipelineOption = Annotated[
    list[str] | None, typer.Option("--pipeline", "-p", help="A pySigma processing pipeline: file or name; repeatable.")
]
PlaceholdersOption = Annotated[
    Path | None, typer.Option(help="YAML file: what %name% in rules stands for.", metavar="FILE")
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Load and compile everything anew.")]
TOLD = 20
"""Refused rules told on a terminal before the rest is only counted."""


@rules_app.command(
    epilog="Examples: `breachwatch rules match --rules rules/ --source windows-json events.json --json` · "
    "`breachwatch rules match --rules rules/ --source linux-sshd auth.log.gz` · "
    "`breachwatch rules match --rules rules/ --source nginx access.log --explain --record 7 --rule 'Web shell'`"
)
def match(
    files: Annotated[list[Path], typer.Argument(help="Files of the source, packed or not.", metavar="FILE...")],
    rules: RulesOption,
    source: SourceOption,
    as_json: JsonOption = False,
    pipeline: PipelineOption = None,
    placeholders: PlaceholdersOption = None,
    counted: Annotated[
        bool, typer.Option("--counted", help="Also rules whose matches only a correlation counts.")
    ] = False,
    source_file: SourceFileOption = None,
    timezone: TimezoneOption = "UTC",
    reference: ReferenceOption = None,
    workers: WorkersOption = 0,
    no_cache: NoCacheOption = False,
    explain: ExplainOption = False,
    record: RecordOption = None,
    rule: RuleOption = "",
) -> None:
    """Tell which rules match which records; rules that cannot be used are named on standard error, with the reason."""
    must_be_there(files)
    logs = logs_of(source, source_file, timezone, reference, workers)
    matching = wiring.build_matching(
        rules,
        source,
        source_files=source_file or [],
        timezone=timezone,
        pipelines=pipeline or [],
        placeholders=placeholders,
        cache=wiring.NoCache() if no_cache else wiring.Cache(),
    )
    if explain or record or rule:
        found = wiring.explain_match(matching, rules, files, logs, records=record or [], wanted=rule)
        tell_explained(found, as_json=as_json)
        return
    tell_refused(matching.loaded.refused)
    settle_memory()
    matches, matched = 0, set()
    with progress(total_bytes(files), "matching") as advance:
        for hit in matching.run(files, logs.reference, logs.workers, advance):
            if counted or hit.rule.speaks:
                matches += 1
                matched.add(hit.rule.id)
                _tell(hit, as_json=as_json, named=len(files) > 1)
    for name, why in matching.broken.items():
        err.print(f"the rule {name} was switched off: {why}", style="red", markup=False, soft_wrap=True)
    _summary(matching, matches, len(matched), as_json=as_json)


def _tell(hit: "wiring.Hit", *, as_json: bool, named: bool) -> None:
    time = rfc3339(from_microseconds(hit.at_us))
    if as_json:
        line = {"record": hit.position, "rule": hit.rule.id, "time": time, "title": hit.rule.title}
        line |= {"level": hit.rule.level} | ({"file": str(hit.file)} if named else {})
        sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
        return
    place = f"{hit.file}:{hit.position}" if named else f"{hit.position:>8}"
    told = f"{place}  {time:<27}  {hit.rule.level:<13}  {printable(hit.rule.title)}"
    out.print(told, highlight=False, soft_wrap=True)


def _summary(matching: "wiring.Matching", matches: int, matched: int, *, as_json: bool) -> None:
    others = len(matching.loaded.rules) - len(matching.rules)
    told = f"{plural(len(matching.rules), 'rule')} for {matching.source.name}"
    told += f", {others:,} for other sources" if others else ""
    told += f", {len(matching.loaded.refused):,} refused" if matching.loaded.refused else ""
    if not matches and not as_json:
        if not matching.rules:
            out.print(f"None of these rules is for {matching.source.name}: see `breachwatch sources list`.")
        elif 2 * matching.tally.events < matching.tally.records:
            out.print("No match, but most records were no events; is the source right?", highlight=False)
        else:
            out.print("No match: nothing in these files is what the rules look for.", highlight=False)
    err.print(f"{plural(matches, 'match', 'matches')} of {plural(matched, 'rule')}; {told}", highlight=False)
    err.print(account_line(matching.tally), highlight=False, soft_wrap=True)


def tell_refused(refused: Sequence[Problem]) -> None:
    """Rules that cannot be used, each with file, line and reason; all of them where nobody scrolls."""
    told = refused[:TOLD] if err.is_terminal else refused
    for problem in told:
        err.print(str(problem), style="yellow", markup=False, highlight=False, soft_wrap=True)
    if len(told) < len(refused):
        left = f"and {len(refused) - len(told):,} more: breachwatch rules check tells all"
        err.print(left, style="yellow", highlight=False)


@rules_app.command(
    epilog="Examples: `breachwatch rules check rules/` · `breachwatch rules check rules/ --pipeline sysmon --json`"
)
def check(
    folder: FolderArgument,
    pipeline: PipelineOption = None,
    placeholders: PlaceholdersOption = None,
    source_file: SourceFileOption = None,
    as_json: JsonOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Tell which rules can be used and which cannot, with file, line and reason; exit code 1 when some cannot."""
    check_rules(folder, pipeline or [], placeholders, source_file or [], as_json=as_json, no_cache=no_cache)


def check_rules(
    folder: Path,
    pipelines: Sequence[str],
    placeholders: Path | None,
    source_files: Sequence[Path],
    *,
    as_json: bool,
    no_cache: bool,
) -> None:
    """What `rules check` does; `breachwatch check` does the same with a folder that holds no playbook."""
    loaded, sources = wiring.load_plain_rules(
        folder,
        source_files=source_files,
        pipelines=pipelines,
        placeholders=placeholders,
        cache=wiring.NoCache() if no_cache else wiring.Cache(),
    )
    lines = [*(("refused", each) for each in loaded.refused), *(("note", each) for each in loaded.notes)]
    for kind, problem in lines:
        if as_json:
            place = {"path": problem.path, "line": problem.line, "column": problem.column}
            write_json({"kind": kind, **place, "message": problem.message, "hint": problem.hint})
        else:
            style = "red" if kind == "refused" else "dim"
            out.print(f"{kind:<8} {problem}", style=style, markup=False, highlight=False, soft_wrap=True)
    _check_summary(folder, loaded, sources)
    if loaded.refused:
        raise typer.Exit(1)


def _check_summary(folder: Path, loaded: RuleSet, sources: Sequence[str]) -> None:
    if not (loaded.rules or loaded.correlations or loaded.refused):
        err.print(f"There is no Sigma rule in {folder}: rules are .yml files.", highlight=False, soft_wrap=True)
        return
    served = {name: sum(name in rule.sources for rule in loaded.rules) for name in sources}
    waiting = sum(not set(rule.sources) & set(sources) for rule in loaded.rules)
    told = f"{plural(len(loaded.rules), 'rule')} and {plural(len(loaded.correlations), 'correlation')} can be used, "
    err.print(f"{told}{len(loaded.refused):,} refused; {waiting:,} wait for a source", highlight=False)
    by_size = sorted(served.items(), key=lambda each: (-each[1], each[0]))
    listed = ", ".join(f"{name} {number:,}" for name, number in by_size if number)
    if listed:
        err.print(f"by source: {listed}", highlight=False, soft_wrap=True)
