"""The chart says to the server only what the server understands: variables, commands, addresses."""

import json
import re

import pytest

import cases
import write


def variables(case):
    """The variables that begin with BUND_, of every container."""
    found = set()
    for _, pod in cases.pods(cases.objects(case)):
        for container in cases.containers(pod):
            found |= {entry["name"] for entry in container.get("env", [])}
    for config in cases.of_kind(cases.objects(case), "ConfigMap"):
        found |= set(config.get("data", {}))
    return {name for name in found if name.startswith("BUND_")}


@pytest.mark.parametrize("case", cases.CASES)
def test_every_variable_is_one_the_server_reads(case):
    assert variables(case) - set(write.server_settings()) == set()


def test_every_setting_of_the_server_can_be_given():
    by_settings = set(json.loads(write.SCHEMA.read_text())["properties"]["settings"]["properties"])
    assert set(write.server_settings()) - by_settings - set(write.OWN) == set(), "./dev chart write"
    assert by_settings & set(write.OWN) == set()
    # What is not among the settings is said by the chart itself, or is not for pods.
    templates = "\n".join(template["data"] for template in cases.chart().templates)
    assert {variable for variable in write.OWN if variable not in templates} == {"BUND_IDENTITY_ALLOW_HTTP_LOOPBACK"}


def commands():
    for case in cases.CASES:
        for name, pod in cases.pods(cases.objects(case)):
            for container in cases.containers(pod):
                if container["name"] in ("bund", "migrate", "probe"):
                    yield container["args"]


def test_every_command_and_option_is_documented():
    text = (cases.ROOT / "docs/commands.md").read_text()
    for command, *arguments in commands():
        heading = re.search(rf"^## `bund {command}\b.*$", text, re.M)
        assert heading, command
        section = text[heading.start() :].split("\n## ", 1)[0]
        for option in (argument for argument in arguments if argument.startswith("--")):
            assert option in section, (command, option)


def test_the_addresses_that_are_asked_are_in_the_table_of_the_server():
    routes = (cases.ROOT / "server/src/routes.rs").read_text()
    for path in ("/livez", "/readyz", "/metrics"):
        assert f'path: "{path}"' in routes
    # What Ingress and HTTPRoute let through, by default.
    for path in write.yaml.safe_load((cases.CHART / "values.yaml").read_text())["paths"]:
        assert f'path: "{path}' in routes


def test_the_connections_that_are_counted_are_those_the_store_opens():
    """The arithmetic of the chart, held against the places where connections are opened."""
    store = (cases.ROOT / "crates/store/src/lib.rs").read_text()
    assert "(settings.connections_max / 4).max(1)" in store
    assert "4 * std::thread::available_parallelism()" in store
    assert "patient_pool(settings, 1)" in (cases.ROOT / "crates/store/src/seal/sequencer.rs").read_text()
    documented = (cases.ROOT / "docs/settings.md").read_text()
    assert "`connections_max`, a quarter of it, `audit_connections`, `workers` and 3 for each replica" in documented
