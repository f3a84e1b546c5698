"""The objects fit each other, and are what they are meant to be."""

import json
import re

import helm_python
import pytest
import yaml

import cases

EACH = pytest.mark.parametrize("case", cases.CASES)


def one(case, kind, **options):
    [document] = cases.of_kind(cases.objects(case, **options), kind)
    return document


@EACH
def test_helm_finds_nothing_to_say(case):
    report = helm_python.lint(cases.CHART, cases.values(case), strict=True, namespace=cases.NAMESPACE, kube_version="v1.34.0")
    # Severity 1 is advice: the chart has no icon.
    assert [message for message in report["messages"] if message["severity"] > 1] == []
    assert report["errors"] == []


def test_the_chart_is_packaged_and_renders_the_same_from_its_package(tmp_path):
    archive = helm_python.package(cases.CHART, destination=tmp_path)
    with helm_python.Chart.load(archive) as packaged:
        names = {file["name"] for file in packaged.files}
        assert {f"{case}.yaml" for case in cases.SHIPPED} <= names
        for case in cases.SHIPPED:
            rendered = packaged.render(cases.values(case), name="city", namespace="fhir")
            direct = cases.chart().render(cases.values(case), name="city", namespace="fhir")
            assert rendered == direct


def test_the_version_of_the_program_is_that_of_the_workspace():
    metadata = yaml.safe_load((cases.CHART / "Chart.yaml").read_text())
    workspace = (cases.ROOT / "Cargo.toml").read_text()
    assert metadata["appVersion"] == re.search(r'^version = "(.+)"$', workspace, re.M)[1]


@pytest.mark.parametrize("golden", cases.GOLDEN, ids=lambda golden: f"{golden[0]}-{golden[1]}")
def test_what_is_rendered_is_what_was_read(golden):
    assert cases.golden_text(golden) == cases.golden_path(golden).read_text(), "read the difference, then ./dev chart write"


def test_no_file_of_rendered_text_is_forgotten():
    assert set((cases.HERE / "golden").iterdir()) == {cases.golden_path(golden) for golden in cases.GOLDEN}


@EACH
def test_every_object_is_labelled_and_named_once(case):
    documents = cases.objects(case)
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(names) == len(set(names))
    extras = {"city-more", "another"}
    for document in documents:
        metadata = document["metadata"]
        assert "namespace" not in metadata
        assert len(metadata["name"]) <= 63
        if metadata["name"] not in extras:
            labels = metadata["labels"]
            assert labels["app.kubernetes.io/instance"] == cases.NAME
            assert labels["app.kubernetes.io/managed-by"] == "Helm"
            assert labels.get("owner") == ("city-team" if case == "extras" else None)


@pytest.mark.parametrize("release", ["a" * 53, "bund", "my-bund-of-hospitals"])
def test_names_are_short_enough_for_whatever_is_put_behind_them(release):
    rendered = cases.chart().render(cases.values("values-dev"), name=release, namespace="fhir")
    documents = cases.parse({name: text for name, text in rendered.items() if not name.endswith("NOTES.txt")})
    # CloudNativePG puts `-` and a number or `-superuser` behind the name of a cluster, and takes 50 characters.
    assert all(len(document["metadata"]["name"]) <= 50 for document in documents)
    assert len({document["metadata"]["name"] for document in documents if document["kind"] in ("Deployment", "Service")}) == 1


