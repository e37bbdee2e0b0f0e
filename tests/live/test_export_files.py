# SPDX-License-Identifier: GPL-2.0-only
"""connlife export: its file is always whole, its records too, and nothing makes it wait."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from exported import (  # noqa: F401: two are fixtures
    FILE, Export, directory, end_one, family, make_pair, ours, parse, records_of, series)
from load import run_storm
from losses import booked  # noqa: F401: a fixture
from netlab import eventually, reset_close, run
from stage import read_reset
from tracer import PROGRAM, finished


@contextlib.contextmanager
def small_disk(path, size):
    run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(path)])
    try:
        yield
    finally:
        run(["umount", "--lazy", str(path)])  # of a test that failed somebody may write there


def said(tracer, what):
    return sum(what in line for line in tracer.stderr().splitlines())


def test_full_disk(lab, ours, trace, directory):
    """The former file stays whole; said once, and once more when it works again."""
    with small_disk(directory, 256):
        export = Export(trace, directory, *ours)
        before = export.fresh()
        filler = directory / "filler"
        with open(filler, "wb") as file, contextlib.suppress(OSError):
            file.write(b"x" * 262144)
        eventually(lambda: said(export.tracer, "No space left"), "the complaint")
        time.sleep(2.5)
        assert said(export.tracer, "No space left") == 1
        found = export.read()
        assert set(found) == set(before)
        assert sorted(os.listdir(directory)) == [FILE, "filler"]
        filler.unlink()
        after = export.fresh()
        assert after[series("connlife_textfile_write_errors_total")] >= 2
        assert said(export.tracer, "is written again") == 1
        finished(export.tracer)


def test_directory_goes_and_comes(lab, ours, trace, directory):
    os.rmdir(directory)
    export = Export(trace, directory, *ours)
    assert said(export.tracer, "No such file") == 1
    os.mkdir(directory)
    export.fresh()
    assert said(export.tracer, "is written again") == 1
    shutil.rmtree(directory)
    eventually(lambda: said(export.tracer, "No such file") == 2, "the second complaint")
    time.sleep(2.5)
    assert said(export.tracer, "No such file") == 2
    os.mkdir(directory)
    found = export.fresh()
    assert found[series("connlife_textfile_write_errors_total")] >= 3
    finished(export.tracer)


def test_killed(ours, trace, directory):
    """What a run left that was killed is whole, and the next one tidies up."""
    first = Export(trace, directory, *ours, name="first")
    first.tracer.stop(signal.SIGKILL)
    (directory / (FILE + ".tmp")).write_text("half a fi")
    parse((directory / FILE).read_text())
    second = Export(trace, directory, *ours, name="second")
    found = second.fresh()
    assert found[series("connlife_build_info", version="0.1.0")] == 1
    assert oct(os.stat(directory / FILE).st_mode & 0o7777) == "0o644"
    assert os.listdir(directory) == [FILE]
    finished(second.tracer)


def test_kept_at_stop(lab, ours, trace, directory):
    export = Export(trace, directory, "--at-stop", "keep", *ours)
    end_one(lab)
    assert export.fresh()[series("connlife_running")] == 1
    finished(export.tracer)
    found = export.read()
    assert found[series("connlife_running")] == 0
    assert family(found, "connlife_connections_opened_total") == {
        (("role", "client"),): 1, (("role", "server"),): 1}
    assert os.listdir(directory) == [FILE]


# ---- records ----


def test_hangup(lab, ours, trace, directory, tmp_path):
    """After SIGHUP a new file is there, and the records before are in the one renamed away."""
    path, old = tmp_path / "a.json", tmp_path / "a.json.1"
    export = Export(trace, directory, "--json", str(path), *ours)
    end_one(lab)
    eventually(lambda: path.read_bytes().count(b"\n") == 2, "two records")
    path.rename(old)
    os.kill(export.tracer.pid, signal.SIGHUP)
    eventually(path.exists, "a new file")
    end_one(lab)
    eventually(lambda: path.read_bytes().count(b"\n") == 2, "two records more")
    assert {one["role"] for one in records_of(old)} == {"client", "server"}
    assert {one["closed"] for one in records_of(path)} == {"rst_sent", "rst_received"}
    assert not any("interim" in one for one in records_of(path))
    assert oct(os.stat(path).st_mode & 0o7777 | 0o200) == "0o644"
    finished(export.tracer)


def test_full_disk_of_records(lab, ours, trace, directory, tmp_path):
    """Never half a record in the file; what waits is written when there is room again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, 64):
        path = disk / "a.json"
        export = Export(trace, directory, "--json", str(path), *ours)
        (disk / "filler").write_bytes(b"x" * 32768)
        run_storm(lab.s, 100)
        eventually(lambda: said(export.tracer, "No space left"), "the complaint")
        assert path.read_bytes().endswith(b"}\n")
        stored = len(records_of(path))
        assert 0 < stored < 100, "those of servers and of clients are some hundred bytes each"
        (disk / "filler").unlink()
        eventually(lambda: len(path.read_bytes()) > 40000, "more of them")
        assert len(records_of(path)) > stored
        assert said(export.tracer, "No space left") <= 2
        export.tracer.stop()


