"""Log pages 01h to 05h, as tables (base 2.0c 5.16.1)."""

from dataclasses import dataclass

from .fields import Field
from .struct import Json, Member, Struct

__all__ = ["ChangedNamespaceList", "CommandEffects", "CommandsSupportedLog", "ErrorLogEntry", "FirmwareLog",
           "LOGS", "LogPage", "SmartLog"]

_YES = {0: "No", 1: "Yes"}
_WARNING = {0: "OK", 1: "WARNING"}


class ErrorLogEntry(Struct):
    """One entry of the Error Information log: 64 bytes; a count of zero marks an unused one."""

    SIZE = 64
    CITE = "base 2.0c 5.16.1.2"
    MEMBERS = [
        Member("error_count", 0, 8, "Error Count"),
        Member("sqid", 8, 2, "Submission Queue ID"),
        Member("cmdid", 10, 2, "Command ID"),
        Member("status_field", 12, 2, "Status Field", bits=[
            Field("P", 0, 0, "Phase Tag"),
            Field("SC", 1, 8, "Status Code"),
            Field("SCT", 9, 11, "Status Code Type"),
            Field("CRD", 12, 13, "Command Retry Delay"),
            Field("M", 14, 14, "More", _YES),
            Field("DNR", 15, 15, "Do Not Retry", _YES),
        ], json=[Json("status_field", bits=(1, 15)), Json("phase_tag", bits=(0, 0))]),
        Member("parm_error_location", 14, 2, "Parameter Error Location", bits=[
            Field("BYTE", 0, 7, "Byte in the command"),
            Field("BIT", 8, 10, "Bit in that byte"),
        ], values={0xFFFF: "Not specific to a parameter"}),
        Member("lba", 16, 8, "LBA"),
        Member("nsid", 24, 4, "Namespace"),
        Member("vs", 28, 1, "Vendor Specific Log Page"),
        Member("trtype", 29, 1, "Transport Type",
               values={0: "Not indicated", 1: "RDMA", 2: "Fibre Channel", 3: "TCP", 254: "Intra-host"}),
        Member("cs", 32, 8, "Command Specific Information"),
        Member("trtype_spec_info", 40, 2, "Transport Type Specific Information"),
    ]


class SmartLog(Struct):
    """The SMART / Health Information log: 512 bytes."""

    SIZE = 512
    CITE = "base 2.0c 5.16.1.3"
    MEMBERS = [
        Member("critical_warning", 0, 1, "Critical Warnings", bits=[
            Field("SPARE", 0, 0, "Available Spare Space", _WARNING),
            Field("TEMPERATURE", 1, 1, "Temperature", _WARNING),
            Field("RELIABILITY", 2, 2, "Device Reliability", _WARNING),
            Field("READ_ONLY", 3, 3, "Read Only", _YES),
            Field("BACKUP", 4, 4, "Volatile Memory Backup", _WARNING),
            Field("PMR", 5, 5, "Persistent Memory Region Read Only", _YES),
        ]),
        Member("temperature", 1, 2, "Current Temperature", unit="K"),
        Member("avail_spare", 3, 1, "Available Spare", unit="%"),
        Member("spare_thresh", 4, 1, "Available Spare Threshold", unit="%"),
        Member("percent_used", 5, 1, "Life Percentage Used", unit="%"),
        Member("endurance_grp_critical_warning_summary", 6, 1, "Endurance Group Critical Warning Summary", bits=[
            Field("SPARE", 0, 0, "Available Spare Space", _WARNING),
            Field("RELIABILITY", 2, 2, "Reliability", _WARNING),
            Field("READ_ONLY", 3, 3, "Read Only", _YES),
        ]),
        Member("data_units_read", 32, 16, "Data Units Read", unit="512000 bytes"),
        Member("data_units_written", 48, 16, "Data Units Written", unit="512000 bytes"),
        Member("host_read_commands", 64, 16, "Host Read Commands"),
        Member("host_write_commands", 80, 16, "Host Write Commands"),
        Member("controller_busy_time", 96, 16, "Controller Busy Time", unit="min"),
        Member("power_cycles", 112, 16, "Power Cycles"),
        Member("power_on_hours", 128, 16, "Power On Hours", unit="h"),
        Member("unsafe_shutdowns", 144, 16, "Unsafe Shutdowns"),
        Member("media_errors", 160, 16, "Unrecoverable Media Errors"),
        Member("num_err_log_entries", 176, 16, "Lifetime Error Log Entries"),
        Member("warning_temp_time", 192, 4, "Warning Temperature Time", unit="min"),
        Member("critical_comp_time", 196, 4, "Critical Temperature Time", unit="min"),
        # A sensor that isn't there reads zero, and nvme-cli leaves it out.
        Member("temp_sensor", 200, 2, "Temperature Sensor", count=8, unit="K",
               json=Json("temperature_sensor_{n}", spread=True, skip_empty=True)),
        Member("thm_temp1_trans_count", 216, 4, "Thermal Management Temperature 1 Transition Count"),
        Member("thm_temp2_trans_count", 220, 4, "Thermal Management Temperature 2 Transition Count"),
        Member("thm_temp1_total_time", 224, 4, "Total Time for Thermal Management Temperature 1", unit="s"),
        Member("thm_temp2_total_time", 228, 4, "Total Time for Thermal Management Temperature 2", unit="s"),
    ]


