"""Controller properties: the registers of NVMe 2.0, and the doorbells behind them.

Offsets and bits are those of NVM Express Base 2.0c, 3.1.3; the doorbells those of the PCIe transport 1.0c, 3.1.2.

    >>> CC.encode(EN=1, IOSQES=6, IOCQES=4)
    <CC 0x00460001: EN=1 (enabled) IOSQES=6 (64 bytes) IOCQES=4 (16 bytes)>
    >>> hex(sq_tail_doorbell(1, dstrd=0)), name_at(0x1008)
    ('0x1008', 'SQ1TDBL')
"""

import difflib
import re

from .errors import RegisterError
from .fields import Field, Register

_NO_YES = {0: "no", 1: "yes"}
_SIZES = {0: "1 byte", 1: "1 KiB", 2: "1 MiB", 3: "1 GiB"}
_RATES = {0: "1 byte/s", 1: "1 KiB/s", 2: "1 MiB/s", 3: "1 GiB/s"}
_PAGES = "2**(12+n) bytes"
_COUNT = "n+1 entries"


def _flag(name, bit, title, doc=""):
    return Field(name, bit, bit, title, _NO_YES, doc=doc)


def _address(name, title, hi=63):
    """An address whose low twelve bits are zero: the field counts 4 KiB pages."""
    return Field(name, 12, hi, title, doc="The address without its low 12 bits.")


CAP = Register("CAP", 0x0, 8, "Controller Capabilities", [
    Field("MQES", 0, 15, "Maximum Queue Entries Supported", unit=_COUNT, doc="Zero-based: 0 would be one entry."),
    _flag("CQR", 16, "Contiguous Queues Required"),
    Field("AMS", 17, 18, "Arbitration Mechanism Supported", {
        0: "round robin only", 1: "weighted round robin with urgent priority", 2: "vendor specific",
        3: "weighted round robin with urgent priority, vendor specific"}),
    Field("TO", 24, 31, "Timeout", unit="500 ms", doc="The longest that CSTS.RDY may take to follow CC.EN."),
    Field("DSTRD", 32, 35, "Doorbell Stride", unit="2**(2+n) bytes"),
    _flag("NSSRS", 36, "NVM Subsystem Reset Supported"),
    Field("CSS", 37, 44, "Command Sets Supported", {
        0x01: "NVM", 0x40: "by Identify", 0x41: "NVM, by Identify", 0x80: "admin only", 0xC0: "by Identify, admin only",
        0xC1: "NVM, by Identify, admin only", 0x81: "NVM, admin only"},
        doc="Bit 0: NVM; bit 6: one or more sets, named by Identify CNS 1Ch; bit 7: no I/O command set."),
    _flag("BPS", 45, "Boot Partition Support"),
    Field("CPS", 46, 47, "Controller Power Scope", {0: "not reported", 1: "controller", 2: "domain", 3: "NVM subsystem"}),
    Field("MPSMIN", 48, 51, "Memory Page Size Minimum", unit=_PAGES),
    Field("MPSMAX", 52, 55, "Memory Page Size Maximum", unit=_PAGES),
    _flag("PMRS", 56, "Persistent Memory Region Supported"),
    _flag("CMBS", 57, "Controller Memory Buffer Supported"),
    _flag("NSSS", 58, "NVM Subsystem Shutdown Supported"),
    Field("CRMS", 59, 60, "Controller Ready Modes Supported", {
        0: "not reported", 1: "with media", 2: "independent of media", 3: "with media, independent of media"}),
], "ro", "base 2.0c 3.1.3.1")

VS = Register("VS", 0x8, 4, "Version", [
    Field("TER", 0, 7, "Tertiary Version Number"),
    Field("MNR", 8, 15, "Minor Version Number"),
    Field("MJR", 16, 31, "Major Version Number"),
], "ro", "base 2.0c 3.1.3.2")

