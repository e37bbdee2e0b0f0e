# SPDX-License-Identifier: GPL-2.0-only
"""
What goes wrong around connlife: it is killed at work, its clock is set, another
one runs beside it, the table is full, owners die, namespaces go, others want its
interface. Whatever it tells then is right, and what it can't tell it counts.
"""
import collections
import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import socket
import subprocess
import threading
import time

import pytest

import bpf
from exported import FILE, Export, directory, parse  # noqa: F401: one is a fixture
from expect import parse_time
from load import start_storm
from netlab import DEVICE, eventually, read_fin, run
from stage import PORT, close_client_first
from test_command_line import is_loaded, programs_of
from test_packets import says
from tracer import fd_infos, finished

SOCKETS = 100_000  # that are there before connlife
HELD = 5_000  # connections, by one process
HELD_S = 120  # longest without an order
ROOM = "64M"  # for all that their ends tell, if the tracer gets no time meanwhile
SECOND_NS = 10 ** 9


def states(record):
    return [step["state"] for step in record["states"]]


def of(side, tracer):
    return [one for one in tracer.records() if one["netns"] == side.inode]


# ---- killed at work ----


def links_of(pid):
    """The BPF links that a process and its children hold: {id: type}."""
    found = {}
    for info in fd_infos(pid):
        told = dict(line.split(":", 1) for line in info if ":" in line)
        if "link_id" in told:
            found[int(told["link_id"])] = told["link_type"].strip()
    return found


def is_link(link):
    return subprocess.run([bpf.BPFTOOL, "link", "show", "id", str(link)],
                          capture_output=True).returncode == 0


def test_killed_at_work(lab, trace, directory, tmp_path):  # noqa: F811
    """Amid a storm, while it writes its file: nothing of it stays, and the file is whole."""
    path = tmp_path / "a.json"
    arguments = ["--json", str(path), "--netns", lab.c.name]
    export = Export(trace, directory, "-i", DEVICE, "--packets", "xdp", *arguments)
    says(export.tracer, f"watching {DEVICE} (native XDP)")
    programs, links = programs_of(export.tracer.pid), links_of(export.tracer.pid)
    storm = start_storm(lab.c, 1_000_000)
    try:
        half, deadline = directory / (FILE + ".tmp"), time.monotonic() + 5
        while not half.exists() and time.monotonic() < deadline:
            pass  # it is there for some microseconds
        export.tracer.kill()
        assert storm.poll() is None, "the storm was over before"
    finally:
        storm.kill()
        storm.communicate()
    assert programs and len(links) > 5
    eventually(lambda: not any(map(is_loaded, programs)), "its programs are gone")
    eventually(lambda: not any(map(is_link, links)), "its links are gone")
    assert bpf.is_clean(lab.c, DEVICE) and DEVICE not in lab.c.run(bpf.BPFTOOL, "net")
    parse((directory / FILE).read_text())
    again = Export(trace, directory, *arguments, name="again")
    eventually(lambda: os.path.exists(again.path) and again.read(), "the file of the next run")
    finished(again.tracer)
    assert os.listdir(directory) == []
    with open(path) as lines:
        records = [json.loads(line) for line in lines]
    assert records and all(one["netns"] == lab.c.inode for one in records)


# ---- the table is full ----


def close_both(pair):
    """The client first, and the server as soon as it knows."""
    pair.client.close()
    read_fin(pair.server)
    pair.server.close()


