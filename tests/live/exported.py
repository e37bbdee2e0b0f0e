# SPDX-License-Identifier: GPL-2.0-only
"""
Reads what connlife export wrote: the text file, strictly, and its JSON lines. And
connections with both ends in one namespace, so that a filter leaves both.
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from netlab import eventually, reset_close
from stage import read_reset

FILE = "connlife.prom"
STATES = ("established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait",
          "close_wait", "last_ack", "closing")
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_VALUE = r'"((?:[^"\\\n]|\\[\\"n])*)"'
_LABEL = re.compile(r"([a-z_]+)=" + _VALUE)
_SERIES = re.compile(r"([a-z_]+)(?:\{(" + r"[a-z_]+=" + _VALUE + r"(?:,[a-z_]+=" + _VALUE +
                     r")*)\})? (\S+)")


def parse(text):
    """{(name, ((label, value), ...)): number}; nothing that the format does not have."""
    assert text.endswith("\n")
    found = {}
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP ") or line.startswith("# TYPE "):
            continue
        match = _SERIES.fullmatch(line)
        assert match, f"no series: {line!r}"
        labels = tuple((name, re.sub(r'\\[\\"n]', lambda one: _ESCAPES[one.group()], value))
                       for name, value in _LABEL.findall(match.group(2) or ""))
        key = (match.group(1), labels)
        assert key not in found, f"twice: {line!r}"
        found[key] = float(match.group(match.lastindex))
    return found


class Export:
    """One run of connlife export into a directory."""

    def __init__(self, trace, directory, *arguments, name="export", ready=True):
        self.directory = str(directory)
        self.path = os.path.join(self.directory, FILE)
        self.tracer = trace(name, "export", "--textfile", self.directory, "--interval", "1s",
                            *arguments, ready=ready)

    def text(self):
        with open(self.path, encoding="utf-8", newline="") as file:
            return file.read()

    def read(self):
        return parse(self.text())

    def fresh(self):
        """What is written from now on: all that happened before is in it."""
        now = time.time()

        def written_after():
            try:
                found = self.read()
            except FileNotFoundError:
                return None
            return found if found[("connlife_last_write_timestamp_seconds", ())] > now + 0.5 \
                else None

        return eventually(written_after, "a file written after now", 20)

    def until(self, what, wanted):
        """Waits for a value of one series."""
        return eventually(lambda: self.read().get(what) == wanted, f"{what} {wanted}", 20)


def series(name, **labels):
    """The order of labels is that of the file."""
    return (name, tuple(labels.items()))


def family(found, name):
    """What is not zero of it: {labels: number}."""
    return {labels: number for (one, labels), number in found.items()
            if one == name and number}


def records_of(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines]


def check_with_promtool(text):
    if not shutil.which("promtool"):
        return
    told = subprocess.run(["promtool", "check", "metrics"], input=text.encode(),
                          capture_output=True, timeout=20)
    assert (told.returncode, told.stdout, told.stderr) == (0, b"", b"")


# ---- connections ----


def connect(lab, port=80):
    client = lab.socket(lab.s)
    client.connect((lab.server_address, port))
    return client


def start_connect(lab, port):
    """Leaves it in SYN_SENT."""
    client = lab.socket(lab.s)
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.connect((lab.server_address, port))
    return client


def make_pair(lab, port=80):
    with lab.listen(port) as listener:
        return lab.accepted(listener, connect(lab, port), port=port)


def end_one(lab):
    """A connection that the client resets."""
    pair = make_pair(lab)
    reset_close(pair.client)
    read_reset(pair.server)
    pair.server.close()


# ---- for the modules of tests ----


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "textfile"
    path.mkdir()
    return path


@pytest.fixture
def ours(lab):
    """Both ends are in one namespace, and only what is there counts."""
    return ("--netns", lab.s.name)