INTMS = Register("INTMS", 0xC, 4, "Interrupt Mask Set", [
    Field("IVMS", 0, 31, "Interrupt Vector Mask Set", doc="Not to be touched with MSI-X."),
], "rw1s", "base 2.0c 3.1.3.3")

INTMC = Register("INTMC", 0x10, 4, "Interrupt Mask Clear", [
    Field("IVMC", 0, 31, "Interrupt Vector Mask Clear", doc="Not to be touched with MSI-X."),
], "rw1c", "base 2.0c 3.1.3.4")

CC = Register("CC", 0x14, 4, "Controller Configuration", [
    Field("EN", 0, 0, "Enable", {0: "disabled", 1: "enabled"}, doc="1 starts the controller; 1 to 0 is a reset."),
    Field("CSS", 4, 6, "I/O Command Set Selected", {0: "NVM", 6: "all supported", 7: "admin only"}),
    Field("MPS", 7, 10, "Memory Page Size", unit=_PAGES),
    Field("AMS", 11, 13, "Arbitration Mechanism Selected", {
        0: "round robin", 1: "weighted round robin with urgent priority", 7: "vendor specific"}),
    Field("SHN", 14, 15, "Shutdown Notification", {0: "none", 1: "normal", 2: "abrupt"}),
    Field("IOSQES", 16, 19, "I/O Submission Queue Entry Size", unit="2**n bytes"),
    Field("IOCQES", 20, 23, "I/O Completion Queue Entry Size", unit="2**n bytes"),
    Field("CRIME", 24, 24, "Controller Ready Independent of Media Enable", {0: "with media", 1: "independent of media"}),
], "rw", "base 2.0c 3.1.3.5")

CSTS = Register("CSTS", 0x1C, 4, "Controller Status", [
    Field("RDY", 0, 0, "Ready", {0: "not ready", 1: "ready"}),
    Field("CFS", 1, 1, "Controller Fatal Status", {0: "none", 1: "fatal: reset the controller"}),
    Field("SHST", 2, 3, "Shutdown Status", {0: "normal operation", 1: "shutdown under way", 2: "shutdown complete"}),
    Field("NSSRO", 4, 4, "NVM Subsystem Reset Occurred", _NO_YES, doc="The one bit that is written: 1 clears it."),
    _flag("PP", 5, "Processing Paused"),
    Field("ST", 6, 6, "Shutdown Type", {0: "controller", 1: "NVM subsystem"}),
], "rw1c", "base 2.0c 3.1.3.6")

NSSR = Register("NSSR", 0x20, 4, "NVM Subsystem Reset", [
    Field("NSSRC", 0, 31, "NVM Subsystem Reset Control", {0x4E564D65: '"NVMe": reset'}, doc="Reads as 0."),
], "rw", "base 2.0c 3.1.3.7")

AQA = Register("AQA", 0x24, 4, "Admin Queue Attributes", [
    Field("ASQS", 0, 11, "Admin Submission Queue Size", unit=_COUNT, doc="Zero-based; at least 1 (two entries)."),
    Field("ACQS", 16, 27, "Admin Completion Queue Size", unit=_COUNT, doc="Zero-based; at least 1 (two entries)."),
], "rw", "base 2.0c 3.1.3.8")

ASQ = Register("ASQ", 0x28, 8, "Admin Submission Queue Base Address", [
    _address("ASQB", "Admin Submission Queue Base"),
], "rw", "base 2.0c 3.1.3.9")

ACQ = Register("ACQ", 0x30, 8, "Admin Completion Queue Base Address", [
    _address("ACQB", "Admin Completion Queue Base"),
], "rw", "base 2.0c 3.1.3.10")

