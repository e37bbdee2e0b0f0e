# SPDX-License-Identifier: GPL-2.0-only
"""
From the socket to the alert, with the real parts: connlife export writes,
prometheus-node-exporter serves the file, Prometheus scrapes it and judges by
our rules, all on loopback. What it is asked is what Grafana would ask.
"""
import contextlib
import glob
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from exported import Export
from netlab import DEVICE, SYN, eventually, read_fin, reset_close, start_program
from stage import read_end, read_reset
from tracer import REBIRTH_S, REPOSITORY, finished

TOOLS = os.path.join(REPOSITORY, "tools")
NET = f"10.78.{os.getpid() % 250}"  # no other run of these tests counts here
CLIENT, SERVER = NET + ".1", NET + ".2"
PORT = 80
FOR_S = 3  # of alerts here, in place of minutes
CLOSE_WAIT_S = 60  # how long is too long for connlife
START_S = 20
SOON_S = 15

_spec = importlib.util.spec_from_file_location("rules", os.path.join(REPOSITORY, "tests/rules.py"))
rules = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rules)

_plain = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(address, **parameters):
    """The answer of a server that may not be there yet: None then."""
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    try:
        with _plain.open(address + query, timeout=5) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode() if error.code == 400 else None
    except OSError:
        return None


