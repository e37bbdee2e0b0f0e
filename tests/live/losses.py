# SPDX-License-Identifier: GPL-2.0-only
"""
What was told and what was lost, to the event: a recording, held against what the
kernel itself counts. Without BPF: the connections of a namespace are known by its
/proc/net/snmp, and the steps of each by its states. With a filter the hooks say no
more of an end whose opening was lost; of every other one they say all.
"""
import collections
import os
import re
import signal
import struct

import pytest

from netlab import eventually

EV_OPEN, EV_STATE, EV_CLOSE, EV_DESTROY, EV_MINISOCK_TIMER, EV_NUMBERS, EV_SCAN_BEGIN, EV_LOST = (
    1, 2, 3, 4, 9, 11, 16, 26)  # enum ev_kind
OF_A_LIFE = (EV_OPEN, EV_STATE, EV_CLOSE, EV_NUMBERS)
HEADER = struct.Struct("QQQHBBI")  # struct ev_hdr
RING_FULL, NESTED = 0, 4  # enum ev_lost_why
# of one that ends in order: an opening, its steps, its close, and the numbers of all but that
EVENTS = {"client": 1 + 3 + 1 + 4, "server": 1 + 2 + 1 + 3}
ST_SYN_SENT = 2

STATES = {"client": ["SYN_SENT", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2"],
          "server": ["SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK"]}
LOST = ["lost_events"]


class Book:
    """A recording, event by event: what was told, and what it says it lost."""

    def __init__(self, path):
        self.told = collections.Counter()
        self.lost = collections.Counter()
        self.opened = {}  # cookie: role
        self.repairs = []  # when
        with open(path, "rb") as recording:
            data = recording.read()
        at = struct.calcsize("16sIIQ")
        while at + HEADER.size <= len(data):
            when, _sock, cookie, size, kind, _version, _pad = HEADER.unpack_from(data, at)
            if at + size > len(data):
                break  # it is being written
            self._take(when, cookie, kind, data[at + HEADER.size:at + size])
            at += size

    def _take(self, when, cookie, kind, body):
        self.told[kind] += 1
        if kind == EV_OPEN:
            is_client = body[1] == ST_SYN_SENT
            self.opened[cookie] = "client" if is_client else "server"
        elif kind == EV_LOST:
            count, why = struct.unpack_from("QI", body)
            self.lost[why] += count
        elif kind == EV_SCAN_BEGIN and body[struct.calcsize("Q")]:
            self.repairs.append(when)

    def all_lost(self):
        return self.lost[RING_FULL] + self.lost[NESTED]

    def accounted(self):
        return sum(self.told[kind] for kind in OF_A_LIFE) + self.all_lost()

    def due(self, opened):
        """How many there must be, for so many ends in the kernel."""
        return opened + sum(EVENTS[role] - 1 for role in self.opened.values())


def opened_in(side):
    """Both ends of every connection that the kernel made in a namespace; none was sent again."""
    with side.entered(), open("/proc/thread-self/net/snmp") as snmp:
        names, values = [line.split() for line in snmp if line.startswith("Tcp:")]
    found = dict(zip(names, values))
    assert found["RetransSegs"] == "0", "a segment was lost on the way"
    return int(found["ActiveOpens"]) + int(found["PassiveOpens"])


def status(tracer):
    """Its counts now, on request: the last summary that it has written."""
    before = tracer.stderr().count("connections seen")
    os.kill(tracer.pid, signal.SIGUSR1)
    eventually(lambda: tracer.stderr().count("connections seen") > before, "its status")
    return re.findall(r"(\d+) connections seen .*, (\d+) live; .* (\d+) lost", tracer.stderr())[-1]


def wait_repaired(tracer):
    """All sockets are gone; what hid their ends is found by looking again."""
    eventually(lambda: status(tracer)[1] == "0", "no connection is live", 12)


def states(record):
    return [step["state"] for step in record["states"]]


def check_stories(records):
    """Each end once; whole ones as they were, the others as far as was seen."""
    ends = collections.Counter((one["cookie"], one["role"]) for one in records if one["cookie"])
    assert not ends or max(ends.values()) == 1, ends.most_common(2)
    for one in records:
        whole = STATES[one["role"]]
        if one["complete"]:
            assert states(one) == whole and one["opened"] == "handshake", one
            assert (one["closed"], one["closed_first"]) == (
                "fin", "local" if one["role"] == "client" else "remote"), one
            assert one["error"] is None and one["tx_bytes"] == one["rx_bytes"], one
        else:
            assert one["incomplete_because"] == LOST, one
            assert states(one) == [state for state in whole if state in states(one)], one
            assert one["closed"] in (None, "fin") and one["error"] is None, one


def only(records, pair):
    [record] = [one for one in records if one["lport"] == pair.cport]
    return record


@pytest.fixture
def booked(trace, tmp_path):
    """booked(name, *arguments) starts connlife with a recording: (tracer, its path)."""
    def start(name, *arguments, **keywords):
        path = str(tmp_path / (name + ".rec"))
        return trace(name, "life", "--json", "--record", path, *arguments, **keywords), path

    return start
