# SPDX-License-Identifier: GPL-2.0-only
"""A recording read again, by anybody, tells the same, byte for byte."""
import json
import os
import shutil
import time

import pytest

from netlab import SERVER4, reset_close
from stage import close_client_first
from tracer import as_nobody, finished


def live(lab):
    pair = lab.pair(80, cport=5001)
    pair.say(5)
    close_client_first(pair)
    pair = lab.pair(81, cport=5002)
    reset_close(pair.client)
    time.sleep(0.02)
    pair.server.close()
    refused = lab.c.socket()
    assert refused.connect_ex((SERVER4, 9)) != 0
    refused.close()
    time.sleep(0.2)


@pytest.fixture
def record(lab, trace, tmp_path):
    """record(*arguments): the tracer that recorded, and the recording where all may read it."""
    def play(*arguments):
        path = tmp_path / "recording"
        open_pair = lab.pair(83)  # preexisting, to be found by the scan
        tracer = trace("recorded", *arguments, "--record", str(path))
        live(lab)
        open_pair.client.close()
        open_pair.server.close()
        time.sleep(0.1)
        finished(tracer)
        return tracer, path
    return play


def read_again(program, path, *arguments):
    public = os.path.join(os.path.dirname(program), "recording")
    shutil.copy(path, public)
    os.chmod(public, 0o644)
    return as_nobody(program, *arguments, "--read", public)


@pytest.mark.parametrize("arguments", [
    ["life", "--json"], ["life", "--json", "--whole"], ["states", "--json"], ["life", "-T"],
    ["states"], ["life", "-x", "-w"], ["life", "-s"]], ids=" ".join)
def test_same_again(record, public_program, lab, arguments):
    tracer, path = record(*arguments)
    done = read_again(public_program, path, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout == tracer.text()
    if "--json" in arguments and "life" in arguments:
        own = [one for one in tracer.records() if one["netns"] in (lab.c.inode, lab.s.inode)]
        assert len(own) == 2 * 3 + 1  # three connections with two ends, one refused


def test_filter_when_read(record, public_program, lab):
    """What is asked of a recording may be less than what was recorded."""
    tracer, path = record("life", "--json")
    done = read_again(public_program, path, "life", "--json", "-L", "5001", "--netns",
                      str(lab.c.inode))
    wanted = [{**record, "peer_cookie": None}  # the other end is left out
              for record in tracer.records()
              if (record["lport"], record["netns"]) == (5001, lab.c.inode)]
    assert done.returncode == 0 and wanted
    assert [json.loads(line) for line in done.stdout.splitlines()] == wanted


def test_cut_off(record, public_program, tmp_path):
    """All that is whole is told, and the end says so: exit 1."""
    tracer, path = record("life", "--json")
    cut = tmp_path / "cut"
    cut.write_bytes(path.read_bytes()[:-40])
    done = read_again(public_program, cut, "life", "--json")
    assert done.returncode == 1
    assert any("cut" in line or "truncated" in line or "not complete" in line
               for line in done.stderr.splitlines()), done.stderr
    told = tracer.text()
    assert set(done.stdout.splitlines()) <= set(told.splitlines())
    for size in (0, 1, 7, 20, 100):
        cut.write_bytes(path.read_bytes()[:size])
        done = read_again(public_program, cut, "life", "--json")
        assert done.returncode == 1, (size, done)
