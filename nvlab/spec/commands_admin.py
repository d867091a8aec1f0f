"""The admin commands (base 2.0c 5; Get LBA Status: NVM command set 1.0c 4.2.1)."""

from .command_format import CommandFormat, dword
from .features import FEATURES, SELECT
from .identify import CNS
from .logs import LOGS

_NO_YES = {0: "no", 1: "yes"}
_CSI = {0: "NVM", 1: "key value", 2: "zoned namespace"}
_DWORDS = "n+1 dwords"
_UIDX = dword(14, "uidx", 0, 6, "UUID Index")
_QID = dword(10, "qid", 0, 15, "Queue Identifier")
_QSIZE = dword(10, "qsize", 16, 31, "Queue Size", unit="n+1 entries", doc="Zero-based: 63 is a queue of 64 entries.")
_PC = dword(11, "pc", 0, 0, "Physically Contiguous", {0: "prp1 points to a list of pages", 1: "prp1 is the queue"})
_NAMES_OF_FEATURES = {fid: feature.title for fid, feature in FEATURES.items()}


def _directive(opcode, name, builder, cite):
    return CommandFormat(name, opcode, builder, (
        dword(10, "numd", 0, 31, "Number of Dwords", unit=_DWORDS),
        dword(11, "doper", 0, 7, "Directive Operation"),
        dword(11, "dtype", 8, 15, "Directive Type", {0: "Identify", 1: "Streams"}),
        dword(11, "dspec", 16, 31, "Directive Specific"),
    ), cite, nsid=0, extras=("cdw12", "cdw13"))


def _security(opcode, name, builder, length, cite):
    return CommandFormat(name, opcode, builder, (
        dword(10, "nssf", 0, 7, "NVMe Security Specific Field"),
        dword(10, "spsp", 8, 23, "SP Specific"),
        dword(10, "secp", 24, 31, "Security Protocol", {0: "security protocol information", 0xEA: "NVMe"}),
        length,
    ), cite, nsid=0)


def _management_interface(opcode, name, builder, cite):
    return CommandFormat(name, opcode, builder, (), cite, extras=("cdw10", "cdw11", "cdw12", "cdw13", "cdw14", "cdw15"))


_QUEUES = (
    CommandFormat("Delete I/O Submission Queue", 0x00, "delete_io_sq", (_QID,), "base 2.0c 5.7"),
    CommandFormat("Create I/O Submission Queue", 0x01, "create_io_sq", (
        _QID, _QSIZE,
        dword(11, "cqid", 16, 31, "Completion Queue Identifier"),
        _PC,
        dword(11, "qprio", 1, 2, "Queue Priority", {0: "urgent", 1: "high", 2: "medium", 3: "low"}),
        dword(12, "nvmsetid", 0, 15, "NVM Set Identifier"),
    ), "base 2.0c 5.5", data="none", pointers=("prp1",), defaults={"pc": 1}),
    CommandFormat("Delete I/O Completion Queue", 0x04, "delete_io_cq", (_QID,), "base 2.0c 5.6"),
    CommandFormat("Create I/O Completion Queue", 0x05, "create_io_cq", (
        _QID, _QSIZE, _PC,
        dword(11, "ien", 1, 1, "Interrupts Enabled", _NO_YES),
        dword(11, "iv", 16, 31, "Interrupt Vector"),
    ), "base 2.0c 5.4", data="none", pointers=("prp1",), defaults={"pc": 1}),
)