class FirmwareLog(Struct):
    """The Firmware Slot Information log: 512 bytes."""

    SIZE = 512
    CITE = "base 2.0c 5.16.1.4"
    MEMBERS = [
        Member("afi", 0, 1, "Active Firmware Info", bits=[
            Field("ACTIVE", 0, 2, "Active slot"),
            Field("NEXT", 4, 6, "Next controller reset slot", {0: "Not Indicated"}),
        ], json=Json("Active Firmware Slot (afi)")),
        Member("frs", 8, 8, "Firmware Revision, Slot", kind="ascii", count=7,
               json=Json("Firmware Rev Slot {n}", spread=True, skip_empty=True, form="firmware")),
    ]


class ChangedNamespaceList(Struct):
    """The Changed Namespace List log: up to 1024 identifiers, 4096 bytes; FFFFFFFFh first means too many."""

    SIZE = 4096
    CITE = "base 2.0c 5.16.1.5"
    MEMBERS = [Member("nsid", 0, 4, "Namespace Identifier", count=1024)]

    @property
    def nsids(self):
        """The identifiers before the first zero, as a list of int."""
        entries = self.to_numpy()["nsid"].tolist()
        return entries[:entries.index(0)] if 0 in entries else entries

    @property
    def overflow(self):
        """True when more than 1024 namespaces changed, and none is named."""
        return self.nsids[:1] == [0xFFFFFFFF]

    def to_dict(self):
        """`{"nsid": [...]}` with the identifiers in use."""
        return {"nsid": self.nsids}


class CommandEffects(Struct):
    """What one opcode does: 4 bytes of the Commands Supported and Effects log."""

    SIZE = 4
    CITE = "base 2.0c 5.16.1.6"
    MEMBERS = [
        Member("effects", 0, 4, "Commands Supported and Effects", bits=[
            Field("CSUPP", 0, 0, "Command Supported", _YES),
            Field("LBCC", 1, 1, "Logical Block Content Change", _YES),
            Field("NCC", 2, 2, "Namespace Capability Change", _YES),
            Field("NIC", 3, 3, "Namespace Inventory Change", _YES),
            Field("CCC", 4, 4, "Controller Capability Change", _YES),
            Field("CSE", 16, 18, "Command Submission and Execution",
                  {0: "No restriction", 1: "One at a time in the namespace", 2: "One at a time in the subsystem"}),
            Field("USS", 19, 19, "UUID Selection Supported", _YES),
            Field("CSP", 20, 31, "Command Scope"),
        ]),
    ]


class CommandsSupportedLog(Struct):
    """The Commands Supported and Effects log: one entry an opcode, admin then I/O, 4096 bytes."""

    SIZE = 4096
    CITE = "base 2.0c 5.16.1.6"
    MEMBERS = [
        Member("acs", 0, 4, "Admin Command", kind=CommandEffects, count=256),
        Member("iocs", 1024, 4, "I/O Command", kind=CommandEffects, count=256),
    ]

    def supported(self, admin):
        """`{opcode: CommandEffects}` of the commands that are supported, admin ones or I/O ones."""
        entries = self.acs if admin else self.iocs
        return {opcode: entry for opcode, entry in enumerate(entries) if entry.effects.CSUPP}

    def to_dict(self):
        """`{"acs": {opcode: effects}, "iocs": {...}}` of the supported commands."""
        return {name: {op: int(e.effects) for op, e in self.supported(name == "acs").items()}
                for name in ("acs", "iocs")}


@dataclass(frozen=True)
class LogPage:
    """A log page: its identifier, name, and the structure it holds (`repeats`: a run of them)."""

    lid: int
    name: str
    struct: type
    repeats: bool = False

    def __iter__(self):
        return iter((self.name, self.struct))


LOGS = {page.lid: page for page in (
    LogPage(0x01, "Error Information", ErrorLogEntry, repeats=True),
    LogPage(0x02, "SMART / Health Information", SmartLog),
    LogPage(0x03, "Firmware Slot Information", FirmwareLog),
    LogPage(0x04, "Changed Namespace List", ChangedNamespaceList),
    LogPage(0x05, "Commands Supported and Effects", CommandsSupportedLog),
)}
