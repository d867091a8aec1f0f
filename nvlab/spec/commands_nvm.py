"""The I/O commands: NVM command set 1.0c 3.2, those of all sets (base 2.0c 7), and zoned namespaces (ZNS 1.1c 3.4)."""

from .command_format import CommandFormat, dword

_NO_YES = {0: "no", 1: "yes"}
_DWORDS = "n+1 dwords"
_SLBA = dword(10, "slba", 0, 63, "Starting LBA")
_NLB = dword(12, "nlb", 0, 15, "Number of Logical Blocks", unit="n+1 blocks", doc="Zero-based: 0 is one block.")
_PRINFO = dword(12, "prinfo", 26, 29, "Protection Information Field", doc="PRACT, then PRCHK: guard, application, reference.")
_STC = dword(12, "stc", 24, 24, "Storage Tag Check", _NO_YES)
_FUA = dword(12, "fua", 30, 30, "Force Unit Access", _NO_YES)
_LR = dword(12, "lr", 31, 31, "Limited Retry", _NO_YES)
_DTYPE = dword(12, "dtype", 20, 23, "Directive Type", {0: "none", 1: "Streams"})
_DSPEC = dword(13, "dspec", 16, 31, "Directive Specific")
_DSM = dword(13, "dsm", 0, 7, "Dataset Management hints", doc="Access frequency 3:0, latency 5:4, sequential 6, incompressible 7.")
_EXPECTED = (
    dword(14, "eilbrt", 0, 31, "Expected Initial Logical Block Reference Tag"),
    dword(15, "elbat", 0, 15, "Expected Logical Block Application Tag"),
    dword(15, "elbatm", 16, 31, "Expected Logical Block Application Tag Mask"),
)
_WRITTEN = (
    dword(14, "ilbrt", 0, 31, "Initial Logical Block Reference Tag"),
    dword(15, "lbat", 0, 15, "Logical Block Application Tag"),
    dword(15, "lbatm", 16, 31, "Logical Block Application Tag Mask"),
)
_RANGE = (_SLBA, _NLB)
_TAGS = ("cdw2", "cdw3")          # the tags' upper bits, where the guard is wider than 16 bits
_WITH_METADATA = ("prp1", "prp2", "mptr")
_IEKEY = dword(10, "iekey", 3, 3, "Ignore Existing Key", _NO_YES)
_RTYPE = dword(10, "rtype", 8, 15, "Reservation Type", {
    1: "write exclusive", 2: "exclusive access", 3: "write exclusive, registrants only",
    4: "exclusive access, registrants only", 5: "write exclusive, all registrants", 6: "exclusive access, all registrants"})


def _nvm(name, opcode, builder, fields, cite, **facts):
    return CommandFormat(name, opcode, builder, fields, cite, admin=False, nsid=1, **facts)


_BLOCKS = (
    _nvm("Flush", 0x00, "flush", (), "base 2.0c 7.1"),
    _nvm("Write", 0x01, "write", (*_RANGE, _FUA, _LR, _PRINFO, _STC, _DTYPE, _DSPEC, _DSM, *_WRITTEN),
         "NVM command set 1.0c 3.2.6", pointers=_WITH_METADATA, extras=_TAGS),
    _nvm("Read", 0x02, "read", (*_RANGE, _FUA, _LR, _PRINFO, _STC, _DSM, *_EXPECTED),
         "NVM command set 1.0c 3.2.4", pointers=_WITH_METADATA, extras=_TAGS),
    _nvm("Write Uncorrectable", 0x04, "write_uncorrectable", _RANGE, "NVM command set 1.0c 3.2.7"),
    _nvm("Compare", 0x05, "compare", (*_RANGE, _FUA, _LR, _PRINFO, _STC, *_EXPECTED),
         "NVM command set 1.0c 3.2.1", pointers=_WITH_METADATA, extras=_TAGS),
    _nvm("Write Zeroes", 0x08, "write_zeroes", (
        *_RANGE, dword(12, "deac", 25, 25, "Deallocate", _NO_YES), _FUA, _LR, _PRINFO, _STC, *_WRITTEN),
         "NVM command set 1.0c 3.2.8", extras=_TAGS),
    _nvm("Dataset Management", 0x09, "dataset_management", (
        dword(10, "nr", 0, 7, "Number of Ranges", unit="n+1 ranges"),
        dword(11, "idr", 0, 0, "Integral Dataset for Read", _NO_YES),
        dword(11, "idw", 1, 1, "Integral Dataset for Write", _NO_YES),
        dword(11, "ad", 2, 2, "Deallocate", _NO_YES),
    ), "NVM command set 1.0c 3.2.3"),
    _nvm("Verify", 0x0C, "verify", (*_RANGE, _FUA, _LR, _PRINFO, _STC, *_EXPECTED),
         "NVM command set 1.0c 3.2.5", extras=_TAGS),
    _nvm("Copy", 0x19, "copy", (
        dword(10, "sdlba", 0, 63, "Starting Destination LBA"),
        dword(12, "nr", 0, 7, "Number of Ranges", unit="n+1 ranges"),
        dword(12, "desfmt", 8, 11, "Descriptor Format"),
        dword(12, "prinfor", 12, 15, "Protection Information Field for reads"),
        _DTYPE,
        dword(12, "stcw", 24, 24, "Storage Tag Check for writes", _NO_YES),
        dword(12, "stcr", 25, 25, "Storage Tag Check for reads", _NO_YES),
        dword(12, "prinfow", 26, 29, "Protection Information Field for writes"),
        _FUA, _LR, _DSPEC, *_WRITTEN,
    ), "NVM command set 1.0c 3.2.2", extras=_TAGS),
)

