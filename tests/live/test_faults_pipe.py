# SPDX-License-Identifier: GPL-2.0-only
"""
Who reads what connlife writes sleeps, or goes away. Connections go on meanwhile: each
is told later, or counted as lost.
"""
import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time

import pytest

from load import end_storm, run_storm, start_storm
from losses import (  # noqa: F401: one is a fixture
    RING_FULL, Book, booked, check_stories, only, opened_in, wait_repaired)
from netlab import eventually
from stage import close_client_first
from test_command_line import is_loaded, programs_of
from tracer import OPTIONS, PROGRAM, START_S, finished

STORM = 2000
SMALL_RING = 65536
BLOCKED_S = 1
F_GETPIPE_SZ = 1032


class Pipe:
    """The end of a pipe that reads what connlife writes."""

    def __init__(self, path):
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.data = b""

    def read(self):
        """Whether the writer is still there."""
        with contextlib.suppress(BlockingIOError):
            piece = os.read(self.fd, 1 << 20)
            self.data += piece
            return bool(piece)
        return True

    def read_all(self):
        eventually(lambda: not self.read(), "the writer ends", 30)

    def close(self):
        os.close(self.fd)
        self.fd = -1


@pytest.fixture
def pipe(tmp_path):
    """What the tracer named piped writes."""
    one = Pipe(str(tmp_path / "piped.out"))
    yield one
    if one.fd >= 0:
        one.close()


def in_pipe(fd):
    """Bytes that wait in it."""
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]


def wait_full(pipe):
    """What is written next has to wait for its reader."""
    room = fcntl.fcntl(pipe.fd, F_GETPIPE_SZ)
    eventually(lambda: in_pipe(pipe.fd) > room - 4096, "the pipe is full")


def records_of(pipe):
    assert pipe.data.endswith(b"\n")
    return [json.loads(line) for line in pipe.data.splitlines()]


def block(lab, pipe):
    """A storm that nobody reads of, and some seconds more."""
    run_storm(lab.c, STORM)
    wait_full(pipe)
    time.sleep(BLOCKED_S)


def test_reader_sleeps(lab, booked, pipe):
    """The ring is large enough: it takes longer, and nothing is missing."""
    tracer, _path = booked("piped", "--netns", lab.c.name)
    block(lab, pipe)
    os.kill(tracer.pid, signal.SIGTERM)
    pipe.read_all()
    assert tracer.wait() == 0
    records = records_of(pipe)
    check_stories(records)
    assert len(records) == opened_in(lab.c) == 2 * STORM
    assert tracer.lost() == 0 and all(one["complete"] for one in records)


def test_reader_sleeps_too_long(lab, booked, pipe):
    """The ring is not: what is missing is counted, and later ones are whole again."""
    tracer, path = booked("piped", "--ring-size", str(SMALL_RING), "--netns", lab.c.name)
    for _ in range(2):  # the first fills the pipe, the second the ring
        block(lab, pipe)
    reading = threading.Thread(target=pipe.read_all)
    reading.start()
    eventually(lambda: Book(path).repairs, "it looks again")
    wait_repaired(tracer)
    pair = lab.pair(cport=5001)
    pair.say(3)
    close_client_first(pair)
    finished(tracer)
    reading.join()
    records, book = records_of(pipe), Book(path)
    assert book.lost[RING_FULL] > 0
    assert book.accounted() == book.due(opened_in(lab.c))
    assert len(records) == len({one["cookie"] for one in records}) >= len(book.opened)
    check_stories([one for one in records if one["lport"] != pair.cport])
    assert only(records, pair)["complete"] and only(records, pair)["tx_bytes"] == 3


def test_reader_sleeps_for_ever(lab, booked, pipe):
    """SIGTERM ends it all the same, soon; it has failed, for records are missing."""
    tracer, _path = booked("piped", "--netns", lab.c.name)
    run_storm(lab.c, STORM)
    wait_full(pipe)
    os.kill(tracer.pid, signal.SIGTERM)
    assert tracer.wait(5) == 1


