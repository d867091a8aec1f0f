"""Identify Controller (CNS 01h) and its NVM command set companion (CNS 06h), as tables.

Offsets, widths and bits are those of NVM Express Base 2.0c, 5.17.2.1, and NVM Command Set 1.0c, 4.1.5.
`json=` hints say where nvme-cli's own JSON departs from "the member's name and its number".
"""

from .fields import Field
from .identify_power import PowerState
from .struct import Json, Member, Struct, supported

__all__ = ["IdentifyController", "IdentifyControllerNvm"]

_CITE = "base 2.0c 5.17.2.1"
_YES = {0: "No", 1: "Yes"}


def _member(name, offset, size, title, *, cite=_CITE, **facts):
    return Member(name, offset, size, title, cite=cite, **facts)


_IDENTITY = [
    _member("vid", 0, 2, "PCI Vendor ID", form="hex"),
    _member("ssvid", 2, 2, "PCI Subsystem Vendor ID", form="hex"),
    _member("sn", 4, 20, "Serial Number", kind="ascii"),
    _member("mn", 24, 40, "Model Number", kind="ascii"),
    _member("fr", 64, 8, "Firmware Revision", kind="ascii"),
    _member("rab", 72, 1, "Recommended Arbitration Burst", unit="2**n commands"),
    _member("ieee", 73, 3, "IEEE OUI Identifier", form="hex"),
    _member("cmic", 76, 1, "Controller Multi-Path I/O and Namespace Sharing", bits=[
        Field("MULTI_PORT", 0, 0, "May have multiple subsystem ports", _YES),
        Field("MULTI_CTRL", 1, 1, "May have multiple controllers", _YES),
        Field("SRIOV", 2, 2, "Associated with SR-IOV VF", _YES),
        supported("ANA", 3, "Asymmetric Namespace Access Reporting"),
    ]),
    _member("mdts", 77, 1, "Maximum Data Transfer Size", unit="2**n pages", values={0: "Unlimited"},
            doc="In units of the minimum memory page size, CAP.MPSMIN."),
    _member("cntlid", 78, 2, "Controller ID"),
    _member("ver", 80, 4, "NVMe Specification Version", form="version", bits=[
        Field("TER", 0, 7, "Tertiary Version Number"),
        Field("MNR", 8, 15, "Minor Version Number"),
        Field("MJR", 16, 31, "Major Version Number"),
    ]),
    _member("rtd3r", 84, 4, "RTD3 Resume Latency", unit="us", values={0: "Not Reported"}),
    _member("rtd3e", 88, 4, "RTD3 Entry Latency", unit="us", values={0: "Not Reported"}),
    _member("oaes", 92, 4, "Optional Asynchronous Events Supported", bits=[
        supported("NS_ATTR", 8, "Namespace Attribute Notices"),
        supported("FW_ACTIVATION", 9, "Firmware Activation Notices"),
        supported("ANA_CHANGE", 11, "ANA Change Notices"),
        supported("PLE_AGGREGATE", 12, "PLE Aggregate Log Change Notices"),
        supported("LBA_STATUS", 13, "LBA Status Info Alert Notices"),
        supported("EG_AGGREGATE", 14, "EGE Aggregate Log Change Notices"),
        supported("NORMAL_SHUTDOWN", 15, "Normal NVM Subsystem Shutdown Event"),
        supported("ZONE_DESC", 27, "Zone Descriptor Change Notices"),
        supported("DISCOVERY", 31, "Discovery Log Change Notices"),
    ]),
    _member("ctratt", 96, 4, "Controller Attributes", bits=[
        supported("HOSTID_128", 0, "128-bit Host Identifier"),
        supported("NOP_PERMISSIVE", 1, "Non-Operational Permissive Mode"),
        supported("NVM_SETS", 2, "NVM Sets"),
        supported("READ_RECOVERY", 3, "Read Recovery Levels"),
        supported("ENDURANCE_GROUPS", 4, "Endurance Groups"),
        supported("PREDICTABLE_LATENCY", 5, "Predictable Latency Mode"),
        supported("TBKAS", 6, "Traffic Based Keep Alive"),
        supported("NS_GRANULARITY", 7, "Namespace Granularity"),
        supported("SQ_ASSOCIATIONS", 8, "SQ Associations"),
        supported("UUID_LIST", 9, "UUID List"),
        supported("MULTI_DOMAIN", 10, "Multi-Domain Subsystem"),
        supported("FIXED_CAPACITY", 11, "Fixed Capacity Management"),
        supported("VARIABLE_CAPACITY", 12, "Variable Capacity Management"),
        supported("DELETE_EG", 13, "Delete Endurance Group"),
        supported("DELETE_NVM_SET", 14, "Delete NVM Set"),
        supported("ELBAS", 15, "Extended LBA Formats"),
    ]),
    _member("rrls", 100, 2, "Read Recovery Levels Supported", form="hex"),
    _member("cntrltype", 111, 1, "Controller Type",
            values={0: "Not Reported", 1: "I/O", 2: "Discovery", 3: "Administrative"}),
    _member("fguid", 112, 16, "FRU Globally Unique Identifier", kind="uuid"),
    _member("crdt1", 128, 2, "Command Retry Delay Time 1", unit="100 ms"),
    _member("crdt2", 130, 2, "Command Retry Delay Time 2", unit="100 ms"),
    _member("crdt3", 132, 2, "Command Retry Delay Time 3", unit="100 ms"),
    _member("nvmsr", 253, 1, "NVM Subsystem Report", bits=[
        Field("NVMESD", 0, 0, "NVMe Storage Device", _YES),
        Field("NVMEE", 1, 1, "NVMe Enclosure", _YES),
    ]),
    _member("vwci", 254, 1, "VPD Write Cycle Information", bits=[
        Field("VWCR", 0, 6, "VPD Write Cycles Remaining"),
        Field("VWCRV", 7, 7, "VPD Write Cycles Remaining Valid", _YES),
    ]),
    _member("mec", 255, 1, "Management Endpoint Capabilities", bits=[
        supported("TWPORT", 0, "2-Wire (SMBus) Port Management Endpoint"),
        supported("PCIE", 1, "PCIe Port Management Endpoint"),
    ]),
]

