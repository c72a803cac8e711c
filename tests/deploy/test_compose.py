"""docker-compose.yml: as the specification says, and as careful with every service as the house demands."""

import json
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from stack.compose import Compose, Service

from breachwatch.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
SCHEMA = "check_jsonschema/builtin_schemas/vendor/compose-spec.json"
SERVICES = Compose(FILE).services
PUBLISHED = {"console", "collect", "mail"}
SECRET_WORDS = re.compile(r"password|secret|token|key", re.IGNORECASE)


def specification() -> dict[str, Any]:
    """The JSON schema of the Compose specification."""
    schema: dict[str, Any] = json.loads(
        Path(str(distribution("check-jsonschema").locate_file(SCHEMA))).read_text("utf-8")
    )
    return schema


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Service:
    """Each service in turn."""
    return SERVICES[request.param]


def test_the_file_is_what_the_specification_of_compose_describes() -> None:
    schema = specification()
    Draft202012Validator.check_schema(schema)
    found = Draft202012Validator(schema).iter_errors(Compose(FILE).raw)
    assert [f"{list(one.absolute_path)}: {one.message}" for one in found] == []


def test_a_slip_in_the_file_would_be_found() -> None:
    document = Compose(FILE).raw
    document["services"]["worker"]["read_onyl"] = True
    assert not Draft202012Validator(specification()).is_valid(document)


def test_the_command_of_the_specification_s_keepers_agrees() -> None:
    command = [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", FILE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ------------------------------------------------------------------ the rules of the house


def test_nobody_is_root(service: Service) -> None:
    assert service.spec["user"] == "1000:1000"


def test_nothing_can_be_written_but_volumes_and_memory(service: Service) -> None:
    assert service.spec["read_only"] is True
    assert "/tmp" in service.scratch  # noqa: S108 - in the container
    assert all(re.fullmatch(r"[a-z-]+:/[\w/.-]+", one) for one in service.spec.get("volumes", []))


def test_nobody_has_or_gets_a_privilege(service: Service) -> None:
    assert service.spec["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service.spec["security_opt"]
    assert not service.spec.keys() & {"cap_add", "privileged", "pid", "ipc", "network_mode", "devices", "userns_mode"}


def test_every_service_has_limits(service: Service) -> None:
    limits = service.spec["deploy"]["resources"]["limits"]
    assert limits.keys() >= {"cpus", "memory", "pids"}
    assert service.spec["logging"]["options"].keys() >= {"max-size", "max-file"}


def test_every_service_that_stays_tells_how_it_is_and_comes_back(service: Service) -> None:
    if service.once:
        assert service.spec["healthcheck"] == {"disable": True}
    else:
        assert service.health
        assert service.spec["restart"] == "unless-stopped"


def test_every_image_is_of_one_version(service: Service) -> None:
    name, _, tag = service.spec["image"].partition(":")
    assert tag == "local" if service.is_ours else re.fullmatch(r"v?\d+\.\d+(\.\d+)?[\w.-]*", tag), name


def test_only_the_desk_and_the_way_in_are_published_and_to_this_host_alone(service: Service) -> None:
    ports = service.spec.get("ports", [])
    assert bool(ports) == (service.name in PUBLISHED)
    assert all(one.startswith("127.0.0.1:") for one in ports)


def test_only_who_publishes_a_port_or_has_business_outside_leaves_the_inner_network(service: Service) -> None:
    assert Compose(FILE).raw["networks"]["back"] == {"internal": True}
    beyond = set(service.spec["networks"]) - {"back"}
    assert ("front" in beyond) == (service.name in PUBLISHED)
    assert ("out" in beyond) == (service.name in {"clock", "courier"})


def test_a_secret_is_a_file_and_never_a_word_of_the_environment_or_the_command(service: Service) -> None:
    said = {name: value for name, value in service.environment.items() if SECRET_WORDS.search(name)}
    assert all(value.startswith("/run/secrets/") for value in said.values())
    assert not any(re.search(r"(password|token)[=:]\s*\w", word, re.IGNORECASE) for word in service.command)


def test_no_script_puts_a_secret_into_a_list_of_processes() -> None:
    """What proves the broker's user lets in whoever has it; `kafka.cluster` only names the cluster."""
    for script in (ROOT / "deploy" / "compose").rglob("*.sh"):
        shown = re.findall(r"(?:\$\(\s*cat|`\s*cat|\$\(<)\s*/run/secrets/([\w.-]+)", script.read_text("utf-8"))
        assert set(shown) <= {"kafka.cluster"}, script


def test_every_secret_is_one_that_the_script_draws(secrets: Path) -> None:
    named = {Path(one["file"]) for one in Compose(FILE).raw["secrets"].values()}
    assert {path.parent for path in named} == {Path("deploy/secrets")}
    assert {path.name for path in named} <= {path.name for path in secrets.iterdir()}
    assert "ca.key" not in {path.name for path in named}, "the authority's key opens nothing and signs everything"


def test_every_secret_and_config_that_is_declared_is_used() -> None:
    raw = Compose(FILE).raw
    used = {file.source.name for one in SERVICES.values() for file in (*one.secrets, *one.configs)}
    assert {Path(one["file"]).name for one in (*raw["secrets"].values(), *raw["configs"].values())} == used


def test_keys_are_only_where_they_are_needed() -> None:
    who = {
        key: {one.name for one in SERVICES.values() if key in {file.source.name for file in one.secrets}}
        for key in ("master.key", "pseudonym.key", "ledger.url", "ingest.token")
    }
    assert who["master.key"] == {"clock", "courier", "console"}
    assert who["pseudonym.key"] == {"worker", "clock"}
    assert who["ledger.url"] == {"clock", "courier", "console"}
    assert who["ingest.token"] == {"collect"}


def test_as_many_workers_may_be_started_as_one_likes() -> None:
    worker = SERVICES["worker"].spec
    assert not worker.keys() & {"container_name", "hostname", "ports", "volumes"}


# ------------------------------------------------------------------ what it names is there


def test_everything_that_is_mounted_is_in_the_checkout_or_drawn(checkout: Path) -> None:
    subprocess.run([sys.executable, checkout / "deploy" / "make_secrets.py"], check=True, capture_output=True)
    for one in Compose(checkout / "docker-compose.yml").services.values():
        for file in (*one.configs, *one.secrets):
            assert file.source.is_file(), f"{one.name}: {file.source}"


def test_the_settings_are_read_and_each_service_has_every_file_that_concerns_it() -> None:
    settings: Settings = read_settings(ROOT / "deploy" / "compose" / "breachwatch.toml")
    concerns = {
        "collect": (settings.ingest.token_file, settings.ingest.certificate_file, settings.ingest.key_file),
        "worker": (settings.kafka.certificate_authority_file, settings.kafka.password_file),
        "clock": (settings.ledger.url_file, settings.kafka.password_file, getattr(settings.directory, "path", None)),
        "courier": (settings.ledger.url_file, settings.mail.certificate_authority_file),
        "console": (settings.ledger.url_file, settings.desk.certificate_file, settings.desk.key_file),
    }
    for name, files in concerns.items():
        there = {file.target for file in (*SERVICES[name].configs, *SERVICES[name].secrets)}
        needed = {str(one) for one in (*files, settings.observe.metrics_token_file)}
        assert needed <= there, name


def test_everything_starts_after_what_it_needs() -> None:
    order = [one.name for one in Compose(FILE).in_order()]
    for before, after in (("kafka", "topics"), ("topics", "worker"), ("postgres", "clock"), ("clock", "console")):
        assert order.index(before) < order.index(after)
