"""`nvlab hello-world` and `nvlab tour`: the whole way, on both devices."""
import re

import pytest

from nvlab.spec.errors import Error
from nvlab.tools import hello
from nvlab.tools.tour import ACTS


def test_hello_world_in_spdks_order(nvlab, address):
    ran = nvlab("hello-world", address)
    assert ran.code == 0 and not ran.err
    parts = ["Initializing NVMe Controllers", f"Attaching to {address}", f"Attached to {address}", "  Namespace ID: 1 size: 4 MiB",
             "Initialization complete.", "writing 12 bytes to LBA 0", "Namespace 1: Hello world!"]
    places = [ran.out.index(part) for part in parts]
    assert places == sorted(places)


def test_hello_world_greets_every_namespace_also_by_hand(nvlab):
    ran = nvlab("hello-world", "-r", "embedded:size=1M,namespaces=3,block=4096,mode=manual")
    assert ran.code == 0 and re.findall(r"Namespace (\d): Hello world!", ran.out) == ["1", "2", "3"]


def test_the_embedded_drive_is_the_default(nvlab):
    assert "Attached to embedded " in nvlab("hello-world").out


def test_a_drive_that_forgets_is_found_out(nvlab):
    ran = nvlab("hello-world", "embedded:bdev=null")
    assert ran.code == 1 and "not what was written" in ran.err
    assert issubclass(Error, Exception) and hello.GREETING == b"Hello world!"


@pytest.mark.parametrize("mode", ["", ",mode=manual", ",mode=thread"])
def test_tour_on_the_embedded_drive(nvlab, mode):
    ran = nvlab("tour", "embedded:size=1M" + mode, "-t", "0.05")
    assert ran.code == 0 and not ran.err
    assert "SQ0TDBL 1   drive head 0, tail 1" in ran.out         # rung, and not yet fetched: the drive waited for its step
    assert "posted by the drive, phase flipped" in ran.out
    assert "b'Hello world!'" in ran.out and "Total" in ran.out and "shutdown complete" in ran.out
    assert ran.out.count(">>> ") == sum(len(act.lines) for act in ACTS if act.only != "elsewhere")


@pytest.mark.require("qemu")
def test_tour_on_qemu(nvlab):
    ran = nvlab("tour", "qemu:size=1M", "-t", "0.05", "--ascii")
    assert ran.code == 0 and "QEMU NVMe Ctrl" in ran.out and "ssd" not in ran.out
    assert "b'Hello world!'" in ran.out and "shutdown complete" in ran.out


def test_tour_waits_for_enter_and_goes_on_without_input(nvlab, monkeypatch):
    import builtins
    asked = []

    def answer(prompt):
        asked.append(prompt)
        raise EOFError

    monkeypatch.setattr(builtins, "input", answer)
    assert nvlab("tour", "embedded:size=1M", "-t", "0.05", "--pause").code == 0
    assert len(asked) > 10
