# SPDX-License-Identifier: GPL-2.0-only
"""
Judges the rules and the dashboard by what connlife exports: every metric that
they name is one of its families, every family is shown, every alert is whole
and tested. Writes the queries of the dashboard as a rule file for promtool.

Usage: rules.py EXPORTED QUERIES
EXPORTED: a connlife.prom, or the source with the table of families.
"""
import glob
import itertools
import json
import os
import re
import sys

TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools")
DASHBOARD = os.path.join(TOOLS, "grafana/connlife.json")
RULES = os.path.join(TOOLS, "prometheus/connlife.rules.yml")
ALERTS = os.path.join(TOOLS, "prometheus/connlife.alerts.yml")
TESTS = os.path.join(TOOLS, "prometheus/tests/*.yml")

FAMILY_IN_SOURCE = re.compile(r'{ "(connlife_\w+)", "(gauge|counter|histogram)"')
FAMILY_IN_FILE = re.compile(r"^# TYPE (connlife_\w+) (gauge|counter|histogram)$", re.M)
LOST = re.compile(r"\bconnlife_events_lost_total\b(\{[^}]*\})?")
NAME = re.compile(r"[\w:]*\bconnlife_[\w:]+|[\w]+:connlife_[\w:]+")
VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$instance": ".*"}
SUFFIXES = ("_bucket", "_sum", "_count")
SEVERITIES = {"critical", "warning", "info"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def families(path):
    """What is exported: {name: type}."""
    pattern = FAMILY_IN_SOURCE if path.endswith(".c") else FAMILY_IN_FILE
    return dict(pattern.findall(read(path)))


def series_names(exported):
    """Every name that a series of these families has."""
    plain = {name for name, kind in exported.items() if kind != "histogram"}
    return plain | {name + suffix for name, kind in exported.items() if kind == "histogram"
                    for suffix in SUFFIXES}


def strangers(where, text, known):
    """Names in a text that nobody exports or records."""
    return [f"{where}: nobody exports {name}"
            for name in sorted(set(NAME.findall(text)) - known)]


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries(dashboard):
    """(where, expression) of all that the dashboard asks for."""
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation:
            yield annotation["name"], annotation["expr"]


def expressions(text):
    """Those of a file of rules."""
    return [found for _indent, found in re.findall(r"^( +)expr: (.*(?:\n\1 .*)*)$", text, re.M)]


def complaints_about_losses(where, asked):
    """requests are forgotten half-open ones, no lost events: a sum must leave them out."""
    for expression in asked:
        if re.search(r"\bby \([^)]*\breason\b", expression):
            continue
        if any('reason!="requests"' not in labels for labels in LOST.findall(expression)):
            yield f'{where}: takes reason="requests" for lost events: {expression}'


def without_variables(expression):
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def overlap(one, other):
    return (one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"] and
            one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"])


def complaints_about_panel(panel):
    title, place = panel.get("title") or "?", panel["gridPos"]
    if place["x"] < 0 or place["x"] + place["w"] > 24:
        yield f"panel {title}: beyond the 24 columns"
    if panel["type"] == "row":
        return
    if not panel.get("description"):
        yield f"panel {title}: no description"
    if not panel.get("targets"):
        yield f"panel {title}: asks for nothing"
    ids = [target["refId"] for target in panel.get("targets", [])]
    if len(ids) != len(set(ids)):
        yield f"panel {title}: one refId twice"
    for part in (panel, *panel.get("targets", [])):
        if part.get("datasource", {}).get("uid") != "${datasource}":
            yield f"panel {title}: not from the data source that is chosen"


def complaints_about_dashboard(dashboard):
    shown = list(panels(dashboard))
    ids = [panel["id"] for panel in shown]
    if len(ids) != len(set(ids)):
        yield "dashboard: one id twice"
    for one, other in itertools.combinations(shown, 2):
        if overlap(one["gridPos"], other["gridPos"]):
            yield f"panels overlap: {one['title']} and {other['title']}"
    for panel in shown:
        yield from complaints_about_panel(panel)
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    if variables != {"datasource", "instance"}:
        yield f"dashboard: variables {variables}"
    for where, expression in queries(dashboard):
        if "$" in without_variables(expression):
            yield f"panel {where}: a variable that is not known: {expression}"
        if 'instance=~"$instance"' not in expression:
            yield f"panel {where}: does not ask for the chosen hosts"


def complaints_about_alerts(text, tests):
    for alert in text.split("- alert: ")[1:]:
        name = alert.split()[0]
        if not re.search(r"^ +for: \d+m$", alert, re.M):
            yield f"{name}: no for:"
        severity = re.search(r"severity: (\w+)", alert)
        if not severity or severity.group(1) not in SEVERITIES:
            yield f"{name}: no severity of {SEVERITIES}"
        for annotation in ("summary", "description", "action"):
            found = re.search(rf"^ +{annotation}: (.*?)(?=^ +\w+: |\Z)", alert, re.M | re.S)
            if not found:
                yield f"{name}: no {annotation}"
            elif annotation == "summary" and "$labels.instance" not in found.group(1):
                yield f"{name}: its summary does not name the host"
        if f'alertname="{name}", instance="over"' not in tests:
            yield f"{name}: no test shows that it fires"


def write_queries(dashboard, path):
    """Titles are as JSON has them, which is valid YAML."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("groups:\n  - name: dashboard\n    rules:\n")
        for number, (_where, expression) in enumerate(queries(dashboard)):
            file.write(f"      - record: dashboard:query:{number}\n"
                       f"        expr: {json.dumps(without_variables(expression))}\n")


def main(exported_path, queries_path):
    exported = families(exported_path)
    if len(exported) < 30:
        return [f"{exported_path}: {len(exported)} families of metrics only"]
    dashboard = json.loads(read(DASHBOARD))
    rules, alerts = read(RULES), read(ALERTS)
    tests = "".join(read(path) for path in glob.glob(TESTS))
    recorded = set(re.findall(r"- record: (\S+)", rules))
    known = series_names(exported) | recorded
    asked = "\n".join(expression for _where, expression in queries(dashboard))
    complaints = [complaint for where, text in ((RULES, rules), (ALERTS, alerts), (TESTS, tests),
                                                (DASHBOARD, asked))
                  for complaint in strangers(where, text, known)]
    complaints += [f"dashboard: does not show {name}" for name in exported if name not in asked]
    complaints += [f"{RULES}: no test of {name}" for name in recorded if name not in tests]
    for where, found in ((RULES, expressions(rules)), (ALERTS, expressions(alerts)),
                         (DASHBOARD, [expression for _where, expression in queries(dashboard)])):
        complaints += complaints_about_losses(where, found)
    complaints += complaints_about_dashboard(dashboard)
    complaints += complaints_about_alerts(alerts, tests)
    write_queries(dashboard, queries_path)
    return complaints


if __name__ == "__main__":
    found = main(*sys.argv[1:])
    print("\n".join(found))
    sys.exit(bool(found))
