"""An operator looks on while a breach is found and people are told: what is to be seen tells it all, and names nobody.

The whole service runs, from log lines to mails; a scraper, a collector of traces and the log see everything they can.
"""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from house.collector import Collector, asked, attributes, samples
from house.privacy import names_of
from house.service import wait_until
from house.shop import short_day
from house.stage import STARTS_AT, TEAM_MAIL, Stage

from breachwatch.demo.shop import EXPORT_FROM, STUFFING_FROM

KEY = "key-mailing"
OTHERS = [KEY, "key-reporting", STUFFING_FROM, EXPORT_FROM, TEAM_MAIL, "dpo@shop.example", "Dominique"]
"""Who else is named in the fixtures: keys, attackers' addresses, the team."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.close()


@pytest.fixture
def stage(make_stage: Callable[..., Stage], collector: Collector) -> Stage:
    """A service that is looked on at; a breach is written to its logs, and is known."""
    stage = make_stage(observe=f'traces = "{collector.url}"')
    stage.live()
    stage.logs.write(short_day(STARTS_AT).later)
    stage.settle()
    return stage


def url_of(stage: Stage) -> str:
    """The service's address for operators."""
    return (stage.settings.state_dir / "observe" / "up.url").read_text().strip()


def tell_everybody(stage: Stage) -> None:
    """The DPO confirms, decides and approves; every mail goes out."""
    desk = stage.sign_in()
    stage.fill_in(desk, f"/incidents/{stage.incident(KEY)}", "confirm-form", note="these are ours")
    stage.decide_people(desk, stage.incident(KEY))
    stage.approve_notices(desk, stage.incident(KEY))
    stage.settle()


def nobody_in(told: bytes) -> list[str]:
    """Who is named in some bytes, by how often: empty is good."""
    found = names_of(short_day(STARTS_AT).people).found(told)
    others = [one for one in OTHERS if one.lower().encode() in told.lower()]
    return [f"{len(found)} names"] * bool(found) + others


def test_metrics_tell_the_day_as_it_was_and_name_nobody(stage: Stage) -> None:
    tell_everybody(stage)
    written = stage.logs.written
    mails = len(stage.told())
    found = wait_until(
        lambda: (now := samples(url_of(stage)))["breachwatch_outbox_items", "notice"] == 0 and now, "fresh metrics"
    )
    assert found["breachwatch_received_records_total", "app-audit"] == written
    assert found["breachwatch_records_total", "app-audit"] == written
    assert found["breachwatch_mail_total", "notice", "accepted"] == mails
    states = [found["breachwatch_incidents", state] for state in ("open", "confirmed")]
    assert sum(states) == len(stage.store.ledger.summaries(open_only=True))
    assert 0 < found["breachwatch_clock_margin_seconds",] <= 72 * 3600
    assert found["breachwatch_alerts_taken_total",] >= 1
    assert found["breachwatch_ready", "ledger"] == found["breachwatch_ready", "spool"] == 1
    assert len(found) < 250, "few labels, and few values of each"
    assert json.loads(asked(url_of(stage) + "/readyz"))["ready"] is True
    assert nobody_in((asked(url_of(stage) + "/metrics") + asked(url_of(stage) + "/readyz")).encode()) == []
    stage.service.stop()


def test_one_trace_leads_from_the_record_to_every_mail_and_names_nobody(stage: Stage, collector: Collector) -> None:
    tell_everybody(stage)
    stage.service.stop()
    whole = collector.whole()
    assert whole
    by_kind = [attributes(span)["breachwatch.mail.kind"] for spans in whole for span in spans if span.name == "mail"]
    assert by_kind.count("notice") == len(stage.told())
    for spans in whole:
        known = {span.span_id for span in spans}
        assert all(span.parent_span_id in known for span in spans if span.name != "collect")
    assert nobody_in(b"\n".join(collector.bodies)) == []


def test_every_log_line_is_an_object_and_none_of_them_names_anybody(stage: Stage) -> None:
    gone = sorted(short_day(STARTS_AT).suffered[KEY])[0]
    stage.relay.to_rcpt = lambda to: f"550 5.1.1 <{to}>: no such user here" if to == gone else "250 OK"
    stage.relay.down()
    desk = stage.sign_in()
    stage.fill_in(desk, f"/incidents/{stage.incident(KEY)}", "confirm-form", note="these are ours")
    stage.decide_people(desk, stage.incident(KEY))
    stage.approve_notices(desk, stage.incident(KEY))
    wait_until(lambda: stage.status(desk)["troubles"], "the trouble with the relay")
    stage.relay.up()

    def carried() -> bool:
        due = stage.store.outbox.next_due(("notice", "team_mail"))
        if due is not None:
            stage.clock.to(due + timedelta(seconds=1))
        return stage.carried()

    wait_until(carried, "all mails to be carried")
    stage.service.stop()
    log = stage.service.log.read_bytes()
    lines = [json.loads(line) for line in log.splitlines()]
    assert all({"time", "level", "part", "message"} <= set(line) for line in lines)
    assert [line for line in lines if line["part"] == "couriers.courier" and "trace" in line]
    assert nobody_in(log) == []