CMBLOC = Register("CMBLOC", 0x38, 4, "Controller Memory Buffer Location", [
    Field("BIR", 0, 2, "Base Indicator Register", {0: "BAR 0", 2: "BAR 2", 3: "BAR 3", 4: "BAR 4", 5: "BAR 5"}),
    _flag("CQMMS", 3, "CMB Queue Mixed Memory Support"),
    _flag("CQPDS", 4, "CMB Queue Physically Discontiguous Support"),
    _flag("CDPMLS", 5, "CMB Data Pointer Mixed Locations Support"),
    _flag("CDPCILS", 6, "CMB Data Pointer and Command Independent Locations Support"),
    _flag("CDMMMS", 7, "CMB Data Metadata Mixed Memory Support"),
    Field("CQDA", 8, 8, "CMB Queue Dword Alignment", {0: "by memory page", 1: "by dword"}),
    Field("OFST", 12, 31, "Offset", doc="In units of CMBSZ.SZU."),
], "ro", "base 2.0c 3.1.3.11")

CMBSZ = Register("CMBSZ", 0x3C, 4, "Controller Memory Buffer Size", [
    _flag("SQS", 0, "Submission Queue Support"),
    _flag("CQS", 1, "Completion Queue Support"),
    _flag("LISTS", 2, "PRP and SGL List Support"),
    _flag("RDS", 3, "Read Data Support"),
    _flag("WDS", 4, "Write Data Support"),
    Field("SZU", 8, 11, "Size Units", unit="2**(12+4*n) bytes"),
    Field("SZ", 12, 31, "Size", doc="In units of SZU."),
], "ro", "base 2.0c 3.1.3.12")

BPINFO = Register("BPINFO", 0x40, 4, "Boot Partition Information", [
    Field("BPSZ", 0, 14, "Boot Partition Size", unit="128 KiB"),
    Field("BRS", 24, 25, "Boot Read Status", {
        0: "none requested", 1: "under way", 2: "completed successfully", 3: "error"}),
    Field("ABPID", 31, 31, "Active Boot Partition ID"),
], "ro", "base 2.0c 3.1.3.13")

BPRSEL = Register("BPRSEL", 0x44, 4, "Boot Partition Read Select", [
    Field("BPRSZ", 0, 9, "Boot Partition Read Size", unit="4 KiB"),
    Field("BPROF", 10, 29, "Boot Partition Read Offset", unit="4 KiB"),
    Field("BPID", 31, 31, "Boot Partition Identifier"),
], "rw", "base 2.0c 3.1.3.14")

BPMBL = Register("BPMBL", 0x48, 8, "Boot Partition Memory Buffer Location", [
    _address("BMBBA", "Boot Partition Memory Buffer Base Address"),
], "rw", "base 2.0c 3.1.3.15")

CMBMSC = Register("CMBMSC", 0x50, 8, "Controller Memory Buffer Memory Space Control", [
    _flag("CRE", 0, "Capabilities Registers Enabled", "Until it is set, CMBLOC and CMBSZ read as 0."),
    _flag("CMSE", 1, "Controller Memory Space Enable"),
    _address("CBA", "Controller Base Address"),
], "rw", "base 2.0c 3.1.3.16")

CMBSTS = Register("CMBSTS", 0x58, 4, "Controller Memory Buffer Status", [
    _flag("CBAI", 0, "Controller Base Address Invalid"),
], "ro", "base 2.0c 3.1.3.17")

CMBEBS = Register("CMBEBS", 0x5C, 4, "Controller Memory Buffer Elasticity Buffer Size", [
    Field("CMBSZU", 0, 3, "CMB Elasticity Buffer Size Units", _SIZES),
    _flag("RBB", 4, "CMB Read Bypass Behavior"),
    Field("CMBWBZ", 8, 31, "CMB Elasticity Buffer Size Base", doc="In units of CMBSZU."),
], "ro", "base 2.0c 3.1.3.18")

