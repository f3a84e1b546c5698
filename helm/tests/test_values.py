"""The schema: closed, described, true to values.yaml and to the server's own list of settings."""

import json
import re

import pytest
import yaml

import cases
import write

SCHEMA = json.loads(write.SCHEMA.read_text())
VALUES = yaml.safe_load((cases.CHART / "values.yaml").read_text())
OTHERS = [
    (case, path, value)
    for case, others in yaml.safe_load((cases.HERE / "others.yaml").read_text()).items()
    for path, value in others.items()
]


def nodes(node, path=()):
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, (*path, name))
    if isinstance(node.get("items"), dict):
        yield from nodes(node["items"], (*path, "[]"))


def test_every_value_has_a_description():
    missing = [".".join(path) for path, node in nodes(SCHEMA) if path and path[-1] != "[]" and not node.get("description")]
    assert missing == []


def test_the_schema_is_closed_wherever_it_knows_the_keys():
    # Charts around this one share whatever they like in `global`.
    opened = [
        ".".join(path) for path, node in nodes(SCHEMA) if "properties" in node and node.get("additionalProperties") is not False
    ]
    assert opened == ["global"]


def test_the_schema_and_the_defaults_have_the_same_keys():
    def keys(values, node, path=()):
        known = node.get("properties")
        if known is None or path in {("global",), ("settings",)}:
            return
        assert set(values) >= set(known) - {"requests", "limits", "claims"}, path
        assert set(values) <= set(known), path
        for name, value in values.items():
            if isinstance(value, dict):
                keys(value, known[name], (*path, name))

    keys(VALUES, SCHEMA)


def test_there_is_another_value_for_each():
    assert sorted(path for _, path, _ in OTHERS) == sorted(path for path, _, _ in write.leaves(VALUES, SCHEMA))


@pytest.mark.parametrize(("case", "path", "value"), OTHERS, ids=lambda part: part if isinstance(part, str) else "")
def test_every_value_makes_a_difference(case, path, value):
    change = {path: value}
    if path == "database.mode":
        change |= {"database.cnpg.backup.enabled": False, "database.host": "10.0.0.5", "database.owner.existingSecret": "owner"}
    if path == "keycloak.realm.enabled":
        change |= {"keycloak.import.enabled": False}
    assert cases.render_values(cases.changed(case, change)) != cases.render(case)


def test_the_schema_follows_values_yaml_and_the_servers_settings():
    assert write.schema() == write.SCHEMA.read_text(), "./dev chart write"


def test_the_table_in_the_readme_follows_the_schema():
    assert write.readme() == write.README.read_text(), "./dev chart write"


def test_the_servers_list_of_settings_is_read_whole():
    known = write.server_settings()
    declared = re.search(r"NAMES: \[Name; (\d+)\]", (cases.ROOT / "server/src/settings/source.rs").read_text())[1]
    assert len(known) == int(declared)
    assert set(known) == {variable for variable in write.setting_descriptions() if variable in known}