_INFORMATION = (
    CommandFormat("Get Log Page", 0x02, "get_log_page", (
        dword(10, "lid", 0, 7, "Log Page Identifier", {lid: page.name for lid, page in LOGS.items()}),
        dword(10, "numdl", 16, 31, "Number of Dwords, lower half", doc="Zero-based, with numdu."),
        dword(11, "numdu", 0, 15, "Number of Dwords, upper half"),
        dword(10, "lsp", 8, 14, "Log Specific Parameter"),
        dword(10, "rae", 15, 15, "Retain Asynchronous Event", _NO_YES),
        dword(11, "lsi", 16, 31, "Log Specific Identifier"),
        dword(12, "lpol", 0, 31, "Log Page Offset, lower half"),
        dword(13, "lpou", 0, 31, "Log Page Offset, upper half"),
        dword(14, "ot", 23, 23, "Offset Type", {0: "bytes", 1: "index"}),
        dword(14, "csi", 24, 31, "Command Set Identifier", _CSI),
        _UIDX,
    ), "base 2.0c 5.16", nsid=0),
    CommandFormat("Identify", 0x06, "identify", (
        dword(10, "cns", 0, 7, "Controller or Namespace Structure", {n: c.name for n, c in CNS.items()}),
        dword(10, "cntid", 16, 31, "Controller Identifier"),
        dword(11, "cnssid", 0, 15, "CNS Specific Identifier"),
        dword(11, "csi", 24, 31, "Command Set Identifier", _CSI),
        _UIDX,
    ), "base 2.0c 5.17", nsid=0, defaults={"cns": 1}),
    CommandFormat("Set Features", 0x09, "set_features", (
        dword(10, "fid", 0, 7, "Feature Identifier", _NAMES_OF_FEATURES),
        dword(10, "sv", 31, 31, "Save", _NO_YES),
        _UIDX,
    ), "base 2.0c 5.27", nsid=0, extras=("cdw11", "cdw12", "cdw13", "cdw15")),
    CommandFormat("Get Features", 0x0A, "get_features", (
        dword(10, "fid", 0, 7, "Feature Identifier", _NAMES_OF_FEATURES),
        dword(10, "sel", 8, 10, "Select", SELECT),
        _UIDX,
    ), "base 2.0c 5.15", nsid=0, extras=("cdw11",)),
    CommandFormat("Get LBA Status", 0x86, "get_lba_status", (
        dword(10, "slba", 0, 63, "Starting LBA"),
        dword(12, "mndw", 0, 31, "Maximum Number of Dwords", unit=_DWORDS),
        dword(13, "rl", 0, 15, "Range Length"),
        dword(13, "atype", 24, 31, "Action Type", {0x10: "scan, then list untracked and tracked", 0x11: "list tracked"}),
    ), "NVM command set 1.0c 4.2.1", nsid=1),
)

_CONTROL = (
    CommandFormat("Abort", 0x08, "abort", (
        dword(10, "sqid", 0, 15, "Submission Queue Identifier"),
        dword(10, "abort_cid", 16, 31, "Command Identifier to abort"),
    ), "base 2.0c 5.1", keywords={"cid": "abort_cid"}),
    CommandFormat("Asynchronous Event Request", 0x0C, "async_event_request", (), "base 2.0c 5.2"),
    CommandFormat("Keep Alive", 0x18, "keep_alive", (), "base 2.0c 5.18"),
    CommandFormat("Doorbell Buffer Config", 0x7C, "doorbell_buffer_config", (), "base 2.0c 5.11",
                  pointers=("prp1", "prp2")),
    CommandFormat("Lockdown", 0x24, "lockdown", (
        dword(10, "scp", 0, 3, "Scope", {0: "admin opcode", 2: "feature", 3: "MI opcode", 4: "PCIe opcode"}),
        dword(10, "prhbt", 4, 4, "Prohibit", {0: "allow", 1: "prohibit"}),
        dword(10, "ifc", 5, 6, "Interface", {
            0: "admin queue", 1: "admin queue and out of band", 2: "out of band"}),
        dword(10, "ofi", 8, 15, "Opcode or Feature Identifier"),
        _UIDX,
    ), "base 2.0c 5.19"),
    CommandFormat("Virtualization Management", 0x1C, "virtualization_management", (
        dword(10, "act", 0, 3, "Action", {
            1: "primary flexible allocation", 7: "secondary offline", 8: "secondary assign", 9: "secondary online"}),
        dword(10, "rt", 8, 10, "Resource Type", {0: "virtual queues", 1: "virtual interrupts"}),
        dword(10, "cntlid", 16, 31, "Controller Identifier"),
        dword(11, "nr", 0, 15, "Number of Controller Resources"),
    ), "base 2.0c 5.28"),
    _management_interface(0x1D, "NVMe-MI Send", "nvme_mi_send", "base 2.0c 5.21"),
    _management_interface(0x1E, "NVMe-MI Receive", "nvme_mi_receive", "base 2.0c 5.20"),
    _directive(0x19, "Directive Send", "directive_send", "base 2.0c 5.10"),
    _directive(0x1A, "Directive Receive", "directive_receive", "base 2.0c 5.9"),
)