CMBSWTP = Register("CMBSWTP", 0x60, 4, "Controller Memory Buffer Sustained Write Throughput", [
    Field("CMBSWTU", 0, 3, "CMB Sustained Write Throughput Units", _RATES),
    Field("CMBSWTV", 8, 31, "CMB Sustained Write Throughput", doc="In units of CMBSWTU."),
], "ro", "base 2.0c 3.1.3.19")

NSSD = Register("NSSD", 0x64, 4, "NVM Subsystem Shutdown", [
    Field("NSSC", 0, 31, "NVM Subsystem Shutdown Control", {
        0x4E726D6C: '"Nrml": normal shutdown', 0x41627074: '"Abpt": abrupt shutdown'}, doc="Reads as 0."),
], "rw", "base 2.0c 3.1.3.20")

CRTO = Register("CRTO", 0x68, 4, "Controller Ready Timeouts", [
    Field("CRWMT", 0, 15, "Controller Ready With Media Timeout", unit="500 ms"),
    Field("CRIMT", 16, 31, "Controller Ready Independent of Media Timeout", unit="500 ms"),
], "ro", "base 2.0c 3.1.3.21")

PMRCAP = Register("PMRCAP", 0xE00, 4, "Persistent Memory Region Capabilities", [
    _flag("RDS", 3, "Read Data Support"),
    _flag("WDS", 4, "Write Data Support"),
    Field("BIR", 5, 7, "Base Indicator Register", {2: "BAR 2", 3: "BAR 3", 4: "BAR 4", 5: "BAR 5"}),
    Field("PMRTU", 8, 9, "Persistent Memory Region Time Units", {0: "500 ms", 1: "1 min"}),
    Field("PMRWBM", 10, 13, "Persistent Memory Region Write Barrier Mechanisms", {
        1: "a read of the region", 2: "a read of PMRSTS", 3: "a read of the region or of PMRSTS"}),
    Field("PMRTO", 16, 23, "Persistent Memory Region Timeout", doc="In units of PMRTU."),
    _flag("CMSS", 24, "Controller Memory Space Supported"),
], "ro", "base 2.0c 3.1.3.22")

PMRCTL = Register("PMRCTL", 0xE04, 4, "Persistent Memory Region Control", [
    Field("EN", 0, 0, "Enable", {0: "disabled", 1: "enabled"}),
], "rw", "base 2.0c 3.1.3.23")

PMRSTS = Register("PMRSTS", 0xE08, 4, "Persistent Memory Region Status", [
    Field("ERR", 0, 7, "Error", {0: "none"}),
    Field("NRDY", 8, 8, "Not Ready", {0: "ready", 1: "not ready"}),
    Field("HSTS", 9, 11, "Health Status", {
        0: "normal operation", 1: "restore error", 2: "read only", 3: "unreliable"}),
    _flag("CBAI", 12, "Controller Base Address Invalid"),
], "ro", "base 2.0c 3.1.3.24")

PMREBS = Register("PMREBS", 0xE0C, 4, "Persistent Memory Region Elasticity Buffer Size", [
    Field("PMRSZU", 0, 3, "PMR Elasticity Buffer Size Units", _SIZES),
    _flag("RBB", 4, "PMR Read Bypass Behavior"),
    Field("PMRWBZ", 8, 31, "PMR Elasticity Buffer Size Base", doc="In units of PMRSZU."),
], "ro", "base 2.0c 3.1.3.25")

PMRSWTP = Register("PMRSWTP", 0xE10, 4, "Persistent Memory Region Sustained Write Throughput", [
    Field("PMRSWTU", 0, 3, "PMR Sustained Write Throughput Units", _RATES),
    Field("PMRSWTV", 8, 31, "PMR Sustained Write Throughput", doc="In units of PMRSWTU."),
], "ro", "base 2.0c 3.1.3.26")

PMRMSCL = Register("PMRMSCL", 0xE14, 4, "Persistent Memory Region Controller Memory Space Control Lower", [
    _flag("CMSE", 1, "Controller Memory Space Enable"),
    _address("CBA", "Controller Base Address, bits 31:12", 31),
], "rw", "base 2.0c 3.1.3.27")