_ADMIN = [
    _member("oacs", 256, 2, "Optional Admin Command Support", bits=[
        supported("SECURITY", 0, "Security Send/Receive"),
        supported("FORMAT", 1, "Format NVM"),
        supported("FIRMWARE", 2, "Firmware Activate/Download"),
        supported("NS_MGMT", 3, "Namespace Management"),
        supported("SELF_TEST", 4, "Device Self-Test"),
        supported("DIRECTIVES", 5, "Directives"),
        supported("NVME_MI", 6, "NVMe-MI Send/Receive"),
        supported("VIRT_MGMT", 7, "Virtualization Management"),
        supported("DBBUF", 8, "Doorbell Buffer Config"),
        supported("LBA_STATUS", 9, "Get LBA Status"),
        supported("LOCKDOWN", 10, "Command and Feature Lockdown"),
    ]),
    _member("acl", 258, 1, "Abort Command Limit", unit="n+1 commands"),
    _member("aerl", 259, 1, "Async Event Request Limit", unit="n+1 requests"),
    _member("frmw", 260, 1, "Firmware Updates", bits=[
        Field("SLOT1_RO", 0, 0, "Firmware Slot 1 Read-Only", _YES),
        Field("SLOTS", 1, 3, "Number of Firmware Slots"),
        Field("NO_RESET", 4, 4, "Firmware Activation Without Reset", _YES),
        Field("SMUD", 5, 5, "Multiple Update Detection Support", _YES),
    ]),
    _member("lpa", 261, 1, "Log Page Attributes", bits=[
        Field("SMART_NS", 0, 0, "Per-Namespace SMART Log", _YES),
        supported("EFFECTS", 1, "Commands Supported and Effects Log Page"),
        supported("EXTENDED", 2, "Get Log Page Extended Data"),
        supported("TELEMETRY", 3, "Telemetry Log Pages"),
        supported("PERSISTENT", 4, "Persistent Event Log Pages"),
        supported("SUPPORTED_PAGES", 5, "Supported Log Pages and Effects Log Pages"),
        supported("TELEMETRY_4", 6, "Data Area 4 for Telemetry Log"),
    ]),
    _member("elpe", 262, 1, "Error Log Page Entries Supported", unit="n+1 entries"),
    _member("npss", 263, 1, "Number of Power States", unit="n+1 states"),
    _member("avscc", 264, 1, "Admin Vendor Specific Command Configuration", bits=[
        Field("FORMAT", 0, 0, "Admin vendor commands use the standard format", _YES)]),
    _member("apsta", 265, 1, "Autonomous Power State Transition Attributes", bits=[
        supported("APST", 0, "Autonomous Power State Transitions")]),
    _member("wctemp", 266, 2, "Warning Composite Temperature Threshold", unit="K", values={0: "Not Reported"}),
    _member("cctemp", 268, 2, "Critical Composite Temperature Threshold", unit="K", values={0: "Not Reported"}),
    _member("mtfa", 270, 2, "Maximum Time for Firmware Activation", unit="100 ms", values={0: "Not Reported"}),
    _member("hmpre", 272, 4, "Host Memory Buffer Preferred Size", unit="4 KiB"),
    _member("hmmin", 276, 4, "Host Memory Buffer Minimum Size", unit="4 KiB"),
    _member("tnvmcap", 280, 16, "Total NVM Capacity", unit="bytes"),
    _member("unvmcap", 296, 16, "Unallocated NVM Capacity", unit="bytes"),
    _member("rpmbs", 312, 4, "Replay Protected Memory Block Support", values={0: "Not Supported"}, bits=[
        Field("UNITS", 0, 2, "Number of RPMB Units"),
        Field("AUTH", 3, 5, "Authentication Method", {0: "HMAC SHA-256"}),
        Field("SIZE", 16, 23, "Total Size", unit="n+1 × 128 KiB"),
        Field("ACCESS", 24, 31, "Access Size", unit="n+1 × 512 bytes"),
    ]),
    _member("edstt", 316, 2, "Extended Device Self-test Time", unit="min"),
    _member("dsto", 318, 1, "Device Self-test Options", bits=[
        Field("ONE_AT_A_TIME", 0, 0, "One self-test at a time in the subsystem", _YES)]),
    _member("fwug", 319, 1, "Firmware Update Granularity", unit="4 KiB",
            values={0: "No Information Provided", 0xFF: "No Restriction"}),
    _member("kas", 320, 2, "Keep Alive Granularity", unit="100 ms", values={0: "Not Supported"}),
    _member("hctma", 322, 2, "Host Controlled Thermal Management Attributes", bits=[
        supported("HCTM", 0, "Host Controlled Thermal Management")]),
    _member("mntmt", 324, 2, "Minimum Thermal Management Temperature", unit="K", values={0: "Not Reported"}),
    _member("mxtmt", 326, 2, "Maximum Thermal Management Temperature", unit="K", values={0: "Not Reported"}),
    _member("sanicap", 328, 4, "Sanitize Capabilities", bits=[
        supported("CRYPTO_ERASE", 0, "Crypto Erase Sanitize"),
        supported("BLOCK_ERASE", 1, "Block Erase Sanitize"),
        supported("OVERWRITE", 2, "Overwrite Sanitize"),
        Field("NDI", 29, 29, "No-Deallocate Inhibited", _YES),
        Field("NODMMAS", 30, 31, "No-Deallocate Modifies Media After Sanitize",
              {0: "Not Defined", 1: "Media not modified", 2: "Media modified"}),
    ]),
    _member("hmminds", 332, 4, "Host Memory Buffer Minimum Descriptor Entry Size", unit="4 KiB"),
    _member("hmmaxd", 336, 2, "Host Memory Maximum Descriptors Entries"),
    _member("nsetidmax", 338, 2, "NVM Set Identifier Maximum"),
    _member("endgidmax", 340, 2, "Endurance Group Identifier Maximum"),
    _member("anatt", 342, 1, "ANA Transition Time", unit="s"),
    _member("anacap", 343, 1, "Asymmetric Namespace Access Capabilities", bits=[
        supported("OPTIMIZED", 0, "ANA Optimized State"),
        supported("NON_OPTIMIZED", 1, "ANA Non-Optimized State"),
        supported("INACCESSIBLE", 2, "ANA Inaccessible State"),
        supported("PERSISTENT_LOSS", 3, "ANA Persistent Loss State"),
        supported("CHANGE", 4, "ANA Change State"),
        Field("GRPID_FIXED", 6, 6, "ANAGRPID does not change", _YES),
        supported("GRPID_MGMT", 7, "Non-Zero ANAGRPID in Namespace Management"),
    ]),
    _member("anagrpmax", 344, 4, "ANA Group Identifier Maximum"),
    _member("nanagrpid", 348, 4, "Number of ANA Group Identifiers"),
    _member("pels", 352, 4, "Persistent Event Log Size", unit="64 KiB"),
    _member("domainid", 356, 2, "Domain Identifier"),
    _member("megcap", 368, 16, "Max Endurance Group Capacity", unit="bytes"),
]

