"""What the pages about the chart show really works."""

import json
import re

import pytest
import yaml

import cases
import write

PAGES = ["helm/README.md", "docs/operations/install.md"]


def blocks(language):
    for page in PAGES:
        text = (cases.ROOT / page).read_text()
        for number, block in enumerate(re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)):
            yield pytest.param(block, id=f"{page}-{number}")


@pytest.mark.parametrize("block", list(blocks("yaml")))
def test_values_that_are_shown_are_taken(block):
    assert cases.parse(cases.render_values(yaml.load(block, cases.Loader)))


@pytest.mark.parametrize("block", list(blocks("sh")))
def test_files_and_values_that_commands_name_are_there(block):
    for name in re.findall(r"\b(helm/[\w./-]+)", block):
        assert (cases.ROOT / name).exists(), name
    values = yaml.safe_load((cases.CHART / "values.yaml").read_text())
    known = {path for path, _, _ in write.leaves(values, json.loads(write.SCHEMA.read_text()))}
    for path in re.findall(r"--set(?:-string)? ([\w.]+)=", block):
        assert path in known, path


@pytest.mark.parametrize("page", [*PAGES, "docs/operations/runbooks/README.md"])
def test_links_lead_somewhere(page):
    folder = (cases.ROOT / page).parent
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (cases.ROOT / page).read_text())
    assert links
    for link in links:
        assert link.startswith("http") or (folder / link).exists(), link
