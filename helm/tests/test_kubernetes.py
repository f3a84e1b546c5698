"""Every object is one that Kubernetes would take, from the oldest version the chart names to the newest."""

import functools
import json
from pathlib import Path

import jsonschema_rs
import kubernetes_validate
import pytest
import yaml

import cases

SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
VERSIONS = [version.removesuffix(".0") for version in kubernetes_validate.utils.all_versions()]
CUSTOM = yaml.safe_load((cases.HERE / "schemas/custom-resources.yaml").read_text())


@functools.cache
def definitions(version):
    contents = json.loads((folder(version) / "_definitions.json").read_text())
    return jsonschema_rs.Registry([(contents["$id"], contents)])


def folder(version):
    return SCHEMAS / f"v{version}.0-local-strict"


@functools.cache
def validator(version, api_version, kind):
    """Of a kind that Kubernetes itself has; none for a custom resource."""
    group, _, rest = api_version.partition("/")
    name = f"{kind}-{group.split('.')[0]}-{rest}" if rest else f"{kind}-{group}"
    path = folder(version) / f"{name.lower()}.json"
    if not path.exists():
        return None
    return jsonschema_rs.Draft202012Validator(json.loads(path.read_text()), registry=definitions(version))


@functools.cache
def custom_validator(name):
    return jsonschema_rs.Draft202012Validator(CUSTOM[name]) if name in CUSTOM else None


def problems(document, version):
    api_version, kind = document["apiVersion"], document["kind"]
    found = validator(version, api_version, kind)
    if found is None:
        found, document = custom_validator(f"{api_version}/{kind}"), document.get("spec")
        if found is None:
            return [f"nothing is known of {api_version} {kind}"]
    return [f"{kind} {error.instance_path}: {error.message}" for error in found.iter_errors(document)]


@functools.cache
def problems_of_text(version, text):
    """Many cases render the same object: each is looked at once."""
    return problems(json.loads(text), version)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_of_every_version_takes_every_object(version):
    found = []
    for case in cases.CASES:
        # An upgrade differs in the name of the job only: once is enough.
        for upgrade in {False, version == cases.NEWEST}:
            for document in cases.objects(case, version, upgrade):
                found += problems_of_text(version, json.dumps(document, sort_keys=True))
    assert found == []


def test_the_versions_begin_with_the_oldest_the_chart_names():
    metadata = yaml.safe_load((cases.CHART / "Chart.yaml").read_text())
    assert metadata["kubeVersion"] == f">={VERSIONS[0]}.0-0"
    assert VERSIONS[-1] == cases.NEWEST


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda spec: spec.update(replicaz=2), "replicaz"),
        (lambda spec: spec["template"]["spec"]["containers"][0].update(args="serve"), "serve"),
    ],
)
def test_a_mistake_in_a_deployment_would_be_found(change, expected):
    [deployment] = json.loads(json.dumps(cases.of_kind(cases.objects("minimal"), "Deployment")))
    change(deployment["spec"])
    assert any(expected in problem for problem in problems(deployment, cases.NEWEST))


def test_a_mistake_in_a_custom_resource_would_be_found():
    [cluster] = json.loads(json.dumps(cases.of_kind(cases.objects("values-city"), "Cluster")))
    cluster["spec"]["instancez"] = cluster["spec"].pop("instances")
    found = problems(cluster, cases.NEWEST)
    assert any("instancez" in problem for problem in found)
    assert any('"instances" is a required property' in problem for problem in found)


def test_what_a_version_does_not_have_is_left_out():
    [old] = cases.of_kind(cases.objects("minimal", "1.25"), "Deployment")
    [new] = cases.of_kind(cases.objects("minimal", "1.30"), "Deployment")
    assert "lifecycle" not in old["spec"]["template"]["spec"]["containers"][0]
    lifecycle = new["spec"]["template"]["spec"]["containers"][0]["lifecycle"]
    assert lifecycle == {"preStop": {"sleep": {"seconds": 10}}}
    [old] = cases.of_kind(cases.objects("minimal", "1.25"), "PodDisruptionBudget")
    [new] = cases.of_kind(cases.objects("minimal", "1.27"), "PodDisruptionBudget")
    assert "unhealthyPodEvictionPolicy" not in old["spec"]
    assert new["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
