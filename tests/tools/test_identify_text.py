"""The report of `nvlab identify`: SPDK's sections, each from what was read, and only where it was."""
import json
import re
from pathlib import Path

import pytest

from nvlab.spec.identify import IdentifyController, IdentifyControllerNvm, IdentifyNamespace, IdentifyNamespaceNvm
from nvlab.spec.identify import NamespaceDescriptors
from nvlab.spec.logs import CommandsSupportedLog, ErrorLogEntry, FirmwareLog, SmartLog
from nvlab.spec.registers import CAP, CMBSZ
from nvlab.tools import identify_text as show
from nvlab.tools.findings import to_json

DUMPS = Path(__file__).parent.parent / "data" / "nvme-cli"


@pytest.fixture
def found():
    effects = CommandsSupportedLog.new()
    effects.acs[0x06].effects = {"CSUPP": 1}
    effects.acs[0x80].effects = {"CSUPP": 1, "LBCC": 1, "CSE": 1}
    effects.iocs[0x01].effects = {"CSUPP": 1, "LBCC": 1}
    ns = IdentifyNamespace((DUMPS / "ns1-id-ns.bin").read_bytes())
    return show.Findings(
        "qemu", registers={"CAP": CAP.encode(MQES=2047, TO=15, MPSMAX=4, CSS=1), "VS": 0x10400},
        id=IdentifyController((DUMPS / "id-ctrl.bin").read_bytes()), id_nvm=IdentifyControllerNvm.new(wzsl=3),
        smart=SmartLog((DUMPS / "smart-log.bin").read_bytes()),
        errors=[ErrorLogEntry.new(), ErrorLogEntry.new(error_count=3, status_field={"SCT": 2, "SC": 0x81})],
        firmware=FirmwareLog((DUMPS / "fw-log.bin").read_bytes()), effects=effects,
        features={1: 0x07, 2: 0, 4: 343, 7: 0x00030001}, queues=1,
        namespaces={1: show.NamespaceFindings(ns, NamespaceDescriptors.build(csi=0), IdentifyNamespaceNvm.new())})


def value(text, label):
    """The value that stands behind `label`."""
    return re.search(rf"^ *{re.escape(label)}: +(.*)$", text, re.M)[1]


def test_sections_in_spdks_order(found):
    text = show.report(found)
    titles = re.findall(r"^(.+)\n=+$", text, re.M)
    assert titles == [
        "NVMe Controller at qemu [1b36:QEMU NVMe Ctrl]", "Controller Capabilities/Features", "Admin Command Set Attributes",
        "NVM Command Set Attributes", "Controller Memory Buffer Support", "Persistent Memory Region Support",
        "Firmware Slot Information", "Commands Supported and Effects", "Error Log", "Arbitration", "Power Management",
        "Health Information", "Number of Queues", "Active Namespaces", "NVM Specific Namespace Data"]


@pytest.mark.parametrize("label, shown", [
    ("Serial Number", "QT0001"),
    ("Maximum Data Transfer Size", "128 pages (512 KiB)"),
    ("Version (VS)", "1.4"),
    ("Maximum Queue Entries Supported", "2048 entries"),
    ("Timeout", "7.5 s"),
    ("Memory Page Size Maximum", "65536 bytes"),
    ("Write Zeroes Size Limit", "8 pages (32 KiB)"),
    ("Identify (06h)", "Supported"),
    ("Write (01h)", "Supported, Logical Block Content Change"),
    ("Entry", "1"),
    ("Arbitration Burst", "No Limit"),
    ("Current Power State", "0"),
    ("Max Power", "25.00 W"),
    ("Current Temperature", "323 Kelvin (50 Celsius)"),
    ("Temperature Threshold", "343 Kelvin (70 Celsius)"),
    ("Number of I/O Submission Queues", "2 queues"),
    ("Number of I/O Completion Queues", "4 queues"),
    ("Namespace Size", "131072 blocks (64 MiB)"),
    ("Command Set Identifier", "0"),
])
def test_labels_and_values(found, label, shown):
    assert value(show.report(found), label) == shown


def test_json_has_what_each_command_of_nvme_cli_prints(found):
    shown = to_json(found, device="nvme0")
    for kind in ("id-ctrl", "smart-log", "fw-log"):
        assert shown[kind] == json.loads((DUMPS / f"{kind}.json").read_text())
    assert shown["id-ns"] == {"1": json.loads((DUMPS / "ns1-id-ns.json").read_text())}
    assert shown["nvm-id-ns"] == {"1": json.loads((DUMPS / "ns1-nvm-id-ns.json").read_text())}
    assert shown["ns-descs"]["1"]["ns-descs"][0]["csi"] == "0" and shown["regs"]["vs"] == 0x10400
    assert [e["error_count"] for e in shown["error-log"]["errors"]] == [0, 3]
    assert to_json(show.Findings("x")) == {"address": "x"}


def test_weights_only_with_weighted_round_robin(found):
    assert "Low Priority Weight" not in show.report(found)
    found.registers["CAP"] = CAP.encode(AMS=1)
    assert value(show.report(found), "Low Priority Weight") == "1 command"


def test_ana_and_buffers_only_where_they_are(found):
    text = show.report(found)
    assert "ANA Transition Time" not in text and value(text, "Supported") == "No"
    found.id = IdentifyController.new(cmic={"ANA": 1}, anatt=3)
    found.registers.update(CAP=CAP.encode(CMBS=1), CMBSZ=CMBSZ.encode(SQS=1))
    text = show.report(found)
    assert value(text, "ANA Transition Time") == "3 s" and "(CMBSZ)" in text and value(text, "Supported") == "Yes"


def test_what_the_descriptors_tell_is_told_once(found):
    nguid = bytes(range(16))
    found.namespaces[1].id = IdentifyNamespace.new(nguid=nguid)
    found.namespaces[1].descriptors = NamespaceDescriptors.build(nguid=nguid)
    assert show.report(found).count(nguid.hex()) == 1
    found.namespaces[1].descriptors = NamespaceDescriptors.build(nguid=bytes(16))
    assert show.report(found).count(nguid.hex()) == 1, "where they differ, both show"


def test_what_is_absent_has_no_size(found):
    text = show.report(found)
    assert value(text, "Replay Protected Memory Block Support") == "Not Supported" and "RPMB Units" not in text
    found.id = IdentifyController.new(rpmbs={"UNITS": 1, "SIZE": 3})
    text = show.report(found)
    assert value(text, "Number of RPMB Units") == "1" and value(text, "Total Size") == "4 × 128 KiB"


def test_nothing_read_is_nothing_shown():
    text = show.report(show.Findings("embedded"))
    assert text.startswith("=" * 53) and "NVMe Controller at embedded" in text and "Health" not in text


def test_garbage_still_makes_text():
    ones = show.Findings("x", registers={"CAP": (1 << 64) - 1, "VS": 0xFFFFFFFF}, id=IdentifyController(b"\xff" * 4096),
                         smart=SmartLog(b"\xff" * 512), firmware=FirmwareLog(b"\xff" * 512),
                         errors=[ErrorLogEntry(b"\xff" * 64)], effects=CommandsSupportedLog(b"\xff" * 4096),
                         features={1: 0xFFFFFFFF, 2: 0xFFFFFFFF, 4: 0xFFFFFFFF, 7: 0xFFFFFFFF},
                         namespaces={1: show.NamespaceFindings(IdentifyNamespace(b"\xff" * 4096))})
    assert "Power State #31" in show.report(ones)
