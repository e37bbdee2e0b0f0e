# SPDX-License-Identifier: GPL-2.0-only
"""
Owners that die while connlife looks for them, and whose numbers others get: whom it
names held the connection at that time, and nobody else is ever named.
"""
import contextlib
import json
import subprocess
import time

import mortals
from netlab import SERVER4, eventually
from stage import PORT
from test_stuck import Watching, rows_of, seen_by
from tracer import finished, kernel_hides_hooks
from troupe import PYTHON

LOOKS = 6
ENDS_S = 30


class History:
    """Who held what and when, as mortals.py tells at its end."""

    def __init__(self, side):
        with side.entered():
            self._process = subprocess.Popen(
                [PYTHON, mortals.__file__, SERVER4, str(PORT)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdin = None
        out, _none = self._process.communicate(timeout=ENDS_S)
        assert self._process.returncode == 0
        told = json.loads(out)
        self.deaths, self.usurped = told["deaths"], told["usurped"]
        self.held = {}
        for port, pid, names, begin, end in told["held"]:
            self.held.setdefault(port, []).append((pid, names, begin, end))
        return self

    def kill(self):
        self._process.kill()
        self._process.wait()

    def holders_at(self, port, begin, end):
        """{(pid, name)} of those that may be found in this time."""
        return {(pid, name) for pid, names, since, until in self.held[port]
                if since <= end and until >= begin for name in names}


def check_rows(history, rows, begin, end):
    """Of one look: how many rows, and how many holders of them."""
    found = 0
    for row in rows:
        ever = history.holders_at(row["rport"], 0, float("inf"))
        now = history.holders_at(row["rport"], begin, end)
        assert row["pid"] is None or (row["pid"], row["comm"]) in ever, (row, ever)
        named = {(one["pid"], one["comm"]) for one in row["holders"]}
        assert named <= now, (row, now)
        found += len(named)
    return len(rows), found


def check_looks(history, looks):
    amid = [until for held in history.held.values() for _pid, _names, _since, until in held
            if any(begin <= until <= end for _rows, begin, end in looks)]
    assert len(amid) >= len(looks), "nobody died meanwhile"
    counts = [check_rows(history, *look) for look in looks]
    assert sum(rows for rows, _holders in counts), counts
    assert sum(holders for _rows, holders in counts), counts


def ours(lab, rows):
    return [row for row in rows_of(lab.s, rows, lport=PORT) if row["state"] == "CLOSE_WAIT"]


def look_for(lab, looks):
    history = History(lab.s)
    try:
        time.sleep(1.2)  # older than a second
        for _ in range(looks):
            begin = time.monotonic()
            rows, _summary = seen_by()  # exit 0, not a line on stderr
            yield ours(lab, rows), begin, time.monotonic()
        yield history.end()
    finally:
        history.kill()


def test_owners_die_while_stuck_looks(lab):
    """Once by each run, that finds all sockets and descriptors of the host as they are."""
    *looks, history = look_for(lab, LOOKS)
    check_looks(history, looks)
    assert history.usurped, "no number was given to another process"


def test_owners_die_while_stuck_watches(lab, trace):
    """The same, with the hooks there when the owners come and go."""
    watching = Watching(trace)
    history = History(lab.s)
    try:
        looks = list(watch_looks(lab, watching))
        history.end()
    finally:
        history.kill()
    finished(watching.tracer)
    if watching.tracer.stderr():  # it lost nothing but what this kernel told nobody
        assert kernel_hides_hooks(), watching.tracer.stderr()
        assert watching.tracer.lost() == watching.tracer.unseen(), watching.tracer.stderr()
    check_looks(history, [look for look in looks if look[0]])


def watch_looks(lab, watching):
    """(rows, begin, end) of some looks."""
    absent = time.monotonic()  # when the look that is waited for was not there yet
    seen = len(watching.summaries())

    def is_there():
        nonlocal absent
        now = time.monotonic()
        if len(watching.summaries()) > seen:
            return True
        absent = now
        return False

    for _ in range(LOOKS):
        begin = absent  # it is taken after the one before it was written
        eventually(is_there, "another look", 40)
        end, records = time.monotonic(), watching.records()
        marks = [place for place, one in enumerate(records) if "summary" in one]
        rows = records[marks[seen - 1] + 1:marks[seen]]
        yield ours(lab, rows), begin, end
        seen += 1