_NVM = [
    _member("sqes", 512, 1, "Submission Queue Entry Size", bits=[
        Field("MIN", 0, 3, "Min", unit="2**n bytes"), Field("MAX", 4, 7, "Max", unit="2**n bytes")]),
    _member("cqes", 513, 1, "Completion Queue Entry Size", bits=[
        Field("MIN", 0, 3, "Min", unit="2**n bytes"), Field("MAX", 4, 7, "Max", unit="2**n bytes")]),
    _member("maxcmd", 514, 2, "Maximum Outstanding Commands", values={0: "Not Reported"}),
    _member("nn", 516, 4, "Number of Namespaces"),
    _member("oncs", 520, 2, "Optional NVM Command Support", bits=[
        supported("COMPARE", 0, "Compare Command"),
        supported("WRITE_UNCORRECTABLE", 1, "Write Uncorrectable Command"),
        supported("DSM", 2, "Dataset Management Command"),
        supported("WRITE_ZEROES", 3, "Write Zeroes Command"),
        supported("SAVE", 4, "Set Features Save Field"),
        supported("RESERVATIONS", 5, "Reservations"),
        supported("TIMESTAMP", 6, "Timestamp"),
        supported("VERIFY", 7, "Verify Command"),
        supported("COPY", 8, "Copy Command"),
    ]),
    _member("fuses", 522, 2, "Fused Operation Support", bits=[
        supported("COMPARE_WRITE", 0, "Fused Compare and Write")]),
    _member("fna", 524, 1, "Format NVM Attributes", bits=[
        Field("FORMAT_ALL", 0, 0, "Format applies to all namespaces", _YES),
        Field("ERASE_ALL", 1, 1, "Secure erase applies to all namespaces", _YES),
        supported("CRYPTO_ERASE", 2, "Cryptographic Erase"),
        Field("NO_BROADCAST", 3, 3, "Format with NSID FFFFFFFFh", {0: "Supported", 1: "Not Supported"}),
    ]),
    _member("vwc", 525, 1, "Volatile Write Cache", bits=[
        Field("PRESENT", 0, 0, "Volatile Write Cache", {0: "Not Present", 1: "Present"}),
        Field("FLUSH_ALL", 1, 2, "Flush with NSID FFFFFFFFh",
              {0: "Not Indicated", 2: "Not Supported", 3: "Supported"}),
    ]),
    _member("awun", 526, 2, "Atomic Write Unit (Normal)", unit="n+1 blocks"),
    _member("awupf", 528, 2, "Atomic Write Unit (PFail)", unit="n+1 blocks"),
    _member("icsvscc", 530, 1, "I/O Command Set Vendor Specific Command Configuration", bits=[
        Field("FORMAT", 0, 0, "I/O vendor commands use the standard format", _YES)]),
    _member("nwpc", 531, 1, "Namespace Write Protection Capabilities", bits=[
        supported("WRITE_PROTECT", 0, "Namespace Write Protect"),
        supported("UNTIL_POWER_CYCLE", 1, "Write Protect Until Power Cycle"),
        supported("PERMANENT", 2, "Permanent Write Protect"),
    ]),
    _member("acwu", 532, 2, "Atomic Compare & Write Unit", unit="n+1 blocks"),
    _member("ocfs", 534, 2, "Optional Copy Formats Supported", bits=[
        supported("FORMAT0", 0, "Copy Descriptor Format 0h"),
        supported("FORMAT1", 1, "Copy Descriptor Format 1h")]),
    _member("sgls", 536, 4, "SGL Support", bits=[
        Field("SUPPORT", 0, 1, "SGL Command Set",
              {0: "Not Supported", 1: "Supported", 2: "Supported (Dword aligned)"}),
        supported("KEYED", 2, "SGL Keyed"),
        supported("BIT_BUCKET", 16, "SGL Bit Bucket Descriptor"),
        supported("MPTR", 17, "SGL Metadata Pointer"),
        supported("OVERSIZED", 18, "Oversized SGL"),
        supported("MPTR_SGL", 19, "SGL Metadata Address"),
        supported("OFFSET", 20, "SGL Offset"),
        supported("TRANSPORT", 21, "Transport SGL Data Block"),
    ]),
    _member("mnan", 540, 4, "Maximum Number of Allowed Namespaces"),
    _member("maxdna", 544, 16, "Maximum Domain Namespace Attachments"),
    _member("maxcna", 560, 4, "Maximum I/O Controller Namespace Attachments"),
    _member("subnqn", 768, 256, "Subsystem NQN", kind="string", json=Json(skip_empty=True)),
]

