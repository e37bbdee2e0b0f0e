# SPDX-License-Identifier: GPL-2.0-only
"""
More happens than connlife can take: a ring that is far too small, a tracer that is
stopped for seconds. What was lost is counted to the event, and nothing is told wrong for it.
"""
import collections
import contextlib
import csv
import glob
import itertools
import os
import re
import time

import pytest

from load import run_storm
from losses import (  # noqa: F401: one is a fixture
    EV_DESTROY, LOST, RING_FULL, STATES, Book, booked, check_stories, only, opened_in, states,
    status, wait_repaired)
from netlab import PURE_ACK, SYN, eventually, reset_close
from stage import close_client_first, own_comm
from test_faults import links_of
from tracer import finished, stopped

SMALL_RING = 4096
STORM = 1500
STOPPED_S = float(os.environ.get("CONNLIFE_STOPPED_S", "30"))


# ---- a ring that is too small ----


class Storm:
    """One under a tracer with a small ring; no look at the sockets fell into it."""

    def __init__(self, lab, booked):
        for attempt in range(3):
            self.tracer, self.path = booked(f"small{attempt}", "--ring-size", str(SMALL_RING),
                                            "--netns", lab.c.name)
            before = opened_in(lab.c)
            run_storm(lab.c, STORM)
            over_ns = time.monotonic_ns()
            self.opened = opened_in(lab.c) - before
            wait_repaired(self.tracer)
            self.repaired = status(self.tracer)
            finished(self.tracer)
            self.book = Book(self.path)
            if self.book.repairs and self.book.repairs[0] > over_ns:
                return
        pytest.fail("each time it looked again before the storm was over")


def test_small_ring(lab, booked):
    """Told and lost are all there was; the table is right again while it runs on."""
    storm = Storm(lab, booked)
    assert storm.opened == 2 * STORM
    assert storm.book.lost[RING_FULL] > 0
    assert storm.book.accounted() == storm.book.due(storm.opened)
    assert storm.tracer.counted("events lost because the ring") == storm.book.lost[RING_FULL]
    records = storm.tracer.records()
    assert len(records) == int(storm.repaired[0])
    check_stories(records)
    assert any(one["incomplete_because"] == LOST for one in records)


def test_small_ring_counts_nothing_twice(lab, booked):
    storm = Storm(lab, booked)
    assert storm.book.accounted() == storm.book.due(storm.opened)
    assert storm.tracer.lost() == storm.book.all_lost(), storm.tracer.stderr()


SIZES = {"open": 144, "numbers": 80, "state": 80, "close": 136, "reset": 40}  # of struct ev_*


def in_ring(*kinds):
    return sum(SIZES[kind] + 8 for kind in kinds)


def filling():
    """How many connections, and attempts, leave room for one's EV_CLOSE and nothing after it."""
    attempt = in_ring("open", "numbers")
    connection = attempt + in_ring("numbers", "state")
    for connections, attempts in itertools.product(range(1, 12), range(12)):
        left = SMALL_RING - 8 - connections * connection - attempts * attempt - in_ring("close")
        if 0 <= left < in_ring("reset"):
            return connections, attempts
    raise AssertionError("no such numbers")


def test_small_ring_without_the_reset(lab, trace):
    """Its last event is the only one lost: it may not be told as whole."""
    connections, attempts = filling()
    listener = lab.listen(backlog=64)
    lab.s.drop(f"tcp dport 81 {SYN}")
    tracer = trace("exact", "life", "--json", "--ring-size", str(SMALL_RING),
                   "--netns", lab.c.name)
    with stopped(tracer):
        pairs = [lab.pair(listener=listener) for _ in range(connections)]
        clients = [lab.start_connect(81) for _ in range(attempts)]
        reset_close(pairs[0].client)
    eventually(lambda: status(tracer)[2] != "0", "the loss is told")
    listener.close()
    for one in clients + [pair.client for pair in pairs] + [pair.server for pair in pairs]:
        one.close()
    finished(tracer)
    assert tracer.counted("events lost because the ring") == 1, "the sizes of events have changed"
    [record] = [one for one in tracer.records() if one["lport"] == pairs[0].cport]
    assert states(record) == ["SYN_SENT", "ESTABLISHED"]
    assert (record["complete"], record["incomplete_because"]) == (False, LOST), record


