"""Values that cannot work are refused, with a sentence that says what would."""

import pytest

import cases

# The case, what is changed, and what the refusal says of it.
REFUSED = [
    # Misspelt.
    ("minimal", {"replicas": 3}, "additional properties 'replicas' not allowed"),
    ("minimal", {"database.hostname": "db"}, "additional properties 'hostname' not allowed"),
    ("minimal", {"settings": {"BUND_TIMEZONE": "Asia/Shanghai"}}, "additional properties 'BUND_TIMEZONE' not allowed"),
    ("minimal", {"settings": {"BUND_LISTEN": "0.0.0.0:80"}}, "additional properties 'BUND_LISTEN' not allowed"),
    ("minimal", {"networkPolicy.ingressFrom": [{"namespaceSelektor": {}}]}, "'namespaceSelektor' not allowed"),
    ("minimal", {"migrations.mode": "job"}, "value must be one of 'hook', 'initContainer', 'manual'"),
    ("minimal", {"database.mode": "bundled"}, "value must be one of 'external', 'cnpg'"),
    # Missing.
    ("minimal", {"image.registry": ""}, "image.registry is empty: nobody publishes the image"),
    ("minimal", {"baseUrl": ""}, "at '/baseUrl'"),
    ("minimal", {"database.host": ""}, "at '/database/host'"),
    ("minimal", {"database.owner.existingSecret": ""}, "at '/database/owner/existingSecret'"),
    ("minimal", {"database.server.existingSecret": ""}, "at '/database/server/existingSecret'"),
    ("values-city", {"database.server.existingSecret": ""}, "at '/database/server/existingSecret'"),
    ("values-city", {"database.cnpg.backup.destinationPath": ""}, "give its destinationPath"),
    ("values-city", {"httpRoute.parentRefs": []}, "name its Gateway in httpRoute.parentRefs"),
    ("values-hospital", {"ingress.tls.secretName": ""}, "name the secret for the certificate in ingress.tls.secretName"),
    ("keycloak", {"keycloak.realm.portalUrl": ""}, "give its portalUrl and ehrJwksUrl"),
    ("keycloak", {"keycloak.import.existingSecret": ""}, "give the import's image, url and existingSecret"),
    ("keycloak", {"keycloak.realm.enabled": False}, "enable keycloak.realm too"),
    # Wrong.
    ("minimal", {"baseUrl": "fhir.city.example"}, "at '/baseUrl'"),
    ("minimal", {"baseUrl": "https://fhir.city.example/fhir/"}, "at '/baseUrl'"),
    ("minimal", {"image.digest": "sha256:12"}, "at '/image/digest'"),
    ("minimal", {"replicaCount": 0}, "at '/replicaCount': minimum"),
    ("minimal", {"replicaCount": "3"}, "at '/replicaCount': got string, want integer"),
    ("minimal", {"runAsUser": 0}, "at '/runAsUser': minimum"),
    ("minimal", {"server.trustedProxies": ["10.0.0.1"]}, "at '/server/trustedProxies/0'"),
    ("minimal", {"telemetry.otlpEndpoint": "https://collector:4318"}, "at '/telemetry/otlpEndpoint'"),
    ("minimal", {"settings": {"BUND_PAGE_SIZE_MAX": "many"}}, "got string, want integer"),
    ("values-city", {"database.cnpg.backup.schedule": "30 2 * * *"}, "at '/database/cnpg/backup/schedule'"),
    # Contradictory.
    ("minimal", {"replicaCount": 4}, "5 pods (one more while a version rolls out) with 27 connections each"),
    ("minimal", {"replicaCount": 4}, "are 139, not 90; raise max_connections of PostgreSQL and the value"),
    ("values-city", {"autoscaling.maxReplicas": 13}, "14 pods (one more while a version rolls out) with 45 connections each"),
    ("values-city", {"database.connectionsMax": 48}, "12 for walks"),
    ("values-city", {"autoscaling.minReplicas": 13}, "autoscaling.minReplicas 13 is more than maxReplicas 12"),
    ("values-city", {"resources": {"limits": {"memory": "1Gi"}, "requests": None}}, "resources.requests.cpu, which is missing"),
    ("values-city", {"migrations.mode": "hook"}, "the job would wait for a database that is made after it; use `initContainer`"),
    ("minimal", {"database.owner.existingSecret": "database-server"}, "database.owner and database.server name the same role"),
    ("minimal", {"database.cnpg.backup.enabled": True}, "database.mode is `external`: whoever runs that database backs it up"),
    ("minimal", {"server.drainSeconds": 60}, "10 of preStopSleepSeconds, 60 of drainSeconds and 5 need 75 at least"),
    ("minimal", {"server.workers": 5, "resources.limits": {"cpu": "1500m"}}, "with resources.limits.cpu 1500m there are connections for 4"),
    ("minimal", {"server.workers": 9, "resources.limits": {"cpu": 2}}, "with resources.limits.cpu 2 there are connections for 8"),
    ("values-hospital", {"baseUrl": "https://fhir.hospital.example/r4"}, "the server's is /fhir; let it end with that"),
    ("values-hospital", {"networkPolicy.ingressFrom": []}, "networkPolicy.ingressFrom is empty: name who brings the requests in"),
    ("values-hospital", {"networkPolicy.metricsFrom": []}, "say in networkPolicy.metricsFrom where Prometheus is"),
    ("values-hospital", {"database.host": "db.hospital.example"}, "networkPolicy.egress.database is empty"),
    ("settings", {"networkPolicy.egress.otlp": []}, "say in networkPolicy.egress.otlp where the collector is"),
]


@pytest.mark.parametrize(("case", "change", "sentence"), REFUSED)
def test_it_is_refused(case, change, sentence):
    with pytest.raises(cases.Refused) as refusal:
        cases.render_values(cases.changed(case, change))
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("case", "change"),
    [
        # Just inside the bounds that are refused above.
        ("minimal", {"replicaCount": 2}),
        ("values-city", {"autoscaling.maxReplicas": 12}),
        ("minimal", {"server.drainSeconds": 30}),
        ("minimal", {"server.workers": 4, "resources.limits": {"cpu": "1500m"}, "replicaCount": 1}),
        ("minimal", {"server.workers": 8, "resources.limits": {"cpu": 2}, "replicaCount": 1}),
        ("minimal", {"database.owner.usernameKey": "owner", "database.owner.existingSecret": "database-server"}),
        ("values-hospital", {"database.host": "db.example", "networkPolicy.egress.database": [{"ipBlock": {"cidr": "10.0.0.5/32"}}]}),
        ("values-hospital", {"database.host": "db.example", "networkPolicy.enabled": False}),
    ],
)
def test_it_is_not_refused(case, change):
    assert cases.render_values(cases.changed(case, change))


def test_all_contradictions_are_told_at_once():
    change = {"server.drainSeconds": 60, "image.registry": "", "database.host": "db.example"}
    with pytest.raises(cases.Refused) as refusal:
        cases.render_values(cases.changed("minimal", change))
    told = [line for line in str(refusal.value).splitlines() if line.startswith("- ")]
    assert len(told) == 3


def test_the_defaults_say_what_is_missing():
    with pytest.raises(cases.Refused) as refusal:
        cases.render_values({})
    for path in ("/baseUrl", "/database/host", "/database/owner/existingSecret", "/database/server/existingSecret"):
        assert f"at '{path}'" in str(refusal.value)