_FABRICS = [
    _member("ioccsz", 1792, 4, "I/O Queue Command Capsule Supported Size", unit="16 bytes"),
    _member("iorcsz", 1796, 4, "I/O Queue Response Capsule Supported Size", unit="16 bytes"),
    _member("icdoff", 1800, 2, "In Capsule Data Offset", unit="16 bytes"),
    _member("fcatt", 1802, 1, "Fabrics Controller Attributes", bits=[
        Field("DYNAMIC", 0, 0, "Controller Model", {0: "Dynamic", 1: "Static"})]),
    _member("msdbd", 1803, 1, "Maximum SGL Data Block Descriptors", values={0: "No Limit"}),
    _member("ofcs", 1804, 2, "Optional Fabric Commands Support", bits=[
        supported("DISCONNECT", 0, "Disconnect Command")]),
    # nvme-cli 2.3 leaves DCTYPE out of its JSON.
    _member("dctype", 1806, 1, "Discovery Controller Type", json=False,
            values={0: "Not Reported", 1: "Direct Discovery Controller", 2: "Central Discovery Controller"}),
]


class IdentifyController(Struct):
    """What a controller says about itself: 4096 bytes (CNS 01h)."""

    SIZE = 4096
    CITE = _CITE
    MEMBERS = [
        *_IDENTITY, *_ADMIN, *_NVM, *_FABRICS,
        _member("psd", 2048, 32, "Power State", kind=PowerState, count=32, json=Json("psds", length="npss")),
        _member("vs", 3072, 1024, "Vendor Specific", kind="bytes", json=False),
    ]


class IdentifyControllerNvm(Struct):
    """Limits of the NVM command set on this controller: 4096 bytes (CNS 06h, CSI 00h)."""

    SIZE = 4096
    CITE = "NVM command set 1.0c 4.1.5.4"
    MEMBERS = [
        Member("vsl", 0, 1, "Verify Size Limit", unit="2**n pages", values={0: "Unlimited"}),
        Member("wzsl", 1, 1, "Write Zeroes Size Limit", unit="2**n pages", values={0: "Unlimited"}),
        Member("wusl", 2, 1, "Write Uncorrectable Size Limit", unit="2**n pages", values={0: "Unlimited"}),
        Member("dmrl", 3, 1, "Dataset Management Ranges Limit", values={0: "Unlimited"}),
        Member("dmrsl", 4, 4, "Dataset Management Range Size Limit", unit="blocks", values={0: "Unlimited"}),
        Member("dmsl", 8, 8, "Dataset Management Size Limit", unit="blocks", values={0: "Unlimited"}),
    ]
