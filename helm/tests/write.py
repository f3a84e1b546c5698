"""Writes what follows from other files: `./dev chart write`. The tests fail while something of it is out of date.

- descriptions in values.schema.json, from the comments of values.yaml
- the settings in values.schema.json, from the server's own list and docs/settings.md
- the table of values in helm/README.md
- the rendered files in golden/
"""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/bund"
SCHEMA = CHART / "values.schema.json"
README = ROOT / "helm/README.md"

# Settings of the server that values of their own decide, or that make no sense in a pod.
OWN = {
    "BUND_DATABASE_URL": "database",
    "BUND_DATABASE_CONNECTIONS_MAX": "database.connectionsMax",
    "BUND_DATABASE_AUDIT_CONNECTIONS": "database.auditConnections",
    "BUND_LISTEN": "the pod listens on its own address",
    "BUND_METRICS_LISTEN": "the pod listens on its own address",
    "BUND_BASE_URL": "baseUrl",
    "BUND_DRAIN_TIMEOUT_MS": "server.drainSeconds",
    "BUND_WORKERS": "server.workers",
    "BUND_TRUSTED_PROXIES": "server.trustedProxies",
    "BUND_AUDIT_KEY_FILE": "audit.keySecret",
    "BUND_IDENTITY_CA_FILE": "identity.caConfigMap",
    "BUND_SECRETS_DIR": "identity.issuerSecrets",
    "BUND_IDENTITY_ALLOW_HTTP_LOOPBACK": "no issuer is on a pod's loopback address",
    "BUND_OTLP_ENDPOINT": "telemetry.otlpEndpoint",
}


def comments(text):
    """The description of each key of values.yaml, by its path: the comment right above it."""
    found, path, above = {}, [], []
    for line in text.splitlines():
        comment = re.fullmatch(r"\s*# (.*)", line)
        key = re.match(r"( *)([A-Za-z][A-Za-z0-9]*):", line)
        if comment:
            above.append(comment[1])
        elif key:
            path = path[: len(key[1]) // 2] + [key[2]]
            if above:
                found[".".join(path)] = " ".join(above)
            above = []
        else:
            above = []
    return found


def server_settings(root=ROOT):
    """The variables the server reads, with their defaults."""
    source = (root / "server/src/settings/source.rs").read_text()
    rows = re.findall(r'name\(\s*"(BUND_\w+)",\s*"[^"]+",\s*(None|Some\("([^"]*)"\)),?\s*\)', source)
    return {variable: default or None for variable, _, default in rows}


def setting_descriptions(root=ROOT):
    rows = re.findall(r"^\| `(BUND_\w+)` \| [^|]+\| [^|]+\| (.+) \|$", (root / "docs/settings.md").read_text(), re.M)
    return dict(rows)


def setting_schema(default, description):
    if default in ("true", "false"):
        kind = "boolean"
    elif default and re.fullmatch(r"[0-9]+", default):
        kind = "integer"
    elif default and re.fullmatch(r"[0-9.]+", default):
        kind = "number"
    else:
        kind = "string"
    return {"description": description[0].upper() + description[1:], "type": kind}


def schema():
    """values.schema.json with descriptions and settings as they should be."""
    result = json.loads(SCHEMA.read_text())
    found = comments((CHART / "values.yaml").read_text())

    def describe(node, path):
        for name, child in node.get("properties", {}).items():
            if path + [name] == ["settings"]:
                texts = setting_descriptions()
                child["properties"] = {
                    variable: setting_schema(default, texts.get(variable, ""))
                    for variable, default in server_settings().items()
                    if variable not in OWN
                }
            else:
                describe(child, path + [name])
            if ".".join(path + [name]) in found:
                described = {"description": found[".".join(path + [name])]}
                described.update({key: value for key, value in child.items() if key != "description"})
                node["properties"][name] = described

    describe(result, [])
    return json.dumps(result, indent=2, ensure_ascii=False) + "\n"


def leaves(values, node, path=()):
    """Each value with its path, in the order of values.yaml; what the schema does not look into is one value."""
    for name, value in values.items():
        child = node["properties"][name]
        # CPU and memory are given together.
        if isinstance(value, dict) and value and "properties" in child and name != "resources":
            yield from leaves(value, child, (*path, name))
        else:
            yield ".".join((*path, name)), value, child


def table():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = ["| value | default | meaning |", "|---|---|---|"]
    for path, value, node in leaves(values, json.loads(schema())):
        default = json.dumps(value, ensure_ascii=False)
        rows.append(f"| `{path}` | `{default}` | {node['description']} |")
    return "\n".join(rows)


def readme():
    text = README.read_text()
    return re.sub(
        r"(<!-- values: .*? -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}\n{table()}\n\n{match[2]}",
        text,
        flags=re.S,
    )


def main():
    import cases

    SCHEMA.write_text(schema())
    README.write_text(readme())
    for case in cases.GOLDEN:
        cases.golden_path(case).write_text(cases.golden_text(case))


if __name__ == "__main__":
    main()
