"""`breachwatch topics`: the topics of the cluster, made, held against `topics/`, and changed only when told to."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from breachwatch import wiring
from breachwatch.cli.common import DEFAULT_CONFIG, WIDE, ConfigOption, JsonOption, err, out, plural, write_json
from breachwatch.cli.root import CHECK, app
from breachwatch.settings import read_settings

if TYPE_CHECKING:
    from breachwatch.engines.kafka.topics import Difference

topics_app = typer.Typer(
    help="The topics of a cluster (Apache Kafka), as topics/ describes them.", no_args_is_help=True
)
app.add_typer(topics_app, name="topics", rich_help_panel=CHECK)


@topics_app.command(
    "apply",
    epilog="Examples: `breachwatch topics apply` before the first start; `breachwatch topics diff`, and then "
    "`breachwatch topics apply --change`, after an upgrade.",
)
def topics_apply(
    change: Annotated[
        bool, typer.Option("--change", help="Also alter topics that differ; never takes partitions away.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make the topics that are missing; others stay as they are. Exit code 1 while any is not as described."""
    report = wiring.apply_topics(read_settings(config), change=change)
    if as_json:
        for made in report.made:
            write_json({"topic": made.topic.name, "did": "created", **_size(made)})
        for one in report.changed:
            write_json({**_line(one), "did": "changed"})
        for one in report.left:
            write_json({**_line(one), "did": "nothing"})
    else:
        for made in report.made:
            size = f"{plural(made.topic.partitions, 'partition')} x {made.topic.replication}"
            _say(f"made {made.topic.name} ({size})")
        for one in report.changed:
            _say(f"changed {one.topic}: {one.what} from {one.found or 'nothing'} to {one.wanted}")
        _tell_left(report)
    raise typer.Exit(1 if report.left else 0)


@topics_app.command("check", epilog="Example: `breachwatch topics check || breachwatch topics diff`")
def topics_check(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Whether all topics are there and as described: exit code 0 if so, 1 if not. Touches nothing."""
    report = wiring.compare_topics(read_settings(config))
    if as_json:
        for one in report.left:
            write_json(_line(one))
    else:
        _tell_left(report)
    raise typer.Exit(1 if report.left else 0)


@topics_app.command("diff", epilog="Example: `breachwatch topics diff --json | jq .what`")
def topics_diff(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """How the topics differ from what is described, and what would put each right. Touches nothing."""
    report = wiring.compare_topics(read_settings(config))
    if as_json:
        for one in report.left:
            write_json(_line(one))
        return
    if not report.left:
        _say(_all_well(report))
        return
    if not out.is_terminal:
        out.width = WIDE
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("topic", "what", "is", "wanted", "put right by"):
        table.add_column(heading, overflow="fold")
    for one in report.left:
        table.add_row(one.topic, one.what, one.found or "-", one.wanted, _cure(one), style=_STYLES[one.cure])
    out.print(table)


@topics_app.command("rights", epilog="Example: `breachwatch topics rights > grant.sh`, to be read and then run.")
def topics_rights(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Print the commands that let each process do what it must on the brokers and no more (ACLs). Touches nothing.

    Each process has a user of its own, called by the prefix and its name, such as breachwatch-worker.
    """
    named = ""
    for process, command in wiring.topic_rights(read_settings(config)):
        if as_json:
            write_json({"process": process, "command": command})
            continue
        if process != named:
            _say(f"# breachwatch {process}")
            named = process
        _say(command)


_STYLES = {"create": "green", "change": "yellow", "by hand": "red"}


def _cure(one: "Difference") -> str:
    match one.cure:
        case "create":
            return "breachwatch topics apply"
        case "change":
            return "breachwatch topics apply --change"
        case _:
            return f"you: {one.refused}"


def _tell_left(report: "wiring.TopicsReport") -> None:
    for one in report.left:
        has = "is missing" if one.cure == "create" else f"{one.what} is {one.found or 'nothing'}, wanted {one.wanted}"
        err.print(f"{one.topic}: {has} ({_cure(one)})", style="red", markup=False, highlight=False, soft_wrap=True)
    if not report.left:
        _say(_all_well(report))


def _all_well(report: "wiring.TopicsReport") -> str:
    return f"{plural(len(report.topics), 'topic')} as described."


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def _size(made: Any) -> Mapping[str, Any]:
    return {"partitions": made.topic.partitions, "replication": made.topic.replication}


def _line(one: "Difference") -> dict[str, Any]:
    return {
        "topic": one.topic,
        "what": one.what,
        "found": one.found,
        "wanted": one.wanted,
        "cure": one.cure,
        "refused": one.refused,
    }
