# SPDX-License-Identifier: GPL-2.0-only
"""The full screen on a terminal that nobody reads, and while nobody reads its recording."""
import contextlib
import os
import pty
import signal
import subprocess
import termios
import threading

import pytest

from netlab import eventually
from test_faults_pipe import Pipe
from test_signals import fill, interrupt, waits_in
from tracer import OPTIONS, PROGRAM, START_S, STOP_S


@contextlib.contextmanager
def on_terminal(*arguments):
    """connlife top; the process, the end that reads, and the end that is its."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen([PROGRAM, "top", *arguments, *OPTIONS], stdin=theirs, stdout=theirs,
                              stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "TERM": "xterm"}) as process:
            try:
                yield process, ours, theirs
            finally:
                process.kill()
    finally:
        os.close(ours)
        os.close(theirs)


def fill_terminal(process, ours):
    """Help and list by turns, until it waits for a reader."""
    def is_full():
        os.write(ours, b"h")
        return waits_in(process.pid, "wait_woken") or waits_in(process.pid, "n_tty_write")

    eventually(is_full, "the terminal is full")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, None],
                         ids=["SIGTERM", "SIGINT", "duration"])
def test_nobody_reads(lab, how):
    """It ends, and the terminal's modes are those of before."""
    arguments = [] if how else ["--duration", "10"]
    with on_terminal("--netns", lab.c.name, *arguments) as (process, ours, theirs):
        before = termios.tcgetattr(theirs)
        eventually(lambda: termios.tcgetattr(theirs) != before, "it begins", START_S)
        fill_terminal(process, ours)
        if how:
            process.send_signal(how)
        assert process.wait(20) == 0
        assert termios.tcgetattr(theirs) == before


def test_resize_while_recording(lab, tmp_path):
    """While the pipe that it records to is full: the recording is whole."""
    path = tmp_path / "recording"
    pipe = Pipe(str(path))
    filling = fill(path)
    with on_terminal("--netns", lab.c.name, "--record", str(path)) as (process, ours, _theirs):
        interrupt(process, signal.SIGWINCH, "pipe_write")
        os.close(filling)
        reading = threading.Thread(target=pipe.read_all)
        reading.start()
        os.write(ours, b"q")
        assert process.wait(STOP_S) == 0
        assert "not complete" not in process.stderr.read()
        reading.join()
    pipe.close()
