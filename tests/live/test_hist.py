# SPDX-License-Identifier: GPL-2.0-only
"""
Histograms of real connections, beside what the same events say as JSON: how
many, the quantiles, and every row, computed here once more.
"""
import collections
import fcntl
import json
import math
import os
import pty
import re
import struct
import subprocess
import termios
import time

import pytest

from netlab import reset_close
from stage import PORT
from tracer import PROGRAM, REBIRTH_S, REPOSITORY, finished, run_program

LOOPBACK = "127.0.0.1"
DEMO = os.path.join(REPOSITORY, "tests/replay/demo.rec")
ROUNDS = 12
OFF_MOST = 0.03  # of a quantile: its bucket, and three digits of it
FAILED = ("refused", "timed_out", "unreachable", "reset", "aborted")
UNITS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "min": 60e9, "h": 3600e9, "d": 86400e9,
         "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40, "PB": 2**50}
VALUE = r"([\d.]+) (ns|us|ms|s|min|h|d|B|KB|MB|GB|TB|PB)"


def number(text):
    value, unit = re.fullmatch(VALUE, text).groups()
    return float(value) * UNITS[unit]


class Section:
    """One histogram as it was printed."""

    def __init__(self, lines):
        self.title, count, without = re.fullmatch(
            r"(.+): count (\d+)(?:, (\d+) without)?", lines[0]).groups()
        self.count, self.without = int(count), int(without or 0)
        self.figures, self.rows = {}, []
        if len(lines) > 1:
            self.figures = {name: number(value) for name, value in re.findall(
                rf"(p50|p90|p99|max) ((?:[\d.]+) \w+)", lines[1])}
        for line in lines[2:]:
            if line != "  ...":
                label, row_count, bar = re.fullmatch(r"  (.+?) +(\d+) \|(.*)", line).groups()
                assert bool(bar) == (row_count != "0"), line
                self.rows.append((*self._bounds(label), int(row_count)))

    @staticmethod
    def _bounds(label):
        if label.startswith("under "):
            return 0, number(label[6:])
        if label.endswith(" and more"):
            return number(label[:-9]), math.inf
        first, _, second = label.partition(" - ")
        return number(first), number(second) if second else number(first) + 1


class Print:
    """What was printed at one time: a heading, and sections with a blank line before each."""

    def __init__(self, text):
        heading, *sections = text.split("\n\n")
        found = re.fullmatch(rf"(\d\d:\d\d:\d\d|-), in {VALUE}: (\d+) connections?"
                             r"(?:, (\d+) incomplete)?(?:, (\d+) failed attempts?)?", heading)
        assert found, heading
        self.seconds = float(found[2]) * UNITS[found[3]] / 1e9
        self.conns, self.incomplete, self.failed = (int(found[i] or 0) for i in (4, 5, 6))
        parsed = [Section(section.splitlines()) for section in sections]
        self.sections = {section.title: section for section in parsed}
        assert len(self.sections) == len(parsed)


def prints(text):
    """All of them, in their order."""
    assert text.endswith("\n\n") and text.isascii()
    assert max(len(line) for line in text.splitlines()) <= 80
    return [Print(one.rstrip("\n")) for one in re.split(r"(?m)^(?=[\d:-]+, in )", text) if one]


def only_print(text):
    (one,) = prints(text)
    return one


def goes_on(record):
    """Let go of before its FIN_WAIT2 was over: how long that took is not known."""
    return (record["remains"], record["remains_end"]) == ("fin_wait2", None) and \
        record["states"][-1]["state"] == "FIN_WAIT2"


