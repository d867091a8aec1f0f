"""Identify Namespace (CNS 00h), its NVM extension (CNS 05h) and the set-independent form (CNS 08h), as tables.

NVM Command Set 1.0c, 4.1.5.1 and 4.1.5.3; Base 2.0c, 5.17.2.8.
"""

from .fields import Field
from .struct import Json, Member, Struct, supported

__all__ = ["ExtendedLbaFormat", "IdentifyNamespace", "IdentifyNamespaceIndependent", "IdentifyNamespaceNvm",
           "LbaFormat"]

_CITE = "NVM command set 1.0c 4.1.5.1"
_YES = {0: "No", 1: "Yes"}


def _member(name, offset, size, title, *, cite=_CITE, **facts):
    return Member(name, offset, size, title, cite=cite, **facts)


def _supported_if_set(*bits):
    return [supported(name, bit, title) for name, bit, title in bits]


_NMIC = [Field("SHARED", 0, 0, "Namespace Sharing Capabilities", {0: "Private", 1: "Multiple Controllers"})]
_RESCAP = _supported_if_set(
    ("PTPL", 0, "Persist Through Power Loss"),
    ("WRITE_EXCLUSIVE", 1, "Write Exclusive"),
    ("EXCLUSIVE_ACCESS", 2, "Exclusive Access"),
    ("WRITE_EXCLUSIVE_RO", 3, "Write Exclusive - Registrants Only"),
    ("EXCLUSIVE_ACCESS_RO", 4, "Exclusive Access - Registrants Only"),
    ("WRITE_EXCLUSIVE_AR", 5, "Write Exclusive - All Registrants"),
    ("EXCLUSIVE_ACCESS_AR", 6, "Exclusive Access - All Registrants"),
) + [Field("IEKEY13", 7, 7, "Ignore Existing Key as of NVMe 1.3", _YES)]
_FPI = [
    Field("REMAINING", 0, 6, "Format Percentage Remaining", unit="%"),
    supported("FPI", 7, "Format Progress Indicator"),
]
_NSATTR = [Field("WRITE_PROTECTED", 0, 0, "Namespace Write Protected", _YES)]


class LbaFormat(Struct):
    """One LBA format: data size, metadata size, relative performance. 4 bytes."""

    SIZE = 4
    CITE = _CITE
    MEMBERS = [
        Member("ms", 0, 2, "Metadata Size", unit="bytes"),
        Member("lbads", 2, 1, "LBA Data Size", unit="2**n bytes", values={0: "Not available"}, json=Json("ds")),
        Member("rp", 3, 1, "Relative Performance", bits=[
            Field("RP", 0, 1, "Relative Performance", {0: "Best", 1: "Better", 2: "Good", 3: "Degraded"})]),
    ]


class ExtendedLbaFormat(Struct):
    """What an LBA format adds with extended LBA formats: protection information and storage tag. 4 bytes."""

    SIZE = 4
    CITE = "NVM command set 1.0c 4.1.5.3"
    MEMBERS = [
        Member("elbaf", 0, 4, "Extended LBA Format", bits=[
            Field("STS", 0, 6, "Storage Tag Size", unit="bits"),
            Field("PIF", 7, 8, "Protection Information Format",
                  {0: "16b Guard", 1: "32b Guard", 2: "64b Guard"}),
        ], json=[Json("sts", bits=(0, 6)), Json("pif", bits=(7, 8))]),
    ]


