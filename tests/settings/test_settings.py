"""Settings: every mistake at once, each with its file, line and key; paths beside the file; secrets never values."""

import re
from pathlib import Path

import pytest

from breachwatch.kernel.errors import ContentError
from breachwatch.settings import EXAMPLE, CsvDirectorySection, FileInput, OtlpInput, read_settings, write_example

GOOD = """
state_dir = "state"

[organisation]
name = "Example Shop"
dpo_name = "Camille Example"
dpo_email = "dpo@shop.example"

[mail]
sender = "privacy@shop.example"

[[inputs]]
type = "file"
path = "logs/auth.log"
source = "linux-sshd"

[directory]
type = "csv"
path = "people.csv"
identifiers = { customer_id = "customer_id" }
"""


def read(folder: Path, text: str) -> list[str]:
    path = folder / "breachwatch.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContentError) as found:
        read_settings(path)
    return [str(problem).removeprefix(f"{folder}/") for problem in found.value.problems]


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "breachwatch.toml").write_text(GOOD, encoding="utf-8")
    settings = read_settings(tmp_path / "breachwatch.toml")
    assert settings.state_dir == tmp_path / "state"
    assert isinstance(settings.inputs[0], FileInput)
    assert settings.inputs[0].path == str(tmp_path / "logs/auth.log")
    assert isinstance(settings.directory, CsvDirectorySection)
    assert settings.directory.path == tmp_path / "people.csv"
    assert settings.organisation.timezone == "Europe/Paris"


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREACHWATCH_DESK__PORT", "8443")
    (tmp_path / "breachwatch.toml").write_text(GOOD, encoding="utf-8")
    assert read_settings(tmp_path / "breachwatch.toml").desk.port == 8443


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    wrong = GOOD.replace('dpo_name = "Camille Example"', 'dpo_nam = "Camille Example"').replace(
        'source = "linux-sshd"', 'source = "linux-sshd"\nfollow = true'
    )
    problems = read(tmp_path, wrong)
    assert problems == [
        'breachwatch.toml:4:1: missing key "dpo_name" in organisation; is "dpo_nam" meant to be it?',
        'breachwatch.toml:6:1: unknown key "dpo_nam"; did you mean "dpo_name"?',
        'breachwatch.toml:16:1: unknown key "follow"; known: start, timezone',
    ]


def test_a_word_that_is_none_of_the_choices_is_told_with_the_nearest(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD.replace('type = "csv"', 'type = "cvs"')) == [
        'breachwatch.toml:17:1: directory: "cvs" is not one of the choices; did you mean "csv"?'
    ]


def test_the_second_of_several_inputs_has_its_own_line(tmp_path: Path) -> None:
    more = '\n[[inputs]]\ntype = "syslog"\nsource = "linux-sshd"\n"prt" = 6514\n'
    assert read(tmp_path, GOOD + more) == ['breachwatch.toml:25:1: unknown key "prt"; did you mean "port"?']


def test_the_example_is_read_as_it_is_and_with_everything_in_it_switched_on(tmp_path: Path) -> None:
    write_example(tmp_path / "breachwatch.toml")
    assert read_settings(tmp_path / "breachwatch.toml").inputs == ()
    all_on = re.sub(r"^#(?! )", "", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    (tmp_path / "breachwatch.toml").write_text(all_on, encoding="utf-8")
    settings = read_settings(tmp_path / "breachwatch.toml")
    assert (len(settings.inputs), settings.directory is None) == (4, False)


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ('[desk]\nhost = "0.0.0.0"\n', "certificate_file and key_file"),
        ("[desk]\nport = 70000\n", "less than or equal to 65535"),
        ("[ledger]\nurl = 3\n", "valid string"),
    ],
)
def test_what_would_be_unsafe_or_senseless_is_refused(tmp_path: Path, added: str, told: str) -> None:
    assert any(told in line for line in read(tmp_path, GOOD + added))


def test_a_zone_that_does_not_exist_is_told(tmp_path: Path) -> None:
    text = GOOD.replace('name = "Example Shop"', 'name = "Example Shop"\ntimezone = "Europe/Pariss"')
    assert any("Europe/Pariss" in line and line.startswith("breachwatch.toml:6:") for line in read(tmp_path, text))


def test_a_file_that_is_no_toml_or_not_there_is_one_plain_problem(tmp_path: Path) -> None:
    assert len(read(tmp_path, "[organisation\n")) == 1
    with pytest.raises(ContentError, match="cannot be read"):
        read_settings(tmp_path / "nothing.toml")


def test_an_input_s_zone_is_checked_and_is_part_of_the_name_of_what_it_reads(tmp_path: Path) -> None:
    zoned = GOOD.replace('source = "linux-sshd"', 'source = "linux-sshd"\ntimezone = "Europe/Berlin"')
    (tmp_path / "breachwatch.toml").write_text(zoned, encoding="utf-8")
    assert read_settings(tmp_path / "breachwatch.toml").inputs[0].reads == "linux-sshd@Europe/Berlin"
    (tmp_path / "breachwatch.toml").write_text(GOOD, encoding="utf-8")
    assert read_settings(tmp_path / "breachwatch.toml").inputs[0].reads == "linux-sshd"
    assert any("Europe/Berln" in line for line in read(tmp_path, zoned.replace("Berlin", "Berln")))


def test_otlp_stays_on_this_machine_unless_it_has_a_certificate(tmp_path: Path) -> None:
    table = '[[inputs]]\ntype = "otlp"\nsource = "otlp-logs"\nsources = {a = "linux-sshd", b = "otlp-logs"}\n'
    minimal = '[organisation]\nname = "x"\ndpo_name = "y"\ndpo_email = "z"\n[mail]\nsender = "a@example.com"\n'
    path = tmp_path / "breachwatch.toml"
    path.write_text(minimal + table + 'token_file = "t"\n', encoding="utf-8")
    (entry,) = read_settings(path).inputs
    assert isinstance(entry, OtlpInput)
    assert entry.every_source == ("otlp-logs", "linux-sshd")
    assert (entry.port, entry.token_file) == (4318, tmp_path / "t")
    path.write_text(minimal + table + 'host = "0.0.0.0"\n', encoding="utf-8")
    with pytest.raises(ContentError, match="beyond loopback OTLP needs certificate_file and key_file"):
        read_settings(path)