class Daemon:
    """A program that serves on a port of loopback; its log is in a file."""

    def __init__(self, directory, program, port, *arguments, ready):
        self.address = f"http://127.0.0.1:{port}"
        self._log = os.path.join(directory, program + ".log")
        with open(self._log, "wb") as log:
            self._process = start_program(
                [program, f"--web.listen-address=127.0.0.1:{port}", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            eventually(lambda: self._is_up(ready), f"{program} is ready: {self._log}", START_S)
        except BaseException:
            self.end()
            raise

    def _is_up(self, path):
        if self._process.poll() is not None:
            with open(self._log) as log:
                raise RuntimeError(f"ended with {self._process.returncode}: {log.read()}")
        return fetch(self.address + path) is not None

    def end(self):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


class Prometheus(Daemon):
    """With our rules, the time of every alert shortened, scraping one target each second."""

    def __init__(self, directory, target_port):
        config = os.path.join(directory, "prometheus.yml")
        shutil.copy(os.path.join(TOOLS, "prometheus/connlife.rules.yml"), directory)
        with open(os.path.join(TOOLS, "prometheus/connlife.alerts.yml")) as alerts:
            hurried, count = re.subn(r"for: \d+m\b", f"for: {FOR_S}s", alerts.read())
        assert count > 20
        with open(os.path.join(directory, "connlife.alerts.yml"), "w") as alerts:
            alerts.write(hurried)
        with open(config, "w") as file:
            file.write(f"""
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [connlife.rules.yml, connlife.alerts.yml]
scrape_configs:
  - job_name: node
    static_configs:
      - targets: ["127.0.0.1:{target_port}"]
""")
        super().__init__(directory, "prometheus", free_port(), f"--config.file={config}",
                         f"--storage.tsdb.path={directory}/data", "--log.level=warn",
                         ready="/-/ready")

    def ask(self, path, **parameters):
        answer = json.loads(fetch(f"{self.address}/api/v1/{path}", **parameters))
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def number(self, expression):
        """Of the only series; None without one."""
        found = self.query(expression)
        assert len(found) < 2, found
        return float(found[0]["value"][1]) if found else None

    def counted(self, name, *labels):
        """What is not zero of a family: {values of these labels: number}."""
        found = self.query(f"{name} != 0")
        return {tuple(one["metric"][label] for label in labels): float(one["value"][1])
                for one in found}

    def wait_fresh(self):
        """Until it has scraped a file that was written after now."""
        now = time.time()
        eventually(lambda: (self.number("connlife_last_write_timestamp_seconds") or 0) > now + 0.5,
                   "a file written after now is scraped", SOON_S)

    def alert(self, name):
        """pending, firing or None."""
        states = {alert["state"] for alert in self.ask("alerts")["alerts"]
                  if alert["labels"]["alertname"] == name}
        assert len(states) < 2, states
        return states.pop() if states else None


@pytest.fixture
def prometheus(lab, trace, tmp_path):
    """All three run; connlife counts what has an address in a network of this run's own."""
    for program in ("prometheus", "prometheus-node-exporter"):
        if not shutil.which(program):
            pytest.skip(f"{program} is missing (apt-get install {program})")
    for side, address in ((lab.c, CLIENT), (lab.s, SERVER)):
        side.run("ip", "addr", "add", f"{address}/24", "dev", DEVICE)
    directory = tmp_path / "textfile"
    directory.mkdir()
    port = free_port()
    with contextlib.ExitStack() as stack:
        node = Daemon(str(tmp_path), "prometheus-node-exporter", port,
                      "--collector.disable-defaults", "--collector.textfile",
                      f"--collector.textfile.directory={directory}", "--log.level=warn",
                      ready="/metrics")
        stack.callback(node.end)
        server = Prometheus(str(tmp_path), port)
        stack.callback(server.end)
        server.export = Export(trace, directory, "-a", NET + ".0/24", "--by", f"port={PORT}")
        server.wait_fresh()
        yield server


def meet(lab, listener):
    """A connection, accepted: (client, server)."""
    client = lab.connect(PORT, address=SERVER)
    return client, listener.accept()[0]


def part(first, second):
    """First closes, then second."""
    first.shutdown(socket.SHUT_WR)
    read_end(second)
    second.close()
    read_fin(first)
    first.close()


def end_time_wait(lab):
    """TIME_WAIT lasts a minute; ss -K ends it now, and connlife must be sure of it."""
    for side in (lab.c, lab.s):
        side.run("ss", "-K", "-t", "state", "time-wait")
    time.sleep(REBIRTH_S)


def test_numbers(lab, prometheus):
    """Prometheus has exactly what happened here."""
    listener = lab.listen(PORT, address=SERVER)
    for closes_client in (True, True, True, False):
        client, server = meet(lab, listener)
        part(*((client, server) if closes_client else (server, client)))
    for _ in range(2):
        client, server = meet(lab, listener)
        reset_close(client)
        read_reset(server)
        server.close()
    for _ in range(5):
        with pytest.raises(ConnectionRefusedError):
            lab.connect(81, address=SERVER)
    client, server = meet(lab, listener)  # stays
    end_time_wait(lab)
    prometheus.wait_fresh()

    counted = prometheus.counted
    assert counted("connlife_connections_opened_total", "role") == {
        ("client",): 7, ("server",): 7}
    assert counted("connlife_connections_failed_total", "role", "reason") == {
        ("client", "refused"): 5}
    assert counted("connlife_connections_closed_total", "role", "first", "how") == {
        ("client", "local", "fin"): 3, ("server", "remote", "fin"): 3,
        ("client", "remote", "fin"): 1, ("server", "local", "fin"): 1,
        ("client", "local", "rst_sent"): 2, ("server", "remote", "rst_received"): 2}
    assert counted("connlife_resets_total", "direction", "reason") == {
        ("sent", "linger0"): 2, ("received", "unknown"): 2}
    assert counted("connlife_handshake_seconds_count", "role") == {
        ("client",): 7, ("server",): 7}
    assert counted("connlife_connections", "state") == {("established",): 2}
    assert counted("connlife_port_connections", "port", "state") == {
        (str(PORT), "established"): 2}
    assert prometheus.number("connlife_listeners") == 1
    assert prometheus.query("connlife_stuck_connections > 0") == []
    for sock in (client, server, listener):
        sock.close()
    finished(prometheus.export.tracer)


def test_series(lab, prometheus):
    """Their number is what connlife says, and does not depend on how much happened."""
    def all_series():
        return prometheus.number('count({__name__=~"connlife_.+"})')

    before = all_series()
    assert before == prometheus.number("connlife_series")
    listener = lab.listen(PORT, address=SERVER)
    for _ in range(200):
        client, server = meet(lab, listener)
        reset_close(client)
        server.close()
    prometheus.wait_fresh()
    assert prometheus.counted("connlife_connections_opened_total", "role") == {
        ("client",): 200, ("server",): 200}
    assert all_series() == before == prometheus.number("connlife_series")
    listener.close()


def selectors(text):
    """What is asked of single metrics: connlife_listeners{instance=~".*"}."""
    return set(re.findall(r"(?<![\w:])connlife_\w+(?:{[^}]*})?(?![\w:({])", text))


def test_everything_is_found(prometheus):
    """No rule fails, and nothing asks for a metric or label that is not there."""
    families = {kind: rules.families(path) for kind, path in
                (("file", prometheus.export.path),
                 ("source", os.path.join(REPOSITORY, "user/views/prom.c")))}
    assert set(families["source"]) - set(families["file"]) == {
        "connlife_comm_connections", "connlife_cgroup_connections"}  # only with --by
    time.sleep(2)  # each rule has been evaluated
    groups = prometheus.ask("rules")["groups"]
    assert len(groups) >= 5
    for rule in (rule for group in groups for rule in group["rules"]):
        assert rule["health"] == "ok", rule
    asked = [rules.without_variables(expression)
             for _where, expression in rules.queries(json.loads(rules.read(rules.DASHBOARD)))]
    for expression in asked:
        prometheus.query(expression)
    asked += [rule["query"] for group in groups for rule in group["rules"]]
    wanted = {one for expression in asked for one in selectors(expression)}
    wanted = {one for one in wanted if not re.match("connlife_(comm|cgroup)_connections", one)}
    assert len(wanted) > 40
    assert [one for one in sorted(wanted) if not prometheus.query(one)] == []
    assert glob.glob(os.path.dirname(prometheus.export.path) + "/*") == [prometheus.export.path]


def test_alerts(lab, prometheus):
    """
    A forgotten CLOSE_WAIT and a connect into a void, from the first second to
    the alert; and none when they are over. The minute that connlife grants a
    CLOSE_WAIT is a real one.
    """
    listener = lab.listen(PORT, address=SERVER)
    client, forgotten = meet(lab, listener)
    client.shutdown(socket.SHUT_WR)
    read_end(forgotten)
    began = time.monotonic()

    lab.s.drop(f"{SYN} tcp dport 9")
    lost = lab.start_connect(9, address=SERVER)
    assert watch_alert(prometheus, "ConnlifeSynSentStuck", 20) == [None, "pending", "firing"]
    lost.close()
    eventually(lambda: prometheus.alert("ConnlifeSynSentStuck") is None, "it is over", SOON_S)

    assert prometheus.alert("ConnlifeCloseWaitStuck") is None
    assert prometheus.counted("connlife_connections", "state") == {
        ("fin_wait2",): 1, ("close_wait",): 1}
    left = CLOSE_WAIT_S - (time.monotonic() - began)
    assert left > 5, "no time left to see it pending"
    time.sleep(left - 3)
    assert watch_alert(prometheus, "ConnlifeCloseWaitStuck", 20) == [None, "pending", "firing"]
    assert CLOSE_WAIT_S + FOR_S <= time.monotonic() - began
    age = prometheus.number('connlife_state_oldest_age_seconds{state="close_wait"}')
    assert CLOSE_WAIT_S < age <= time.monotonic() - began
    forgotten.close()
    eventually(lambda: prometheus.alert("ConnlifeCloseWaitStuck") is None, "it is over", SOON_S)
    for sock in (client, listener):
        sock.close()


def watch_alert(prometheus, name, limit_s):
    """The states that an alert goes through, until it fires."""
    states = []

    def is_firing():
        state = prometheus.alert(name)
        if not states or states[-1] != state:
            states.append(state)
        return state == "firing"

    eventually(is_firing, f"{name} fires", limit_s)
    return states