class IdentifyNamespace(Struct):
    """A namespace of the NVM command set: 4096 bytes (CNS 00h, and 11h for an allocated one)."""

    SIZE = 4096
    CITE = _CITE
    MEMBERS = [
        _member("nsze", 0, 8, "Namespace Size", unit="blocks"),
        _member("ncap", 8, 8, "Namespace Capacity", unit="blocks"),
        _member("nuse", 16, 8, "Namespace Utilization", unit="blocks"),
        _member("nsfeat", 24, 1, "Namespace Features", bits=[
            supported("THINP", 0, "Thin Provisioning"),
            Field("NSABP", 1, 1, "Per-NS Atomic Units", _YES),
            supported("DAE", 2, "Deallocated or Unwritten Logical Block Error"),
            Field("UIDREUSE", 3, 3, "NGUID/EUI64 Never Reused", _YES),
            Field("OPTPERF", 4, 4, "Optimal I/O Fields Defined (NPWG to NOWS)", _YES),
        ]),
        _member("nlbaf", 25, 1, "Number of LBA Formats", unit="n+1 formats"),
        _member("flbas", 26, 1, "Formatted LBA Size", bits=[
            Field("FORMAT", 0, 3, "Current LBA Format, bits 3:0"),
            Field("EXTENDED", 4, 4, "Metadata Transferred as", {0: "Separate Buffer", 1: "Extended Data LBA"}),
            Field("FORMAT_HI", 5, 6, "Current LBA Format, bits 5:4"),
        ]),
        _member("mc", 27, 1, "Metadata Capabilities", bits=[
            supported("EXTENDED", 0, "Metadata as part of an extended data LBA"),
            supported("SEPARATE", 1, "Metadata in a separate buffer"),
        ]),
        _member("dpc", 28, 1, "End-to-end Data Protection Capabilities", bits=[
            supported("TYPE1", 0, "Protection Information Type 1"),
            supported("TYPE2", 1, "Protection Information Type 2"),
            supported("TYPE3", 2, "Protection Information Type 3"),
            supported("FIRST", 3, "Protection Information in first bytes of metadata"),
            supported("LAST", 4, "Protection Information in last bytes of metadata"),
        ]),
        _member("dps", 29, 1, "End-to-end Data Protection Type Settings", bits=[
            Field("TYPE", 0, 2, "Protection Type", {0: "Disabled", 1: "Type 1", 2: "Type 2", 3: "Type 3"}),
            Field("FIRST", 3, 3, "Protection Information Transferred as",
                  {0: "Last bytes of metadata", 1: "First bytes of metadata"}),
        ]),
        _member("nmic", 30, 1, "Namespace Multi-path I/O and Sharing Capabilities", bits=_NMIC),
        _member("rescap", 31, 1, "Reservation Capabilities", bits=_RESCAP),
        _member("fpi", 32, 1, "Format Progress Indicator", bits=_FPI),
        _member("dlfeat", 33, 1, "Deallocate Logical Block Features", bits=[
            Field("READ", 0, 2, "Deallocated Read Value",
                  {0: "Unknown", 1: "All 0x00", 2: "All 0xFF"}),
            supported("WRITE_ZEROES", 3, "Deallocate in Write Zeroes"),
            Field("GUARD", 4, 4, "Deallocated Guard Field", {0: "0xFFFF", 1: "Calculated CRC"}),
        ]),
        _member("nawun", 34, 2, "Namespace Atomic Write Unit Normal", unit="n+1 blocks"),
        _member("nawupf", 36, 2, "Namespace Atomic Write Unit Power Fail", unit="n+1 blocks"),
        _member("nacwu", 38, 2, "Namespace Atomic Compare & Write Unit", unit="n+1 blocks"),
        _member("nabsn", 40, 2, "Namespace Atomic Boundary Size Normal", unit="n+1 blocks",
                values={0: "No Boundary"}),
        _member("nabo", 42, 2, "Namespace Atomic Boundary Offset", unit="blocks"),
        _member("nabspf", 44, 2, "Namespace Atomic Boundary Size Power Fail", unit="n+1 blocks",
                values={0: "No Boundary"}),
        _member("noiob", 46, 2, "Namespace Optimal I/O Boundary", unit="blocks", values={0: "Not Reported"}),
        _member("nvmcap", 48, 16, "NVM Capacity", unit="bytes"),
        _member("npwg", 64, 2, "Namespace Preferred Write Granularity", unit="n+1 blocks",
                json=Json(when="nsfeat.OPTPERF")),
        _member("npwa", 66, 2, "Namespace Preferred Write Alignment", unit="n+1 blocks",
                json=Json(when="nsfeat.OPTPERF")),
        _member("npdg", 68, 2, "Namespace Preferred Deallocate Granularity", unit="n+1 blocks",
                json=Json(when="nsfeat.OPTPERF")),
        _member("npda", 70, 2, "Namespace Preferred Deallocate Alignment", unit="n+1 blocks",
                json=Json(when="nsfeat.OPTPERF")),
        _member("nows", 72, 2, "Namespace Optimal Write Size", unit="n+1 blocks",
                json=Json(when="nsfeat.OPTPERF")),
        _member("mssrl", 74, 2, "Maximum Single Source Range Length", unit="blocks"),
        _member("mcl", 76, 4, "Maximum Copy Length", unit="blocks"),
        _member("msrc", 80, 1, "Maximum Source Range Count", unit="n+1 ranges"),
        _member("nulbaf", 82, 1, "Number of Unique Capability LBA Formats"),
        _member("anagrpid", 92, 4, "ANA Group Identifier"),
        _member("nsattr", 99, 1, "Namespace Attributes", bits=_NSATTR, json=Json(after="nvmcap")),
        _member("nvmsetid", 100, 2, "NVM Set Identifier", json=Json(after="nsattr")),
        _member("endgid", 102, 2, "Endurance Group Identifier"),
        _member("nguid", 104, 16, "Namespace Globally Unique Identifier", kind="bytes", json=Json(after="eui64")),
        _member("eui64", 120, 8, "IEEE Extended Unique Identifier", kind="bytes"),
        _member("lbaf", 128, 4, "LBA Format", kind=LbaFormat, count=64, json=Json("lbafs", length="nlbaf")),
        _member("vs", 384, 3712, "Vendor Specific", kind="bytes", json=False),
    ]

    @property
    def format_index(self):
        """Index of the LBA format in use, all six bits of it."""
        flbas = self.flbas
        # The two upper bits only mean something past 16 formats (FLBAS in 4.1.5.1).
        high = flbas.FORMAT_HI if self.nlbaf + self.nulbaf >= 16 else 0
        return int(flbas.FORMAT) | int(high) << 4

    @property
    def format(self):
        """The LbaFormat in use."""
        return self.lbaf[self.format_index]

    @property
    def block_size(self):
        """Bytes of data in one logical block (metadata not counted)."""
        return 1 << int(self.format.lbads)


