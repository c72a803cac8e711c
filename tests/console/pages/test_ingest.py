"""What programs send is answered with 202 only when it is durable, and never half understood."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breachwatch.console.words import OOPS
from breachwatch.kernel.ids import event_id
from breachwatch.kernel.posted import ERROR_CODES, LIMIT, LONGEST_RECORD, MAX_CHUNK_BYTES, MAX_RECORDS, chunks

NOW = datetime(2026, 3, 27, 9, tzinfo=UTC)


async def send(house, body: bytes, *, token: str | None = None, source: str = "app-audit", **headers: str):
    browser = house.browser()
    sent = {"content-type": "application/x-ndjson", **headers}
    if token != "":
        sent["authorization"] = f"Bearer {token or house.ingest_token}"
    return await browser.http.post(f"/ingest/{source}", content=body, headers=sent)


def ids(house) -> list[str]:
    return [
        event_id(chunk.origin, chunk.first_ordinal + at)
        for chunk in house.spool.chunks
        for at in range(len(chunk.records))
    ]


async def test_records_are_taken_line_by_line_and_answered_when_durable(house) -> None:
    answer = await send(house, b'{"a":1}\r\n\n{"a":2}\n')
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "chunks": 1, "bytes": 18}
    (chunk,) = house.spool.chunks
    assert chunk.records == (b'{"a":1}', b'{"a":2}')
    assert chunk.source == "app-audit"
    assert chunk.received_at == house.clock()
    assert "203.0.113" not in chunk.origin


async def test_a_full_disk_is_a_503_that_says_when_to_come_back(house) -> None:
    house.spool.full = True
    answer = await send(house, b"{}\n")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "disk is full" in answer.json()["error"]["message"]
    assert house.spool.chunks == []


@pytest.mark.parametrize("token", ["", "wrong", "an-ingest-token-for-test", "an-ingest-token-for-testsx"])
async def test_without_the_right_token_nothing_is_taken(house, token: str) -> None:
    answer = await send(house, b"{}\n", token=token)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"]["code"] == "unauthorized"
    assert house.ingest_token not in answer.text
    assert house.spool.chunks == []


async def test_a_session_is_no_ingest_token_and_the_token_is_no_session(house, dpo) -> None:
    answer = await dpo.http.post("/ingest/app-audit", content=b"{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 401
    page = await house.browser().http.get("/", headers={"authorization": f"Bearer {house.ingest_token}"})
    assert page.status_code == 303


async def test_an_unknown_source_is_named_with_those_that_are_known(house) -> None:
    answer = await send(house, b"{}\n", source="app-audits")
    assert answer.status_code == 404
    assert "app-audit" in answer.json()["error"]["message"]
    assert answer.json()["error"]["code"] == "not_found"


async def test_too_large_a_body_is_refused_before_it_is_read_and_while_it_is(house) -> None:
    declared = await send(house, b"x", **{"content-length": str(LIMIT + 1)})
    assert declared.status_code == 413

    async def stream():
        for _ in range(LIMIT // 65536 + 2):
            yield b"x" * 65536

    headers = {"content-type": "text/plain", "authorization": f"Bearer {house.ingest_token}"}
    streamed = await house.browser().http.post("/ingest/app-audit", content=stream(), headers=headers)
    assert streamed.status_code == 413
    assert streamed.json()["error"]["code"] == "content_too_large"
    assert house.spool.chunks == []


@pytest.mark.parametrize("kind", ["multipart/form-data", "application/x-www-form-urlencoded", ""])
async def test_other_content_is_refused(house, kind: str) -> None:
    assert (await send(house, b"{}", **{"content-type": kind})).status_code == 415


async def test_compressed_content_is_refused_and_not_taken_for_records(house) -> None:
    assert (await send(house, b"\x1f\x8b", **{"content-encoding": "gzip"})).status_code == 415


def test_every_error_of_the_desk_has_a_code_and_the_reference_tells_each() -> None:
    reference = (Path(__file__).parents[3] / "docs/reference/http-api.md").read_text("utf-8")
    assert ERROR_CODES.keys() - {401} == OOPS.keys(), "401 is for programs; people are led to the door"
    assert [code for code in ERROR_CODES.values() if f"`{code}`" not in reference] == []


async def test_sent_again_under_its_key_the_same_records_keep_their_ids(house) -> None:
    for _ in range(2):
        await send(house, b"{}\n{}\n", **{"idempotency-key": "batch-7"})
        house.clock.forward(timedelta(seconds=40))
    first, second = ids(house)[:2], ids(house)[2:]
    assert first == second
    assert first[0] != first[1]


async def test_without_a_key_two_equal_lines_are_two_events(house) -> None:
    await send(house, b"{}\n")
    house.clock.forward(timedelta(microseconds=1))
    await send(house, b"{}\n")
    first, second = ids(house)
    assert first != second


@given(st.lists(st.binary(min_size=1, max_size=4000), max_size=60), st.integers(min_value=0, max_value=3000))
def test_chunks_hold_every_record_once_in_order_and_within_bounds(records: list[bytes], more: int) -> None:
    records += [b"x"] * more
    made = list(chunks(records, "app-audit", "http:x", NOW))
    assert [record for chunk in made for record in chunk.records] == records
    assert [chunk.first_ordinal for chunk in made] == [
        sum(len(before.records) for before in made[:at]) for at in range(len(made))
    ]
    for chunk in made:
        assert 0 < len(chunk.records) <= MAX_RECORDS
        assert sum(map(len, chunk.records[:-1])) < MAX_CHUNK_BYTES


def test_a_record_beyond_a_mebibyte_is_cut_and_its_true_size_kept() -> None:
    (chunk,) = chunks([b"a", b"b" * (LONGEST_RECORD + 5)], "app-audit", "http:x", NOW)
    assert [len(record) for record in chunk.records] == [1, LONGEST_RECORD]
    assert chunk.oversized == ((1, LONGEST_RECORD + 5),)
