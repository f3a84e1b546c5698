"""Alerts and panels ask for metrics that the server really has, and every alert has its page."""

import json
import re

import promql_parser
import pytest
import yaml

import cases

RUNBOOKS = cases.ROOT / "docs/operations/runbooks"
# What Prometheus itself puts to every series.
SCRAPED = {"namespace", "job", "pod", "instance"}


def documented():
    """The labels of each metric, by name; a histogram has its three series."""
    text = (cases.ROOT / "docs/operations/metrics.md").read_text()
    known = {}
    for name, kind, labels in re.findall(r"^\| `(bund_\w+)` \| (\w+) \| ([^|]+) \|", text, re.M):
        labels = set(re.findall(r"`(\w+)`", labels))
        if kind == "histogram":
            known |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            known[name] = labels
    return known


def selectors(expression):
    """Metrics of an expression with the labels that are asked for; what it groups by counts as asked for."""
    tree = promql_parser.parse(expression)
    found, grouped = [], set()

    def look(node):
        if isinstance(node, promql_parser.VectorSelector):
            found.append((node.name, {matcher.name for matcher in node.matchers.matchers}))
        elif isinstance(node, promql_parser.MatrixSelector):
            look(node.vector_selector)
        elif isinstance(node, promql_parser.AggregateExpr):
            if node.modifier is not None:
                grouped.update(node.modifier.labels)
            look(node.expr)
        elif isinstance(node, promql_parser.BinaryExpr):
            look(node.lhs)
            look(node.rhs)
        elif isinstance(node, promql_parser.Call):
            for argument in node.args:
                look(argument)
        elif isinstance(node, (promql_parser.ParenExpr, promql_parser.UnaryExpr, promql_parser.SubqueryExpr)):
            look(node.expr)

    look(tree)
    return [(name, asked | grouped) for name, asked in found]


def unknown(expression):
    known = documented()
    found = selectors(expression)
    assert found, expression
    problems = [f"{name} is no metric of the server" for name, _ in found if name not in known]
    for name, asked in found:
        problems += [f"{name} has no label {label}" for label in asked - SCRAPED - known.get(name, asked)]
    return problems


def alerts():
    [rule] = cases.of_kind(cases.objects("values-hospital"), "PrometheusRule")
    return rule["spec"]["groups"][0]["rules"]


def dashboard():
    [config] = [one for one in cases.of_kind(cases.objects("values-hospital"), "ConfigMap") if "dashboard" in one["metadata"]["name"]]
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    return json.loads(config["data"]["city-bund.json"])


def expressions():
    """Of the panels; Grafana's variables are filled in."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"].replace("$__rate_interval", "1m").replace("$namespace", "fhir").replace("$job", "city-bund")
            yield panel["title"], text, target["legendFormat"]


@pytest.mark.parametrize("name", [alert["name"] for alert in yaml.safe_load((cases.CHART / "files/alerts.yaml").read_text())])
def test_the_alert_asks_for_what_there_is_within_this_release(name):
    [alert] = [alert for alert in alerts() if alert["alert"] == name]
    assert unknown(alert["expr"]) == []
    for _, asked in selectors(alert["expr"]):
        assert {"namespace", "job"} <= asked
    assert 'namespace="fhir",job="city-bund"' in alert["expr"]
    assert alert["labels"]["severity"] in ("critical", "warning", "info")


def test_the_panels_ask_for_what_there_is():
    panels = list(expressions())
    assert len(panels) > 20
    problems = [f"{title}: {problem}" for title, text, _ in panels for problem in unknown(text)]
    assert problems == []


def test_legends_name_labels_that_the_panel_groups_by():
    for title, text, legend in expressions():
        for label in re.findall(r"{{(\w+)}}", legend):
            assert re.search(rf"by \([^)]*\b{label}\b", text), title


def test_panels_do_not_overlap():
    taken = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("rate(bund_requests_total[5m])", "bund_requests_total is no metric of the server"),
        ('sum(bund_pool_connections{kind="idle"})', "bund_pool_connections has no label kind"),
        ("sum by (code) (rate(bund_http_requests_total[5m]))", "bund_http_requests_total has no label code"),
    ],
)
def test_what_the_server_does_not_have_would_be_found(expression, problem):
    assert unknown(expression) == [problem]


def test_every_alert_has_a_page_and_every_page_an_alert():
    names = {alert["alert"] for alert in alerts()}
    assert names == {page.stem for page in RUNBOOKS.glob("Bund*.md")}
    listed = (RUNBOOKS / "README.md").read_text()
    assert names == set(re.findall(r"\[(Bund\w+)\]\(\1\.md\)", listed))


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("Bund*.md")), ids=lambda page: page.stem)
def test_the_page_says_what_it_means_and_what_to_do(page):
    text = page.read_text()
    [alert] = [alert for alert in alerts() if alert["alert"] == page.stem]
    assert text.startswith(f"# {page.stem}\n")
    assert alert["annotations"]["summary"] in text
    assert f"**{alert['labels']['severity']}**" in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## What it means", "## What to do"]
    for metric in re.findall(r"\bbund_[a-z_]+\b", text):
        assert metric in documented() or f"{metric}_bucket" in documented(), metric


def test_alerts_can_be_left_out_and_lead_to_pages_of_ones_own():
    [rule] = cases.of_kind(cases.objects("monitoring"), "PrometheusRule")
    rules = {alert["alert"]: alert for alert in rule["spec"]["groups"][0]["rules"]}
    assert {alert["alert"] for alert in alerts()} - set(rules) == {"BundGlassBroken", "BundReadsSlow"}
    assert rules["BundAway"]["annotations"]["runbook_url"] == "https://wiki.hospital.example/bund/BundAway.md"
    assert alerts()[0]["annotations"]["runbook"] == "docs/operations/runbooks/BundAway.md"
    assert rule["metadata"]["labels"]["release"] == "prometheus"
