# SPDX-License-Identifier: GPL-2.0-only
"""
connlife stuck: connections that hang in an opening or closing state, made by
real sockets, older and younger than the tracer.
"""
import csv
import io
import json
import os
import re
import socket
import time

import pytest

from load import run_storm
from netlab import (ANY_TCP, CLIENT4, PURE_ACK, SERVER4, SYN, TCP_CLOSE_WAIT, TCP_FIN_WAIT2,
                    eventually, wait_state)
from stage import PORT, own_comm
from tracer import PROGRAM, finished, run_program

SECOND = 1_000_000_000
SLACK_S = 0.1  # clocks of the kernel that tick, and what lies between a call and its segment
WATCH_S = 20  # until a look of --watch must have shown it


def seen_by(*arguments, older="1s"):
    """All that one look tells: rows, and the summary."""
    run = run_program("stuck", "--json", "--older-than", older, *arguments)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line for line in lines if "summary" in line] == lines[-1:], "one, at the end"
    return lines[:-1], lines[-1]["summary"]


def rows_of(side, rows, lport=None, rport=None):
    return [row for row in rows if row["netns"] == side.inode
            and lport in (None, row["lport"]) and rport in (None, row["rport"])]


def only(side, rows, lport=None, rport=None):
    found = rows_of(side, rows, lport, rport)
    assert len(found) == 1, found
    return found[0]


def look(side, lport=None, rport=None, older="1s"):
    rows, _summary = seen_by(older=older)
    return only(side, rows, lport, rport)


def must_be(row, **fields):
    wrong = {name: (row[name], wanted) for name, wanted in fields.items() if row[name] != wanted}
    assert not wrong, f"(is, must be): {wrong} in {row}"


class Stopwatch:
    """Between began() and now: an age may be neither longer nor, where it is exact, shorter."""

    def __init__(self):
        self.before = time.monotonic()
        self.after = None

    def began(self):
        self.after = time.monotonic()
        return self

    def pause(self, seconds=1.3):
        time.sleep(seconds)
        self.at_least = time.monotonic() - self.after
        return self

    def check(self, row, is_bound=None, shortfall=0.0):
        """shortfall: by how much a lower bound may stay behind."""
        longest = time.monotonic() - self.before
        if is_bound is not None:
            assert row["age_is_at_least"] == is_bound, row
        age = row["age_ns"] / SECOND
        assert self.at_least - SLACK_S - shortfall <= age <= longest + SLACK_S, (
            f"{self.at_least} <= {age} <= {longest}: {row}")


def fd_of(row, holder=0):
    """The descriptor of a row is a socket of its process."""
    one = row["holders"][holder]
    assert os.readlink(f"/proc/{one['pid']}/fd/{one['fd']}").startswith("socket:"), row
    return one["fd"]


class Watching:
    """A run of stuck --watch, from before the test's connections on."""

    def __init__(self, trace, *arguments):
        self.tracer = trace("watch", "stuck", "--watch", "--interval", "1s", "--older-than", "1s",
                            "--json", *arguments, ready=False)
        eventually(self.summaries, "a first look", 40)

    def records(self):
        text = self.tracer.text()
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def summaries(self):
        return [one["summary"] for one in self.records() if "summary" in one]

    def wait_row(self, side, state):
        def is_there():
            rows = rows_of(side, [one for one in self.records() if "summary" not in one])
            return [row for row in rows if row["state"] == state]
        return eventually(is_there, f"a row in {state}", WATCH_S)[0]


def forgotten(lab, actor, unread=5):
    """A connection that its peer closed and an actor does not; and its client's port."""
    actor.listen(key="l", address=SERVER4, port=PORT)
    client = lab.connect()
    cport = client.getsockname()[1]
    actor.accept(listener="l", key="a")
    if unread:
        client.sendall(b"u" * unread)
    time.sleep(1.1)  # an age counted from here would be too long
    clock = Stopwatch()
    client.close()
    lab.s.wait_sockets("close-wait")
    return cport, clock.began()


