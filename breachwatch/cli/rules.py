"""`breachwatch rules`: plain folders of Sigma rules, looked at before anybody trusts them."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from breachwatch import wiring
from breachwatch.cli.common import (
    WIDE,
    JsonOption,
    SourceFileOption,
    err,
    out,
    plural,
    printable,
    write_file,
    write_json,
)
from breachwatch.cli.junit import junit
from breachwatch.cli.root import TRY, app
from breachwatch.detection.trying.coverage import Coverage, coverage, navigator_layer
from breachwatch.detection.trying.lint import Linted, count

rules_app = typer.Typer(
    help="Sigma rules: what they match, whether they are well written, what they cover.", no_args_is_help=True
)
app.add_typer(rules_app, name="rules", rich_help_panel=TRY)

FolderArgument = Annotated[Path, typer.Argument(help="A folder of Sigma rules, or a playbooks folder.", metavar="DIR")]
SHOWN = 30
"""Rows of a table before the rest is only counted."""


@rules_app.command(
    epilog="Examples: `breachwatch rules lint rules/` · `breachwatch rules lint rules/ --junit lint.xml --strict`"
)
def lint(
    folder: FolderArgument,
    source_file: SourceFileOption = None,
    junit_file: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML, for CI.", metavar="FILE")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Hold rules, correlations and filters against the Sigma specification 2.1; exit code 1 when errors were found."""
    linted = wiring.lint_rules(folder, source_file or [])
    if junit_file is not None:
        write_file(junit_file, junit(linted, str(folder)))
    for one in linted:
        for each in one.findings:
            if as_json:
                problem = each.problem
                line = {"severity": each.severity, "check": each.check, "rule": one.title, "path": problem.path}
                place = {"line": problem.line, "column": problem.column, "message": problem.message}
                write_json({**line, **place, "hint": problem.hint})
            else:
                style = "red" if each.severity == "error" else "yellow"
                out.print(
                    f"[{style}]{each.severity}[/] {printable(str(each.problem))}", highlight=False, soft_wrap=True
                )
    _lint_summary(folder, linted)
    if count(linted, "error") or (strict and count(linted, "warning")):
        raise typer.Exit(1)


def _lint_summary(folder: Path, linted: list[Linted]) -> None:
    if not linted:
        err.print(f"There is no Sigma file in {folder}: rules are .yml files.", highlight=False, soft_wrap=True)
        return
    told = f"{plural(len(linted), 'document')}, {plural(count(linted, 'error'), 'error')}"
    err.print(f"{told}, {plural(count(linted, 'warning'), 'warning')}", highlight=False)
    checks = Counter(each.check for one in linted for each in one.findings)
    if len(checks) > 1:
        err.print(", ".join(f"{name} {number:,}" for name, number in checks.most_common()), highlight=False)


@rules_app.command(name="coverage", epilog="Example: `breachwatch rules coverage rules/ --navigator layer.json`")
def show_coverage(
    folder: FolderArgument,
    navigator: Annotated[
        Path | None, typer.Option("--navigator", help="Write a layer for ATT&CK Navigator.", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which ATT&CK techniques the rules are tagged with, and write a layer for ATT&CK Navigator."""
    found = coverage(wiring.tagged_rules(folder))
    if navigator is not None:
        layer = navigator_layer(found, folder.resolve().name)
        write_file(navigator, json.dumps(layer, indent=2, ensure_ascii=False).encode() + b"\n")
    if as_json:
        for each in found.techniques:
            write_json({"technique": each.technique, "level": each.level, "rules": list(each.titles)})
    else:
        _coverage_table(found)
    told = f"{plural(found.rules, 'rule')}, {plural(len(found.techniques), 'technique')}, "
    err.print(f"{told}{len(found.untagged):,} without a technique", highlight=False)


def _coverage_table(found: Coverage) -> None:
    if not found.techniques:
        out.print("No technique: rules name them in `tags`, such as attack.t1110.001.", highlight=False)
        return
    if found.tactics:
        listed = ", ".join(f"{name} {number:,}" for name, number in found.tactics.items())
        out.print(f"By tactic: {listed}\n", highlight=False, soft_wrap=True)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("technique")
    table.add_column("rules", justify="right")
    table.add_column("highest level")
    table.add_column("such as", overflow="fold")
    whole = not out.is_terminal
    most = sorted(found.techniques, key=lambda each: (-len(each.titles), each.technique))
    for each in most if whole else most[:SHOWN]:
        table.add_row(each.technique, f"{len(each.titles):,}", each.level, printable(each.titles[0]))
    if whole:
        out.width = WIDE
    out.print(table)
    if not whole and len(most) > SHOWN:
        out.print(f"and {len(most) - SHOWN:,} more; all of them into a pipe, with --json or --navigator", style="dim")