class IdentifyNamespaceNvm(Struct):
    """What the NVM command set adds about a namespace: 4096 bytes (CNS 05h, CSI 00h)."""

    SIZE = 4096
    CITE = "NVM command set 1.0c 4.1.5.3"
    MEMBERS = [
        Member("lbstm", 0, 8, "Logical Block Storage Tag Mask", form="hex"),
        Member("pic", 8, 1, "Protection Information Capabilities", bits=_supported_if_set(
            ("PISTS16", 0, "16b Guard Protection Information Storage Tag Support"),
            ("PISTM16", 1, "16b Guard Protection Information Storage Tag Mask"),
            ("STCRS", 2, "Storage Tag Check Read Support"))),
        # How many there are is told by Identify Namespace: NLBAF lives there, not here.
        Member("elbaf", 12, 4, "Extended LBA Format", kind=ExtendedLbaFormat, count=64,
               json=Json("elbafs", length="nlbaf")),
    ]


class IdentifyNamespaceIndependent(Struct):
    """What every namespace has, whatever its command set: 4096 bytes (CNS 08h)."""

    SIZE = 4096
    CITE = "base 2.0c 5.17.2.8"
    MEMBERS = [
        Member("nsfeat", 0, 1, "Common Namespace Features", bits=[
            Field("UIDREUSE", 3, 3, "NGUID/EUI64 Never Reused", _YES)]),
        Member("nmic", 1, 1, "Namespace Multi-path I/O and Sharing Capabilities", bits=_NMIC),
        Member("rescap", 2, 1, "Reservation Capabilities", bits=_RESCAP),
        Member("fpi", 3, 1, "Format Progress Indicator", bits=_FPI),
        Member("anagrpid", 4, 4, "ANA Group Identifier"),
        Member("nsattr", 8, 1, "Namespace Attributes", bits=_NSATTR),
        Member("nvmsetid", 10, 2, "NVM Set Identifier"),
        Member("endgid", 12, 2, "Endurance Group Identifier"),
        Member("nstat", 14, 1, "Namespace Status", bits=[
            Field("NRDY", 0, 0, "Namespace Ready", _YES)]),
    ]
