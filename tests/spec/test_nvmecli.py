"""nvme-cli's JSON: equal, to the byte, for the dumps of a QEMU controller, and form by form for other contents.

The expected values of the made-up dumps follow what nvme-cli 2.3 does with such bytes.
"""
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from nvlab.spec import nvmecli
from nvlab.spec.errors import UsageError
from nvlab.spec.identify import IdentifyController, IdentifyNamespace, IdentifyNamespaceNvm, NamespaceDescriptors
from nvlab.spec.logs import ErrorLogEntry, FirmwareLog, SmartLog
from nvlab.spec.registers import ALL

DUMPS = Path(__file__).parent.parent / "data" / "nvme-cli"
PAIRS = {"id-ctrl": "id-ctrl", "id-ns": "ns1-id-ns", "smart-log": "smart-log", "error-log": "error-log",
         "fw-log": "fw-log", "ns-descs": "ns1-ns-descs"}


@pytest.mark.parametrize("kind", PAIRS)
def test_equal_to_nvme_cli(kind):
    shown = nvmecli.to_json(kind, (DUMPS / f"{PAIRS[kind]}.bin").read_bytes())
    theirs = (DUMPS / f"{PAIRS[kind]}.json").read_text()
    assert shown == json.loads(theirs)
    assert nvmecli.dumps(shown) == theirs.rstrip("\n")       # order, types and layout


def test_nvm_id_ns_has_as_many_formats_as_the_namespace():
    id_ns = (DUMPS / "ns1-id-ns.bin").read_bytes()
    assert nvmecli.to_json("nvm-id-ns", bytes(4096), id_ns=id_ns) == json.loads(
        (DUMPS / "ns1-nvm-id-ns.json").read_text())
    nvm = IdentifyNamespaceNvm.new(lbstm=(1 << 64) - 1, pic=7, elbaf=[{}, {"elbaf": {"STS": 0x7F, "PIF": 2}}])
    assert nvmecli.to_json("nvm-id-ns", nvm) == {"lbstm": (1 << 64) - 1, "pic": 7, "elbafs": [
        {"sts": 0, "pif": 0}, {"sts": 0x7F, "pif": 2}]}


def test_text_keeps_its_spaces_and_ends_at_a_nul():
    idc = IdentifyController.new(sn="AB", mn=b"M\0odel", subnqn="nqn.x")
    shown = nvmecli.to_json("id-ctrl", idc)
    assert shown["sn"] == "AB" + " " * 18 and shown["mn"] == "M" and shown["fr"] == ""
    assert shown["subnqn"] == "nqn.x"
    assert "subnqn" not in nvmecli.to_json("id-ctrl", IdentifyController.new())


def test_numbers_by_their_width():
    idc = IdentifyController.new(tnvmcap=1 << 127, maxdna=(1 << 128) - 1, nn=0xFFFFFFFF, sanicap=0x80000000,
                                 mnan=0x7FFFFFFF, wctemp=0xFFFF, ieee=0xFEDCBA, fguid=bytes(range(16)))
    shown = nvmecli.to_json("id-ctrl", idc)
    assert shown["tnvmcap"] == str(1 << 127) and shown["maxdna"] == str((1 << 128) - 1) and shown["unvmcap"] == "0"
    # 32-bit numbers go through a signed int in nvme-cli 2.3; narrower ones can't become negative.
    assert (shown["nn"], shown["sanicap"], shown["mnan"]) == (-1, -(1 << 31), 0x7FFFFFFF)
    assert (shown["wctemp"], shown["ieee"]) == (0xFFFF, 0xFEDCBA)
    assert shown["fguid"] == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    ns = nvmecli.to_json("id-ns", IdentifyNamespace.new(nsze=(1 << 64) - 1, nvmcap=1 << 64))
    assert ns["nsze"] == (1 << 64) - 1 and ns["nvmcap"] == str(1 << 64)


