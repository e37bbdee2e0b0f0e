# SPDX-License-Identifier: GPL-2.0-only
"""
A hook that is interrupted by a softirq with a step of its own: the kernel runs no
program inside itself, a twin of it tells what was missed.
"""
import contextlib
import json
import os
import re
import subprocess
import sys

import pytest

from bpf import BPFTOOL
from netlab import start_program
from stage import kernel_at_least
from tracer import finished, kernel_hides_hooks, run_program

LOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "interrupted.py")
LOAD_S = 6
TRIES = 3
POINTERS = "/proc/sys/kernel/kptr_restrict"
# 05b24ff9b2cf; an older one may have it too
KERNEL_SKIPS_NESTED = kernel_at_least(6, 1)


def interrupt(side):
    drop = side.drop("ip daddr 127.9.9.9")
    try:
        with side.entered():
            process = start_program([sys.executable, LOAD, str(LOAD_S)], stdout=subprocess.PIPE)
        out, _err = process.communicate(timeout=10 * LOAD_S)
        assert process.returncode == 0 and int(out) > 0
    finally:
        drop.lift()


def programs(tracer):
    """{name: what the kernel says of it} of the programs that it holds."""
    ids = set()
    for fd in os.listdir(f"/proc/{tracer.pid}/fdinfo"):
        with open(f"/proc/{tracer.pid}/fdinfo/{fd}") as info:
            ids.update(re.findall(r"^prog_id:\s*(\d+)", info.read(), re.M))
    shown = [json.loads(subprocess.run([BPFTOOL, "-j", "prog", "show", "id", number],
                                       capture_output=True, text=True, check=True).stdout)
             for number in ids]
    return {one["name"]: one for one in shown}


def misses(tracer):
    return programs(tracer)["inet_sock_set_state"].get("recursion_misses", 0)


def interrupt_until_missed(side, tracer):
    before = misses(tracer)
    for _try in range(TRIES):
        interrupt(side)
        if misses(tracer) > before:
            return
    pytest.skip("no softirq came while a hook was at work")


def needs_twin(tracer):
    if "nested_set_state" not in programs(tracer):
        assert not KERNEL_SKIPS_NESTED, "the twin is not loaded"
        pytest.skip("this kernel runs a program inside itself: nothing is missed")


@contextlib.contextmanager
def hidden_addresses():
    """Of all symbols, from root too; the names stay."""
    with open(POINTERS) as setting:
        before = setting.read()
    try:
        with open(POINTERS, "w") as setting:
            setting.write("2")
        yield
    finally:
        with open(POINTERS, "w") as setting:
            setting.write(before)


@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "lines"])
def test_the_twin_tells_all(lab, trace, options):
    tracer = trace("all", "life", *options)
    needs_twin(tracer)
    interrupt_until_missed(lab.c, tracer)
    finished(tracer)
    unseen = tracer.unseen() if kernel_hides_hooks() else 0
    assert tracer.lost() == unseen, tracer.stderr()
    if not options:
        seen, live = re.findall(r"(\d+) connections seen .*, (\d+) live;", tracer.stderr())[-1]
        assert int(seen) - int(live) == len(tracer.text().splitlines()) - 1
    elif not unseen:
        assert all(record["complete"] for record in tracer.records()
                   if record["netns"] == lab.c.inode)


@pytest.mark.skipif(not KERNEL_SKIPS_NESTED, reason="this kernel may run a program inside itself")
def test_needed_where_addresses_are_hidden():
    with hidden_addresses():
        check = run_program("check")
    rows = {line[:26].strip(): line[27:].split(None, 1) for line in check.stdout.splitlines()}
    assert rows["nested programs"][0] == "yes", check.stdout
    assert rows["nested_set_state"][0] == "yes", check.stdout
