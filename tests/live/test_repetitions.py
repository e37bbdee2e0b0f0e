# SPDX-License-Identifier: GPL-2.0-only
"""Data that has to be sent again: each repetition has its place in the diagram."""
import re

import pytest

from expect import AtLeast
from stage import close_client_first
from tracer import finished, run_program
from watching import OTHER_WAYS

other_ways = pytest.mark.parametrize("way", OTHER_WAYS, ids=lambda way: f"ipv{way[0]}-{way[1]}")
WITH_DATA = "tcp flags & psh == psh"
EVERY_OTHER = "numgen inc mod 2 0"
LASTING = {"ends": None, "time_wait_ns": None}  # the tracers end before TIME_WAIT does
SHOWN = 7  # lines in one state, the last of them for all that follow


def lines_again(recording, pair):
    """What the diagram of a connection says of repetitions."""
    done = run_program("ladder", "--read", recording)
    assert done.returncode == 0, done.stderr
    [block] = [block for block in done.stdout.split("\n\n")
               if f":{pair.cport} " in block.partition("\n")[0]]
    return [line for line in block.splitlines() if " again " in line]


@other_ways
def test_data_lost(lab, watch, way):
    """A segment that gets through at last, after what was sent before and before what was after."""
    watching = watch(way, "--whole")
    pair = lab.pair()
    pair.say(3)
    pair.answer(4)
    loss = lab.c.lose(WITH_DATA)
    pair.client.sendall(b"u" * 10)
    loss.wait_count(2)
    loss.lift()
    pair.said(10)
    pair.answer(20)
    close_client_first(pair)
    lab.settle()
    both = {"teardown": "four_way", "half_close_bytes": 0, "history": None}
    lab.closed_by_client(pair, client={**LASTING, **both, "retrans": AtLeast(1)}, server=both)
    watching.check()
    for side in (lab.c, lab.s):
        lines = lines_again(watching.recording(side), pair)
        assert len(lines) == watching.record(lab.c, pair.cport, 80)["retrans"], lines
        assert all("| - - - ACK seq 4 ack 5 len 10 again " in line for line in lines), lines


def test_data_lost_often(lab, trace, tmp_path):
    """What is too much for the diagram is folded in one line, and none of it is missing there."""
    recording = str(tmp_path / "often.rec")
    tracer = trace("often", "life", "--json", "--record", recording, "--netns", lab.c.name)
    pair = lab.pair()
    loss = lab.c.lose(f"{WITH_DATA} {EVERY_OTHER}")
    for _ in range(SHOWN + 5):
        pair.say(5)
    loss.lift()
    close_client_first(pair)
    lab.settle()
    finished(tracer)
    [record] = [one for one in tracer.records() if one["lport"] == pair.cport]
    assert record["retrans"] >= SHOWN + 5
    lines = lines_again(recording, pair)
    assert len(lines) == SHOWN, lines
    assert all(re.search(r"ACK seq \d+ ack 1 len 5 again ", line) for line in lines[:-1]), lines
    [(size, count)] = re.findall(r" (\d+) bytes again in (\d+) segments", lines[-1])
    assert SHOWN - 1 + int(count) == record["retrans"], lines
    assert int(size) == 5 * int(count)