def test_power_states():
    states = [{"mp": 900, "flags": 0, "enlat": 10, "exlat": 20, "rrt": 1, "rrl": 2, "rwt": 3, "rwl": 0xFF},
              {"mp": 65535, "flags": {"MXPS": 1, "NOPS": 1}, "enlat": 0xFFFFFFFF, "idlp": 7, "ips": {"IPS": 2},
               "actp": 9, "apws": {"APW": 2, "APS": 1}},
              {"mp": 1, "apws": 0xFF, "ips": 0xFF}]
    shown = nvmecli.to_json("id-ctrl", IdentifyController.new(npss=2, psd=states + [{"mp": 5}]))["psds"]
    assert len(shown) == 3
    assert shown[0] == {"max_power": 900, "flags": 0, "entry_lat": 10, "exit_lat": 20, "read_tput": 1, "read_lat": 2,
                        "write_tput": 3, "write_lat": 255, "idle_power": 0, "idle_scale": 0, "active_power": 0,
                        "active_power_work": 0, "active_scale": 0}
    assert list(shown[0]) == list(shown[1])
    assert {k: v for k, v in shown[1].items() if v} == {
        "max_power": 65535, "flags": 3, "entry_lat": -1, "idle_power": 7, "idle_scale": 2, "active_power": 9,
        "active_power_work": 2, "active_scale": 1}
    assert (shown[2]["idle_scale"], shown[2]["active_power_work"], shown[2]["active_scale"]) == (3, 7, 3)
    assert len(nvmecli.to_json("id-ctrl", IdentifyController.new(npss=255))["psds"]) == 32


def test_namespace_identifiers_formats_and_conditional_fields():
    ns = IdentifyNamespace.new(nguid=bytes(range(16)), eui64=bytes(range(0xF0, 0xF8)), nlbaf=1, flbas=1, npwg=7, nows=15,
                               lbaf=[{"lbads": 9}, {"lbads": 12, "ms": 64, "rp": 3}, {"lbads": 10}], mcl=0xFFFFFFFF)
    shown = nvmecli.to_json("id-ns", ns)
    assert shown["nguid"] == "000102030405060708090a0b0c0d0e0f" and shown["eui64"] == "f0f1f2f3f4f5f6f7"
    assert shown["lbafs"] == [{"ms": 0, "ds": 9, "rp": 0}, {"ms": 64, "ds": 12, "rp": 3}] and shown["mcl"] == -1
    assert not {"npwg", "npwa", "npdg", "npda", "nows"} & set(shown)
    ns.nsfeat = {"OPTPERF": 1}
    assert [nvmecli.to_json("id-ns", ns)[key] for key in ("npwg", "npwa", "npdg", "npda", "nows")] == [7, 0, 0, 0, 15]


def test_an_error_log_of_many_entries():
    entries = [ErrorLogEntry.new(error_count=(1 << 64) - 1, sqid=3, cmdid=0xFFFF, status_field=0x8405,
                                 parm_error_location=0xFFFF, lba=1 << 63, nsid=0xFFFFFFFF, vs=0x80, trtype=3, cs=1 << 40,
                                 trtype_spec_info=9), ErrorLogEntry.new(status_field=1)]
    shown = nvmecli.to_json("error-log", b"".join(map(bytes, entries)))["errors"]
    assert shown[0] == {"error_count": (1 << 64) - 1, "sqid": 3, "cmdid": 0xFFFF, "status_field": 0x4202, "phase_tag": 1,
                        "parm_error_location": 0xFFFF, "lba": 1 << 63, "nsid": -1, "vs": 128, "trtype": 3,
                        "cs": 1 << 40, "trtype_spec_info": 9}
    assert len(shown) == 2 and (shown[1]["status_field"], shown[1]["phase_tag"]) == (0, 1)
    assert nvmecli.to_json("error-log", entries) == {"errors": shown}


def test_smart_warnings_sensors_and_counters():
    smart = SmartLog.new(critical_warning=0x3F, temperature=0xFFFF, percent_used=255, data_units_read=(1 << 128) - 1,
                         temp_sensor=[300, 0, 302, 0, 0, 0, 0, 65535], warning_temp_time=0xFFFFFFFF,
                         endurance_grp_critical_warning_summary=5, thm_temp2_total_time=17)
    shown = nvmecli.to_json("smart-log", smart)
    assert shown["critical_warning"] == 63 and shown["temperature"] == 65535 and shown["percent_used"] == 255
    assert shown["endurance_grp_critical_warning_summary"] == 5 and shown["data_units_read"] == str((1 << 128) - 1)
    assert {k: v for k, v in shown.items() if "sensor" in k} == {
        "temperature_sensor_1": 300, "temperature_sensor_3": 302, "temperature_sensor_8": 65535}
    assert shown["warning_temp_time"] == -1 and shown["thm_temp2_total_time"] == 17
    assert list(shown).index("temperature_sensor_1") == list(shown).index("critical_comp_time") + 1


