"""The manifests for Kubernetes: of the API's own shape, and as careful with every pod as with every container."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cryptography import x509

from breachwatch.engines.streams import load_streams
from breachwatch.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.31", kubernetes_validate.latest_version().rpartition(".")[0])
"""The oldest that the manifests are meant for, and the newest that is known."""
NAMESPACE = "breachwatch"
ROLES = ("collect", "worker", "clock", "courier", "console")


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("[0-9]*.yaml")):
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            yield f"{path.name}:{document['kind']}/{document['metadata']['name']}", document


ALL = dict(documents())
PODS = {
    one["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]["template"]
    for one in ALL.values()
    if "template" in one.get("spec", {})
}


@pytest.fixture(params=PODS)
def role(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def pod(role: str) -> dict[str, Any]:
    """The pod of each workload in turn."""
    spec: dict[str, Any] = PODS[role]["spec"]
    return spec


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    found: dict[str, Any] = only
    return found


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    (config,) = [one for one in ALL.values() if one["kind"] == "ConfigMap"]
    file = tmp_path_factory.mktemp("settings") / "breachwatch.toml"
    file.write_text(config["data"]["breachwatch.toml"], encoding="utf-8")
    return read_settings(file)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ALL)
def test_each_is_what_the_api_takes(name: str, version: str) -> None:
    kubernetes_validate.validate(ALL[name], version, strict=True)


def test_a_slip_would_be_found() -> None:
    (job,) = [one for one in ALL.values() if one["kind"] == "Job"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job | {"spec": job["spec"] | {"backofLimit": 1}}, VERSIONS[1], strict=True)


def test_all_of_them_are_applied_and_nothing_else() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
    assert kustomization["resources"] == [path.name for path in sorted(FOLDER.glob("[0-9]*.yaml"))]


def test_all_is_in_one_namespace_of_the_strictest_kind() -> None:
    namespaces = [one for one in ALL.values() if one["kind"] == "Namespace"]
    assert [one["metadata"]["name"] for one in namespaces] == [NAMESPACE]
    assert namespaces[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {one["metadata"].get("namespace") for one in ALL.values() if one["kind"] != "Namespace"} == {NAMESPACE}


# ------------------------------------------------------------------ pods


def test_every_role_has_a_workload() -> None:
    assert set(PODS) == {*ROLES, "topics"}


def test_nobody_is_root_or_gets_a_privilege(pod: dict[str, Any], container: dict[str, Any]) -> None:
    who = pod["securityContext"]
    assert (who["runAsNonRoot"], who["runAsUser"], who["fsGroup"]) == (True, 1000, 1000)
    assert who["seccompProfile"] == {"type": "RuntimeDefault"}
    allowed = container["securityContext"]
    assert allowed["allowPrivilegeEscalation"] is False
    assert allowed["readOnlyRootFilesystem"] is True
    assert allowed["capabilities"] == {"drop": ["ALL"]}


def test_nobody_holds_a_key_to_the_cluster(pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"}
    assert not any("hostPath" in volume for volume in pod["volumes"])


def test_every_container_has_limits_and_one_version(container: dict[str, Any]) -> None:
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    assert re.search(r"/breachwatch:\d+\.\d+\.\d+$", container["image"])


def test_it_says_what_it_runs_as_compose_does(role: str, container: dict[str, Any]) -> None:
    assert container["args"] == (["topics", "apply"] if role == "topics" else [role])


@pytest.mark.parametrize("role", ROLES)
def test_probes_ask_where_the_role_answers(role: Any, container: dict[str, Any], settings: Settings) -> None:
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports["observe"] == settings.observe.port_of(role)
    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {one["port"] for one in asked.values()} == {"observe"}
    assert [one["path"] for one in asked.values()] == ["/healthz", "/healthz", "/readyz"]


@pytest.mark.parametrize("role", ROLES)
def test_there_is_time_for_a_clean_end_and_one_is_left_when_a_machine_is_emptied(
    pod: dict[str, Any], role: str
) -> None:
    assert pod["terminationGracePeriodSeconds"] > 10
    budgets = [one for one in ALL.values() if one["kind"] == "PodDisruptionBudget"]
    (budget,) = [one for one in budgets if one["metadata"]["name"] == f"breachwatch-{role}"]
    assert budget["spec"]["selector"]["matchLabels"] == PODS[role]["metadata"]["labels"]


# ------------------------------------------------------------------ what they see


def _seen(pod: dict[str, Any], container: dict[str, Any]) -> dict[str, str]:
    """Mount path to the name of its volume."""
    names = {volume["name"] for volume in pod["volumes"]} | {"state"}
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    assert set(mounts.values()) <= names
    return mounts


def test_secrets_are_files_and_never_in_the_environment(container: dict[str, Any]) -> None:
    assert not container.keys() & {"env", "envFrom"}


def test_no_secret_stands_in_the_manifests() -> None:
    assert not [name for name, one in ALL.items() if one["kind"] == "Secret"]


def test_the_files_that_the_settings_name_are_mounted(settings: Settings) -> None:
    directory = getattr(settings.directory, "url_file", None)
    needed = {
        "collect": (settings.kafka.password_file, settings.ingest.token_file, settings.ingest.key_file),
        "worker": (settings.kafka.password_file,),
        "clock": (settings.kafka.password_file, settings.ledger.url_file, directory),
        "courier": (settings.ledger.url_file, settings.mail.password_file),
        "console": (settings.ledger.url_file, settings.desk.key_file),
        "topics": (settings.kafka.password_file, settings.kafka.certificate_authority_file),
    }
    for role, files in needed.items():
        pod = PODS[role]["spec"]
        folders = set(_seen(pod, pod["containers"][0]))
        assert {str(one.parent) for one in files if one} <= folders, role


def test_keys_are_only_where_they_are_needed() -> None:
    who: dict[str, set[str]] = {}
    for role, template in PODS.items():
        for volume in template["spec"]["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                who.setdefault(source["secret"]["name"], set()).add(role)
    assert who == {
        "breachwatch-master-key": {"clock", "courier", "console"},
        "breachwatch-pseudonym-key": {"worker", "clock"},
    }


def test_what_is_secret_can_be_read_by_its_pod_alone() -> None:
    for template in PODS.values():
        for volume in template["spec"]["volumes"]:
            secret = volume.get("secret") or volume.get("projected")
            assert secret is None or secret["defaultMode"] == 0o400


def test_what_a_collector_acknowledged_outlives_its_pod() -> None:
    (collect,) = [one["spec"] for one in ALL.values() if one["kind"] == "StatefulSet"]
    assert collect["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (claim,) = collect["volumeClaimTemplates"]
    mounts = collect["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"name": claim["metadata"]["name"], "mountPath": "/var/lib/breachwatch"} in mounts


def test_there_are_never_more_workers_than_partitions() -> None:
    (scaler,) = [one["spec"] for one in ALL.values() if one["kind"] == "HorizontalPodAutoscaler"]
    streams = load_streams(ROOT / "topics")
    assert scaler["maxReplicas"] <= streams["records"].partitions


# ------------------------------------------------------------------ the network


def _policies(direction: str) -> dict[str, dict[str, Any]]:
    found = [one for one in ALL.values() if one["kind"] == "NetworkPolicy"]
    return {one["metadata"]["name"]: one["spec"] for one in found if direction in one["spec"]["policyTypes"]}


def test_nobody_talks_to_anybody_unless_it_is_said() -> None:
    nobody = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert _policies("Ingress")["nobody"] == nobody


def _selects(selector: dict[str, Any], role: str) -> bool:
    labels = PODS[role]["metadata"]["labels"]
    exact = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    return exact and all(labels[one["key"]] in one["values"] for one in selector.get("matchExpressions", []))


@pytest.mark.parametrize(
    ("policy", "volume"),
    [
        ("to-kafka", "kafka"),
        ("to-postgresql", "ledger"),
        ("clock-to-the-directory", "directory"),
        ("courier-to-the-mail-relay", "mail"),
    ],
)
def test_who_has_the_password_of_a_server_may_reach_it_and_nobody_else(policy: str, volume: str) -> None:
    selector = _policies("Egress")[policy]["podSelector"]
    holders = {role for role, one in PODS.items() if volume in {each["name"] for each in one["spec"]["volumes"]}}
    assert {role for role in PODS if _selects(selector, role)} == holders


def test_metrics_are_scraped_where_the_roles_tell_them(settings: Settings) -> None:
    (rule,) = _policies("Ingress")["metrics"]["ingress"]
    (ports,) = rule["ports"]
    asked = set(range(ports["port"], ports["endPort"] + 1))
    assert asked == {settings.observe.port_of(one) for one in ("collect", "worker", "clock", "courier", "console")}


# ------------------------------------------------------------------ the guide


GUIDE = ROOT / "docs" / "how-to" / "run-on-kubernetes.md"
_CREATE = re.compile(r"create secret (?P<kind>generic|tls) (?P<name>[\w-]+) (?P<files>.*)")


def told() -> dict[str, dict[str, str]]:
    """Secret to its keys, each with the file that the guide fills it from."""
    found: dict[str, dict[str, str]] = {}
    for row in _CREATE.finditer(GUIDE.read_text("utf-8")):
        pairs = re.findall(r"--(from-file=[\w.]+|cert|key)=(\S+)", row["files"])
        names = {"cert": "tls.crt", "key": "tls.key"}
        found[row["name"]] = {names.get(key, key.removeprefix("from-file=")): file for key, file in pairs}
    return found


def test_the_guide_makes_every_secret_that_the_manifests_name_with_the_keys_that_they_use(settings: Settings) -> None:
    wanted: dict[str, set[str]] = {}
    files = re.findall(r"/run/secrets/([\w-]+)/([\w.]+)", json.dumps(settings.model_dump(mode="json")))
    for template in PODS.values():
        for volume in template["spec"]["volumes"]:
            if "secret" in volume:
                keys = {key for name, key in files if name == volume["name"]}
                wanted.setdefault(volume["secret"]["secretName"], set()).update(keys)
            for source in volume.get("projected", {}).get("sources", []):
                wanted[source["secret"]["name"]] = {item["key"] for item in source["secret"]["items"]}
    assert {name: set(keys) for name, keys in told().items()} == wanted


def test_the_files_that_the_guide_takes_from_us_are_drawn_by_the_script(secrets: Path) -> None:
    ours = [file for keys in told().values() for file in keys.values() if file.startswith("cluster-secrets/")]
    assert ours
    assert {file.partition("/")[2] for file in ours} <= {path.name for path in secrets.iterdir()}


def test_what_the_guide_draws_is_drawn_with_the_names_that_it_says(checkout: Path) -> None:
    (script,) = re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    subprocess.run(["bash", "-euc", script], cwd=checkout, check=True, capture_output=True)
    shown = x509.load_pem_x509_certificate((checkout / "cluster-secrets" / "ingest.pem").read_bytes())
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "logs.shop.example" in names.get_values_for_type(x509.DNSName)


def test_what_the_guide_waits_for_and_applies_is_there() -> None:
    text = GUIDE.read_text("utf-8")
    names = {f"{one['kind'].lower()}/{one['metadata']['name']}" for one in ALL.values()}
    assert set(re.findall(r"\b(?:job|deployment)/[\w-]+", text)) <= names
    for path in re.findall(r"--(?:filename|kustomize) (\S+)", text):
        assert (ROOT / path).exists()
    assert set(re.findall(r"`(\d\d-\w+\.yaml)`", text)) <= {path.name for path in FOLDER.iterdir()}