@EACH
def test_selectors_find_the_pods_and_nothing_else(case):
    documents = cases.objects(case)
    deployment = one(case, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [deployment["spec"]["selector"]["matchLabels"], one(case, "Service")["spec"]["selector"]]
    for kind in ("PodDisruptionBudget", "ServiceMonitor"):
        selectors += [document["spec"]["selector"]["matchLabels"] for document in cases.of_kind(documents, kind)]
    selectors += [
        policy["spec"]["podSelector"]["matchLabels"]
        for policy in cases.of_kind(documents, "NetworkPolicy")
        if not policy["metadata"]["name"].endswith("-migrate")
    ]
    assert len(selectors) > 1
    for selector in selectors:
        assert selector.items() <= labels.items()
        # What changes with a version must not be in a selector, and the jobs' pods must not be found.
        assert set(selector) == {f"app.kubernetes.io/{name}" for name in ("name", "instance", "component")}
        assert selector["app.kubernetes.io/component"] == "server"


@EACH
def test_ports_volumes_and_references_lead_somewhere(case):
    documents = cases.objects(case)
    made = {(document["kind"], document["metadata"]["name"]) for document in documents}
    pod = one(case, "Deployment")["spec"]["template"]["spec"]
    server = pod["containers"][0]
    ports = {port["name"] for port in server["ports"]}
    assert {port["targetPort"] for port in one(case, "Service")["spec"]["ports"]} == ports == {"http", "metrics"}
    assert {server[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")} <= ports
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in cases.containers(pod):
        assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
    assert ("ConfigMap", server["envFrom"][0]["configMapRef"]["name"]) in made
    account = pod["serviceAccountName"]
    assert account == "default" or ("ServiceAccount", account) in made
    for route in cases.of_kind(documents, "Ingress"):
        for path in route["spec"]["rules"][0]["http"]["paths"]:
            assert ("Service", path["backend"]["service"]["name"]) in made
    for route in cases.of_kind(documents, "HTTPRoute"):
        assert ("Service", route["spec"]["rules"][0]["backendRefs"][0]["name"]) in made
    for scaler in cases.of_kind(documents, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in made
        assert "replicas" not in one(case, "Deployment")["spec"]


@EACH
def test_nothing_secret_is_rendered_and_no_right_is_granted(case):
    kinds = {document["kind"] for document in cases.objects(case)}
    assert not kinds & {"Secret", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Namespace"}
    for document in cases.of_kind(cases.objects(case), "ConfigMap"):
        assert not re.search(r"password|BUND_DATABASE_URL", "".join(document.get("data", {})))


@EACH
def test_the_policy_denies_all_that_it_does_not_name(case):
    policies = cases.of_kind(cases.objects(case), "NetworkPolicy")
    assert bool(policies) == cases.values(case).get("networkPolicy", {}).get("enabled", True)
    for policy in policies:
        spec = policy["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert spec["podSelector"]["matchLabels"]
        for rule in spec.get("ingress", []):
            assert rule["from"] and all(rule["from"]) and rule["ports"]
        for rule in spec["egress"]:
            assert rule["to"] and all(rule["to"]) and rule["ports"]


def test_metrics_are_read_at_a_port_of_their_own_by_those_who_may():
    [policy] = [
        policy
        for policy in cases.of_kind(cases.objects("values-hospital"), "NetworkPolicy")
        if policy["metadata"]["name"] == "city-bund"
    ]
    requests, figures = policy["spec"]["ingress"]
    assert [port["port"] for port in requests["ports"]] == ["http"]
    assert [port["port"] for port in figures["ports"]] == ["metrics"]
    assert figures["from"] == cases.values("values-hospital")["networkPolicy"]["metricsFrom"]
    assert one("values-hospital", "ServiceMonitor")["spec"]["endpoints"][0]["port"] == "metrics"
    for path in one("values-hospital", "Ingress")["spec"]["rules"][0]["http"]["paths"]:
        assert path["backend"]["service"]["port"] == {"name": "http"}


def test_egress_is_to_the_database_the_issuers_and_the_collector():
    [policy] = [
        policy
        for policy in cases.of_kind(cases.objects("settings"), "NetworkPolicy")
        if policy["metadata"]["name"] == "city-bund"
    ]
    ports = [[port["port"] for port in rule["ports"]] for rule in policy["spec"]["egress"]]
    assert ports == [[53, 53], [5432], [443, 8443], [4318]]
    assert policy["spec"]["egress"][1]["to"] == [{"ipBlock": {"cidr": "10.0.0.5/32"}}]


def test_settings_arrive_as_they_were_given():
    [config] = cases.of_kind(cases.objects("settings"), "ConfigMap")
    expected = {
        "BUND_TIME_ZONE": "Asia/Urumqi",
        "BUND_BODY_BYTES_MAX": "134217728",
        "BUND_BUNDLE_ENTRIES_MAX": "100000",
        "BUND_OTLP_SAMPLE_RATIO": "0.05",
        "BUND_REQUIRE_IF_MATCH": "true",
        "BUND_LOG": "warn,store=debug",
        "BUND_LOG_FORMAT": "text",
        "BUND_TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8",
        "BUND_AUDIT_KEY_FILE": "/etc/bund/audit/key.pem",
        "BUND_IDENTITY_CA_FILE": "/etc/bund/identity/ca.crt",
        "BUND_OTLP_ENDPOINT": "http://collector.monitoring:4318",
    }
    assert expected.items() <= config["data"].items()
    assert all(isinstance(value, str) for value in config["data"].values())


def test_files_are_where_their_settings_say():
    pod = one("settings", "Deployment")["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["audit-key"]["secret"]["items"] == [{"key": "ed25519.pem", "path": "key.pem"}]
    # Read by the group of the pod, by nobody else.
    assert volumes["audit-key"]["secret"]["defaultMode"] == 0o440
    assert volumes["identity-ca"]["configMap"]["items"] == [{"key": "bundle.pem", "path": "ca.crt"}]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert (mounts["audit-key"], mounts["identity-ca"]) == ("/etc/bund/audit", "/etc/bund/identity")


def test_extras_are_templates():
    documents = cases.objects("extras")
    [more] = [document for document in documents if document["metadata"]["name"] == "city-more"]
    assert more["data"] == {"host": "fhir.city.example"}
    pod = one("extras", "Deployment")["spec"]["template"]["spec"]
    assert [container["name"] for container in cases.containers(pod)] == ["before", "bund", "beside"]
    assert {"name": "TZ", "value": "UTC"} in pod["containers"][0]["env"]
    assert {"configMapRef": {"name": "city-more"}} in pod["containers"][0]["envFrom"]


@pytest.mark.parametrize(
    ("case", "image"),
    [
        ("minimal", "localhost/bund:0.1.0"),
        ("initcontainer", "localhost/bund:9.9"),
        ("manual", "registry.example:5000/health/bund@sha256:" + "1" * 64),
        ("as-subchart", "registry.example/bund:0.1.0"),
    ],
)
def test_every_pod_runs_the_one_image(case, image):
    for _, pod in cases.pods(cases.objects(case)):
        assert {container["image"] for container in cases.containers(pod)} == {image}


def test_the_realm_is_for_this_server_and_nothing_is_left_to_fill_in():
    [config] = [document for document in cases.of_kind(cases.objects("keycloak"), "ConfigMap") if "city-realm.json" in document["data"]]
    realm = json.loads(config["data"]["city-realm.json"])
    text = config["data"]["city-realm.json"]
    assert realm["realm"] == "city"
    for address in ("https://fhir.city.example/fhir", "https://portal.city.example/portal/", "https://ehr.ruijin.example/jwks"):
        assert f'"{address}"' in text
    # What is left are names of Keycloak itself, in lower case.
    assert not re.search(r"\$\{[A-Z]", text)
    assert len(text.encode()) < 900_000, "a ConfigMap has room for a mebibyte"


def test_the_job_that_gives_the_realm_to_keycloak_runs_the_script_with_a_secret_of_its_own():
    [job] = [document for document in cases.of_kind(cases.objects("keycloak"), "Job") if "realm" in document["metadata"]["name"]]
    [container] = job["spec"]["template"]["spec"]["containers"]
    [config] = [document for document in cases.of_kind(cases.objects("keycloak"), "ConfigMap") if "city-realm.json" in document["data"]]
    assert container["command"] == ["/bin/sh", "/realm/import-realm.sh"]
    assert config["data"]["import-realm.sh"] == (cases.CHART / "files/import-realm.sh").read_text()
    given = {entry["name"] for entry in container["env"]}
    assert set(re.findall(r'"\$([A-Z_]+)"', config["data"]["import-realm.sh"])) <= given


def test_the_cluster_of_the_database_loses_no_acknowledged_write():
    spec = one("values-city", "Cluster")["spec"]
    assert spec["instances"] == 3
    assert spec["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "required", "failoverQuorum": True}
    assert spec["postgresql"]["parameters"]["max_connections"] == "620"
    # Of two one standby must not hold up every commit.
    assert "synchronous" not in one("cnpg-no-backup", "Cluster")["spec"]["postgresql"]
    assert one("values-city", "Cluster")["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_server_finds_the_cluster_of_the_database():
    environment = one("values-city", "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    [address] = [entry["value"] for entry in environment if entry["name"] == "BUND_DATABASE_URL"]
    assert address.startswith("host=city-bund-db-rw port=5432 dbname=bund target_session_attrs=read-write ")
    roles = one("values-city", "Cluster")["spec"]["managed"]["roles"]
    assert [(role["name"], role["passwordSecret"]["name"]) for role in roles] == [("bund_server", "bund-database-server")]