# ---- the same for lines, of which only beginnings and ends are told ----

ENDS = 400  # connections; few, so that it does not look again before they are over
EVERYONES = ("ActiveOpens", "PassiveOpens", "AttemptFails", "EstabResets", "CurrEstab",
             "RetransSegs")
EVERY_LISTENER = 0x400  # of net.ipv4.tcp_fastopen


class Lines:
    """
    A storm under plain `connlife life`, and what of it the lines and the summary tell.

    No filter and no recording goes with this mode, so that what others do on this host is in
    the counts: tried again until they did nothing.
    """

    def __init__(self, lab, trace, attempt):
        self.lab = lab
        self.tracer = trace(f"lines{attempt}", "life", "--csv", "-v", "--ring-size",
                            str(SMALL_RING))
        links, others = set(links_of(self.tracer.pid)), others_count(lab)
        self.opened, self.begun = -opened_in(lab.c), -int(status(self.tracer)[0])
        self.port = quick_storm(lab.c, ENDS)
        self.opened += opened_in(lab.c)
        for _ in range(2):  # the second one knows all that happened before the first
            seen = status(self.tracer)
        self.begun += int(seen[0])
        self.lost = int(seen[2])
        self.unknown = counts_now(self.tracer, "events of unknown sockets")
        # from its first look on, the ends of sockets are events too
        self.is_whole = (others == others_count(lab)
                         and set(links_of(self.tracer.pid)) == links)
        if self.is_whole:
            eventually(lambda: len(self.lines()) >= self.begun, "all of them have a line", 20)
        finished(self.tracer)

    def lines(self):
        told = csv.DictReader(self.tracer.text().splitlines())
        return [line for line in told if str(self.port) in (line["LPORT"], line["RPORT"])]