def test_close_wait_older(lab):
    """A forgotten CLOSE_WAIT that was there before us: owner, descriptor, age, bytes, words."""
    actor = lab.actor("forgetful")
    cport, clock = forgotten(lab, actor)
    clock.pause()
    row = look(lab.s, PORT, cport)
    must_be(row, state="CLOSE_WAIT", pid=actor.pid, comm="forgetful", role="server",
            laddr=SERVER4, raddr=CLIENT4, family=4, orphan=False, accepted=True, unread_bytes=5,
            unsent_bytes=0, retransmits=0, timer="none", timer_ns=None)
    clock.check(row, is_bound=True)
    assert [one["pid"] for one in row["holders"]] == [actor.pid]
    assert re.fullmatch(rf"peer closed at least \d\.\d s ago; forgetful\[{actor.pid}\] "
                        rf"fd {fd_of(row)} has not called close", row["waits_for"])


def test_close_wait_younger(lab, trace):
    """The same, with the hooks there before it: the age is exact."""
    watching = Watching(trace)
    actor = lab.actor("forgetful")
    _cport, clock = forgotten(lab, actor)
    clock.at_least = 1  # it is told when it is older than a second
    row = watching.wait_row(lab.s, "CLOSE_WAIT")
    must_be(row, pid=actor.pid, orphan=False, unread_bytes=5)
    clock.check(row, is_bound=False)
    assert [one["pid"] for one in row["holders"]] == [actor.pid]
    finished(watching.tracer)


def test_close_wait_threshold(lab):
    """By itself a minute is not too long for a peer that has shut down its side."""
    forgotten(lab, lab.actor("patient"))
    time.sleep(1.2)
    run = run_program("stuck", "--json")
    assert run.returncode == 0
    rows = [json.loads(line) for line in run.stdout.splitlines()][:-1]
    assert not rows_of(lab.s, rows)


def test_shared(lab):
    """Two processes hold it: both are named, and neither is called its owner."""
    actor = lab.actor("parent")
    actor.listen(key="l", address=SERVER4, port=PORT)
    client = lab.connect()
    actor.accept(listener="l", key="a")
    child = lab.also_end(actor.fork("child"))
    client.close()
    lab.s.wait_sockets("close-wait")
    time.sleep(1.2)
    rows, summary = seen_by()
    row = only(lab.s, rows)
    must_be(row, state="CLOSE_WAIT", orphan=False, holders_left_out=0)
    assert sorted((one["pid"], one["comm"]) for one in row["holders"]) == sorted(
        [(actor.pid, "parent"), (child.pid, "child")])
    assert f"parent[{actor.pid}] fd {fd_of(row)}" in row["waits_for"]
    assert f"child[{child.pid}] fd {fd_of(row, 1)}" in row["waits_for"]
    assert "share it; the last of them has not called close" in row["waits_for"]
    counted = {one["pid"]: one["states"]["CLOSE_WAIT"] for one in summary["by_process"]}
    assert counted[actor.pid] == counted[child.pid] == 1
    [port] = [one for one in summary["by_port"] if one["netns"] == lab.s.inode]
    assert (port["lport"], port["stuck"]) == (PORT, 1)
    child.close(key="a")
    row = look(lab.s)
    assert [one["pid"] for one in row["holders"]] == [actor.pid]


def half_closed(lab):
    pair = lab.pair()
    clock = Stopwatch()
    pair.client.shutdown(socket.SHUT_WR)
    wait_state(pair.client, TCP_FIN_WAIT2)
    return pair, clock.began()


def test_fin_wait2_held(lab):
    pair, clock = half_closed(lab)
    clock.pause()
    row = look(lab.c, pair.cport, PORT)
    must_be(row, state="FIN_WAIT2", pid=os.getpid(), orphan=False, role="client", timer="none",
            unsent_bytes=0, unread_bytes=0)
    clock.check(row, is_bound=True)
    assert re.fullmatch(rf"peer acknowledged our FIN at least \d\.\d s ago, has not closed; "
                        rf"{own_comm()}\[{os.getpid()}\] fd {pair.client.fileno()} has shut down "
                        "its sending side and not called close", row["waits_for"])


