"""Identify structures and lists against offsets of the standard and a dump of QEMU's controller."""
import uuid
from pathlib import Path

import pytest

from nvlab.spec import describe
from nvlab.spec.errors import UsageError
from nvlab.spec.identify import (CNS, ControllerList, IdentifyController, IdentifyNamespace, IdentifyNamespaceNvm,
                                 IoCommandSetVectors, NamespaceDescriptors, NamespaceList, PowerState)

DUMPS = Path(__file__).parent.parent / "data" / "nvme-cli"


def test_every_cns_of_the_lab_has_a_structure_of_4096_bytes():
    assert list(CNS) == [0, 1, 2, 3, 5, 6, 7, 8, 0x10, 0x11, 0x12, 0x13, 0x1C]
    assert all(struct.SIZE == 4096 for _, struct in CNS.values()) and all(c.cite for c in CNS.values())


# Offsets as in base 2.0c 5.17.2.1 and NVM command set 1.0c 4.1.5.1, written here a second time on purpose.
@pytest.mark.parametrize("struct, offsets", [
    (IdentifyController, {
        "sn": 4, "mn": 24, "fr": 64, "cmic": 76, "ver": 80, "ctratt": 96, "cntrltype": 111, "fguid": 112, "nvmsr": 253,
        "oacs": 256, "elpe": 262, "tnvmcap": 280, "kas": 320, "sanicap": 328, "anatt": 342, "megcap": 368, "sqes": 512,
        "nn": 516, "oncs": 520, "sgls": 536, "maxdna": 544, "subnqn": 768, "ioccsz": 1792, "dctype": 1806, "psd": 2048,
        "vs": 3072}),
    (IdentifyNamespace, {
        "nsze": 0, "nsfeat": 24, "dlfeat": 33, "noiob": 46, "nvmcap": 48, "npwg": 64, "mssrl": 74, "mcl": 76,
        "nulbaf": 82, "anagrpid": 92, "nsattr": 99, "nguid": 104, "eui64": 120, "lbaf": 128, "vs": 384}),
    (PowerState, {"mp": 0, "flags": 3, "enlat": 4, "exlat": 8, "rrt": 12, "idlp": 16, "ips": 18, "actp": 20, "apws": 22}),
])
def test_offsets(struct, offsets):
    assert {name: struct.members()[name].offset for name in offsets} == offsets


def test_qemus_controller():
    idc = IdentifyController((DUMPS / "id-ctrl.bin").read_bytes())
    assert (idc.vid, idc.sn, idc.mn, idc.mdts) == (0x1B36, "QT0001", "QEMU NVMe Ctrl", 7)
    assert idc.subnqn == "nqn.2019-08.org.qemu:QT0001"
    assert (idc.ver.MJR, idc.ver.MNR) == (1, 4) and describe.text(idc, "ver") == "1.4"
    assert idc.oncs.COPY and not idc.oncs.VERIFY and idc.ctratt.ELBAS
    assert describe.text(idc, "wctemp") == "343 Kelvin (70 Celsius)"
    assert describe.text(idc, "mdts", sizes={"pages": 4096}) == "128 pages (512 KiB)"


def test_power_in_the_unit_that_its_scale_says():
    state = PowerState.new(mp=2500, idlp=123, ips={"IPS": 1}, actp=45, apws={"APW": 1, "APS": 2})
    assert [describe.text(state, name) for name in ("mp", "idlp", "actp")] == ["25.00 W", "0.0123 W", "0.45 W"]
    state.update(flags={"MXPS": 1}, ips=0)
    assert [describe.text(state, name) for name in ("mp", "idlp")] == ["0.2500 W", "Not Reported"]


def test_block_size_follows_the_format_in_use():
    ns = IdentifyNamespace.new(nlbaf=1, flbas=1, lbaf=[{"lbads": 9}, {"lbads": 12}])
    assert ns.format_index == 1 and ns.block_size == 4096
    # Bits 6:5 of FLBAS only count where there are more than 16 formats.
    ns.flbas = {"FORMAT": 1, "FORMAT_HI": 1}
    assert ns.format_index == 1
    ns.nlbaf = 20
    assert ns.format_index == 17


def test_lists_end_where_they_say():
    assert NamespaceList.of([3, 1, 2]).nsids == [1, 2, 3] and list(NamespaceList.new()) == []
    assert NamespaceList.of(range(1, 1025)).nsids == list(range(1, 1025))
    assert ControllerList.of([5, 4]).cntlids == [4, 5] and bytes(ControllerList.of([5, 4]))[:6] == b"\2\0\4\0\5\0"
    with pytest.raises(UsageError, match="1024"):
        NamespaceList.of(range(1025))
    vectors = IoCommandSetVectors.new(vector=[1, 5])
    assert len(vectors.vectors) == 2 and vectors.vectors[1].ZNS and vectors.to_dict() == {"vector": [1, 5]}


def test_namespace_descriptors_build_and_parse():
    name = uuid.UUID("12345678-1234-5678-1234-567812345678")
    found = NamespaceDescriptors.build(uuid=name, csi=2, eui64=bytes(range(8)), nguid=None)
    assert found.uuid == name and found.csi == 2 and found.eui64 == bytes(range(8)) and found.nguid is None
    assert [(e.offset, e.nidt, e.nidl) for e in found] == [(0, 3, 16), (20, 4, 1), (25, 1, 8)]
    assert found.to_dict() == {"uuid": str(name), "csi": "0x2", "eui64": "0001020304050607"}
    assert "csi=0x2" in repr(found) and list(NamespaceDescriptors.new()) == []


@pytest.mark.parametrize("values", [{"eui64": bytes(7)}, {"nguid": bytes(8)}, {"name": b"x"}])
def test_wrong_descriptors_are_refused(values):
    with pytest.raises(UsageError):
        NamespaceDescriptors.build(**values)


def test_a_descriptor_cut_off_by_the_end_does_not_run_past_it():
    data = bytearray(4096)
    for at in range(0, 4080, 20):
        data[at:at + 2] = b"\3\x10"
    data[4080:4082] = b"\3\xff"
    found = NamespaceDescriptors(data)
    assert len(found.entries) == 205 and found.entries[-1].value == bytes(12)
    assert found.entries[-1].text == "00" * 12 and "uuid" in found.to_dict()


def test_extended_formats():
    nvm = IdentifyNamespaceNvm.new(elbaf=[{"elbaf": {"STS": 16, "PIF": 2}}])
    assert nvm.elbaf[0].elbaf.PIF.meaning == "64b Guard" and nvm.elbaf[0].elbaf.STS == 16
