# ruff: noqa: T201 - prints for people
"""Writes the list of metrics in docs/telemetry.md, from the catalogue and the template that watches them.

Between the two marks the page is generated; the rest is written by hand. `--check` says whether it is the page that
would be written now.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proviso.cli.logs import QUERY
from proviso.edge.metrics import DIMENSION, Metric, of

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/telemetry.md"
_PART = re.compile(r"(<!-- (\w+) begins.*?-->\n).*?(<!-- \2 ends -->)", re.S)
WHEN = {
    "idle": "always, also while nothing is deployed",
    "active": "while frames are searched",
    "fault": "only when something went wrong",
}


def used_by(template: Mapping[str, Any]) -> dict[str, list[str]]:
    """Which alarms and graphs use which metric of ours, by metric."""
    used: dict[str, list[str]] = defaultdict(list)
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            inner = [one["MetricStat"]["Metric"] for one in properties.get("Metrics", []) if "MetricStat" in one]
            found = {one.get("MetricName") for one in (properties, *inner) if one.get("Namespace") == "Proviso"}
            for metric in found:
                used[metric].append(f"alarm {name}")
        if resource["Type"] == "AWS::CloudWatch::Dashboard":
            for metric in sorted(set(re.findall(r'\["Proviso", "([^"]+)"', str(properties["DashboardBody"])))):
                used[metric].append("dashboard")
    return dict(used)


def metrics_table(template: Mapping[str, Any]) -> str:
    """The list, as Markdown."""
    used = used_by(template)
    rows = [
        f"| `{one.name}` | {one.unit} | {', '.join(one.services)} | {WHEN[one.when]} | {one.description} "
        f"| {', '.join(used.get(one.name, ['none: looked up by hand']))} |"
        for one in (metric.value for metric in Metric)
    ]
    head = f"| metric | unit | {DIMENSION} | written | with what | used by |\n|---|---|---|---|---|---|\n"
    counts = (
        f"Custom metrics that CloudWatch counts (a name and a function): {of('idle')} in an idle month, {of('active')} "
        f"more while frames are searched, {of('fault')} more at most, where everything went wrong at once."
    )
    return head + "\n".join(rows) + f"\n\n{counts}\n"


def page(text: str, template: Mapping[str, Any]) -> str:
    """The page with its generated parts as they would be now."""
    parts = {"metrics": metrics_table(template), "query": f"```\n{QUERY}```\n"}
    return _PART.sub(lambda found: found[1] + parts[found[2]] + found[3], text)


def main() -> int:
    """Write it, or say that it is not what it should be."""
    from samtranslator.yaml_helper import yaml_parse

    before = PAGE.read_text(encoding="utf-8")
    now = page(before, yaml_parse((ROOT / "infra/observability.yaml").read_text(encoding="utf-8")))
    if "--check" in sys.argv:
        print("docs/telemetry.md is up to date" if now == before else "docs/telemetry.md is not: run make docs")
        return 0 if now == before else 1
    PAGE.write_text(now, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