@pytest.mark.parametrize("timeout_s", [60, 120])
def test_fin_wait2_orphan(lab, timeout_s):
    """60: a minisock at once. 120: a socket first, that nobody holds."""
    lab.c.sysctl(tcp_fin_timeout=timeout_s)
    pair = lab.pair()
    clock = Stopwatch()
    cport = pair.cport
    pair.client.close()
    lab.c.wait_sockets("fin-wait-2")
    clock.began().pause()
    rows, summary = seen_by()
    row = only(lab.c, rows, cport, PORT)
    must_be(row, state="FIN_WAIT2", orphan=True, holders=[], timer="fin_wait2",
            laddr=CLIENT4, raddr=SERVER4)
    assert 50 * SECOND < row["timer_ns"] < 60 * SECOND
    at_least = "" if timeout_s == 60 else "at least "
    assert re.search(rf", has not closed; orphan: its process has closed it or is gone; the "
                     rf"kernel waits {at_least}5\d s more for its FIN$",
                     row["waits_for"])
    if row["age_ns"] is not None:  # of a minisock since Linux 6.14
        clock.check(row, is_bound=True)
    else:
        assert timeout_s == 60
    assert any(one["held_by"] == "orphans" and one["states"]["FIN_WAIT2"] >= 1
               for one in summary["by_process"])
    wait_state(pair.server, TCP_CLOSE_WAIT)


def test_fin_wait2_orphan_younger(lab, trace):
    """Seen from its beginning, its owner is known, and its exact age."""
    watching = Watching(trace)
    actor = lab.actor("gone", side=lab.c)
    listener = lab.listen()
    actor.connect(key="a", address=SERVER4, port=PORT)
    server, _peer = listener.accept()
    clock = Stopwatch()
    actor.close(key="a")
    clock.began().at_least = 1
    row = watching.wait_row(lab.c, "FIN_WAIT2")
    must_be(row, orphan=True, pid=actor.pid, comm="gone", pid_source="connect", holders=[])
    clock.check(row, is_bound=False)
    assert f"orphan: gone[{actor.pid}] has closed it or is gone;" in row["waits_for"]
    server.close()
    finished(watching.tracer)


def last_ack(lab):
    """The server has closed last; the ACK of its FIN is dropped."""
    pair = lab.pair()
    pair.client.shutdown(socket.SHUT_WR)
    wait_state(pair.server, TCP_CLOSE_WAIT)
    time.sleep(1.5)  # in CLOSE_WAIT: no part of the age
    drop = lab.s.drop(PURE_ACK)
    clock = Stopwatch()
    pair.server.close()
    lab.s.wait_sockets("last-ack")
    clock.began()
    drop.wait_count(1)
    return pair, drop, clock


def test_last_ack(lab):
    pair, _drop, clock = last_ack(lab)
    clock.pause(2)
    row = look(lab.s, PORT, pair.cport)
    must_be(row, state="LAST_ACK", orphan=True, holders=[], timer="retransmit", unread_bytes=0,
            unsent_bytes=0, role="server")
    assert row["retransmits"] >= 1
    assert row["timer_ns"] < 60 * SECOND
    clock.check(row, is_bound=True, shortfall=0.7)  # the first retransmission is the proof
    assert re.fullmatch(r"closed here after the peer at least \d\.\d s ago, the FIN is not "
                        "acknowledged; orphan: its process has closed it or is gone; the kernel "
                        "sends again and gives up in the end", row["waits_for"])


def test_last_ack_younger(lab, trace):
    watching = Watching(trace)
    _pair, _drop, clock = last_ack(lab)
    clock.at_least = 1
    row = watching.wait_row(lab.s, "LAST_ACK")
    must_be(row, orphan=True, pid=os.getpid(), timer="retransmit")
    clock.check(row, is_bound=False)
    finished(watching.tracer)


@pytest.mark.parametrize("when", ["older", "younger"])
def test_syn_sent(lab, trace, when):
    """The kernel itself keeps when the first SYN went: an exact age in both cases."""
    watching = Watching(trace) if when == "younger" else None
    drop = lab.s.drop(SYN)
    actor = lab.actor("hopeful", side=lab.c)
    clock = Stopwatch()
    cport = actor.start_connect(key="a", address=SERVER4, port=PORT)
    clock.began()
    drop.wait_count(2)
    clock.pause(0.3)
    clock.at_least = 1
    row = watching.wait_row(lab.c, "SYN_SENT") if watching else look(lab.c, cport, PORT)
    must_be(row, state="SYN_SENT", pid=actor.pid, comm="hopeful", role="client", orphan=False,
            timer="retransmit", unsent_bytes=0, unread_bytes=0)
    assert row["retransmits"] >= 1
    clock.check(row, is_bound=False)
    assert re.fullmatch(rf"SYN sent \d\.\d s ago, not answered; hopeful\[{actor.pid}\] fd "
                        rf"{fd_of(row)} waits; the kernel sends again and gives up in the end",
                        row["waits_for"])
    if watching:
        finished(watching.tracer)