def test_firmware_slots():
    log = FirmwareLog.new(afi=0x21, frs=["1.0", b"ABCDEFGH", b"", b"\0hidden ", b"v\x7f~!\0\xff  "])
    shown = nvmecli.to_json("fw-log", log, device="nvme3")
    assert shown == {"nvme3": {
        "Active Firmware Slot (afi)": 0x21,
        "Firmware Rev Slot 1": "2314885530819505713 (1.0.....)",
        "Firmware Rev Slot 2": f"{int.from_bytes(b'ABCDEFGH', 'little')} (ABCDEFGH)",
        "Firmware Rev Slot 3": "2314885530818453536 (........)",
        "Firmware Rev Slot 5": f"{int.from_bytes(bytes(log)[40:48], 'little')} (v.~!....)",
    }}
    log = FirmwareLog.new(afi=1, frs=[b"A".ljust(8, b"\0")])
    assert nvmecli.to_json("fw-log", log)["nvme0"]["Firmware Rev Slot 1"] == "65 (A.......)"


def test_namespace_descriptors():
    found = NamespaceDescriptors.build(uuid="12345678-9abc-def0-1234-56789abcdef0", nguid=b"\xab" * 16,
                                       eui64=bytes(8), csi=2)
    shown = nvmecli.to_json("ns-descs", found)["ns-descs"]
    assert shown == [
        {"loc": 0, "nidt": 3, "nidl": 16, "type": "uuid", "uuid": "12345678-9abc-def0-1234-56789abcdef0"},
        {"loc": 20, "nidt": 2, "nidl": 16, "type": "nguid", "nguid": "ab" * 16},
        {"loc": 40, "nidt": 1, "nidl": 8, "type": "eui64", "eui64": "0" * 16},
        {"loc": 52, "nidt": 4, "nidl": 1, "type": "csi", "csi": "0x2"},
    ]
    unknown = b"\x09\x02\0\0xx" + b"\x04\x01\0\0\0"
    assert nvmecli.to_json("ns-descs", unknown.ljust(4096, b"\0"))["ns-descs"] == [
        {"loc": 6, "nidt": 4, "nidl": 1, "type": "csi", "csi": "0"}]
    assert nvmecli.to_json("ns-descs", bytes(4096)) == {} and nvmecli.dumps({}) == "{\n}"


def test_registers():
    dump = bytearray(0x1000)
    dump[0:12] = (0x004018200F0107FF).to_bytes(8, "little") + (0x10400).to_bytes(4, "little")
    dump[0x14:0x18] = b"\xff" * 4
    shown = nvmecli.to_json("regs", dump)
    assert shown["cap"] == 0x004018200F0107FF and shown["vs"] == 0x10400 and shown["cc"] == -1
    assert set(shown) == {name.lower() for name in ALL}
    assert list(nvmecli.to_json("regs", dump[:0x40]))[-1] == "cmbsz"


@pytest.mark.parametrize("kind, data", [
    ("id-ctrl", bytes(4095)), ("id-ns", b""), ("smart-log", bytes(4096)), ("fw-log", bytes(511)), ("error-log", b""),
    ("error-log", bytes(65)), ("regs", bytes(0x3F)), ("ns-descs", bytes(12)), ("nonsense", bytes(4096)),
])
def test_what_is_no_such_dump_is_refused(kind, data):
    with pytest.raises(UsageError, match=kind if kind == "nonsense" else "bytes"):
        nvmecli.to_json(kind, data)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 32))
def test_any_bytes_make_json(seed):
    source = random.Random(seed)
    for kind, struct in nvmecli.KINDS.items():
        data = source.randbytes(getattr(struct, "SIZE", 4096))
        shown = nvmecli.to_json(kind, data)
        assert json.loads(nvmecli.dumps(shown)) == shown
