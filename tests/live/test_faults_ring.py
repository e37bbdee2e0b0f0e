# SPDX-License-Identifier: GPL-2.0-only
"""
More happens than connlife can take: a ring that is far too small, a tracer that is
stopped for seconds. What was lost is counted to the event, and nothing is told wrong for it.
"""
import itertools
import os
import time

import pytest

from load import run_storm
from losses import (  # noqa: F401: one is a fixture
    EV_DESTROY, LOST, RING_FULL, STATES, Book, booked, check_stories, only, opened_in, states,
    status, wait_repaired)
from netlab import SYN, eventually, reset_close
from stage import close_client_first
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


# ---- stopped for some time ----


def test_stopped(lab, booked):
    """What ended before and what began after is whole; what was there meanwhile says so."""
    listener = lab.listen(backlog=64)
    tracer, path = booked("stopped", "--ring-size", str(64 * SMALL_RING), "--netns", lab.c.name)
    before, over, during, after = [lab.pair(cport=5001 + number, listener=listener)
                                   for number in range(4)]
    for pair in (before, over, during, after):
        pair.say(pair.cport % 10)
    close_client_first(before)
    eventually(lambda: any(one["lport"] == before.cport for one in tracer.records()), "its record")
    began = time.monotonic()
    with stopped(tracer):
        run_storm(lab.c, STORM)
        close_client_first(during)
        time.sleep(max(0, STOPPED_S - (time.monotonic() - began)))
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