@contextlib.contextmanager
def stuck_into(fd, *arguments):
    with subprocess.Popen([PROGRAM, "stuck", "--json", "--older-than", "1s", *arguments,
                           *OPTIONS], stdin=subprocess.DEVNULL, stdout=fd,
                          stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def forgotten(lab):
    """Connections in CLOSE_WAIT, whose rows are more than a pipe takes."""
    listener = lab.listen(80)
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            client = lab.connect(80)
            stack.enter_context(listener.accept()[0])
            client.close()
        time.sleep(1.2)  # older than a second
        yield 200
    listener.close()


def test_reader_of_stuck_sleeps_for_ever(lab, forgotten):
    ours, theirs = os.pipe()
    try:
        with stuck_into(theirs, "--watch", "--interval", "1s", "--netns", lab.s.name) as process:
            eventually(lambda: in_pipe(ours) > 32768, "it writes", START_S)
            time.sleep(0.5)  # and waits for room
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 1
            assert b"nobody reads standard output" in process.stderr.read()
    finally:
        os.close(ours)
        os.close(theirs)


def test_stuck_into_a_pipe_that_never_waits(lab, forgotten):
    """Somebody else made it non-blocking: what has no room yet is not lost."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    text = b""
    with stuck_into(theirs, "--netns", lab.s.name) as process:
        os.close(theirs)
        eventually(lambda: in_pipe(ours) > 32768, "it writes", START_S)
        time.sleep(0.3)
        while piece := os.read(ours, 1 << 16):
            text += piece
        assert process.wait(10) == 0, process.stderr.read()
    os.close(ours)
    rows = [json.loads(line) for line in text.splitlines()]
    assert len([row for row in rows if row.get("state") == "CLOSE_WAIT"]) == forgotten


@contextlib.contextmanager
def on_terminal(*arguments, both=False):
    """connlife with a terminal as its output (and stderr): the process, and the end that reads."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen([PROGRAM, *arguments, *OPTIONS], stdin=subprocess.DEVNULL,
                              stdout=theirs, stderr=theirs if both else subprocess.PIPE) as process:
            os.close(theirs)
            said = b""
            try:
                while b"connlife: tracing" not in said:
                    said += os.read(ours, 1 << 16) if both else process.stderr.readline()
                    assert process.poll() is None
                yield process, ours
            finally:
                process.kill()
    finally:
        os.close(ours)


with_stderr = pytest.mark.parametrize("both", [False, True], ids=["output", "and stderr"])


@with_stderr
def test_terminal_sleeps_for_ever(lab, both):
    """It takes a part of what is written, as a pipe does not, and is as little waited for."""
    for _ in range(3):  # how much room is left when it is told to stop differs
        with on_terminal("life", "--netns", lab.c.name, both=both) as (process, _terminal):
            run_storm(lab.c, STORM)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 1
            assert both or b"nobody reads standard output" in process.stderr.read()


@with_stderr
def test_terminal_sleeps(lab, both):
    """Nothing is missing once it is read again, and the terminal is as it was."""
    with on_terminal("life", "--netns", lab.c.name, both=both) as (process, terminal):
        run_storm(lab.c, STORM)
        process.send_signal(signal.SIGTERM)
        text = b""
        with contextlib.suppress(OSError):  # EIO: nobody has it open any more
            while piece := os.read(terminal, 1 << 16):
                text += piece
        assert process.wait(10) == 0
    said = [line for line in text.splitlines() if line.startswith(b"connlife: ")]
    records = [line for line in text.splitlines() if line not in said and b"LADDR" not in line]
    assert len(records) == 2 * STORM and text.endswith(b"\n")
    assert bool(said) == both


def test_nobody_reads_stderr(lab):
    """A full pipe there holds nothing up, either: its lines are left out."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(theirs, b"x" * 4096)
    os.set_blocking(theirs, True)
    try:
        done = subprocess.run([PROGRAM, "life", "--netns", lab.c.name, "--duration", "1", *OPTIONS],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs,
                              timeout=START_S, check=False)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0


def test_reader_goes(lab, booked, pipe):
    """Amid a storm: it ends by itself, as a program does whose pipe is closed."""
    tracer, _path = booked("piped", "--netns", lab.c.name)
    programs = programs_of(tracer.pid)
    storm = start_storm(lab.c, 10 * STORM)
    try:
        eventually(lambda: pipe.read() and pipe.data, "the first records")
        pipe.close()
        assert tracer.wait(5) == 1
    finally:
        end_storm(storm)
    assert "Broken" not in tracer.stderr() and "ipe" not in tracer.stderr()
    assert programs and not any(is_loaded(program) for program in programs)
