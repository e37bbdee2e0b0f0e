# SPDX-License-Identifier: GPL-2.0-only
"""
The diagrams of a test, compared with those kept in tests/live/ladders. What
differs from run to run is masked: times, ports that the kernel chose, processes,
and how many segments carried the data.

CONNLIFE_LADDERS=update writes them anew; look at the difference before you keep it.
"""
import itertools
import os
import re
import time

from netlab import ADDRESSES
from tracer import run_program

DIRECTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ladders")
UPDATES = os.environ.get("CONNLIFE_LADDERS") == "update"
MASKS = (
    (r"\(pid \d+ [^)]*\)", "(owner)"),
    (r"\n {4}(?=\S)", " "),  # the heading, folded where times are long
    (r"(?<=[a-z-] )[\d.,]+ (?:us|ms|s|min)\b", "TIME"),
    (r"(?m)^( *[\d.]+) +\+[\d.]+(?= )", "\\1     +TIME"),
    (r"(?m)^ *[\d.]+(?= )", "    TIME"),
    (r"in [\d,]+( segments?)?\b", "in N"),
)


def _mask(block, version):
    """One diagram, the same whatever the time, the family and the ports were."""
    client, server = ADDRESSES[version]
    bracket = "{}" if version == 4 else "[{}]"
    heading, _, rest = block.partition("\n")
    heading = re.sub(r"^\S+ ", "", heading)
    for address, name in ((client, "CLIENT"), (server, "SERVER")):
        heading = heading.replace(bracket.format(address) + ":", name + ":")
    heading = re.sub(r":(?!80\b)\d+", ":PORT", heading)
    text = heading + "\n" + rest
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text)
    lines = [_without_forgery(line) for line in re.sub(r"~+", "~", text).splitlines()]
    return "\n".join(_without_order_of_timers(lines))


def _without_order_of_timers(lines):
    """What both ends repeat meanwhile, how often and in which order, their timers decide."""
    for is_repeated, run in itertools.groupby(lines, lambda line: " again " in line):
        yield from sorted(set(run)) if is_repeated else run


def _without_forgery(line):
    """Numbers that a test made up are random, and so is how much room they leave."""
    masked = re.sub(r"\b(seq|ack) \d{7,}", r"\1 N", line)
    return line if masked == line else re.sub(r"[-= ]{3,}", " ", masked)


def _is_of_test(block, begin_ns):
    """Begun since then, by this process: what is left of others is told too."""
    found = re.match(r"(\d\d:\d\d:\d\d) ", block)
    pids = re.findall(r"\(pid (\d+) ", block.partition("\n")[0])
    if not found or (pids and str(os.getpid()) not in pids):
        return False
    first = time.strftime("%H:%M:%S", time.localtime(begin_ns // 10**9))
    return found.group(1) >= first or first > "23:50:00"


def drawn(recording, version, begin_ns):
    """The masked diagrams of a recording, in an order of their own."""
    done = run_program("ladder", "--read", recording)
    assert done.returncode == 0, done.stderr
    blocks = [block for block in done.stdout.split("\n\n") if _is_of_test(block, begin_ns)]
    return sorted(_mask(block.rstrip("\n"), version) for block in blocks)


def complaint(name, text):
    """What differs from the golden file; "" if nothing does."""
    path = os.path.join(DIRECTORY, name + ".txt")
    if UPDATES:
        os.makedirs(DIRECTORY, exist_ok=True)
        with open(path, "w") as golden:
            golden.write(text)
        return ""
    try:
        with open(path) as golden:
            wanted = golden.read()
    except FileNotFoundError:
        return f"{path} is missing (CONNLIFE_LADDERS=update)"
    return "" if text == wanted else f"--- {path}\n{wanted}\n+++ drawn\n{text}"
