# SPDX-License-Identifier: GPL-2.0-only
"""The time from the end of a connection to its line on a terminal, on an idle machine."""
import contextlib
import os
import pty
import select
import socket
import tempfile
import time

from machine import Failed, await_quiet, say
from network import PLACES, SERVER4, entered
from tracers import traced

PROBES = 10
REST_SECONDS = 0.2  # what was told before belongs to another step
LINE_SECONDS = 5


def end_of_connection(net):
    """Seconds by the monotonic clock, just before the last close, and the client's port."""
    with entered(net.clients):
        client = socket.socket()
    with entered(net.servers), socket.create_server((SERVER4, 0)) as listener:
        client.connect(listener.getsockname())
        server, (_, port) = listener.accept()
    client.close()
    server.recv(1)
    return server, port


def read_for(terminal, seconds, wanted=None):
    """Until the bytes that are wanted came; False if they did not."""
    got, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
            got += os.read(terminal, 65536)
            if wanted and wanted in got:
                return True
    return False


def probe(net, terminal):
    """Milliseconds; None if the line did not come."""
    server, port = end_of_connection(net)
    read_for(terminal, REST_SECONDS)
    begin = time.monotonic()
    server.close()
    came = read_for(terminal, LINE_SECONDS, str(port).encode())
    return (time.monotonic() - begin) * 1e3 if came else None


def line_delays(tracer, options):
    """Milliseconds, of the lines that came. A terminal: what goes to a file or a pipe, libc may
    keep."""
    terminal, end = pty.openpty()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, end)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="connlife-bench-"))
        net = stack.enter_context(PLACES[tracer.place]())
        await_quiet(options)
        stack.enter_context(traced(tracer, net, folder, end))
        # before the tracer is told to end: it may wait for somebody who reads
        stack.callback(os.close, terminal)
        probes = [probe(net, terminal) for _ in range(PROBES)]
    delays = [delay for delay in probes if delay is not None]
    if not delays:
        raise Failed(f"{tracer.name}: no line within {LINE_SECONDS} seconds")
    if len(delays) < PROBES:
        say(f"  {tracer.name}: {PROBES - len(delays)} lines of {PROBES} did not come within "
            f"{LINE_SECONDS} seconds")
    say(f"  {tracer.name}: {min(delays):.2f} to {max(delays):.2f} ms from end to line")
    return delays
