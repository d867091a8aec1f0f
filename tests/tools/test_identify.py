"""`nvlab identify` on both devices: text, and JSON with nvme-cli's keys, order and value forms."""
import json
import re
from pathlib import Path

import pytest

DUMPS = Path(__file__).parent.parent / "data" / "nvme-cli"
SAVED = {"id-ctrl": "id-ctrl", "id-ns": "ns1-id-ns", "smart-log": "smart-log", "error-log": "error-log", "fw-log": "fw-log"}


def saved(kind):
    """What nvme-cli printed for a QEMU controller."""
    return json.loads((DUMPS / f"{SAVED[kind]}.json").read_text())


def shape(value):
    """A JSON value with every number, string, … replaced by its type: keys, their order and the forms are left."""
    if isinstance(value, dict):
        return [(key, shape(part)) for key, part in value.items()]
    return [shape(part) for part in value] if isinstance(value, list) else type(value).__name__


def test_text_has_spdks_sections(nvlab, address):
    ran = nvlab("identify", address)
    assert ran.code == 0 and not ran.err
    titles = re.findall(r"^(.+)\n=+$", ran.out, re.M)
    wanted = ["Controller Capabilities/Features", "Admin Command Set Attributes", "NVM Command Set Attributes",
              "Firmware Slot Information", "Commands Supported and Effects", "Error Log", "Arbitration", "Power Management",
              "Health Information", "Number of Queues", "Active Namespaces"]
    assert [title for title in titles if title in wanted] == wanted
    assert f"NVMe Controller at {address}" in ran.out
    assert re.search(r"^Namespace Size: +8192 blocks \(4 MiB\)$", ran.out, re.M)
    assert re.search(r"^Number of I/O Queues Granted: +64$", ran.out, re.M)


@pytest.mark.require("qemu")
@pytest.mark.parametrize("kind", SAVED)
def test_one_kind_is_exactly_nvme_clis_shape(nvlab, kind):
    ran = nvlab("identify", "--json", kind, "qemu:size=1M")
    assert ran.code == 0 and shape(json.loads(ran.out)) == shape(saved(kind))
    assert ran.out.startswith("{\n  \"") and '":' in ran.out and '": ' not in ran.out.split("(")[0]


@pytest.mark.require("qemu")
def test_values_are_nvme_clis_too(nvlab):
    # The dump comes from a QEMU 7.2.22 of 64 MiB: what identifies that one, and what later versions added, may differ.
    shown, wanted = json.loads(nvlab("identify", "--json=id-ns", "qemu:size=64M").out), saved("id-ns")
    assert {key for key in wanted if shown[key] != wanted[key]} <= {"eui64", "nguid", "lbafs", "nsfeat", "npdg", "npda", "mssrl",
                                                                    "mcl", "msrc"}
    shown = json.loads(nvlab("identify", "--json=id-ctrl", "qemu:serial=QT0001").out)
    assert shown["sn"] == "QT0001" + " " * 14 and len(shown["mn"]) == 40 and shown["vid"] == 0x1B36


def test_everything_in_one_object(nvlab):
    ran = nvlab("identify", "embedded:size=1M,namespaces=2", "--json", "--device", "nvme7")
    shown = json.loads(ran.out)
    assert ran.code == 0 and {*SAVED, "address", "regs", "ns-descs", "nvm-id-ns"} == set(shown)
    assert list(shown["id-ns"]) == ["1", "2"] and shown["id-ns"]["2"]["nsze"] == 2048
    assert list(shown["fw-log"]) == ["nvme7"] and shown["address"] == "embedded:size=1M,namespaces=2"
    for kind in ("id-ctrl", "smart-log"):
        assert list(shown[kind]) == list(saved(kind))
        assert shown[kind] == json.loads(nvlab("identify", "-r", "embedded:size=1M,namespaces=2", "--json", kind).out)


def test_the_word_after_json_may_be_the_address(nvlab):
    assert json.loads(nvlab("identify", "--json", "embedded:size=1M").out)["address"] == "embedded:size=1M"
    ran = nvlab("identify", "--json", "id-nonsense", "embedded")
    assert ran.code == 2 and "id-ctrl, id-ns" in ran.err
    ran = nvlab("identify", "--json", "id-nonsense")
    assert ran.code == 2 and "unknown kind 'id-nonsense'" in ran.err


def test_one_namespace(nvlab):
    place = "embedded:size=1M,namespaces=3"
    assert re.findall(r"^Namespace ID: +(\d)$", nvlab("identify", place).out, re.M) == ["1", "2", "3"]
    assert re.findall(r"^Namespace ID: +(\d)$", nvlab("identify", place, "-n", 2).out, re.M) == ["2"]
    assert list(json.loads(nvlab("identify", place, "-n", "0x3", "--json").out)["id-ns"]) == ["3"]
    assert json.loads(nvlab("identify", place, "-n", 2, "--json", "id-ns").out)["nsze"] == 2048
    ran = nvlab("identify", place, "-n", 4)
    assert ran.code == 2 and "namespace 4: the controller has 1, 2, 3" in ran.err


def test_what_a_controller_refuses_is_left_out(nvlab, monkeypatch):
    from nvlab.host.controller import Controller
    from nvlab.spec import errors

    def refuse(self):
        raise errors.InvalidLogPage("no such log")

    monkeypatch.setattr(Controller, "smart_log", refuse)
    ran = nvlab("identify", "embedded:size=1M")
    assert ran.code == 0 and "Health Information" not in ran.out and "Active Namespaces" in ran.out
    assert "smart-log" not in json.loads(nvlab("identify", "embedded:size=1M", "--json").out)
    ran = nvlab("identify", "embedded:size=1M", "--json", "smart-log")
    assert ran.code == 2 and "doesn't have it" in ran.err