def test_full_table_ends_the_oldest(lab, trace):
    """Live ones never make room; of those that ended the oldest does, and each time is counted."""
    room, live, ended = 8, 3, 12
    tracer = trace("narrow", "life", "--json", "--whole", "--max-connections", str(room),
                   "--netns", lab.c.name)
    listener = lab.listen(backlog=64)
    kept = [lab.pair(cport=5001 + number, listener=listener) for number in range(live)]
    for number in range(ended):
        pair = lab.pair(cport=6001 + number, listener=listener)
        pair.say(number)
        close_both(pair)
    listener.close()
    evicted = live + ended - room
    eventually(lambda: len(of(lab.c, tracer)) == evicted, f"{evicted} made room")
    told = of(lab.c, tracer)
    assert [one["lport"] for one in told] == list(range(6001, 6001 + evicted))
    for pair in kept:
        pair.say(3)
        close_both(pair)
    lab.c.wait_sockets("time-wait", live + ended)
    finished(tracer)
    records = of(lab.c, tracer)
    assert sorted(one["lport"] for one in records) == sorted(
        [*range(5001, 5001 + live), *range(6001, 6001 + ended)])
    assert tracer.counted("times the table was full") == evicted
    for number, one in enumerate(records):
        assert one["incomplete_because"] == (["table_full"] if number < evicted else []), one
        assert states(one)[:4] == ["SYN_SENT", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2"], one
        assert (one["closed"], one["closed_first"]) == ("fin", "local"), one
        assert one["tx_bytes"] == (one["lport"] - 6001 if one["lport"] > 6000 else 3), one


def test_full_table_of_live_ones(lab, trace):
    """One more than there is room for is left out and counted; all others are whole."""
    room, more = 6, 4
    tracer = trace("full", "life", "--json", "--max-connections", str(room),
                   "--netns", lab.c.name)
    listener = lab.listen(backlog=64)
    pairs = [lab.pair(cport=5001 + number, listener=listener) for number in range(room + more)]
    for pair in reversed(pairs):
        pair.say(2)
        close_both(pair)
    eventually(lambda: len(of(lab.c, tracer)) == room, "room for one more")
    late = lab.pair(cport=6001, listener=listener)
    close_both(late)
    listener.close()
    finished(tracer)
    assert tracer.counted("times the table was full") == more
    records = of(lab.c, tracer)
    assert sorted(one["lport"] for one in records) == [*range(5001, 5001 + room), 6001]
    assert all(one["complete"] and one["closed"] == "fin" for one in records)


# ---- the clock is set ----

CLOCK = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
	const char *sign = getenv("CLOCK_IS_BACK");
	int result = syscall(SYS_clock_gettime, clock, now);

	if (!result && clock == CLOCK_REALTIME && sign && !access(sign, F_OK))
		now->tv_sec -= 3600;
	return result;
}
"""


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """What is started in here has its wall clock set back an hour when clock.back is made."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("needs a C compiler")
    library, sign = str(tmp_path / "clock.so"), tmp_path / "clock.back"
    for part in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(part, os.stat(part).st_mode & 0o777 | 0o011)  # it looks there as nobody
    (tmp_path / "clock.c").write_text(CLOCK)
    run([compiler, "-shared", "-fPIC", "-o", library, str(tmp_path / "clock.c")])

    @contextlib.contextmanager
    def preloaded():
        with monkeypatch.context() as environment:
            environment.setenv("LD_PRELOAD", library)
            environment.setenv("CLOCK_IS_BACK", str(sign))
            environment.setenv("ASAN_OPTIONS", "verify_asan_link_order=0")
            yield

    return preloaded, sign


def one_life(lab, cport, pause=0.0):
    """How long it was, by a clock that nobody sets."""
    began = time.monotonic_ns()
    pair = lab.pair(cport=cport)
    time.sleep(pause)
    close_client_first(pair)
    return time.monotonic_ns() - began


def check_times(record, longest_ns, shift_s, moment_ns):
    """Begin, end and duration agree; the steps are the duration; the times are the wall clock's."""
    start, end = parse_time(record["start"]), parse_time(record["end"])
    assert end - start == record["duration_ns"], record
    assert 0 < record["duration_ns"] <= longest_ns, record
    assert sum(step["ns"] for step in record["states"]) == record["duration_ns"], record
    assert abs(start + shift_s * SECOND_NS - moment_ns) < 5 * SECOND_NS, record


def test_clock_set_back(lab, trace, clock):
    """By an hour, amid a connection: no duration knows of it, and later times are the new ones."""
    preloaded, sign = clock
    with preloaded():
        tracer = trace("clock", "life", "--json", "--netns", lab.c.name)
    began_ns = time.time_ns()
    before_ns = one_life(lab, 5001)
    eventually(lambda: of(lab.c, tracer), "the first record")
    lived = time.monotonic_ns()
    amid = lab.pair(cport=5002)
    sign.touch()
    close_client_first(amid)
    amid_ns = time.monotonic_ns() - lived
    eventually(lambda: len(of(lab.c, tracer)) == 2, "the second record")
    after_ns = one_life(lab, 5003, 0.2)
    finished(tracer)
    first, second, third = of(lab.c, tracer)
    check_times(first, before_ns, 0, began_ns)
    check_times(second, amid_ns, 3600, began_ns)
    check_times(third, after_ns, 3600, began_ns)
    assert third["duration_ns"] >= SECOND_NS // 5