PMRMSCU = Register("PMRMSCU", 0xE18, 4, "Persistent Memory Region Controller Memory Space Control Upper", [
    Field("CBA", 0, 31, "Controller Base Address, bits 63:32"),
], "rw", "base 2.0c 3.1.3.28")

ALL = {register.name: register for register in (
    CAP, VS, INTMS, INTMC, CC, CSTS, NSSR, AQA, ASQ, ACQ, CMBLOC, CMBSZ, BPINFO, BPRSEL, BPMBL, CMBMSC, CMBSTS, CMBEBS,
    CMBSWTP, NSSD, CRTO, PMRCAP, PMRCTL, PMRSTS, PMREBS, PMRSWTP, PMRMSCL, PMRMSCU)}
"""Name -> Register, in the order of the offsets; the doorbells are made by lookup()."""

DOORBELLS = 0x1000
"""The offset of SQ0TDBL (PCIe transport 1.0c 3.1.2)."""

MAX_QID = 0xFFFF

_DOORBELL_CITE = "PCIe transport 1.0c 3.1.2"
_DOORBELL_NAME = re.compile(r"(SQ|CQ)(\d+)(T|H)DBL")
_BY_OFFSET = {register.offset: register.name for register in ALL.values()}


def sq_tail_doorbell(qid, dstrd=0):
    """The byte offset of SQyTDBL for queue `qid`, where CAP.DSTRD is `dstrd`."""
    return DOORBELLS + 2 * _queue(qid) * (4 << dstrd)


def cq_head_doorbell(qid, dstrd=0):
    """The byte offset of CQyHDBL for queue `qid`, where CAP.DSTRD is `dstrd`."""
    return DOORBELLS + (2 * _queue(qid) + 1) * (4 << dstrd)


def _queue(qid):
    if not 0 <= qid <= MAX_QID:
        raise RegisterError(f"queue {qid} has no doorbell; queue identifiers are 0 to {MAX_QID}")
    return int(qid)


def name_at(offset, dstrd=0):
    """The name of the register that starts at `offset` ("CC", "SQ0TDBL"), or None."""
    if offset < DOORBELLS:
        return _BY_OFFSET.get(offset)
    number, rest = divmod(offset - DOORBELLS, 4 << dstrd)
    if rest or number > 2 * MAX_QID + 1:
        return None
    return f"CQ{number // 2}HDBL" if number & 1 else f"SQ{number // 2}TDBL"


def lookup(name, dstrd=0):
    """The Register called `name`: "CC", or a doorbell such as "SQ3TDBL". Raises RegisterError when there is none."""
    if name in ALL:
        return ALL[name]
    found = _DOORBELL_NAME.fullmatch(name)
    if found and (found[1] == "SQ") == (found[3] == "T"):
        return _doorbell(found[1], int(found[2]), dstrd)
    near = difflib.get_close_matches(name.upper(), [*ALL, "SQ0TDBL", "CQ0HDBL"], n=1)
    hint = f"did you mean {near[0]}?" if near else "registers.ALL has the names; doorbells are SQ0TDBL, CQ0HDBL, …"
    raise RegisterError(f"there is no register {name!r}; {hint}")


def _doorbell(kind, qid, dstrd):
    if kind == "SQ":
        return Register(f"SQ{qid}TDBL", sq_tail_doorbell(qid, dstrd), 4, f"Submission Queue {qid} Tail Doorbell",
                        [Field("SQT", 0, 15, "Submission Queue Tail")], "wo", _DOORBELL_CITE)
    return Register(f"CQ{qid}HDBL", cq_head_doorbell(qid, dstrd), 4, f"Completion Queue {qid} Head Doorbell",
                    [Field("CQH", 0, 15, "Completion Queue Head")], "wo", _DOORBELL_CITE)
