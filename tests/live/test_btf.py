# SPDX-License-Identifier: GPL-2.0-only
"""
The kernel's BTF where /sys does not show it: asked of the kernel itself, or named by --btf.
The programs of other mount namespaces see /sys as before.
"""
import os
import shutil
import struct
import subprocess

import pytest

import tracer as tracers
from refusal import BTF_GET_NEXT_ID, refuse_bpf
from stage import close_client_first
from tracer import PROGRAM, finished, run_program

SYSFS = "/sys/kernel/btf/vmlinux"


@pytest.fixture
def hidden(tmp_path, monkeypatch):
    """connlife, and what is run in its place, sees an empty /sys/kernel/btf."""
    (tmp_path / "empty").mkdir()
    wrapper = tmp_path / "connlife-without-sys"
    wrapper.write_text(f"""#!/bin/sh
exec unshare -m sh -c 'mount --make-rprivate / && mount --bind {tmp_path}/empty {os.path.dirname(SYSFS)} &&
	exec {PROGRAM} "$@"' sh "$@"
""")
    wrapper.chmod(0o755)
    monkeypatch.setattr(tracers, "PROGRAM", str(wrapper))


def raw(directory):
    return shutil.copy(SYSFS, directory / "raw.btf")


def in_elf(directory):
    """As in a vmlinux: the section .BTF of an ELF file."""
    path = directory / "vmlinux"
    subprocess.run(["ld", "-r", "-b", "binary", "-o", path, os.devnull], check=True)
    subprocess.run(["objcopy", "--add-section", f".BTF={SYSFS}", path], check=True)
    return path


def of_another_kernel(directory):
    """Well-formed: one type got another name of the same length."""
    path = directory / "other.btf"
    with open(SYSFS, "rb") as own:
        path.write_bytes(own.read().replace(b"\0tcp_sock\0", b"\0tcp_sick\0", 1))
    return path


def of_another_size(directory):
    """Well-formed: one string more behind the others."""
    path = directory / "longer.btf"
    with open(SYSFS, "rb") as own:
        data = own.read()
    (strings,) = struct.unpack_from("=I", data, 20)
    path.write_bytes(data[:20] + struct.pack("=I", strings + 2) + data[24:] + b"x\0")
    return path


def cut_off(directory):
    path = directory / "cut.btf"
    with open(SYSFS, "rb") as own:
        path.write_bytes(own.read(os.path.getsize(SYSFS) // 2))
    return path


def garbage(directory):
    path = directory / "garbage"
    path.write_bytes(b"\x9f\xeb" + b"not what follows there" * 100)
    return path


def empty(directory):
    path = directory / "nothing"
    path.touch()
    return path


def btf_row(done):
    """Where `check` says that the BTF is from, if it also says that all works."""
    assert done.returncode == 0 and not done.stderr, done
    lines = done.stdout.splitlines()
    assert lines[-1] == "connlife can trace here"
    assert not [line for line in lines if line[27:31] == "no  "], done.stdout
    (row,) = [line for line in lines if line.startswith("BTF ")]
    assert row[27:32] == "yes  "
    return row[32:]


def tells_a_life(lab, trace, *arguments):
    tracer = trace("hidden", "life", "--json", "--netns", lab.c.name, *arguments)
    pair = lab.pair(80)
    pair.say(5)
    close_client_first(pair)
    finished(tracer)
    (record,) = tracer.records()
    assert (record["opened"], record["closed"]) == ("handshake", "fin")
    assert (record["tx_bytes"], record["pid_source"]) == (5, "connect")
    assert record["complete"]


def test_check_names_sysfs():
    assert btf_row(run_program("check")) == SYSFS


def test_hidden_check_asks_the_kernel(hidden):
    assert btf_row(tracers.run_program("check")).startswith("bpf(2)")


def test_hidden_life_by_the_kernel(hidden, lab, trace):
    tells_a_life(lab, trace)


@pytest.mark.parametrize("form", [raw, in_elf])
def test_hidden_life_by_file(hidden, lab, trace, tmp_path, form):
    path = form(tmp_path)
    assert btf_row(tracers.run_program("check", "--btf", str(path))) == str(path)
    tells_a_life(lab, trace, "--btf", str(path))


def as_before_5_11(*arguments):
    """bpf(2) knows no BTF of the kernel's."""
    return tracers.run_program(*arguments, preexec_fn=lambda: refuse_bpf(BTF_GET_NEXT_ID))


def test_kernel_that_tells_nothing(hidden, tmp_path):
    path = raw(tmp_path)
    row = btf_row(as_before_5_11("check", "--btf", str(path)))
    assert row.startswith(f"{path} (only its size ")
    life = as_before_5_11("life", "--btf", str(path), "--duration", "1")
    assert life.returncode == 0 and f"BTF: {path}: only its size " in life.stderr, life
    path = of_another_size(tmp_path)
    assert "another kernel" in refusal(as_before_5_11("check", "--btf", str(path)), printed=1)


def refusal(done, printed=0):
    """Its one line, after as many on stdout."""
    assert done.returncode == 1 and done.stdout.count("\n") == printed, done
    (line,) = done.stderr.splitlines()
    assert line.startswith("connlife: ")
    return line


def test_no_btf_at_all(hidden):
    line = refusal(as_before_5_11("life"))
    assert SYSFS in line and "CONFIG_DEBUG_INFO_BTF" in line and "--btf" in line


@pytest.mark.parametrize("is_hidden", [False, True], ids=["sys", "no sys"])
@pytest.mark.parametrize("file, why", [
    (lambda directory: directory / "missing", "No such file"), (garbage, "no BTF"),
    (cut_off, "no BTF"), (empty, "no BTF"), (lambda directory: PROGRAM, "no BTF"),
    (of_another_kernel, "another kernel"), (of_another_size, "another kernel")], ids=[
        "missing", "garbage", "cut off", "empty", "an ELF file without", "another kernel's",
        "another size"])
def test_wrong_file(request, tmp_path, file, why, is_hidden):
    if is_hidden:
        request.getfixturevalue("hidden")
    path = str(file(tmp_path))
    line = refusal(tracers.run_program("stuck", "--btf", path))
    assert path in line and why in line