def test_clock_set_back_under_export(lab, trace, clock, directory):  # noqa: F811
    """The file is written on at its interval, with the new time in it."""
    preloaded, sign = clock
    with preloaded():
        export = Export(trace, directory, "--netns", lab.c.name)
    written = ("connlife_last_write_timestamp_seconds", ())
    before = export.fresh()[written]
    sign.touch()
    first = eventually(lambda: export.read()[written] < before - 3000 and export.read()[written],
                       "a file of an hour ago")
    second = eventually(lambda: export.read()[written] > first and export.read()[written],
                        "the next one")
    assert 0.5 < second - first < 5 and abs(before - 3600 - first) < 10
    finished(export.tracer)


# ---- very many sockets before it ----


def raise_file_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != hard < wanted:
        pytest.skip(f"needs {wanted} files in a process, may have {hard}")
    if resource.RLIM_INFINITY != soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def hold_many(address, number, orders):
    """In a process of its own: holds both ends of so many, and ends as many as it is told."""
    with socket.create_server((address, PORT)) as listener:
        pairs = [(socket.create_connection((address, PORT)), listener.accept()[0])
                 for _ in range(number)]
    orders.send(number)
    while pairs and orders.poll(HELD_S):
        ended = []
        for _ in range(orders.recv()):
            client, server = pairs.pop()
            ended.append((address, client.getsockname()[1]))
            client.close()
            read_fin(server)
            server.close()
        orders.send(ended)


class Holder:
    """Connections within one namespace; a process may have no more open than its limit."""

    def __init__(self, side, address, number):
        fork = multiprocessing.get_context("fork")
        self.left = number
        self._orders, theirs = fork.Pipe()
        self._process = fork.Process(target=hold_many, args=(address, number, theirs), daemon=True)
        with side.entered():
            self._process.start()
        theirs.close()

    def wait_open(self):
        assert self._orders.recv() == self.left

    def close(self, number):
        """Ends so many, and says of which server's addresses and client's ports."""
        self.left -= number
        self._orders.send(number)
        return set(self._orders.recv())

    def end(self):
        self._process.kill()
        self._process.join()
        self._orders.close()


class Many:
    """Connections within one namespace, held by some processes."""

    def __init__(self, side, number):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise_file_limit(2 * HELD + 500)
        self._holders = []
        try:
            for nth in range(number // HELD):
                self._holders.append(Holder(side, f"127.0.1.{1 + nth}", HELD))
            for holder in self._holders:
                holder.wait_open()
        except BaseException:
            self.end()
            raise
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    def left(self):
        return sum(holder.left for holder in self._holders)

    def close_one(self):
        """Of whom most is left."""
        return max(self._holders, key=lambda holder: holder.left).close(1)

    def close_rest(self):
        return set().union(*(holder.close(holder.left) for holder in self._holders))

    def end(self):
        for holder in self._holders:
            holder.end()


def test_many_before(lab, trace):
    """Each is found once, also of those that close while the sockets are looked through."""
    many = Many(lab.c, SOCKETS // 2)
    amid, ready = set(), threading.Event()

    def close_some():
        while many.left() > SOCKETS // 4 and not ready.is_set():
            amid.update(many.close_one())
            time.sleep(0.0002)

    closing = threading.Thread(target=close_some)
    try:
        eventually(lambda: len(lab.c.sockets("established")) == SOCKETS, "all are there")
        tracer = trace("many", "life", "--json", "--ring-size", ROOM, "--netns", lab.c.name,
                       ready=False)
        closing.start()
        tracer.wait_ready()
        ready.set()
        closing.join()
        late = many.close_rest()
    finally:
        ready.set()
        many.end()
    lab.c.wait_sockets("last-ack", 0)
    finished(tracer)
    check_many(tracer, amid, late)


def check_many(tracer, amid, late):
    records = tracer.records()
    clients = collections.Counter((one["raddr"], one["lport"]) for one in records
                                  if one["rport"] == PORT)
    servers = collections.Counter((one["laddr"], one["rport"]) for one in records
                                  if one["lport"] == PORT)
    for ends in (clients, servers):
        assert set(ends.values()) == {1}
        assert late <= ends.keys() <= late | amid
    assert len(records) == len(clients) + len(servers) > 2 * len(late), "some closed amid the scan"
    odd = [one for one in records if (one["opened"], one["incomplete_because"], one["start"]) != (
        "preexisting", ["preexisting"], None) or one["closed"] != "fin"]
    assert not odd, odd[:3]
    assert tracer.lost() == 0, tracer.stderr()
