# SPDX-License-Identifier: GPL-2.0-only
"""The full screen, in a terminal that tmux makes: what stands there, keys, sizes, the end."""
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time

import pytest

from netlab import CLIENT4, SERVER4, eventually, start_program
from stage import PORT, own_comm
from tracer import OPTIONS, PROGRAM, START_S, STOP_S, run_program

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="missing: tmux")

HEADER = ["STATE", "AGE", "LOCAL", "REMOTE", "OWNER", "TX", "RX", "RATE", "RETR", "SRTT"]


class Shell:
    """
    Runs programs from a process that holds no socket of ours: one that is being
    started holds a copy of all of them, and owners would not be known.
    """

    def __init__(self):
        self._process = start_program(["/bin/sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True)

    def run(self, *argv):
        """What it said; it must succeed."""
        self._process.stdin.write(f"timeout 10 {shlex.join(argv)}; status=$?; echo; echo DONE $status\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line.startswith("DONE "):
                break
            lines.append(line)
        said = "".join(lines)[:-1]
        assert line == "DONE 0\n", (argv, said)
        return said

    def end(self):
        self._process.communicate(timeout=STOP_S)


class Terminal:
    """A shell in a terminal that runs connlife top, and tells how that ended."""

    def __init__(self, shell, directory, *arguments, size=(120, 30), term=None, color=True):
        self._shell = shell
        self._socket = os.path.join(directory, "tmux")
        self.modes = [os.path.join(directory, name) for name in ("before", "after")]
        self.pid_path = os.path.join(directory, "pid")
        config = os.path.join(directory, "tmux.conf")
        with open(config, "w") as out:
            out.write("set -g status off\n"
                      "set -g default-terminal screen-256color\nset -g escape-time 0\n")
        command = shlex.join([PROGRAM, "top", *arguments, *OPTIONS])
        variables = "" if color else "NO_COLOR=1 "
        variables += f"TERM={term} " if term else ""
        script = (f"trap : INT; stty -g > {self.modes[0]}; "
                  f"{variables}sh -c 'echo $$ > {self.pid_path}; exec {command}'; "
                  f"status=$?; stty -g > {self.modes[1]}; echo EXIT $status; sleep 60")
        columns, rows = size
        self._tmux("-f", config, "new-session", "-d", "-x", str(columns), "-y", str(rows), script)

    def _tmux(self, *arguments):
        return self._shell.run("env", "LC_ALL=C.UTF-8", "SHELL=/bin/sh", "tmux", "-S",
                               self._socket, *arguments)

    def keys(self, *names):
        for name in names:
            self._tmux("send-keys", name)

    def type(self, text):
        self._tmux("send-keys", "-l", text)

    def resize(self, columns, rows):
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self, *arguments):
        return self._tmux("capture-pane", "-p", *arguments)

    def told(self, what):
        return self._tmux("display-message", "-p", what).strip()

    def wait(self, condition, what, timeout=STOP_S):
        """Waits until condition(screen) and gives the screen."""
        def is_there():
            time.sleep(0.05)
            self._last = self.screen()
            return condition(self._last)

        try:
            eventually(is_there, what, timeout)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self._last}") from None
        return self._last

    def wait_text(self, text, timeout=STOP_S):
        return self.wait(lambda screen: text in screen, text, timeout)

    def wait_shown(self, number, timeout=STOP_S):
        return self.wait_text(f" {number} shown", timeout)

    def wait_exit(self):
        """The exit code; the terminal must be as it was before."""
        screen = self.wait(lambda text: re.search(r"EXIT \d+", text), "the end")
        before, after = (open(path).read() for path in self.modes)
        assert before == after and before
        assert self.told("#{alternate_on} #{cursor_flag}") == "0 1"
        return int(re.search(r"EXIT (\d+)", screen).group(1))

    def signal(self, number):
        with open(self.pid_path) as pid:
            os.kill(int(pid.read()), number)

    def end(self):
        self._tmux("kill-server")


@pytest.fixture
def terminal(tmp_path):
    terminals = []
    shell = Shell()

    def start(*arguments, **keywords):
        directory = tmp_path / str(len(terminals))
        directory.mkdir()
        terminals.append(Terminal(shell, str(directory), *arguments, **keywords))
        return terminals[-1]

    yield start
    for one in terminals:
        one.end()
    shell.end()


def rows_of(screen):
    """The lines of the list, as words; a line of a screen that cuts them is shorter."""
    lines = [line.split() for line in screen.splitlines()]
    return [line for line in lines[lines.index(HEADER) + 1:-1] if line]


def ports(screen):
    return [int(row[2].rpartition(":")[2]) for row in rows_of(screen)]


def masked(screen):
    """Without what is never twice the same, and with one space for many."""
    for pattern, word in ((r"\d\d:\d\d:\d\d", "CLOCK"), (r"(>=)?\d+\.\ds\b", "AGE"),
                          (r"\d+\.\d{3}\b", "RTT"), (r"\[[EC]+\]", "[BAR]")):
        screen = re.sub(pattern, word, screen)
    return [re.sub(" +", " ", line).strip() for line in screen.rstrip().splitlines()]


def started(terminal, lab, *arguments, shown, **keywords):
    """top in the client's namespace, with that many rows."""
    one = terminal("--netns", lab.c.name, "--interval", "1", *arguments, **keywords)
    one.wait_shown(shown, START_S)
    return one


def half_closed(lab):
    """An established one, and a younger one whose server has said 700 bytes and closed."""
    listener = lab.listen()
    first = lab.pair(cport=50001, listener=listener)
    first.say(2048)
    time.sleep(0.5)
    second = lab.pair(cport=50002, listener=listener)
    second.server.sendall(b"d" * 700)
    second.server.shutdown(socket.SHUT_WR)
    lab.c.wait_sockets("close-wait")
    return first, second, listener


def test_screen(lab, terminal):
    kept = half_closed(lab)
    top = started(terminal, lab, shown=2)
    screen = top.wait(lambda text: masked(text)[3].startswith("out 0B/s in 0B/s"), "two looks")
    owner = f"{os.getpid()}/{own_comm()}"
    assert masked(screen) == [
        "connlife top CLOCK 2 connections, 2 shown, oldest state first, every 1 s",
        "[BAR]",
        "ESTABLISHED 1 CLOSE_WAIT 1",
        "out 0B/s in 0B/s retransmissions 0",
        " ".join(HEADER),
        f"ESTABLISHED AGE {CLIENT4}:50001 {SERVER4}:80 {owner} 2.0K 0 0 0 RTT",
        f"CLOSE_WAIT AGE {CLIENT4}:50002 {SERVER4}:80 {owner} 0 700 0 0 RTT",
        *[""] * 22,
        "q quit h keys Enter details / filter a age b bytes t rate x retrans s state r reverse "
        "w TIME_WAIT p pause"]
    top.keys("q")
    assert top.wait_exit() == 0
    assert kept


def test_sort_and_filter(lab, terminal):
    first, second, listener = half_closed(lab)
    top = started(terminal, lab, shown=2)
    third = lab.pair(cport=50003, listener=listener)
    third.say(5000)
    assert ports(top.wait_shown(3)) == [50001, 50002, 50003]

    def order(key, *wanted):
        top.keys(key)
        top.wait(lambda screen: ports(screen) == list(wanted), f"{wanted} after {key}")

    order("r", 50003, 50002, 50001)
    order("a", 50001, 50002, 50003)
    top.wait(lambda screen: "5000" in screen or "4.8K" in screen, "the bytes of the third")
    order("b", 50003, 50001, 50002)
    order("r", 50002, 50001, 50003)
    order("s", 50001, 50003, 50002)
    top.keys("a", "/")
    top.type("close 50002")
    screen = top.wait_shown(1)
    assert ports(screen) == [50002]
    assert screen.splitlines()[-1].startswith("/close 50002")
    top.keys("Enter")
    top.wait(lambda text: text.splitlines()[-1].startswith("filter: close 50002"), "it stays")
    top.keys("Escape")
    assert ports(top.wait_shown(3)) == [50001, 50002, 50003]
    assert first and second


def test_details(lab, terminal):
    first, second, _listener = half_closed(lab)
    top = started(terminal, lab, shown=2)
    top.keys("Down", "Enter")
    screen = masked(top.wait_text("held by"))
    owner = f"{os.getpid()}/{own_comm()}"
    assert "state CLOSE_WAIT, for AGE" in screen
    assert f"local {CLIENT4}:50002" in screen
    assert f"remote {SERVER4}:{PORT}" in screen
    assert f"held by {owner} fd {second.client.fileno()}" in screen
    assert "queues unread 700, unsent 0, not acknowledged 0" in screen
    assert "bytes sent and acknowledged 0, received 700" in screen
    assert any(line.startswith(f"netns {lab.c.inode};") for line in screen)
    top.keys("Up")
    top.wait_text(f"{owner} fd {first.client.fileno()}")
    top.keys("Down")
    top.wait_text("unread 700")
    second.client.close()
    top.wait_text("This connection is over.")
    top.keys("Escape")
    top.wait_text("STATE ")
    assert ports(top.wait_shown(1)) == [50001]
    top.keys("h")
    top.wait_text("sort by retransmissions")
    top.keys("h")
    top.wait_shown(1)


def test_time_wait_and_pause(lab, terminal):
    listener = lab.listen()
    gone = lab.pair(cport=50001, listener=listener)
    gone.client.close()
    gone.server.close()
    lab.c.wait_sockets("time-wait")
    top = started(terminal, lab, shown=0)
    top.wait_text("TIME_WAIT hidden")
    top.keys("w")
    row, = rows_of(top.wait_shown(1))
    assert row[0] == "TIME_WAIT" and row[4:] == ["-"] * 6, row
    top.keys("w", "p")
    top.wait_text("paused")
    kept = lab.pair(cport=50002, listener=listener)
    time.sleep(2.5)  # more than two looks, were it not for the pause
    assert rows_of(top.screen()) == [["none"]]
    top.keys("p")
    assert ports(top.wait_shown(1)) == [50002]
    assert kept


def test_rate_and_accept_queue(lab, terminal):
    listener = lab.listen(backlog=3)
    pair = lab.pair(cport=50001, listener=listener)
    waiting = lab.connect(cport=50002)
    top = started(terminal, lab, shown=2)
    server = terminal("--netns", lab.s.name, "--interval", "1")
    screen = server.wait_text("accept queues:", START_S)
    assert f"{SERVER4}:{PORT} 1 of 3 {os.getpid()}/{own_comm()}" in screen, screen

    def has_rate(screen):
        pair.say(20000)
        rates = [row[7] for row in rows_of(screen)]
        return re.fullmatch(r"\d+\.?\d*[KM]", rates[0]) and rates[1:] == ["0"]

    top.keys("t")
    assert ports(top.wait(has_rate, "a rate"))[0] == 50001
    assert waiting


def test_hostile_name(lab, terminal):
    """Control characters and what is no UTF-8 stay on their line."""
    actor = lab.actor("a\x1b[2J\té")
    actor.listen(key="listener", address=SERVER4, port=PORT)
    client = lab.connect()
    actor.accept(listener="listener", key="a")
    top = terminal("--netns", lab.s.name, "--interval", "1")
    row, = rows_of(top.wait_shown(1, START_S))
    assert row[4] == f"{actor.pid}/" + "a\\x1b[2J\\x09é"[:23 - len(str(actor.pid))]
    top.keys("Enter")
    top.wait_text("a\\x1b[2J\\x09é fd")
    assert client


@pytest.mark.parametrize("color", [True, False])
def test_color(lab, terminal, color):
    kept = half_closed(lab)
    top = started(terminal, lab, shown=2, color=color)
    found = re.findall("\x1b\\[[0-9;]*3[0-7][0-9;]*m", top.screen("-e"))
    assert bool(found) == color, found
    assert kept


@pytest.mark.parametrize("way", ["q", "C-c", signal.SIGTERM])
def test_end(lab, terminal, way):
    top = started(terminal, lab, shown=0)
    assert top.told("#{alternate_on} #{cursor_flag}") == "1 0"
    if isinstance(way, str):
        top.keys(way)
    else:
        top.signal(way)
    assert top.wait_exit() == 0
    assert "connlife:" not in top.screen()


def test_log_is_held_back(lab, terminal):
    top = started(terminal, lab, "-v", shown=0)
    top.signal(signal.SIGUSR1)
    time.sleep(1.5)
    assert "connlife: " not in top.screen()
    top.keys("q")
    assert top.wait_exit() == 0
    assert "connlife: tracing" in top.screen()


def test_sizes(lab, terminal):
    """A terminal that is tiny, or becomes so."""
    kept = half_closed(lab)
    top = terminal("--netns", lab.c.name, "--interval", "1", size=(20, 5))
    tiny = top.wait_text("ESTABLISHED", START_S).splitlines()
    assert tiny[0] == "connlife top  " + tiny[0][14:] and len(tiny) == 5
    assert tiny[1].split() == ["STATE", "AGE"]
    top.keys("Enter", "Down", "Escape", "/", "x", "Escape", "h", "Escape")
    top.wait_text("ESTABLISHED")
    top.resize(120, 30)
    assert ports(top.wait_shown(2)) == [50001, 50002]
    for columns, rows in ((1, 1), (2, 2), (40, 12), (250, 60), (100, 3), (120, 30)):
        top.resize(columns, rows)
        time.sleep(0.3)
    assert ports(top.wait_shown(2)) == [50001, 50002]
    top.keys("q")
    assert top.wait_exit() == 0
    assert kept


def test_no_terminal():
    done = run_program("top")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == ("connlife: connlife top needs a terminal; in a pipe use: "
                           "connlife stuck --watch\n")


def test_output_is_no_terminal(tmp_path):
    """A terminal to read from, but none to write to."""
    main, side = os.openpty()
    with open(tmp_path / "err", "wb") as err:
        process = start_program([PROGRAM, "top", *OPTIONS], stdin=side, stdout=subprocess.PIPE,
                                stderr=err)
    out, _none = process.communicate(timeout=STOP_S)
    os.close(main)
    os.close(side)
    assert process.returncode == 1 and out == b""
    assert "needs a terminal" in (tmp_path / "err").read_text()


@pytest.mark.parametrize("term", ["no-such-terminal", "dumb"])
def test_terminal_not_fit(terminal, term):
    top = terminal(term=term)
    assert top.wait_exit() == 1
    assert f"connlife: TERM={term}: this terminal" in top.screen()


def test_recording(terminal):
    top = terminal("--read", "/dev/null")
    assert top.wait_exit() == 1
    assert "connlife: top shows what is there now" in top.screen()
