"""The value files, and what the chart makes of them by Helm's own engine."""

import copy
import functools
import json
from pathlib import Path

import helm_python
import yaml
from helm_python import _native

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/bund"
HERE = Path(__file__).resolve().parent
NAME, NAMESPACE = "city", "fhir"
NEWEST = "1.37"

# What the chart ships, and what is only for the tests.
SHIPPED = sorted(path.stem for path in CHART.glob("values-*.yaml"))
CASES = SHIPPED + sorted(path.stem for path in (HERE / "values").glob("*.yaml"))

# Rendered files that are kept and read like code: the case, a short name, the templates.
GOLDEN = [
    ("minimal", "pods", ["deployment", "configmap", "migrate"]),
    ("values-hospital", "edge", ["ingress", "networkpolicy", "service", "poddisruptionbudget"]),
    ("values-city", "database", ["cnpg", "horizontalpodautoscaler", "httproute"]),
    ("values-dev", "notes", ["NOTES"]),
]


class Refused(Exception):
    """What Helm says when it does not take the values."""


class Loader(yaml.CSafeLoader):
    """As Kubernetes reads: the same key twice is a mistake."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{twice} twice", node.start_mark)
        return super().construct_mapping(node, deep)


@functools.cache
def chart():
    return helm_python.Chart.load(CHART)


@functools.cache
def values(case):
    folder = CHART if case in SHIPPED else HERE / "values"
    return yaml.load((folder / f"{case}.yaml").read_text(), Loader) or {}


def changed(case, change):
    """The values of a case with some of them replaced, by path: `database.host`."""
    result = copy.deepcopy(values(case))
    for path, value in change.items():
        *parents, last = path.split(".")
        node = result
        for name in parents:
            node = node.setdefault(name, {})
        node[last] = value
    return result


def render_values(chosen, kube=NEWEST, upgrade=False):
    """The rendered text of each template that says something, by its name without folder and ending."""
    options = {
        "name": NAME,
        "namespace": NAMESPACE,
        "kube_version": f"v{kube}.0",
        "is_install": not upgrade,
        "is_upgrade": upgrade,
        "revision": 2 if upgrade else 1,
    }
    try:
        # The binding's own `render` has no Kubernetes version yet; the engine has.
        answer = _native.call_string("helm_render", chart()._raw(), json.dumps(chosen), json.dumps(options))
    except helm_python.HelmError as error:
        raise Refused(str(error)) from error
    return {Path(name).stem: text for name, text in json.loads(answer).items() if text.strip()}


@functools.cache
def render(case, kube=NEWEST, upgrade=False):
    return render_values(values(case), kube, upgrade)


@functools.cache
def parse_text(text):
    return [document for document in yaml.load_all(text, Loader) if document]


def parse(rendered):
    """The objects; a copy for the caller."""
    texts = [text for name, text in rendered.items() if name != "NOTES"]
    return [copy.deepcopy(document) for text in texts for document in parse_text(text)]


@functools.cache
def objects(case, kube=NEWEST, upgrade=False):
    return parse(render(case, kube, upgrade))


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def pods(documents):
    """The specification of each pod, with the name of its object."""
    for document in documents:
        if document["kind"] == "Pod":
            yield document["metadata"]["name"], document["spec"]
        elif document["kind"] in ("Deployment", "Job"):
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


def golden_path(golden):
    case, name, _ = golden
    return HERE / "golden" / f"{case}-{name}.yaml".replace("notes.yaml", "notes.txt")


def golden_text(golden):
    case, _, templates = golden
    rendered = render(case)
    if templates == ["NOTES"]:
        return rendered["NOTES"].strip() + "\n"
    return "".join("---\n" + rendered[template].strip().removeprefix("---\n") + "\n" for template in templates)
