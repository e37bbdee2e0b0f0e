# SPDX-License-Identifier: GPL-2.0-only
"""Signals that come while a pipe has no recording to read, or no room for one: nothing is lost."""
import contextlib
import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
import threading

import pytest

from netlab import eventually
from test_faults_pipe import Pipe
from test_privileges import DEMO, NOTHING, status_of
from tracer import OPTIONS, PROGRAM, START_S, finished, process_state, run_program

COUNTS = "connections seen"
FILLING = b"x" * 4096


def waits_in(pid, call):
    with open(f"/proc/{pid}/wchan") as wchan:
        return call in wchan.read()


def interrupt(process, signum, call):
    """While it waits in this call, which may come with its start; until the signal is taken."""
    eventually(lambda: waits_in(process.pid, call), call, START_S)
    os.kill(process.pid, signum)
    eventually(lambda: status_of(process.pid)["ShdPnd"] == [NOTHING], "it takes the signal")


def fill(path):
    """A descriptor that writes to this FIFO, which is full."""
    filling = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(filling, FILLING)
    return filling


class Reading:
    """connlife has read that share of a recording and waits for the rest."""

    def __init__(self, fifo, share, *arguments):
        os.mkfifo(fifo)
        with open(DEMO, "rb") as demo:
            data = demo.read()
        self.rest = data[int(len(data) * share):]
        self.process = subprocess.Popen(
            [PROGRAM, "--read", str(fifo), *arguments, *OPTIONS], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.writer = open(fifo, "wb", buffering=0)  # waits until it is read
        self.writer.write(data[:int(len(data) * share)])
        eventually(lambda: not self._left() and process_state(self.process.pid) == "S",
                   "it waits for more")

    def _left(self):
        return struct.unpack("i", fcntl.ioctl(self.writer, termios.FIONREAD, b"\0" * 4))[0]

    def interrupt(self, signum):
        interrupt(self.process, signum, "pipe_read")

    def end(self):
        """Feeds the rest; what it told."""
        with contextlib.suppress(BrokenPipeError):
            self.writer.write(self.rest)
        return self.told()

    def told(self):
        out, err = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, err
        assert "nterrupted" not in err
        return out, err

    def close(self):
        self.writer.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def read(tmp_path):
    """read(share, *arguments): Reading of a FIFO."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(
            contextlib.closing(Reading(tmp_path / "a.rec", *arguments)))


@pytest.mark.parametrize("share", [0, 0.5], ids=["header", "events"])
def test_counts_while_reading(read, share):
    """SIGUSR1: the counts so far with the next event, and all of the recording is read."""
    reading = read(share, "--json")
    reading.interrupt(signal.SIGUSR1)
    out, err = reading.end()
    whole = run_program("--read", DEMO, "--json")
    assert out == whole.stdout
    assert err.count(COUNTS) == whole.stderr.count(COUNTS) + 1, err


def test_hangup_while_reading(read, tmp_path):
    """SIGHUP: the records go on, and are those of the file."""
    reading = read(0.5, "export", "--json", str(tmp_path / "a.json"))
    reading.interrupt(signal.SIGHUP)
    reading.end()
    run_program("--read", DEMO, "export", "--json", str(tmp_path / "whole.json"))
    assert (tmp_path / "a.json").read_text() == (tmp_path / "whole.json").read_text() != ""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("share", [0, 0.5], ids=["header", "events"])
def test_stop_while_reading(read, share, how):
    """That is the end: all that came is told."""
    reading = read(share, "--json")
    reading.interrupt(how)
    out, _err = reading.told()
    records = [json.loads(line) for line in out.splitlines()]
    assert bool(records) == bool(share)


def test_stop_before_anybody_writes(trace, tmp_path):
    os.mkfifo(tmp_path / "a.rec")
    tracer = trace("reading", "--read", str(tmp_path / "a.rec"), "--json", ready=False)
    interrupt(tracer, signal.SIGTERM, "wait_for_partner")
    assert (tracer.wait(), tracer.stderr()) == (0, "")


def test_counts_while_recording(lab, trace, tmp_path):
    """SIGUSR1 while the pipe that it records to is full: the recording is whole."""
    path = tmp_path / "recording"
    pipe = Pipe(str(path))
    filling = fill(path)
    tracer = trace("recorded", "life", "--json", "--netns", lab.c.name, "--record", str(path),
                   ready=False)
    interrupt(tracer, signal.SIGUSR1, "pipe_write")
    os.close(filling)
    reading = threading.Thread(target=pipe.read_all)
    reading.start()
    finished(tracer.wait_ready())
    reading.join()
    pipe.close()
    assert "not complete" not in tracer.stderr()
    whole = tmp_path / "whole"
    whole.write_bytes(pipe.data.replace(FILLING, b""))
    again = run_program("--read", str(whole), "--json")
    assert (again.returncode, again.stdout) == (0, tracer.text()), again.stderr
