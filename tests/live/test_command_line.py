# SPDX-License-Identifier: GPL-2.0-only
"""Starting, stopping, and every way in which that can fail."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from netlab import eventually
from refusal import refuse_bpf
from tracer import OPTIONS, PROGRAM, as_nobody, fd_infos, finished, run_program

def one_line(done, status=1):
    assert done.returncode == status, done
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("connlife: "), done.stderr
    assert done.stdout == ""
    return lines[0]


def test_without_root(public_program):
    assert "root" in one_line(as_nobody(public_program, "life"))


@pytest.mark.parametrize("option", ["-h", "-V", "--help", "--version"])
def test_help_without_root(public_program, option):
    done = as_nobody(public_program, option)
    assert done.returncode == 0 and done.stderr == ""
    assert "connlife" in done.stdout


@pytest.mark.parametrize("arguments, words", [
    (["--no-such-option"], ["'--no-such-option'"]),
    (["-Tq"], ["'q'"]),
    (["--re", "a.rec"], ["'--re'", "ambiguous"]),
    (["--whole=yes"], ["'--whole'"]),
    (["-L"], ["'L'"]),
    (["--read"], ["'--read'"]),
    (["--btf"], ["'--btf'"]),
    (["-L", "65536"], ["-L", "'65536'"]),
    (["-L", "80,0"], ["-L", "'0'"]),
    (["-L", ""], ["-L"]),
    (["-D", "http"], ["-D", "'http'"]),
    (["-p", "0"], ["-p", "'0'"]),
    (["-p", "x"], ["-p", "'x'"]),
    (["-p", "-1"], ["-p", "'-1'"]),
    (["-4", "-6"], ["-4", "-6"]),
    (["-a", "10.77.0.0/33"], ["-a", "'33'"]),
    (["-a", "10.77"], ["-a", "'10.77'"]),
    (["-a", "fd77::/129"], ["-a", "'129'"]),
    (["-a", "::1"] * 9, ["-a", "8"]),
    (["--duration", "0"], ["--duration", "'0'"]),
    (["--duration", "1s"], ["--duration", "'1s'"]),
    (["--ring-size", "12345"], ["--ring-size", "'12345'"]),
    (["--ring-size", "3M"], ["--ring-size", "'3M'"]),
    (["--ring-size", "0"], ["--ring-size", "'0'"]),
    (["--max-connections", "0"], ["--max-connections", "'0'"]),
    (["no-such-command"], ["'no-such-command'"]),
    (["two\nlines"], ["'two?lines'"]),
    (["life", "states"], ["'states'"]),
    (["--json", "-s"], ["--json", "-s"]),
    (["ladder", "--json"], ["ladder", "--json"]),
    (["top", "--json"], ["--json"]),
    (["check", "--json"], ["--json"]),
    (["hist", "-s"], ["-s"]),
    (["ladder", "-s"], ["-s"]),
    (["top", "--csv"], ["-s"]),
    (["export", "--textfile", ".", "-s"], ["-s"]),
    (["check", "-s"], ["-s"]),
    (["export"], ["export"]),
    (["export", "--json"], ["--json"]),
    (["--json", "export", "--textfile", "/missing"], ["--json"]),
    (["export", "--interim", "1s", "--textfile", "/missing"], ["--interim", "--json"]),
    (["export", "--by", "comm", "--json", "/missing/a"], ["--by", "--textfile"]),
    (["export", "--by", "cgroup", "--json", "/missing/a"], ["--by", "--textfile"]),
    (["export", "--by", "port=80", "--json", "/missing/a"], ["--by", "--textfile"]),
    (["export", "--at-stop", "remove", "--json", "/missing/a"], ["--at-stop", "--textfile"]),
    (["export", "--at-stop", "keep", "--json", "/missing/a"], ["--at-stop", "--textfile"]),
    (["export", "--textfile", ".", "--by", "color"], ["--by", "'color'"]),
    (["export", "--textfile", ".", "--at-stop", "go"], ["--at-stop", "'go'"]),
    (["life", "--by", "comm"], ["--by"]),
    (["life", "--at-stop", "remove"], ["--at-stop", "export"]),
    (["life", "--watch"], ["--watch"]),
    (["stuck", "--older-than", "5w"], ["--older-than", "'5w'"]),
    (["check", "--read", "a.rec"], ["check", "--read"]),
    (["--read", "a.rec", "--record", "b.rec"], ["--read", "--record"]),
    (["--read", "a.rec", "--btf", "vmlinux"], ["--btf", "--read"]),
    ], ids=lambda value: " ".join(value[:3]))
def test_wrong_usage(arguments, words):
    """One line that names what is wrong."""
    line = one_line(run_program(*arguments), 2)
    missing = [word for word in words if word not in line]
    assert not missing, line


def test_unknown_namespace():
    assert "no-such-netns" in one_line(run_program("--netns", "no-such-netns"))


def test_unknown_cgroup():
    assert "/no/such/cgroup" in one_line(run_program("--cgroup", "/no/such/cgroup"))


def test_recording_that_is_none(tmp_path):
    missing = tmp_path / "missing"
    assert str(missing) in one_line(run_program("--read", str(missing)))
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"not a recording, by no means" * 100)
    done = run_program("--read", str(garbage))
    assert done.returncode == 1 and str(garbage) in done.stderr, done
    assert done.stdout == "" or done.stdout.count("\n") == 1  # the header of the table


def test_record_to_nowhere(tmp_path):
    target = tmp_path / "missing" / "recording"
    done = run_program("--json", "--record", str(target), "--duration", "1")
    assert str(target) in one_line(done)


def test_bpf_refused():
    assert "bpf" in one_line(run_program("life", preexec_fn=refuse_bpf))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_signal(trace, how):
    tracer = trace("signal", "life", "--json")
    assert tracer.stop(how) == 0
    lines = tracer.stderr().splitlines()
    assert lines[0] == "connlife: tracing"
    assert lines[1].startswith("connlife: ") and "connections seen" in lines[1]


def test_duration(trace):
    began = time.monotonic()
    tracer = trace("duration", "--json", "--duration", "2")
    assert tracer.wait() == 0
    assert 1.9 < time.monotonic() - began < 8


def test_reader_that_goes():
    """Standard output is closed at the other end: it ends as one whose pipe is closed, silently."""
    with subprocess.Popen([PROGRAM, "life", "--duration", "2", *OPTIONS], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(30) == 1
    assert "Broken" not in errors and "can't write" not in errors


def programs_of(pid):
    """The BPF programs that a process and its children hold, by /proc."""
    found = set()
    for info in fd_infos(pid):
        found.update(int(line.split()[1]) for line in info if line.startswith("prog_id:"))
    return found


def is_loaded(program):
    """BPF_PROG_GET_FD_BY_ID, by bpftool."""
    bpftool = shutil.which("bpftool") or "/usr/sbin/bpftool"
    return run_program("prog", "show", "id", str(program), program=bpftool).returncode == 0


@pytest.mark.skipif(not (shutil.which("bpftool") or os.path.exists("/usr/sbin/bpftool")),
                    reason="bpftool is not installed")
def test_nothing_stays_attached(trace):
    """After its end no BPF program of it is left in the kernel."""
    tracer = trace("attached", "life", "--json")
    programs = programs_of(tracer.pid)
    assert programs and all(is_loaded(program) for program in programs)
    finished(tracer)
    eventually(lambda: not any(is_loaded(program) for program in programs), "they are gone")
