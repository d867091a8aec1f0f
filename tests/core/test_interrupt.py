"""Waiting for a vector alone: counts, words, descriptors, several waiters, and ends."""
import os
import threading
import time

import numpy as np
import pytest

from nvlab._core.interrupt import Vector
from nvlab._core.memory import DmaPool
from nvlab.spec.errors import UsageError


def eventfd():
    fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    vector = Vector(fd, fd)
    return vector, lambda: os.eventfd_write(fd, 1)


def pipe():
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    vector = Vector(*ends)
    return vector, lambda: os.write(ends[1], (1).to_bytes(8, "little"))


def word():
    memory = DmaPool(1 << 20).alloc(4)
    view = memory.view(np.uint32)
    return Vector(memory=memory), lambda: view.__setitem__(0, 1)


@pytest.fixture(params=[eventfd, pipe, word])
def made(request):
    """(Vector, a function that sends)."""
    return request.param()


def test_what_was_sent_before_a_wait_ends_it(made):
    vector, send = made
    assert vector.count == 0 and not vector.wait(0) and vector.collect() == 0
    send()
    assert vector.wait(1) and vector.count == 1
    assert not vector.wait(0.01) and vector.wait(0, past=0)
    send()
    assert vector.collect() == 2 and vector.wait(5, past=1) and not vector.wait(0.01, past=2)


def test_what_is_sent_meanwhile_ends_it(made):
    vector, send = made
    timer = threading.Timer(0.05, send)
    timer.start()
    begin = time.monotonic()
    assert vector.wait(5) and 0.04 < time.monotonic() - begin < 2
    timer.join()


def test_it_sleeps(made):
    vector, _ = made
    before = time.thread_time()
    assert not vector.wait(0.2)
    assert time.thread_time() - before < 0.1


def test_all_who_wait_are_woken(made):
    vector, send = made
    woken = []
    threads = [threading.Thread(target=lambda: woken.append(vector.wait(5, past=0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    send()
    for thread in threads:
        thread.join(5)
    assert woken == [True] * 4 and vector.count == 1


def test_closed(made):
    vector, _ = made
    timer = threading.Timer(0.05, vector.close)
    timer.start()
    begin = time.monotonic()
    assert vector.wait(5) and time.monotonic() - begin < 2
    timer.join()
    assert vector.wait(5) and vector.wait(5) and "taken" in repr(vector)      # at once, from now on


def test_several_count_where_a_descriptor_counts():
    for make, counted in ((eventfd, 3), (pipe, 3), (word, 1)):
        vector, send = make()
        for _ in range(3):
            send()
        assert vector.collect() == counted


def test_descriptors_are_closed_with_it():
    for make in (eventfd, pipe):
        vector, send = make()
        fds = {vector.fd, vector.signal}
        del vector, send
        for fd in fds:
            with pytest.raises(OSError):
                os.fstat(fd)


def test_what_it_refuses():
    with pytest.raises(UsageError, match="a descriptor, or a word"):
        Vector()
    buffer = DmaPool(1 << 20).alloc(8)
    for wrong in (buffer[:3], buffer[1:5]):
        with pytest.raises(UsageError, match="4 aligned bytes"):
            Vector(memory=wrong)