_RESERVATIONS = (
    _nvm("Reservation Register", 0x0D, "reservation_register", (
        dword(10, "rrega", 0, 2, "Reservation Register Action", {0: "register", 1: "unregister", 2: "replace"}),
        _IEKEY,
        dword(10, "cptpl", 30, 31, "Change Persist Through Power Loss State", {
            0: "no change", 2: "released at power on", 3: "kept over power loss"}),
    ), "base 2.0c 7.3"),
    _nvm("Reservation Report", 0x0E, "reservation_report", (
        dword(10, "numd", 0, 31, "Number of Dwords", unit=_DWORDS),
        dword(11, "eds", 0, 0, "Extended Data Structure", _NO_YES),
    ), "base 2.0c 7.5"),
    _nvm("Reservation Acquire", 0x11, "reservation_acquire", (
        dword(10, "racqa", 0, 2, "Reservation Acquire Action", {0: "acquire", 1: "preempt", 2: "preempt and abort"}),
        _IEKEY, _RTYPE,
    ), "base 2.0c 7.2"),
    _nvm("Reservation Release", 0x15, "reservation_release", (
        dword(10, "rrela", 0, 2, "Reservation Release Action", {0: "release", 1: "clear"}),
        _IEKEY, _RTYPE,
    ), "base 2.0c 7.4"),
)

_ZONES = (
    _nvm("Zone Management Send", 0x79, "zone_management_send", (
        _SLBA,
        dword(13, "zsa", 0, 7, "Zone Send Action", {
            1: "close", 2: "finish", 3: "open", 4: "reset", 5: "offline", 0x10: "set descriptor extension",
            0x11: "flush explicit ZRWA range"}),
        dword(13, "sall", 8, 8, "Select All", _NO_YES),
        dword(13, "zsaso", 9, 9, "Zone Send Action Specific Option", _NO_YES),
    ), "ZNS 1.1c 3.4.3"),
    _nvm("Zone Management Receive", 0x7A, "zone_management_receive", (
        _SLBA,
        dword(12, "numd", 0, 31, "Number of Dwords", unit=_DWORDS),
        dword(13, "zra", 0, 7, "Zone Receive Action", {0: "report zones", 1: "extended report zones"}),
        dword(13, "zrasf", 8, 15, "Zone Receive Action Specific Field", {
            0: "all zones", 1: "empty", 2: "implicitly opened", 3: "explicitly opened", 4: "closed", 5: "full", 6: "read only",
            7: "offline"}),
        dword(13, "partial", 16, 16, "Partial Report", _NO_YES),
    ), "ZNS 1.1c 3.4.2"),
    _nvm("Zone Append", 0x7D, "zone_append", (
        dword(10, "zslba", 0, 63, "Zone Start LBA"), _NLB, _FUA, _LR, _PRINFO,
        dword(12, "piremap", 25, 25, "Protection Information Remap", _NO_YES), _STC, _DTYPE, _DSPEC, *_WRITTEN,
    ), "ZNS 1.1c 3.4.1", pointers=_WITH_METADATA, extras=_TAGS),
)

NVM = {f.opcode: f for f in sorted(_BLOCKS + _RESERVATIONS + _ZONES, key=lambda f: f.opcode)}
"""Opcode -> CommandFormat."""
