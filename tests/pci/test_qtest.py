"""The qtest channel against a peer of ours: order, posted writes, deadlines, death."""
import contextlib
import os
import re
import socket
import threading
import time

import pytest

from nvlab._core.qtest import QtestBar, QtestChannel
from nvlab.spec.errors import ControllerGone, RegisterError, UsageError

BASE = 0xE0000000


class Peer:
    """A qtest server with registers in a dict; `answer` may be replaced."""

    def __init__(self, timeout=5.0):
        ours, self.socket = socket.socketpair()
        self.channel = QtestChannel(ours.detach(), timeout)
        self.bar = QtestBar(self.channel, BASE, 0x4000)
        self.memory, self.lines = {}, []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError), self.socket.makefile("rb") as file:
            for line in file:
                self.lines.append(line.decode().strip())
                reply = self.answer(*line.decode().split())
                if reply is None:
                    return
                self.socket.sendall(reply.encode())

    def answer(self, verb, *numbers):
        numbers = [int(number, 16) for number in numbers]
        if verb.startswith("write"):
            self.memory[numbers[0]] = numbers[1]
            return "OK\n"
        if verb.startswith("read"):
            return f"OK 0x{self.memory.get(numbers[0], 0):016x}\n"
        return f"FAIL Unknown command '{verb}'\n"

    def close(self):
        self.channel.close()
        self.socket.close()
        self.thread.join(5)


@pytest.fixture
def peer():
    peer = Peer()
    yield peer
    peer.close()


def test_accesses_are_single_and_of_the_asked_width(peer):
    peer.bar.write32(0x14, 0x460001)
    assert peer.bar.read32(0x14) == 0x460001
    peer.bar.write64(0x28, 0xFEDCBA9876543210)
    assert peer.bar.read64(0x28) == 0xFEDCBA9876543210
    assert peer.lines == ["writel 0xe0000014 0x460001", "readl 0xe0000014",
                          "writeq 0xe0000028 0xfedcba9876543210", "readq 0xe0000028"]


@pytest.mark.parametrize("call", [lambda b: b.read32(2), lambda b: b.read32(0x4000), lambda b: b.read64(0x14),
                                  lambda b: b.write32(0x1000, 1 << 32), lambda b: b.write32(-4, 0), lambda b: b.read64(0x3FFC)])
def test_bad_accesses_never_reach_the_peer(peer, call):
    with pytest.raises(RegisterError):
        call(peer.bar)
    assert peer.lines == []


def test_doorbells_are_posted_and_keep_their_order(peer):
    for tail in range(1000):
        peer.bar.write32(0x1000, tail)
    assert peer.bar.read32(0x1000) == 999
    assert peer.channel.owed == 0
    assert [int(line.split()[2], 16) for line in peer.lines[:-1]] == list(range(1000))


def test_a_doorbell_does_not_wait():
    peer = Peer()
    peer.answer = lambda *words: time.sleep(0.2) or "OK 0x0\n"
    start = time.monotonic()
    peer.bar.write32(0x1000, 1)
    assert time.monotonic() - start < 0.1 and peer.channel.owed == 1
    peer.channel.drain()
    assert peer.channel.owed == 0
    peer.close()


def test_interrupt_lines_are_no_answers(peer):
    peer.answer = lambda *words: "IRQ raise 21\nOK 0x7\nIRQ lower 21\n"
    assert [peer.bar.read32(0) for _ in range(3)] == [7, 7, 7]


def test_answers_in_pieces(peer):
    def answer(*words):
        for piece in ("O", "K 0x", "1"):
            peer.socket.sendall(piece.encode())
            time.sleep(0.01)
        return "2\n"
    peer.answer = answer
    assert peer.bar.read32(0) == 0x12


def test_refused_commands_leave_the_channel_alive(peer):
    with pytest.raises(UsageError, match="Unknown command 'nonsense'"):
        peer.channel.command("nonsense")
    with pytest.raises(UsageError, match="one line"):
        peer.channel.command("readl 0x0\nreadl 0x0")
    assert peer.bar.read32(0) == 0 and peer.bar.is_alive()


@pytest.mark.parametrize("access", [lambda bar: bar.read32(0), lambda bar: bar.read64(0), lambda bar: bar.write32(0x14, 1),
                                    lambda bar: bar.write32(0x1000, 1), lambda bar: bar.channel.command("readl 0x0"),
                                    lambda bar: bar.channel.drain()])
def test_a_peer_that_left(peer, access):
    peer.bar.write32(0x1000, 1)
    peer.socket.shutdown(socket.SHUT_RDWR)
    assert not peer.bar.is_alive()
    start = time.monotonic()
    with pytest.raises(ControllerGone, match="closed the connection"):
        for _ in range(3):
            access(peer.bar)
    assert time.monotonic() - start < 1
    assert "closed the connection" in peer.channel.dead


def test_a_peer_that_answers_too_late_is_dead_for_good():
    peer = Peer(timeout=0.2)
    peer.answer = lambda *words: time.sleep(0.5) or "OK 0x1\n"
    start = time.monotonic()
    with pytest.raises(ControllerGone, match="did not answer in time"):
        peer.bar.read32(0)
    assert 0.2 <= time.monotonic() - start < 0.45
    with pytest.raises(ControllerGone):
        peer.bar.read32(0)
    assert time.monotonic() - start < 0.5 and not peer.bar.is_alive()
    peer.close()


@pytest.mark.parametrize("nonsense", ["x" * 5000, "FAIL no\n"])
def test_nonsense_for_a_posted_write(peer, nonsense):
    peer.answer = lambda *words: nonsense
    peer.bar.write32(0x1000, 1)
    with pytest.raises(ControllerGone, match="qtest does not have"):
        peer.bar.read32(0)


def test_a_peer_that_reads_nothing():
    ours, theirs = socket.socketpair()
    bar = QtestBar(QtestChannel(ours.detach(), 0.3), BASE, 0x4000)
    start = time.monotonic()
    with pytest.raises(ControllerGone):
        for _ in range(100_000):
            bar.write32(0x1000, 1)
    assert time.monotonic() - start < 2
    theirs.close()


def test_close_wakes_a_waiting_thread():
    peer = Peer(timeout=30)
    peer.answer = lambda *words: None
    caught = []

    def read():
        try:
            peer.bar.read32(0)
        except ControllerGone as error:
            caught.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.1)                                 # the GIL is free: this thread runs while the other one waits
    peer.channel.close()
    thread.join(2)
    assert not thread.is_alive() and "closed here" in caught[0]
    peer.channel.close()
    peer.close()


def test_many_threads_share_a_channel(peer):
    wrong = []

    def work(offset):
        for value in range(300):
            peer.bar.write32(0x1000 + offset, value)
            if peer.bar.read32(0x1000 + offset) != value:
                wrong.append((offset, value))

    threads = [threading.Thread(target=work, args=(4 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong
    assert all(re.fullmatch(r"(readl 0x\w+|writel 0x\w+ 0x\w+)", line) for line in peer.lines)


def test_descriptors_are_given_back():
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else pytest.skip("no /proc")
    for closed in (True, False):
        ours, theirs = socket.socketpair()
        channel = QtestChannel(ours.detach())
        if closed:
            channel.close()
        del channel
        theirs.close()
    assert os.listdir("/proc/self/fd") == before
