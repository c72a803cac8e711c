"""Log lines for machines: one JSON object each, and none of them quotes what an exception was about."""

import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest

from breachwatch.cli.common import err, log_to_stderr, plain_errors, tell
from breachwatch.cli.logs import LogFormat, log_to
from breachwatch.kernel.errors import ContentError, Problem
from breachwatch.kernel.observing import about

log = logging.getLogger("breachwatch.engines.test")
PERSON = "camille@shop.example"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    sys.excepthook = hook


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def fail() -> None:
    try:
        raise ValueError(f"cannot read {PERSON}")
    except ValueError:
        log.exception("a part failed")


def test_a_line_tells_when_how_grave_where_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    log_to(err, logging.INFO, "json")
    log.warning("the rule %s is\nswitched off", "r-1")
    (line,) = said(capsys)
    assert {key: line[key] for key in ("level", "part", "message")} == {
        "level": "warning",
        "part": "engines.test",
        "message": "the rule r-1 is\nswitched off",
    }
    assert str(line["time"]).endswith("Z")
    assert "trace" not in line


def test_a_line_of_an_alert_names_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    log_to(err, logging.INFO, "json")
    work = about.set("0af7651916cd43dd8448eb211c80319c")
    log.info("taken")
    about.reset(work)
    log.info("done")
    assert [line.get("trace") for line in said(capsys)] == ["0af7651916cd43dd8448eb211c80319c", None]


def test_an_exception_is_told_by_its_type_and_place_and_never_by_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    log_to(err, logging.INFO, "json")
    fail()
    (line,) = said(capsys)
    assert line["error"] == "ValueError"
    assert "test_logs.py:" in str(line["at"])
    assert PERSON not in json.dumps(line)


def test_readable_lines_keep_the_same_silence(capsys: pytest.CaptureFixture[str]) -> None:
    log_to(err, logging.INFO, "text")
    fail()
    told = capsys.readouterr().err
    assert "a part failed: ValueError" in told
    assert "test_logs.py:" in "".join(told.split())
    assert PERSON not in told


def test_libraries_are_heard_when_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    log_to(err, logging.INFO, "json")
    logging.getLogger("aiokafka.consumer").info("joined")
    logging.getLogger("aiokafka.consumer").warning("left")
    assert [line["message"] for line in said(capsys)] == ["left"]


def test_the_form_may_come_from_the_environment_before_any_settings_are_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREACHWATCH_OBSERVE__LOG_FORMAT", "json")
    log_to_stderr()
    log.info("begun")
    assert [line["message"] for line in said(capsys)] == ["begun"]


def test_what_libraries_put_into_a_line_of_an_exception_loses_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    log_to(err, logging.INFO, "json")
    future = f"Task exception was never retrieved\nfuture: <Task exception=ValueError('cannot read {PERSON}')>"
    logging.getLogger("asyncio").error(future)
    logging.getLogger("faust.app").error("Crashed reason=%r", ValueError(f"cannot read {PERSON}"))
    assert [line["message"] for line in said(capsys)] == [
        "Task exception was never retrieved",
        "Crashed reason=ValueError",
    ]


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_ends_a_process_is_told_by_type_and_place(capsys: pytest.CaptureFixture[str], form: LogFormat) -> None:
    log_to(err, logging.INFO, form)
    try:
        raise ExceptionGroup("parts failed", [ValueError(PERSON), KeyError(PERSON)])
    except ExceptionGroup as error:
        sys.excepthook(type(error), error, error.__traceback__)
    told = "".join(capsys.readouterr().err.split())
    assert "ExceptionGroup(ValueError,KeyError)" in told
    assert "test_logs.py:" in told
    assert PERSON not in told


def test_warnings_of_python_are_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    log_to(err, logging.INFO, "json")
    warnings.warn("this is old", UserWarning, stacklevel=1)
    (line,) = said(capsys)
    assert (line["part"], line["level"]) == ("py.warnings", "warning")


class TestSentences:
    """What a command says to whoever started it."""

    def test_are_lines_where_lines_are_for_machines(self, capsys: pytest.CaptureFixture[str]) -> None:
        log_to(err, logging.INFO, "json")
        tell("The desk is at http://127.0.0.1:8420")
        with pytest.raises(SystemExit) as left, plain_errors():
            raise ContentError([Problem("a.toml", 3, 1, "unknown key"), Problem("b.yml", 1, 1, "empty")])
        lines = said(capsys)
        assert left.value.code == 2
        assert [(line["level"], line["message"]) for line in lines] == [
            ("info", "The desk is at http://127.0.0.1:8420"),
            ("error", "a.toml:3:1: unknown key"),
            ("error", "b.yml:1:1: empty"),
        ]

    def test_are_plain_for_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        log_to(err, logging.INFO, "text")
        tell("The desk is at [here]")
        assert capsys.readouterr().err == "The desk is at [here]\n"
