# SPDX-License-Identifier: GPL-2.0-only
"""
All chosen scenarios, played at once under three tracers: one with --json, one
with --whole besides, and one that writes lines only and so sees fewer steps. It
is played once for the whole session; TIME_WAIT takes its minute meanwhile. Only
--whole is there that long: the others end with the scenarios, so that they tell of the same.

On a host with traffic of its own that floods the tracers, give these a filter
that lets the scenarios pass: CONNLIFE_LIVE_ARGS='-a 10.77.0.0/24 -a fd77::/64
-a 127.77.0.0/16'.
"""
import collections
import concurrent.futures
import os
import time

import scen_close
import scen_open
import scen_owner
import scen_reset
import scen_timewait
import scen_trouble
from expect import SECOND, complaints_about
from netlab import SLOW
from stage import Lab, scenarios
from tracer import Tracer

MODULES = (scen_close, scen_open, scen_owner, scen_reset, scen_timewait, scen_trouble)
AT_ONCE = 12 if SLOW == 1 else 3
RING_SIZE = "64M"  # others may be busy on this host too
PLAY_S = 60 * SLOW * (1 if SLOW == 1 else 2)  # for all of them
PROMPT_S = 10 * SLOW  # until what does not wait for TIME_WAIT was told
LAST_S = 67  # TIME_WAIT, what the timer wheel adds, and the wait for a rebirth after a reset


def _all(pool, names, action):
    """action(name) for all of them at once; the first error is raised."""
    done, late = concurrent.futures.wait([pool.submit(action, name) for name in names], PLAY_S)
    for future in done:
        future.result()
    if late:
        raise TimeoutError(f"{len(late)} scenarios did not end")


class World:
    def __init__(self, directory, names, recording=None):
        """recording: where the events that --whole is told of are written, too."""
        self._labs = {}
        self._records = {}
        self._tracers = {}
        self._plain = None
        self._finished = False
        more = os.environ.get("CONNLIFE_LIVE_ARGS", "").split()
        try:
            common = ["life", "--json", "--ring-size", RING_SIZE, *more]
            self._tracers[False] = Tracer(directory, "prompt", *common)
            record = ["--record", recording] if recording else []
            self._tracers[True] = Tracer(directory, "whole", *common, "--whole", *record)
            self._plain = Tracer(directory, "plain", "life", "--ring-size", RING_SIZE, *more)
            for tracer in self._all_tracers():
                tracer.wait_ready()
            self._play(names)
            self._wait_told(False, PROMPT_S)
            self._stop(self._tracers[False], self._plain)
        except BaseException:
            self.end()
            raise

    def _play(self, names):
        """All namespaces come first: a new one may get the inode of one that is gone."""
        functions = scenarios()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            _all(pool, names, self._prepare)
            _all(pool, names, lambda name: self._labs[name].play(functions[name]))

    def _prepare(self, name):
        self._labs[name] = Lab(name)

    def _all_tracers(self):
        return [tracer for tracer in (*self._tracers.values(), self._plain) if tracer]

    def lab(self, name):
        return self._labs[name]

    def tracer(self, is_whole):
        return self._tracers[is_whole]

    def finish(self):
        """Waits for the last TIME_WAIT, ends the tracers and reads what they said."""
        if self._finished:
            return
        self._finished = True
        self._wait_told(True, LAST_S)
        self._stop(self._tracers[True])
        for is_whole, tracer in self._tracers.items():
            self._records[is_whole] = tracer.records()
        # each namespace makes every later look at the sockets of this host dearer
        for lab in self._labs.values():
            lab.end()

    def _wait_told(self, is_whole, longest_s):
        """Until a tracer has told of every scenario, or its time since the last one is over."""
        deadline = max(lab.end_ns for lab in self._labs.values()) + longest_s * SECOND
        told = collections.Counter()  # records by namespace
        while time.time_ns() < deadline:
            told.update(record["netns"] for record in self._tracers[is_whole].new_records())
            if all(told[lab.c.inode] + told[lab.s.inode] >= len(lab.wanted)
                   for lab in self._labs.values()):
                return
            time.sleep(0.2)

    @staticmethod
    def _stop(*tracers):
        for tracer in tracers:
            status = tracer.stop()
            if status:
                raise RuntimeError(f"connlife ended with {status}: {tracer.stderr()}")

    def complaints(self, name, is_whole):
        lab = self._labs[name]
        inodes = {lab.c.inode, lab.s.inode}
        own = [record for record in self._records[is_whole]
               if record["netns"] in inodes and lab.played(record)]
        return complaints_about(own, lab.wanted, is_whole, (lab.begin_ns, lab.end_ns))

    def records(self, is_whole):
        return self._records[is_whole]

    def plain(self):
        return self._plain

    def end(self):
        for tracer in self._all_tracers():
            tracer.kill()
        for lab in self._labs.values():
            lab.end()
