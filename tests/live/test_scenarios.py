# SPDX-License-Identifier: GPL-2.0-only
"""Each scenario of scen_*.py: the records of both ends, with and without --whole."""
import collections

import pytest

from stage import scenarios
from tracer import kernel_hides_hooks


@pytest.mark.parametrize("name", sorted(scenarios()))
def test_scenario(played, name):
    failure = played.lab(name).failure
    assert not failure, f"the scenario itself did not play:\n{failure}"
    played.finish()
    complaints = played.complaints(name, False) + played.complaints(name, True)
    assert not complaints, complaints


def test_nothing_was_lost(world):
    """Every tracer counted every event they were given."""
    if not world:
        pytest.skip("no scenario was chosen")
    world.finish()
    for tracer in (world.tracer(False), world.tracer(True), world.plain()):
        unseen = tracer.unseen() if kernel_hides_hooks() else 0
        assert tracer.lost() == unseen, tracer.stderr()
        assert len(tracer.stderr().splitlines()) == 2 + bool(unseen), tracer.stderr()


OURS = ("10.77.", "fd77:", "127.77.")


def kilobytes(count):
    if count is None:
        return "-"
    return f"{(count // 1024 * 100 + (count % 1024 * 100 + 512) // 1024) / 100:.2f}"


def line_of(record):
    """What its line says, but for the times: each tracer has its own clock reading."""
    words = [record[key] for key in ("opened", "closed_first", "closed", "remains")]
    return (str(record["pid"] or "-"), record["comm"] or "-", record["laddr"],
            str(record["lport"] or "-"), record["raddr"], str(record["rport"] or 0),
            kilobytes(record["tx_bytes"]), kilobytes(record["rx_bytes"]),
            *(word or "-" for word in words))


def words_of(line):
    """The same of a line of `life`; a name of a process may have blanks in it."""
    pid, rest = line.split(maxsplit=1)
    comm, *words = rest.rsplit(maxsplit=11)
    del words[6]  # MS
    return (pid, comm, *words)


KNOWN_BY_LATER_STEPS = (3, 8, 9)  # LPORT, OPENED, FIRST


def is_less_of(line, record_line):
    """Whether a line says of a connection whose end was lost what its record does, as far as the
    steps tell that `life` hears of without --json: a client's SYN may be all of them."""
    def agree(nth):
        return line[nth] == record_line[nth] or (line[nth] == "-" and nth in KNOWN_BY_LATER_STEPS)

    return line[10:] == ("-", "-") and all(map(agree, range(len(line))))


def test_lines_say_the_same(world):
    """`life` without --json hears of beginnings and ends only, and draws the same conclusions."""
    if not world:
        pytest.skip("no scenario was chosen")
    world.finish()
    told = collections.Counter(words_of(line) for line in world.plain().text().splitlines()[1:])
    must = collections.Counter(line_of(record) for record in world.records(False))
    told = collections.Counter({line: told[line] for line in told if line[2].startswith(OURS)})
    must = collections.Counter({line: must[line] for line in must if line[2].startswith(OURS)})
    more, less = told - must, must - told
    # each of these is one that the kernel ran no hook for, and is counted as such
    assert more.total() <= (world.plain().unseen() if kernel_hides_hooks() else 0), (more, less)
    left = list(less.elements())
    for line in sorted(more.elements(), key=lambda line: line.count("-")):
        fitting = [other for other in left if is_less_of(line, other)]
        assert fitting, (line, left)
        left.remove(fitting[0])
    assert not left
