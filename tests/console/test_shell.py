"""When something is wrong: plain words, what to do, and nothing that the program was holding."""

import asyncio
import logging

import pytest

from breachwatch.kernel.errors import UnavailableError


def breaking(error: Exception):
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


async def test_a_ledger_that_is_away_is_a_503_that_says_so_and_when_to_try_again(house, analyst, monkeypatch) -> None:
    monkeypatch.setattr(type(house.store.ledger), "summaries", breaking(UnavailableError("the database is locked")))
    answer = await analyst.get("/")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "cannot be reached just now" in answer.text
    assert "the database is locked" in answer.text
    data = await analyst.http.get("/api/incidents")
    assert data.status_code == 503
    assert data.headers["retry-after"] == "5"


async def test_what_the_program_was_holding_is_neither_shown_nor_logged(house, analyst, monkeypatch, caplog) -> None:
    secret = "anna@example.org and the key 0xdeadbeef"
    monkeypatch.setattr(type(house.store.ledger), "summaries", breaking(ValueError(secret)))
    with caplog.at_level(logging.DEBUG):
        answer = await analyst.get("/")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.text
    assert "deadbeef" not in answer.text
    assert "deadbeef" not in caplog.text
    assert "ValueError" in caplog.text, "but what kind of fault it was, and where, is"


async def test_an_error_page_that_cannot_be_drawn_is_still_an_answer(house, analyst, monkeypatch) -> None:
    from breachwatch.console import shell

    monkeypatch.setattr(shell, "_oops_page", breaking(RuntimeError("no template")))
    answer = await analyst.get("/incidents/in-unknown")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(house, analyst) -> None:
    fields = {"csrf": analyst.csrf, "seq": "1", "text": "x" * 400_000}
    answer = await analyst.http.post(f"{house.path}/notes", data=fields)
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/sign-in", "/ingest/app-audit"])
@pytest.mark.parametrize("leaves", [True, False])
async def test_a_body_that_never_ends_holds_nothing_and_fills_no_log(
    house, monkeypatch, caplog, path: str, leaves: bool
) -> None:
    from breachwatch.console import shell

    monkeypatch.setattr(shell, "BODY_SECONDS", 0.0)
    said: list[dict[str, object]] = []
    heard = iter([{"type": "http.request", "body": b"a", "more_body": True}])

    async def receive() -> dict[str, object]:
        if (message := next(heard, None)) is not None:
            return message
        return {"type": "http.disconnect"} if leaves else await asyncio.Event().wait()

    async def send(message: dict[str, object]) -> None:
        said.append(message)

    headers = [
        (b"host", b"localhost:8420"),
        (b"content-type", b"text/plain"),
        (b"authorization", f"Bearer {house.ingest_token}".encode()),
    ]
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": path, "raw_path": path.encode(),
             "query_string": b"", "headers": headers, "scheme": "http", "client": ("192.0.2.1", 5), "root_path": "",
             "server": ("desk", 80)}  # fmt: skip
    await house.app(scope, receive, send)
    assert said[0]["status"] == 408
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"csrf": "x"}', "application/json", 415),
        (b"--x--", "multipart/form-data; boundary=x", 415),
        (b"a=1&" * 500, "application/x-www-form-urlencoded", 400),
        (b"text=\xff\xfe", "application/x-www-form-urlencoded", 400),
    ],
)
async def test_bodies_that_are_no_form_are_refused(house, analyst, body: bytes, kind: str, status: int) -> None:
    answer = await analyst.http.post(f"{house.path}/notes", content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert "<h1>" in answer.text


async def test_odd_bytes_in_a_form_become_signs_and_harm_nothing(house, analyst) -> None:
    body = f"csrf={analyst.csrf}&seq={house.seq}&text=a%00b%ff%E2%80%AE%3Cscript%3E"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await analyst.http.post(f"{house.path}/notes", content=body, headers=headers)
    assert answer.status_code == 303
    page = (await analyst.get(house.path)).text
    assert "\x00" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page


async def test_a_stale_form_is_explained_and_leads_back(house, analyst) -> None:
    answer = await analyst.http.post(f"{house.path}/notes", data={"csrf": "old", "text": "My long note, typed twice."})
    assert answer.status_code == 403
    assert f'href="{house.path}"' in answer.text
    assert "My long note, typed twice." in answer.text


async def test_a_password_is_never_given_back(house, visitor) -> None:
    await visitor.get("/sign-in")
    answer = await visitor.submit("sign-in-form", name="camille", password="a long secret sentence of mine")
    assert "a long secret sentence" not in answer.text


async def test_somebody_without_the_role_is_told_who_has_it(analyst) -> None:
    answer = await analyst.get("/team")
    assert answer.status_code == 403
    assert "This is for an administrator." in answer.text


async def test_only_words_of_the_desk_are_shown_from_a_url(house, analyst) -> None:
    page = (await analyst.get("/?done=<b>hacked</b>")).text
    assert "hacked" not in page
    assert "Your note is in the case file." in (await analyst.get("/?done=noted")).text
