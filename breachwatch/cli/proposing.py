"""`breachwatch rules propose`: a filter out of marked false positives, with its proof."""

from pathlib import Path
from typing import Annotated

import typer

from breachwatch import wiring
from breachwatch.cli.common import (
    JsonOption,
    ReferenceOption,
    SourceFileOption,
    SourceOption,
    TimezoneOption,
    err,
    logs_of,
    must_be_there,
    now,
    out,
    plural,
    printable,
    write_file,
    write_json,
)
from breachwatch.cli.matching import RulesOption
from breachwatch.cli.rules import rules_app


@rules_app.command(
    epilog="Example: `breachwatch rules propose --rules rules/ --rule 'Web shell' --source nginx --false false.log "
    "--true true.log --output rules/known-good.yml`"
)
def propose(
    rules: RulesOption,
    rule: Annotated[str, typer.Option("--rule", help="Its id, name or title.")],
    source: SourceOption,
    false: Annotated[Path, typer.Option("--false", help="Records marked as false positives, one a line.")],
    true: Annotated[Path, typer.Option("--true", help="Records that must go on alerting, one a line.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the filter there.", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
    source_file: SourceFileOption = None,
    timezone: TimezoneOption = "UTC",
    reference: ReferenceOption = None,
) -> None:
    """Propose a Sigma filter for a rule's false positives, and prove that its true positives still fire."""
    must_be_there([false, true])
    logs = logs_of(source, source_file, timezone, reference, workers=1)
    found = wiring.build_proposal(rules, rule, logs, false, true, now().date())
    if as_json:
        _as_json(found)
    elif found.document:
        out.print(found.document, markup=False, highlight=False, soft_wrap=True, end="")
    _reasons(found)
    _proof(found)
    if not found.proven:
        raise typer.Exit(1)
    if output is not None:
        write_file(output, found.document.encode())
        err.print(f"{output} is written; load it beside the rule.", highlight=False, soft_wrap=True)


def _as_json(found: "wiring.Proposed") -> None:
    write_json(
        {
            "rule": found.rule.id,
            "filter": found.document or None,
            "selections": [
                {"covers": len(each.covers), "fields": {trait.key: trait.value for trait in each.traits}}
                for each in found.proposal.selections
            ],
            "false_positives": {"matched": found.false.before, "with_filter": found.false.after},
            "true_positives": {"matched": found.true.before, "with_filter": found.true.after},
            "proven": found.proven,
        }
    )


def _reasons(found: "wiring.Proposed") -> None:
    forms = {"": "is", "startswith": "begins with", "endswith": "ends with"}
    for each in found.proposal.selections:
        first, *others = each.traits
        said = f"{first.field} {forms[first.form]} {first.value!r}"
        told = f"{plural(len(each.covers), 'false positive')}: {said}, and that of no true positive"
        also = ", ".join(f"{trait.field} is {trait.value!r}" for trait in others)
        err.print(printable(f"{told}{'; narrowed by: ' + also if also else ''}"), highlight=False, soft_wrap=True)


def _proof(found: "wiring.Proposed") -> None:
    if not found.document:
        told = "Nothing sets these false positives apart from the true ones: the rule itself must be changed."
        err.print(told, style="yellow", highlight=False, soft_wrap=True)
    if not found.true.before:
        err.print("None of the true records matches the rule, so nothing is proven about them.", style="yellow")
    gone = found.false.before - found.false.after
    told = f"True positives that still fire: {found.true.after:,} of {found.true.before:,}. "
    told += f"False positives set aside: {gone:,} of {found.false.before:,}."
    err.print(told, style="green" if found.proven else "red", highlight=False, soft_wrap=True)