def values_of(records):
    """Title -> what stands in the records, None where it is not known."""
    values = collections.defaultdict(list)
    for record in records:
        for i, step in enumerate(record["states"]):
            is_open = goes_on(record) and i + 1 == len(record["states"])
            values["time in " + step["state"]].append(None if is_open else step["ns"])
        if record["opened"] in FAILED:
            continue
        role = {"client": " as client", "server": " as server"}.get(
            record["role"], ", both or unknown role")
        srtt = record["srtt_us"]
        values["handshake" + role].append(record["handshake_ns"])
        values["duration" + role].append(None if goes_on(record) else record["duration_ns"])
        values["smoothed round-trip time"].append(None if srtt is None else srtt * 1000)
        values["bytes sent"].append(record["tx_bytes"])
        values["bytes received"].append(record["rx_bytes"])
    return values


def must_be_near(told, right, what):
    assert abs(told - right) <= OFF_MOST * right, f"{what}: {told} told, {right} right"


def check_section(section, values):
    known = sorted(value for value in values if value is not None)
    assert (section.count, section.without) == (len(known), len(values) - len(known)), section.title
    if not known:
        assert not section.figures and not section.rows
        return
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1)):
        right = known[max(math.ceil(share * len(known) - 1e-9), 1) - 1]
        must_be_near(section.figures[name], right, f"{section.title} {name}")
    for low, high, count in section.rows:
        assert count == sum(low <= value < high for value in known), (section.title, low, high)
    assert sum(count for _low, _high, count in section.rows) == len(known), section.title


def check(one, records):
    """A print must say what the records say."""
    failed = [record for record in records if record["opened"] in FAILED]
    assert (one.conns, one.failed) == (len(records) - len(failed), len(failed))
    assert one.incomplete == sum(not record["complete"] for record in records
                                 if record not in failed)
    values = values_of(records)
    for title, section in one.sections.items():
        check_section(section, values[title])
    assert not [title for title in values if values[title] and title not in one.sections]


