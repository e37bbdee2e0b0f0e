# SPDX-License-Identifier: GPL-2.0-only
"""
Ends of minisocks in adverse conditions: their timers fire in whatever runs,
and their memory is soon another one's.
"""
import contextlib
import os
import subprocess
import time

from netlab import reset_close
from stage import close_client_first, read_end
from tracer import REBIRTH_S, finished


def by_port(tracer, side, port="lport"):
    return {record[port]: record for record in tracer.records() if record["netns"] == side.inode}


@contextlib.contextmanager
def busy_cpus():
    """A task in user mode on every CPU: timers interrupt those."""
    cpus = sorted(os.sched_getaffinity(0))
    tasks = [subprocess.Popen(["sh", "-c", "while :; do :; done"],
                              preexec_fn=lambda cpu=cpu: os.sched_setaffinity(0, {cpu}))
             for cpu in cpus]
    try:
        yield
    finally:
        for task in tasks:
            task.kill()
            task.wait(5)


def test_expiry_while_busy(lab, trace):
    """A timer that fires while a program runs was not set off by that program."""
    lab.c.sysctl(tcp_fin_timeout=1)
    tracer = trace("whole", "life", "--json", "--whole", "--netns", lab.c.name)
    with busy_cpus():
        pairs = [lab.pair(cport=port) for port in range(5001, 5011)]
        for pair in pairs:
            pair.client.close()
        lab.c.wait_sockets("fin-wait-2", 10)
        lab.c.wait_sockets("fin-wait-2", 0)
    time.sleep(0.3)
    finished(tracer)
    ends = {port: record["remains_end"] for port, record in by_port(tracer, lab.c).items()}
    assert ends == {port: "expired" for port in range(5001, 5011)}
    for pair in pairs:
        reset_close(pair.server)


def test_memory_reused(lab, trace):
    """What became of a minisock is not mixed up with the next one at its address."""
    tracer = trace("whole", "life", "--json", "--whole", "--netns", lab.s.name)
    for number in range(10):
        pair = lab.pair(cport=5001 + number)
        pair.server.close()
        read_end(pair.client)
        reset_close(pair.client)  # ends the server's FIN_WAIT2
        pair = lab.pair(cport=6001 + number)
        pair.server.close()
        read_end(pair.client)
        pair.client.close()  # the server's TIME_WAIT takes its place
    time.sleep(REBIRTH_S)
    finished(tracer)
    records = by_port(tracer, lab.s, "rport")
    for port in range(5001, 5011):
        record = records[port]
        told = (record["remains_end"], record["complete"], record["time_wait_ns"],
                [step["state"] for step in record["states"]][-1])
        assert told == ("reset", True, None, "FIN_WAIT2"), record
        assert record["duration_ns"] < 10 ** 9, record
    for port in range(6001, 6011):
        record = records[port]
        # not over yet when the tracer ended
        told = (record["remains_end"], record["complete"], record["remains"])
        assert told == (None, True, "fin_wait2"), record


def test_reset_after_quiet(lab, trace):
    """The first events after a pause: the RST still belongs to its close."""
    tracer = trace("prompt", "life", "--json", "--netns", lab.c.name)
    for port in range(5001, 5006):
        time.sleep(0.3)
        pair = lab.pair(cport=port)
        reset_close(pair.client)
        time.sleep(0.02)
        pair.server.close()
    finished(tracer)
    closed = {port: (record["closed"], record["reset_reason"] is not None)
              for port, record in by_port(tracer, lab.c).items()}
    assert {told for told, _reason in closed.values()} == {"rst_sent"}, closed
    assert len(closed) == 5


def test_reborn_at_once(lab, trace):
    """One tuple many times over: each life by itself, each TIME_WAIT ended by the next SYN."""
    tracer = trace("whole", "life", "--json", "--whole", "--netns", lab.s.name)
    listener = lab.listen()
    for _ in range(5):
        pair = lab.pair(cport=5001, listener=listener)
        pair.say(2)
        pair.server.close()
        read_end(pair.client)
        pair.client.close()
        lab.s.wait_sockets("time-wait")
    listener.close()
    close_client_first(lab.pair(port=81))
    finished(tracer)
    lives = sorted((record for record in tracer.records() if record["rport"] == 5001),
                   key=lambda record: record["start"])
    assert [one["remains_end"] for one in lives] == ["reused"] * 4 + [None]
    assert all(one["complete"] and one["rx_bytes"] == 2 for one in lives)
    assert all(earlier["end"] < later["start"] for earlier, later in zip(lives, lives[1:]))