@pytest.mark.parametrize("data", [0, 300])
def test_fin_wait1(lab, data):
    """The peer vanished before the FIN; how long the connection was idle is no part of it."""
    pair = lab.pair()
    pair.say(10)
    time.sleep(2)
    lab.s.drop(ANY_TCP)
    clock = Stopwatch()
    if data:
        pair.client.sendall(b"u" * data)
    pair.client.close()
    clock.began().pause(2)
    row = look(lab.c, pair.cport, PORT)
    must_be(row, state="FIN_WAIT1", orphan=True, holders=[], timer="retransmit",
            unsent_bytes=data, unread_bytes=0)
    assert row["retransmits"] >= 1
    # a FIN that is sent again together with data proves no more than the last time
    clock.check(row, is_bound=True, shortfall=1.6 if data else 0.7)
    assert row["silent_ns"] > SECOND
    assert row["waits_for"].startswith("closed here first at least ")
    assert ("nor are 300 bytes before it" in row["waits_for"]) == bool(data)


def test_fin_behind_closed_window(lab):
    """Nobody knows since when a FIN waits that was never sent: no age is made up."""
    pair = lab.pair()
    pair.client.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            pair.client.send(b"u" * 65536)
    pair.client.close()
    lab.c.wait_sockets("fin-wait-1")
    time.sleep(0.5)
    row = look(lab.c, pair.cport, PORT)
    must_be(row, state="FIN_WAIT1", age_ns=None, age_is_at_least=False, orphan=True,
            timer="probe")
    assert row["unsent_bytes"] > 0
    assert re.match(r"closed here first, the FIN waits behind \d+ bytes that the peer has not "
                    "acknowledged; orphan: .*; the kernel probes the peer's closed window and "
                    "gives up in the end$", row["waits_for"])


def test_accept_queue(lab):
    """Full: two wait (a backlog of 1), the others are dropped; nobody is stuck for that."""
    actor = lab.actor("lazy")
    actor.listen(key="l", address=SERVER4, port=PORT, backlog=1)
    clock = Stopwatch()
    clients = [lab.start_connect() for _ in range(5)]
    lab.s.wait_sockets("established", 2)
    clock.began().pause()
    rows, summary = seen_by()
    [queue] = [one for one in summary["accept_queues"] if one["netns"] == lab.s.inode]
    must_be(queue, laddr=SERVER4, lport=PORT, pid=actor.pid, comm="lazy", backlog=1, queue=2,
            full=True)
    assert queue["drops"] >= 1
    clock.check({"age_ns": queue["longest_wait_ns"],
                 "age_is_at_least": queue["longest_is_at_least"]}, is_bound=True)
    [space] = [one for one in summary["time_wait"]["namespaces"] if one["netns"] == lab.s.inode]
    assert space["listen_overflows"] >= 1
    assert not [row for row in rows_of(lab.s, rows) if row["state"] == "ESTABLISHED"]
    # a peer that closes before it was accepted
    for client in clients:
        client.close()
    lab.s.wait_sockets("close-wait", 2)
    time.sleep(1.2)
    rows, _summary = seen_by()
    queued = [row for row in rows_of(lab.s, rows) if row["state"] == "CLOSE_WAIT"]
    assert len(queued) == 2
    must_be(queued[0], accepted=False, orphan=False, holders=[])
    assert queued[0]["waits_for"].endswith("it waits in the accept queue: nobody has accepted it")


def test_half_open(lab):
    """Requests whose SYN+ACK is not answered are counted at their listener."""
    listener = lab.listen()
    lab.c.drop("tcp flags & (syn|ack) == syn|ack")
    clients = [lab.start_connect() for _ in range(3)]
    lab.s.wait_sockets("syn-recv", 3)
    _rows, summary = seen_by()
    [queue] = [one for one in summary["accept_queues"] if one["netns"] == lab.s.inode]
    must_be(queue, half_open=3, queue=0, full=False, longest_wait_ns=None)
    for client in clients:
        client.close()
    listener.close()


