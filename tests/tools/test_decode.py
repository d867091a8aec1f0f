"""`nvlab decode` on the dumps of a QEMU controller, on made-up ones, and on files that are none."""
import argparse
import io
import json
import sys
from pathlib import Path

import pytest

from nvlab.spec.errors import UsageError
from nvlab.spec.identify import IdentifyController
from nvlab.spec.logs import ErrorLogEntry, FirmwareLog, SmartLog
from nvlab.tools import decode

DUMPS = Path(__file__).parent.parent / "data" / "nvme-cli"
PAIRS = {"id-ctrl": "id-ctrl", "id-ns": "ns1-id-ns", "smart-log": "smart-log", "error-log": "error-log",
         "fw-log": "fw-log", "ns-descs": "ns1-ns-descs"}


@pytest.fixture
def nvlab(capsys):
    """Run `nvlab decode …` with these arguments; gives back what it printed."""
    parser = argparse.ArgumentParser()
    decode.add_parser(parser.add_subparsers())

    def run(*words):
        args = parser.parse_args(["decode", *map(str, words)])
        assert args.run(args) == 0
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("kind", PAIRS)
def test_json_is_nvme_clis(nvlab, kind):
    assert nvlab(kind, DUMPS / f"{PAIRS[kind]}.bin", "--json") == (DUMPS / f"{PAIRS[kind]}.json").read_text()


def test_nvm_id_ns_takes_the_namespace_for_its_formats(nvlab, tmp_path):
    (tmp_path / "nvm").write_bytes(bytes(4096))
    shown = nvlab("nvm-id-ns", tmp_path / "nvm", "--json", "--id-ns", DUMPS / "ns1-id-ns.bin")
    assert json.loads(shown) == json.loads((DUMPS / "ns1-nvm-id-ns.json").read_text())
    assert "Storage Tag" in nvlab("nvm-id-ns", tmp_path / "nvm")


@pytest.mark.parametrize("kind, says", [
    ("id-ctrl", ["Serial Number:", "QT0001", "25.00 W", "Copy Command:"]),
    ("id-ns", ["131072 blocks (64 MiB)", "LBA Format #07:", "(current)"]),
    ("smart-log", ["323 Kelvin (50 Celsius)", "Critical Warnings"]),
    ("error-log", ["No errors logged"]),
    ("fw-log", ["Active slot:", "1.0"]),
    ("ns-descs", ["Command Set Identifier:"]),
])
def test_text_has_labels_and_values(nvlab, kind, says):
    shown = nvlab(kind, DUMPS / f"{PAIRS[kind]}.bin")
    assert all(words in shown for words in says)
    table = nvlab(kind, DUMPS / f"{PAIRS[kind]}.bin", "--all")
    assert "Offset" in table and "Member" in table


def test_registers(nvlab, tmp_path):
    (tmp_path / "bar").write_bytes((0x004018200F0107FF).to_bytes(8, "little") + bytes(0x38))
    assert "2048 entries" in nvlab("regs", tmp_path / "bar") and "MQES" in nvlab("regs", tmp_path / "bar", "--all")
    assert json.loads(nvlab("regs", tmp_path / "bar", "--json"))["cap"] == 0x004018200F0107FF


def test_a_log_with_errors_warnings_and_slots(nvlab, tmp_path):
    entries = [ErrorLogEntry.new(error_count=2, status_field={"SC": 2, "DNR": 1}, parm_error_location=0xFFFF),
               ErrorLogEntry.new(error_count=1, status_field={"SCT": 1, "SC": 1}), ErrorLogEntry.new()]
    (tmp_path / "errors").write_bytes(b"".join(map(bytes, entries)))
    shown = nvlab("error-log", tmp_path / "errors")
    assert shown.count("Entry:") == 2 and "Invalid Field in Command" in shown and "Not specific" in shown
    (tmp_path / "smart").write_bytes(bytes(SmartLog.new(critical_warning=3, temp_sensor=[0, 300])))
    shown = nvlab("smart-log", tmp_path / "smart")
    assert shown.count("WARNING") == 2 and "Temperature Sensor 2:" in shown and "Temperature Sensor 1:" not in shown
    (tmp_path / "fw").write_bytes(bytes(FirmwareLog.new(afi={"ACTIVE": 1, "NEXT": 2}, frs=["1.0", "2.0"])))
    assert "Firmware Revision, Slot 2:" in nvlab("fw-log", tmp_path / "fw")
    assert list(json.loads(nvlab("fw-log", tmp_path / "fw", "--json", "--device", "nvme7"))) == ["nvme7"]


def test_every_power_state_shows(nvlab, tmp_path):
    (tmp_path / "id").write_bytes(bytes(IdentifyController.new(npss=4, psd=[{"mp": 100 * n} for n in range(5)])))
    shown = nvlab("id-ctrl", tmp_path / "id")
    assert "Power State #4:" in shown and "4.00 W" in shown and "Power State #5:" not in shown


def test_standard_input(nvlab, monkeypatch):
    class Stdin:
        buffer = io.BytesIO((DUMPS / "smart-log.bin").read_bytes())

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert "Celsius" in nvlab("smart-log", "-")


@pytest.mark.parametrize("kind, size", [("id-ctrl", 4095), ("id-ctrl", 512), ("id-ns", 8192), ("smart-log", 4096),
                                        ("fw-log", 64), ("error-log", 63), ("regs", 16), ("ns-descs", 1)])
def test_a_file_of_the_wrong_size_is_refused(nvlab, tmp_path, kind, size):
    (tmp_path / "dump").write_bytes(bytes(size))
    with pytest.raises(UsageError, match=f"dump: not a dump of {kind}: .*{size}"):
        nvlab(kind, tmp_path / "dump")


def test_files_that_cannot_be_read_are_refused(nvlab, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(UsageError, match="empty is empty"):
        nvlab("id-ctrl", tmp_path / "empty")
    with pytest.raises(UsageError, match="No such file"):
        nvlab("id-ctrl", tmp_path / "missing", "--json")
    with pytest.raises(UsageError, match="directory"):
        nvlab("id-ctrl", tmp_path)
    with pytest.raises(SystemExit):
        nvlab("id-nonsense", tmp_path / "empty")
