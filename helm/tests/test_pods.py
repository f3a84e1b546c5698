"""Pods have no right they do not need, say how they are, and leave without breaking anything off."""

import pytest

import cases

EACH = pytest.mark.parametrize("case", cases.CASES)


def restricted(pod):
    """What the level `restricted` of the Pod Security Standards finds wrong, and what we ask beyond it."""
    found = []
    context = pod.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
        found.append("may run as root")
    if context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        found.append("has no seccomp profile")
    found += [f"has {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    if pod.get("automountServiceAccountToken") is not False:
        found.append("gets a token of the Kubernetes API")
    if pod.get("enableServiceLinks") is not False:
        found.append("learns of other services by variables")
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    for volume in pod.get("volumes", []):
        found += [f"has a volume of {kind}" for kind in volume.keys() - {"name"} - allowed]
    for container in cases.containers(pod):
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            found.append(f"{container['name']} may gain rights")
        if context.get("capabilities") != {"drop": ["ALL"]}:
            found.append(f"{container['name']} has capabilities")
        if context.get("readOnlyRootFilesystem") is not True:
            found.append(f"{container['name']} may write its root file system")
        found += [f"{container['name']} has a port of the host" for port in container.get("ports", []) if "hostPort" in port]
    return found


@EACH
def test_every_pod_is_restricted(case):
    found = {name: restricted(pod) for name, pod in cases.pods(cases.objects(case))}
    assert found and not any(found.values()), found


@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod["securityContext"].pop("runAsNonRoot"),
        lambda pod: pod["securityContext"].pop("seccompProfile"),
        lambda pod: pod.pop("automountServiceAccountToken"),
        lambda pod: pod.update(hostNetwork=True),
        lambda pod: pod["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
        lambda pod: pod["containers"][0]["securityContext"].pop("readOnlyRootFilesystem"),
        lambda pod: pod["containers"][0]["securityContext"]["capabilities"].update(add=["NET_RAW"]),
        lambda pod: pod["containers"].append({"name": "another"}),
    ],
)
def test_a_pod_that_is_not_restricted_would_be_found(change):
    [deployment] = cases.of_kind(cases.parse(cases.render("minimal")), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert restricted(pod) == []
    change(pod)
    assert restricted(pod) != []


@EACH
def test_every_container_says_what_it_needs(case):
    for name, pod in cases.pods(cases.objects(case)):
        for container in cases.containers(pod):
            resources = container["resources"]
            assert "cpu" in resources["requests"] and "memory" in resources["limits"], (name, container["name"])


@EACH
def test_the_server_says_how_it_is_and_leaves_in_order(case):
    [deployment] = cases.of_kind(cases.objects(case), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    [server] = [container for container in pod["containers"] if container["name"] == "bund"]
    asked = {name: (probe["httpGet"]["path"], probe["httpGet"]["port"]) for name, probe in server.items() if name.endswith("Probe")}
    # Only readiness asks the database: one that is away must not restart every pod.
    assert asked == {"startupProbe": ("/livez", "http"), "livenessProbe": ("/livez", "metrics"), "readinessProbe": ("/readyz", "metrics")}
    [config] = [one for one in cases.of_kind(cases.objects(case), "ConfigMap") if "BUND_LISTEN" in one.get("data", {})]
    drain = int(config["data"]["BUND_DRAIN_TIMEOUT_MS"]) / 1000
    sleep = server["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= sleep + drain + 5
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@EACH
def test_the_server_writes_nowhere_but_to_a_bounded_tmp(case):
    [deployment] = cases.of_kind(cases.objects(case), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    written = [volume for volume in pod["volumes"] if "emptyDir" in volume]
    assert written == [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}]


@EACH
def test_only_migrations_get_the_owners_credentials(case):
    documents = cases.objects(case)
    for _, pod in cases.pods(documents):
        for container in cases.containers(pod):
            secrets = {
                entry["name"]: entry["valueFrom"]["secretKeyRef"]["name"]
                for entry in container.get("env", [])
                if "secretKeyRef" in entry.get("valueFrom", {})
            }
            database = cases.chart().merge_values(cases.values(case))["database"]
            owner, server = (database[role]["existingSecret"] for role in ("owner", "server"))
            owner = owner or "city-bund-db-app"
            if container["name"] == "migrate":
                assert secrets == {"DATABASE_USER": owner, "DATABASE_PASSWORD": owner, "DATABASE_SERVER_ROLE": server}
            elif container["name"] == "bund":
                assert secrets == {"DATABASE_USER": server, "DATABASE_PASSWORD": server}
            elif container["name"] == "import":
                assert set(secrets.values()) == {cases.values(case)["keycloak"]["import"]["existingSecret"]}
            else:
                assert secrets == {}


@pytest.mark.parametrize(
    ("case", "migrating"),
    [("minimal", ["Job"]), ("initcontainer", ["Deployment"]), ("manual", []), ("values-city", ["Deployment"])],
)
def test_one_place_migrates(case, migrating):
    found = []
    for document in cases.objects(case):
        if document["kind"] in ("Job", "Deployment"):
            pod = document["spec"]["template"]["spec"]
            found += [document["kind"] for container in cases.containers(pod) if container["name"] == "migrate"]
    assert found == migrating


def test_the_hook_runs_before_the_pods_and_its_policy_before_the_hook():
    [job] = cases.of_kind(cases.objects("minimal"), "Job")
    [policy] = [one for one in cases.of_kind(cases.objects("minimal"), "NetworkPolicy") if "annotations" in one["metadata"]]
    weights = [int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) for one in (policy, job)]
    assert weights == sorted(weights) and weights[0] < weights[1]
    for one in (policy, job):
        assert one["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    # A finished job cannot be changed: each revision has its own.
    [upgraded] = cases.of_kind(cases.objects("minimal", upgrade=True), "Job")
    assert (job["metadata"]["name"], upgraded["metadata"]["name"]) == ("city-bund-migrate-1", "city-bund-migrate-2")


def test_a_platform_that_gives_users_is_left_to_it():
    for _, pod in cases.pods(cases.objects("openshift")):
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & pod["securityContext"].keys()


def test_pods_begin_anew_when_a_setting_changes_and_only_then():
    def checksum(change):
        documents = cases.parse(cases.render_values(cases.changed("minimal", change)))
        [deployment] = cases.of_kind(documents, "Deployment")
        return deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum({}) == checksum({"service.port": 81})
    assert checksum({}) != checksum({"settings": {"BUND_LOG": "warn"}})