def test_fifo(lab, ours, trace, directory, tmp_path):
    """Nobody reads, then somebody slowly: the tracer goes on, and a reader gets whole records."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    export = Export(trace, directory, "--json", str(path), *ours)
    run_storm(lab.s, 6000)  # 6,000 records of servers: some 6 MB
    found = export.fresh()
    dropped = found[series("connlife_json_records_dropped_total")]
    assert found[series("connlife_connections_opened_total", role="server")] >= 5900
    assert dropped > 0
    assert said(export.tracer, "nobody reads it") == 1
    assert said(export.tracer, "records are dropped") == 1
    lines = b""
    with open(path, "rb", buffering=0) as fifo:
        for _ in range(40):
            lines += fifo.read(4096) or b""
            time.sleep(0.02)
        export.fresh()  # it writes while it waits for the reader
        deadline = time.monotonic() + 20
        while lines.count(b"\n") < 1500 and time.monotonic() < deadline:
            lines += fifo.read(1 << 20) or b""
    whole = [json.loads(line) for line in lines[:lines.rfind(b"\n")].splitlines()]
    assert len(whole) >= 1500
    assert {one["role"] for one in whole} <= {"server", "client"}
    export.tracer.stop()


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def read_slowly(path, pieces, is_slow=None):
    """To the end; fast until is_slow is set, if there is such an event."""
    with open(path, "rb", buffering=0) as reader:
        while piece := reader.read(1 << 16):
            pieces.append(piece)
            if not is_slow or is_slow.is_set():
                time.sleep(0.005)


def test_fifo_at_the_end(lab, ours, trace, directory, fifo):
    """All of TIME_WAIT is told at the stop, more than a pipe takes and than may wait: to who
    reads, every record."""
    pieces, is_slow = [], threading.Event()
    reading = threading.Thread(target=read_slowly, args=(fifo, pieces, is_slow), daemon=True)
    reading.start()
    lab.s.sysctl(tcp_max_tw_buckets=32768)
    export = Export(trace, directory, "--json", str(fifo), *ours)
    run_storm(lab.s, 10000)
    is_slow.set()
    assert export.tracer.stop(signal.SIGTERM) == 0, export.tracer.stderr()
    reading.join()
    assert said(export.tracer, "dropped") == 0
    assert len([json.loads(line) for line in b"".join(pieces).splitlines()]) == 20000


def test_fifo_that_nobody_reads_at_the_end(lab, ours, trace, directory, fifo):
    """A reader that sleeps is waited for a second, and what it missed is said."""
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        export = Export(trace, directory, "--json", str(fifo), *ours)
        run_storm(lab.s, 2000)
        assert export.tracer.stop(signal.SIGTERM) == 1
        assert said(export.tracer, "records could not be written at the end") == 1
    finally:
        os.close(reader)


@pytest.fixture
def many(lab, booked):  # noqa: F811
    """(recording, records) of more than may wait."""
    tracer, recording = booked("many", "--netns", lab.c.name)
    run_storm(lab.c, 6000)
    finished(tracer)
    return recording, len(tracer.records())


@contextlib.contextmanager
def exporting(recording, path, output=subprocess.DEVNULL):
    with subprocess.Popen([PROGRAM, "export", "--read", recording, "--json", str(path)],
                          stdout=output, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_recording_to_a_slow_reader(many, fifo):
    """Of a recording nothing is missed meanwhile: who reads its records is waited for."""
    recording, records = many
    pieces = []
    with exporting(recording, fifo) as process:
        time.sleep(0.5)  # nobody reads it yet
        assert process.poll() is None
        read_slowly(fifo, pieces)
        assert process.wait(30) == 0, process.stderr.read()
    assert b"".join(pieces).count(b"\n") == records


def test_recording_to_a_reader_that_sleeps(many, fifo):
    """Until it is told to stop; then that reader is waited for a second, not for each record."""
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with exporting(many[0], fifo) as process:
            time.sleep(1)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 1
            assert b"could not be written at the end" in process.stderr.read()
    finally:
        os.close(reader)


def test_recording_to_a_reader_that_is_gone(many):
    """A pipe without a name will have no other one."""
    with exporting(many[0], "/dev/stdout", subprocess.PIPE) as process:
        process.stdout.close()
        assert process.wait(10) == 1


def test_interim(lab, ours, trace, directory, tmp_path):
    """A life longer than that is told on the way, marked; a short one only at its end."""
    path = tmp_path / "a.json"
    old = make_pair(lab, 81)
    export = Export(trace, directory, "--json", str(path), "--interim", "1s", *ours)
    pair = make_pair(lab)
    pair.say(100)
    pair.answer(7)

    def interim(lport, rport):
        return [one for one in records_of(path) if one.get("interim") and
                (one["lport"], one["rport"]) == (lport, rport)]

    eventually(lambda: len(interim(pair.cport, 80)) >= 2 and len(interim(81, old.cport)) >= 2,
               "interim records", 20)
    record = interim(pair.cport, 80)[-1]
    assert (record["role"], record["opened"]) == ("client", "handshake")
    assert record["closed"] is None and record["end"] is None and record["duration_ns"] is None
    assert (record["tx_bytes"], record["rx_bytes"]) == (100, 7)
    assert record["complete"] and record["pid"] == os.getpid()
    assert [one["state"] for one in record["states"]] == ["SYN_SENT", "ESTABLISHED"]
    assert interim(81, old.cport)[-1]["incomplete_because"] == ["preexisting"]
    reset_close(pair.client)
    read_reset(pair.server)
    pair.server.close()

    def ends():
        return [one for one in records_of(path) if "interim" not in one]

    eventually(lambda: len(ends()) == 2, "the records of the end")
    assert {one["closed"] for one in ends()} == {"rst_sent", "rst_received"}
    old.client.close()
    old.server.close()
    finished(export.tracer)


# ---- systemd ----


def test_notify(ours, trace, directory, tmp_path, monkeypatch):
    """READY after the first file, signs of life in time, STOPPING at the end."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        export = Export(trace, directory, *ours, ready=False)
        first = listener.recv(4096).decode()
        if "READY=1" not in first:
            first = listener.recv(4096).decode()
        assert "READY=1" in first and "STATUS=" in first
        assert os.path.exists(export.path)
        signs, deadline = 0, time.monotonic() + 4
        while time.monotonic() < deadline:
            signs += listener.recv(4096) == b"WATCHDOG=1"
        assert 4 <= signs <= 10, signs
        export.tracer.stop(signal.SIGTERM)
        listener.settimeout(1)
        last = b""
        while b"STOPPING=1" not in last:
            last = listener.recv(4096)


def test_status_without_a_text_file(lab, ours, trace, tmp_path, monkeypatch):
    """What systemd shows goes on at the interval where nothing else is due then."""
    def connections(told):
        return int(re.search(rb"STATUS=.* (\d+) since the start", told)[1])

    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        tracer = trace("status", "export", "--json", str(tmp_path / "a.json"), "--interval", "1s",
                       *ours)
        before = connections(listener.recv(4096))
        end_one(lab)
        eventually(lambda: connections(listener.recv(4096)) >= before + 2, "the status")
        listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while listener.recv(4096):
                pass  # told while we were held up
        listener.settimeout(10)
        began = time.monotonic()
        for _ in range(2):
            assert listener.recv(4096).startswith(b"STATUS=")
        assert 0.1 < time.monotonic() - began < 8
        finished(tracer)