def test_time_wait(lab):
    """Thousands, counted by namespace and destination, against the range and the limit."""
    lab.c.sysctl(tcp_max_tw_buckets=32768)  # else by the memory of this host
    run_storm(lab.c, 20000)
    count = len(lab.c.sockets("time-wait"))
    assert count > 15000
    rows, summary = seen_by("--netns", lab.c.name)
    assert not [row for row in rows if row["state"] == "TIME_WAIT"]
    [space] = summary["time_wait"]["namespaces"]
    assert space["netns"] == lab.c.inode
    assert abs(space["time_wait"] - count) <= count * 0.05, "some may have ended meanwhile"
    assert abs(space["minisocks"] - count) <= count * 0.05
    assert space["tcp_max_tw_buckets"] >= 1
    with lab.c.entered(), open("/proc/sys/net/ipv4/ip_local_port_range") as setting:
        low, high = map(int, setting.read().split())
    assert space["ports"] == high - low + 1


def test_ports_eaten(lab):
    """One destination, a small range: how much is left, and until when."""
    lab.c.sysctl(ip_local_port_range="20000 20399", ip_local_reserved_ports="20000-20009,20020")
    listener = lab.listen(backlog=64)
    for _ in range(150):
        client = lab.connect()
        server, _peer = listener.accept()
        client.close()
        server.close()
    eventually(lambda: len(lab.c.sockets("time-wait")) >= 150, "150 in TIME_WAIT")
    _rows, summary = seen_by("--netns", lab.c.name)
    [one] = summary["time_wait"]["destinations"]
    must_be(one, laddr=CLIENT4, raddr=SERVER4, rport=PORT, ports=400 - 11, ports_in_use=150,
            time_wait=150)
    assert 1 <= one["eaten_per_s"] <= 15
    seconds = one["used_up_ns"] / SECOND
    assert abs(seconds - (389 - 150) / one["eaten_per_s"]) < 1
    text = run_program("stuck", "--netns", lab.c.name).stdout
    assert re.search(rf"to {re.escape(SERVER4)}:80 from {re.escape(CLIENT4)}: 150 of 389 ports "
                     r"\(38\.5 %\), 150 in TIME_WAIT, \d+\.\d/s eaten: at this rate used up in "
                     r"\d+(\.\d)? s", text), text
    listener.close()


def test_server_collects_time_wait(lab):
    """The side that should not: a listening port that closes first."""
    listener = lab.listen(backlog=64)
    for _ in range(120):
        client = lab.connect()
        server, _peer = listener.accept()
        server.close()
        client.recv(1)
        client.close()
    eventually(lambda: len(lab.s.sockets("time-wait")) >= 120, "120 in TIME_WAIT")
    _rows, summary = seen_by("--netns", lab.s.name)
    [server] = summary["time_wait"]["servers"]
    must_be(server, netns=lab.s.inode, lport=PORT, time_wait=120)
    text = run_program("stuck", "--netns", lab.s.name).stdout
    assert f"port 80 in netns {lab.s.inode} closes first: the server collects TIME_WAIT (120)" \
        in text
    listener.close()


HOSTILE = 'a"b\\c\nd\x1b[31m'


def test_hostile_names(lab):
    """In JSON as they are, in text one line each and no escape sequence."""
    actor = lab.actor(HOSTILE)
    cport, clock = forgotten(lab, actor)
    clock.pause()
    row = look(lab.s, PORT, cport)
    must_be(row, comm=HOSTILE[:15], pid=actor.pid)
    assert HOSTILE[:15] in row["waits_for"]
    run = run_program("stuck", "--older-than", "1s", "--netns", lab.s.name)
    assert run.returncode == 0
    assert "\x1b" not in run.stdout
    assert f'a"b\\x5cc\\x0ad\\x1b[31m[{actor.pid}] fd' in run.stdout
    lines = run.stdout.splitlines()
    [header] = [number for number, line in enumerate(lines) if line.startswith("STATE ")]
    assert lines[header + 1].startswith("CLOSE_WAIT >=")
    assert lines[header + 2].startswith("    peer closed at least ")
    run = run_program("stuck", "--older-than", "1s", "--netns", lab.s.name, "-s")
    [record] = csv.DictReader(io.StringIO(run.stdout))
    assert record["STATE"] == "CLOSE_WAIT"
    assert record["PID/FD"].startswith(f"{actor.pid}/")
    assert record["WAITS_FOR"].endswith("has not called close")


