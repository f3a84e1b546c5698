"""NOTES.txt names what is unsafe in the chosen values, and says nothing of what is not."""

import pytest

import cases

# The case, a change that makes it unsafe, and the sentence that is there with the change only.
UNSAFE = [
    ("values-hospital", {"baseUrl": "http://fhir.hospital.example/fhir"}, "UNENCRYPTED: baseUrl begins with http"),
    ("values-hospital", {"ingress.enabled": False}, "whatever ends TLS for fhir.hospital.example is yours to set up"),
    ("values-hospital", {"ingress.tls": {"secretName": "", "clusterIssuer": ""}}, "the ingress controller's own certificate"),
    ("values-hospital", {"server.trustedProxies": []}, "the audit trail shows the proxy's address"),
    ("values-hospital", {"audit.keySecret": ""}, "whoever administers the database can sign the audit trail too"),
    ("values-hospital", {"networkPolicy.enabled": False}, "networkPolicy is off"),
    ("values-hospital", {"networkPolicy.egress.identityProviders": []}, "every token is refused"),
    ("values-hospital", {"replicaCount": 1}, "every restart of the pod is an interruption"),
    ("values-hospital", {"podDisruptionBudget.enabled": False}, "draining nodes may take all pods at once"),
    ("values-hospital", {"metrics.prometheusRule.enabled": False}, "nobody is called when the audit trail cannot be written"),
    ("values-city", {"database.cnpg.instances": 2}, "acknowledged writes are lost with the disk of the primary"),
    ("values-city", {"database.cnpg.backup.enabled": False}, "NO BACKUP"),
]


def notes(chosen, **options):
    return cases.render_values(chosen, **options)["NOTES"]


@pytest.mark.parametrize(("case", "change", "sentence"), UNSAFE)
def test_it_is_named(case, change, sentence):
    assert sentence in notes(cases.changed(case, change))
    assert sentence not in notes(cases.values(case))


@pytest.mark.parametrize("case", cases.CASES)
def test_that_the_database_is_reached_without_tls_is_always_said(case):
    assert "does not speak TLS to PostgreSQL yet" in cases.render(case)["NOTES"]


def test_a_tag_that_can_be_moved_is_named():
    assert "a tag can be moved" in cases.render("minimal")["NOTES"]
    assert "a tag can be moved" not in cases.render("manual")["NOTES"]


def test_that_an_old_kubernetes_breaks_requests_off_is_named():
    assert "older than 1.30" in notes(cases.values("minimal"), kube="1.29")
    assert "older than 1.30" not in notes(cases.values("minimal"), kube="1.30")


def test_the_first_steps_are_told_once():
    assert "/bund hospital add" in cases.render("minimal")["NOTES"]
    assert "/bund hospital add" not in cases.render("minimal", upgrade=True)["NOTES"]


def test_who_migrates_by_hand_is_told_how():
    assert "--set migrations.mode=hook -s templates/migrate.yaml" in cases.render("manual")["NOTES"]
    assert "migrate.yaml" not in cases.render("minimal")["NOTES"]


@pytest.mark.parametrize("case", cases.CASES)
def test_every_line_can_be_read(case):
    text = cases.render(case)["NOTES"]
    assert "<nil>" not in text and "%!" not in text and "<no value>" not in text