def read(*arguments):
    done = run_program(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def records_in(*arguments):
    lines = read("life", "--json", "--whole", *arguments).splitlines()
    return [json.loads(line) for line in lines]


# Both ends in one namespace: others may play in theirs, and --netns takes one.

def listen(lab, port=PORT):
    return lab.listen(port, side=lab.c, address=LOOPBACK)


def pair_of(lab, listener, port=PORT):
    client = lab.connect(port, side=lab.c, address=LOOPBACK)
    return lab.accepted(listener, client, port=port)


def close_both(first, second):
    first.close()
    assert second.recv(1) == b""
    second.close()


def live(lab):
    """Some dozens: closed by either side, reset, refused, of many sizes."""
    listener = listen(lab)
    for i in range(ROUNDS):
        pair = pair_of(lab, listener)
        pair.say(3 ** (i % 10) + 1)
        pair.answer(i + 1)
        close_both(pair.client, pair.server)
        pair = pair_of(lab, listener)
        time.sleep(0.002 * i)
        close_both(pair.server, pair.client)
        pair = pair_of(lab, listener)
        reset_close(pair.client)
        pair.server.close()
    listener.close()
    refused = lab.c.socket()
    assert refused.connect_ex((LOOPBACK, 9)) != 0
    refused.close()


def end_time_waits(lab):
    """Those of the servers at once, and waits until that is told; the others go on."""
    lab.settle()
    lab.c.wait_sockets("time-wait", 2 * ROUNDS)
    lab.c.run("ss", "-K", "-t", "state", "time-wait", "sport", "=", f":{PORT}")
    lab.c.wait_sockets("time-wait", ROUNDS)
    time.sleep(REBIRTH_S)


def test_same_as_the_records(lab, trace, tmp_path):
    """Live, and of the recording of that; with one that was there before."""
    recording = str(tmp_path / "recording")
    old_listener = listen(lab, 81)
    old = pair_of(lab, old_listener, 81)
    tracer = trace("hist", "hist", "--record", recording, "--netns", lab.c.name)
    live(lab)
    reset_close(old.client)
    old.server.close()
    old_listener.close()
    end_time_waits(lab)
    finished(tracer)
    assert tracer.lost() == 0, tracer.stderr()
    only_ours = ("--read", recording, "--netns", str(lab.c.inode))
    records = records_in(*only_ours)
    one = only_print(tracer.text())
    check(one, records)
    # and what this test itself knows
    assert (one.conns, one.incomplete, one.failed) == (2 * 3 * ROUNDS + 2, 2, 1)
    for title in ("handshake as client", "handshake as server"):
        assert (one.sections[title].count, one.sections[title].without) == (3 * ROUNDS, 1)
    assert one.sections["time in SYN_SENT"].count == 3 * ROUNDS + 1
    time_wait = one.sections["time in TIME_WAIT"]
    assert (time_wait.count, time_wait.without) == (ROUNDS, ROUNDS)
    must_be_near(one.sections["bytes sent"].figures["max"], 3 ** 9 + 1, "bytes")
    again = read("hist", *only_ours)
    assert again.partition("\n")[2] == tracer.text().partition("\n")[2]


def test_each_counts_in_one_interval(lab, trace):
    listener = listen(lab)
    tracer = trace("hist", "hist", "--interval", "1s", "--netns", lab.c.name)
    for _ in range(25):
        pair = pair_of(lab, listener)
        reset_close(pair.client)
        pair.server.close()
        time.sleep(0.1)
    listener.close()
    finished(tracer)
    told = prints(tracer.text())
    assert len(told) >= 3
    assert [one.seconds for one in told[:-1]] == [1] * (len(told) - 1)
    assert sum(one.conns for one in told) == 2 * 25
    assert max(one.conns for one in told) < 2 * 25
    assert sum(one.sections["duration as client"].count for one in told if one.conns) == 25


def test_recording():
    check(only_print(read("hist", "--read", DEMO)), records_in("--read", DEMO))


def test_intervals_of_a_recording():
    """By the time of the events: nothing is lost, nothing counts twice."""
    whole = only_print(read("hist", "--read", DEMO))
    told = prints(read("hist", "--interval", "1s", "--read", DEMO))
    assert [one.seconds for one in told[:-1]] == [1] * (len(told) - 1) and len(told) > 2
    assert sum(one.conns for one in told) == whole.conns
    assert sum(one.failed for one in told) == whole.failed
    for title, section in whole.sections.items():
        parts = [one.sections[title] for one in told if title in one.sections]
        assert sum(part.count for part in parts) == section.count
        assert sum(part.without for part in parts) == section.without
        if section.count:
            assert max(part.figures["max"] for part in parts if part.count) == \
                section.figures["max"]


def in_terminal(columns, **environment):
    """What it writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([PROGRAM, "hist", "--read", DEMO], stdout=theirs,
                          stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                          env={"PATH": os.environ["PATH"], **environment}) as process:
        os.close(theirs)
        written = b""
        try:
            while piece := os.read(ours, 65536):
                written += piece
        except OSError:
            pass  # the other end is closed
    os.close(ours)
    assert process.returncode == 0
    return written.decode().splitlines()


@pytest.mark.parametrize("locale,is_utf8", [("C.UTF-8", True), ("C", False)])
def test_terminal(locale, is_utf8):
    lines = in_terminal(110, LC_ALL=locale)
    assert max(len(line) for line in lines) == 110
    assert ("\u2588" in "".join(lines)) == is_utf8
    assert ("#" in "".join(lines)) != is_utf8
    assert "".join(lines).isascii() != is_utf8


def test_pipe_is_ascii():
    done = run_program("hist", "--read", DEMO, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.stdout.isascii() and "#" in done.stdout


def test_full_disk():
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "hist", "--interval", "1s", "--read", DEMO], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 1
    assert done.stderr.count("can't write to standard output: No space left on device") == 1


def test_closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([PROGRAM, "hist", "--read", DEMO], stdout=writer,
                          stderr=subprocess.PIPE, text=True, timeout=20)
    os.close(writer)
    assert done.returncode == 1
    assert "write" not in done.stderr