_NAMESPACES = (
    CommandFormat("Namespace Management", 0x0D, "namespace_management", (
        dword(10, "sel", 0, 3, "Select", {0: "create", 1: "delete"}),
        dword(11, "csi", 24, 31, "Command Set Identifier", _CSI),
    ), "base 2.0c 5.23", nsid=0),
    CommandFormat("Namespace Attachment", 0x15, "namespace_attachment", (
        dword(10, "sel", 0, 3, "Select", {0: "attach", 1: "detach"}),
    ), "base 2.0c 5.22", nsid=0),
    CommandFormat("Capacity Management", 0x20, "capacity_management", (
        dword(10, "oper", 0, 3, "Operation", {
            0: "select configuration", 1: "create endurance group", 2: "delete endurance group", 3: "create NVM set",
            4: "delete NVM set"}),
        dword(10, "elid", 16, 31, "Element Identifier"),
        dword(11, "capl", 0, 31, "Capacity, lower half", unit="bytes"),
        dword(12, "capu", 0, 31, "Capacity, upper half"),
    ), "base 2.0c 5.3"),
)

_MAINTENANCE = (
    CommandFormat("Firmware Commit", 0x10, "firmware_commit", (
        dword(10, "fs", 0, 2, "Firmware Slot", {0: "the controller chooses"}),
        dword(10, "ca", 3, 5, "Commit Action", {
            0: "replace", 1: "replace, activate at next reset", 2: "activate at next reset", 3: "activate now",
            6: "replace boot partition", 7: "activate boot partition"}),
        dword(10, "bpid", 31, 31, "Boot Partition ID"),
    ), "base 2.0c 5.12"),
    CommandFormat("Firmware Image Download", 0x11, "firmware_image_download", (
        dword(10, "numd", 0, 31, "Number of Dwords", unit=_DWORDS),
        dword(11, "ofst", 0, 31, "Offset", unit="dwords"),
    ), "base 2.0c 5.13"),
    CommandFormat("Device Self-test", 0x14, "device_self_test", (
        dword(10, "stc", 0, 3, "Self-test Code", {1: "short", 2: "extended", 0xE: "vendor specific", 0xF: "abort"}),
    ), "base 2.0c 5.8", nsid=0),
    CommandFormat("Format NVM", 0x80, "format_nvm", (
        dword(10, "lbafl", 0, 3, "LBA Format, lower bits"),
        dword(10, "mset", 4, 4, "Metadata Settings", {0: "separate buffer", 1: "extended LBA"}),
        dword(10, "pi", 5, 7, "Protection Information", {0: "none", 1: "type 1", 2: "type 2", 3: "type 3"}),
        dword(10, "pil", 8, 8, "Protection Information Location", {0: "last bytes of metadata", 1: "first bytes of metadata"}),
        dword(10, "ses", 9, 11, "Secure Erase Settings", {0: "none", 1: "user data erase", 2: "cryptographic erase"}),
        dword(10, "lbafu", 12, 13, "LBA Format, upper bits"),
    ), "base 2.0c 5.14", nsid=0),
    CommandFormat("Sanitize", 0x84, "sanitize", (
        dword(10, "sanact", 0, 2, "Sanitize Action", {
            1: "exit failure mode", 2: "block erase", 3: "overwrite", 4: "crypto erase"}),
        dword(10, "ause", 3, 3, "Allow Unrestricted Sanitize Exit", _NO_YES),
        dword(10, "owpass", 4, 7, "Overwrite Pass Count", {0: "16 passes"}),
        dword(10, "oipbp", 8, 8, "Overwrite Invert Pattern Between Passes", _NO_YES),
        dword(10, "nodas", 9, 9, "No-Deallocate After Sanitize", _NO_YES),
        dword(11, "ovrpat", 0, 31, "Overwrite Pattern"),
    ), "base 2.0c 5.24"),
    _security(0x81, "Security Send", "security_send", dword(11, "tl", 0, 31, "Transfer Length", unit="bytes"),
              "base 2.0c 5.26"),
    _security(0x82, "Security Receive", "security_receive", dword(11, "al", 0, 31, "Allocation Length", unit="bytes"),
              "base 2.0c 5.25"),
)

ADMIN = {f.opcode: f for f in sorted(_QUEUES + _INFORMATION + _CONTROL + _NAMESPACES + _MAINTENANCE, key=lambda f: f.opcode)}
"""Opcode -> CommandFormat."""