def others_count(lab):
    """What the kernel counts in every namespace but the storm's."""
    counts = {}
    for path in glob.glob("/proc/[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            inode = os.stat(path).st_ino
            if inode in counts or inode == lab.c.inode:
                continue
            with open(path.replace("ns/net", "net/snmp")) as snmp:
                names, values = [line.split() for line in snmp if line.startswith("Tcp:")]
            counts[inode] = [dict(zip(names, values))[name] for name in EVERYONES]
    return counts


def quick_storm(side, connections):
    """
    Every child of its listener has a note from the start, as those of Fast Open have: who
    reads from it first is no event then. Its port.
    """
    side.sysctl(tcp_fastopen=EVERY_LISTENER | 2)
    with contextlib.closing(side.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        for _ in range(connections):
            client = side.socket()
            client.connect(listener.getsockname())
            server, _peer = listener.accept()
            client.send(b"u")
            server.recv(1)
            client.close()
            server.recv(1)
            server.close()
        return listener.getsockname()[1]


def check_line(line, port):
    """Right, or not known."""
    is_client = line["RPORT"] == str(port)
    first = "local" if is_client else "remote"
    if line["CLOSED"]:
        assert (line["CLOSED"], line["FIRST"]) == ("fin", first), line
        assert line["OPENED"] in ("handshake", ""), line
        assert line["REMAINS"] in (("fin_wait2", "time_wait") if is_client else ("",)), line
    else:
        assert (line["REMAINS"], line["TX_KB"], line["MS"]) == ("",) * 3, line
        assert line["FIRST"] in (first, "") and line["OPENED"] in ("handshake", ""), line
    assert line["COMM"] in (own_comm(), ""), line


def test_small_ring_for_lines(lab, trace):
    """
    Both ends of a connection tell an opening and a close each, a client whose opening was lost
    also its FIN_WAIT1: for all that is known, nobody was told yet whose socket it is. An
    opening that was told is a line; a close that was told gives it its end, or is counted by
    -v as one of an unknown socket. Those told and those counted as lost are, to the event,
    what there must be for the connections that the kernel counts.

    Held to that is a storm in which nobody reads from a socket without a note. The lines can't
    know who told of a first reader, so that of other storms this many may be lost besides.
    """
    for attempt in range(8):
        storm = Lines(lab, trace, attempt)
        lines = storm.lines()
        for line in lines:
            check_line(line, storm.port)
        # the port that connect() chose comes with the next step, if that is told
        ends = collections.Counter((line["LPORT"], line["RPORT"]) for line in lines
                                   if line["LPORT"])
        assert max(ends.values()) == 1, ends.most_common(2)
        assert storm.opened == 2 * ENDS
        assert storm.tracer.counted("events lost because the ring") > 0
        if storm.is_whole:
            check_lines(storm, lines)
            return
    pytest.skip("each time others opened connections, or it looked again amid the storm")


def check_lines(storm, lines):
    assert len(lines) == storm.begun
    told = len(lines) + sum(1 for line in lines if line["CLOSED"]) + storm.unknown
    clients = sum(1 for line in lines if line["RPORT"] == str(storm.port))
    due = 2 * storm.opened + ENDS - clients
    assert told + storm.lost == due, (told, storm.lost, due)


def counts_now(tracer, what):
    return int(re.findall(rf"(\d+) {what}", tracer.stderr())[-1])


# ---- stopped for some time ----


def storm_for(side, seconds, numbers):
    """
    One bounded storm after the other until the time is over, each with an address of its
    own: where a SYN met the TIME_WAIT of a former one, resets would be in the count.
    """
    until = time.monotonic() + seconds
    for number in numbers:
        run_storm(side, STORM, "--address", f"127.1.{number >> 8}.{number & 0xff}")
        if time.monotonic() >= until:
            return


@contextlib.contextmanager
def half_open(lab):
    """In the other namespace SYN+ACKs are sent again: no loss of what the filter wants."""
    drop = lab.s.drop(f"tcp dport 83 {PURE_ACK}")
    with lab.listen(port=83), lab.connect(port=83, side=lab.s):
        yield drop


def test_stopped(lab, booked):
    """
    Under load all the time. What ended before and what began after is whole; what was
    there meanwhile says so; and what was lost is counted to the event.
    """
    listener = lab.listen(backlog=64)
    tracer, path = booked("stopped", "--ring-size", str(64 * SMALL_RING), "--netns", lab.c.name)
    before, over, during, after = [lab.pair(cport=5001 + number, listener=listener)
                                   for number in range(4)]
    for pair in (before, over, during, after):
        pair.say(pair.cport % 10)
    close_client_first(before)
    eventually(lambda: any(one["lport"] == before.cport for one in tracer.records()), "its record")
    opened, storms = opened_in(lab.c), itertools.count(1)
    with stopped(tracer), half_open(lab) as repeated:
        storm_for(lab.c, STOPPED_S / 2, storms)
        close_client_first(during)
        storm_for(lab.c, STOPPED_S / 2, storms)
        repeated.wait_count(2)
    assert opened_in(lab.c) - opened == 2 * STORM * (next(storms) - 1)
    eventually(lambda: Book(path).lost[RING_FULL], "it tells the loss")
    eventually(lambda: any(one["lport"] == during.cport for one in tracer.records()), "its record")
    close_client_first(over)
    fresh = lab.pair(cport=5011, listener=listener)
    fresh.say(7)
    close_client_first(fresh)
    close_client_first(after)
    listener.close()
    wait_repaired(tracer)
    finished(tracer)
    check_after_stop(lab, tracer, Book(path), (before, fresh), (over, after), during)


def check_after_stop(lab, tracer, book, whole, half, lost):
    records = tracer.records()
    check_stories([one for one in records if one["lport"] not in range(5001, 5020)])
    for pair in whole:
        one = only(records, pair)
        assert one["complete"] and states(one) == STATES["client"], one
        assert one["tx_bytes"] == pair.up, one
    for pair in half:
        one = only(records, pair)
        assert one["incomplete_because"] == LOST and states(one) == STATES["client"], one
        assert (one["closed"], one["tx_bytes"]) == ("fin", pair.up), one
    one = only(records, lost)
    assert one["incomplete_because"] == LOST and one["closed"] is None, one
    # the end of `lost` and the repair's own EV_DESTROY apart: told or counted
    assert book.told[EV_DESTROY] == 3
    assert book.accounted() == book.due(opened_in(lab.c)), (book.told, book.lost)