def test_filters(lab):
    actor = lab.actor("mine")
    cport, clock = forgotten(lab, actor)
    clock.pause()

    def ports(*arguments):
        rows, _summary = seen_by(*arguments)
        return [row["rport"] for row in rows_of(lab.s, rows)]

    assert ports("-p", str(actor.pid)) == [cport]
    assert ports("-p", str(os.getpid())) == []
    assert ports("-L", str(PORT)) == [cport]
    assert ports("-L", "81") == []
    assert ports("-D", str(cport)) == [cport]
    assert ports("-a", "10.77.0.0/24") == [cport]
    assert ports("-a", "10.78.0.0/24") == []
    assert ports("-6") == []
    assert ports("--netns", lab.s.name) == [cport]
    assert ports("--netns", lab.c.name) == []


def test_filter_by_any_holder(lab):
    """-p of one of those who share it, whom nobody knows for its owner."""
    actor = lab.actor("parent")
    actor.listen(key="l", address=SERVER4, port=PORT)
    client = lab.connect()
    actor.accept(listener="l", key="a")
    child = lab.also_end(actor.fork("child"))
    stranger = lab.actor("stranger")
    client.close()
    lab.s.wait_sockets("close-wait")
    time.sleep(1.2)
    for pid, number in ((actor.pid, 1), (child.pid, 1), (stranger.pid, 0)):
        rows, _summary = seen_by("-p", str(pid))
        assert len(rows_of(lab.s, rows)) == number, pid


def test_oldest_first(lab):
    pairs = []
    for number in range(3):
        pair = lab.pair(80 + number)
        pair.client.shutdown(socket.SHUT_WR)
        pairs.append(pair)
        time.sleep(0.5)
    time.sleep(1.2)
    rows, summary = seen_by()
    ages = [row["age_ns"] for row in rows if row["age_ns"] is not None]
    assert ages == sorted(ages, reverse=True)
    assert [row["lport"] for row in rows_of(lab.s, rows)] == [80, 81, 82]
    assert summary["stuck"] == len(rows)
    assert summary["oldest_ns"] == max(ages)


def test_watch_in_a_pipe(lab, trace):
    """Each look after a blank line and the time; it ends at a signal with 0."""
    tracer = trace("watch", "stuck", "--watch", "--interval", "1s", "--netns", lab.s.name,
                   ready=False)
    eventually(lambda: tracer.text().count("Nothing is stuck.") >= 3, "three looks", 40)
    finished(tracer)
    assert re.match(r"\d\d:\d\d:\d\d\nNothing is stuck\.\n.*\n\d\d:\d\d:\d\d\nNothing",
                    tracer.text(), re.DOTALL)
    assert tracer.stderr() == ""


def test_recording(lab, tmp_path):
    """What was stuck when it was recorded is told again, without root, with the same words."""
    actor = lab.actor("forgetful")
    cport, clock = forgotten(lab, actor)
    clock.pause()
    path = str(tmp_path / "stuck.rec")
    live, _summary = seen_by("--record", path)
    again, summary = seen_by("--read", path)
    then, now = only(lab.s, live, PORT, cport), only(lab.s, again, PORT, cport)
    assert abs(then.pop("age_ns") - now.pop("age_ns")) < SECOND
    then.pop("waits_for"), now.pop("waits_for")
    assert then == now
    [space] = [one for one in summary["time_wait"]["namespaces"] if one["netns"] == lab.s.inode]
    must_be(space, ports=None, minisocks=None, listen_overflows=None)


def test_needs_root(public_program):
    run = run_program("--reuid", "65534", "--regid", "65534", "--clear-groups",
                      str(public_program), "stuck", program="setpriv")
    assert run.returncode == 1
    assert run.stderr
    assert os.access(PROGRAM, os.X_OK)
