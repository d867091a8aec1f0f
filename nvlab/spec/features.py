"""Features: what Set Features writes into CDW11 and Get Features returns in dword 0 (base 2.0c 5.27.1)."""

from dataclasses import dataclass

from .errors import UsageError
from .fields import BitsValue, Field, pack

__all__ = ["FEATURES", "Feature", "SELECT", "lookup"]

_ENABLED = {0: "Disabled", 1: "Enabled"}
_YES = {0: "No", 1: "Yes"}

SELECT = {0: "Current", 1: "Default", 2: "Saved", 3: "Supported capabilities"}
"""Values of SEL in Get Features."""


@dataclass(frozen=True, eq=False)
class Feature:
    """One feature: the fields of CDW11 and of dword 0 (the same ones unless told), and its data buffer's bytes.

    `per_namespace`: NSID selects the namespace whose value it is.
    """

    fid: int
    name: str
    title: str
    cdw11: tuple = ()
    dw0: tuple | None = None
    data: int = 0
    per_namespace: bool = False
    cite: str = "base 2.0c 5.27.1"

    @property
    def result(self):
        """The fields of the completion's dword 0."""
        return self.cdw11 if self.dw0 is None else self.dw0

    def decode(self, dw0):
        """Dword 0 of Get Features (for Number of Queues also of Set Features) as a BitsValue with named fields."""
        return BitsValue(dw0, self.result, self.title, 4)

    def encode(self, **values):
        """CDW11 for Set Features, as an int. UsageError for an unknown field or a value out of range."""
        return pack(self.cdw11, values, self.title)


def _bit(name, at, title, values=_ENABLED):
    return Field(name, at, at, title, values)


_NUMBER_OF_QUEUES = (
    Field("NSQR", 0, 15, "Number of I/O Submission Queues Requested", unit="n+1 queues"),
    Field("NCQR", 16, 31, "Number of I/O Completion Queues Requested", unit="n+1 queues"),
)
_QUEUES_ALLOCATED = (
    Field("NSQA", 0, 15, "Number of I/O Submission Queues", unit="n+1 queues"),
    Field("NCQA", 16, 31, "Number of I/O Completion Queues", unit="n+1 queues"),
)

FEATURES = {feature.fid: feature for feature in (
    Feature(0x01, "arbitration", "Arbitration", (
        Field("AB", 0, 2, "Arbitration Burst", {7: "No Limit"}, unit="2**n commands"),
        Field("LPW", 8, 15, "Low Priority Weight", unit="n+1 commands"),
        Field("MPW", 16, 23, "Medium Priority Weight", unit="n+1 commands"),
        Field("HPW", 24, 31, "High Priority Weight", unit="n+1 commands"),
    ), cite="base 2.0c 5.27.1.1"),
    Feature(0x02, "power_management", "Power Management", (
        Field("PS", 0, 4, "Power State"),
        Field("WH", 5, 7, "Workload Hint", {0: "No Workload", 1: "Workload #1", 2: "Workload #2"}),
    ), cite="base 2.0c 5.27.1.2"),
    Feature(0x03, "lba_range_type", "LBA Range Type", (
        Field("NUM", 0, 5, "Number of LBA Ranges", unit="n+1 ranges"),
    ), data=4096, per_namespace=True, cite="NVM command set 1.0c 4.1.3.1"),
    Feature(0x04, "temperature_threshold", "Temperature Threshold", (
        Field("TMPTH", 0, 15, "Temperature Threshold", unit="K"),
        Field("TMPSEL", 16, 19, "Threshold Temperature Select", {0: "Composite Temperature", 15: "All sensors"}),
        Field("THSEL", 20, 21, "Threshold Type Select", {0: "Over Temperature", 1: "Under Temperature"}),
    ), cite="base 2.0c 5.27.1.3"),
    Feature(0x05, "error_recovery", "Error Recovery", (
        Field("TLER", 0, 15, "Time Limited Error Recovery", {0: "No Limit"}, unit="100 ms"),
        _bit("DULBE", 16, "Deallocated or Unwritten Logical Block Error Enable"),
    ), per_namespace=True, cite="NVM command set 1.0c 4.1.3.2"),
    Feature(0x06, "volatile_write_cache", "Volatile Write Cache", (
        _bit("WCE", 0, "Volatile Write Cache Enable"),), cite="base 2.0c 5.27.1.4"),
    Feature(0x07, "number_of_queues", "Number of Queues", _NUMBER_OF_QUEUES, _QUEUES_ALLOCATED,
            cite="base 2.0c 5.27.1.5"),
    Feature(0x08, "interrupt_coalescing", "Interrupt Coalescing", (
        Field("THR", 0, 7, "Aggregation Threshold", unit="n+1 entries"),
        Field("TIME", 8, 15, "Aggregation Time", {0: "No Delay"}, unit="100 us"),
    ), cite="base 2.0c 5.27.1.6"),
    Feature(0x09, "interrupt_vector_config", "Interrupt Vector Configuration", (
        Field("IV", 0, 15, "Interrupt Vector"),
        _bit("CD", 16, "Coalescing Disable", _YES),
    ), cite="base 2.0c 5.27.1.7"),
    Feature(0x0A, "write_atomicity", "Write Atomicity Normal", (
        _bit("DN", 0, "Disable Normal", _YES),), cite="NVM command set 1.0c 4.1.3.3"),
    Feature(0x0B, "async_event_config", "Asynchronous Event Configuration", (
        _bit("SPARE", 0, "Critical Warning: Available Spare Space"),
        _bit("TEMPERATURE", 1, "Critical Warning: Temperature"),
        _bit("RELIABILITY", 2, "Critical Warning: Device Reliability"),
        _bit("READ_ONLY", 3, "Critical Warning: Read Only"),
        _bit("BACKUP", 4, "Critical Warning: Volatile Memory Backup"),
        _bit("PMR", 5, "Critical Warning: Persistent Memory Region Read Only"),
        _bit("NS_ATTR", 8, "Namespace Attribute Notices"),
        _bit("FW_ACTIVATION", 9, "Firmware Activation Notices"),
        _bit("TELEMETRY", 10, "Telemetry Log Notices"),
        _bit("ANA_CHANGE", 11, "ANA Change Notices"),
        _bit("PLE_AGGREGATE", 12, "PLE Aggregate Log Change Notices"),
        _bit("LBA_STATUS", 13, "LBA Status Info Alert Notices"),
        _bit("EG_AGGREGATE", 14, "EGE Aggregate Log Change Notices"),
        _bit("NORMAL_SHUTDOWN", 15, "Normal NVM Subsystem Shutdown Event"),
        _bit("ZONE_DESC", 27, "Zone Descriptor Change Notices"),
        _bit("DISCOVERY", 31, "Discovery Log Change Notices"),
    ), cite="base 2.0c 5.27.1.8"),
    Feature(0x0C, "autonomous_power_state", "Autonomous Power State Transition", (
        _bit("APSTE", 0, "Autonomous Power State Transition Enable"),), data=256, cite="base 2.0c 5.27.1.9"),
    Feature(0x0D, "host_memory_buffer", "Host Memory Buffer", (
        _bit("EHM", 0, "Enable Host Memory"),
        _bit("MR", 1, "Memory Return", _YES),
    ), data=4096, cite="base 2.0c 5.27.1.10"),
    Feature(0x0E, "timestamp", "Timestamp", (), data=8, cite="base 2.0c 5.27.1.11"),
    Feature(0x0F, "keep_alive_timer", "Keep Alive Timer", (
        Field("KATO", 0, 31, "Keep Alive Timeout", {0: "Disabled"}, unit="ms"),), cite="base 2.0c 5.27.1.12"),
    Feature(0x10, "thermal_management", "Host Controlled Thermal Management", (
        Field("TMT2", 0, 15, "Thermal Management Temperature 2", unit="K"),
        Field("TMT1", 16, 31, "Thermal Management Temperature 1", unit="K"),
    ), cite="base 2.0c 5.27.1.13"),
    Feature(0x11, "non_operational_power", "Non-Operational Power State Config", (
        _bit("NOPPME", 0, "Non-Operational Power State Permissive Mode Enable"),), cite="base 2.0c 5.27.1.14"),
    Feature(0x12, "read_recovery_level", "Read Recovery Level Config", (
        Field("RRL", 0, 3, "Read Recovery Level"),), cite="base 2.0c 5.27.1.15"),
    Feature(0x13, "predictable_latency_config", "Predictable Latency Mode Config", (
        Field("NVMSETID", 0, 15, "NVM Set Identifier"),), data=512, cite="base 2.0c 5.27.1.16"),
    Feature(0x14, "predictable_latency_window", "Predictable Latency Mode Window", (
        Field("NVMSETID", 0, 15, "NVM Set Identifier"),), cite="base 2.0c 5.27.1.17"),
    Feature(0x15, "lba_status_interval", "LBA Status Information Report Interval", (
        Field("LSIRI", 0, 15, "LBA Status Information Report Interval", unit="100 ms"),
        Field("LSIPI", 16, 31, "LBA Status Information Poll Interval", unit="100 ms"),
    ), cite="NVM command set 1.0c 4.1.3.5"),
    Feature(0x16, "host_behavior", "Host Behavior Support", (), data=512, cite="base 2.0c 5.27.1.18"),
    Feature(0x17, "sanitize_config", "Sanitize Config", (
        _bit("NODRM", 0, "No-Deallocate Response Mode", {0: "Error", 1: "Warning"}),), cite="base 2.0c 5.27.1.19"),
    Feature(0x18, "endurance_group_event", "Endurance Group Event Configuration", (
        Field("ENDGID", 0, 15, "Endurance Group Identifier"),
        Field("EGCW", 16, 23, "Endurance Group Critical Warnings"),
    ), cite="base 2.0c 5.27.1.20"),
    Feature(0x19, "command_set_profile", "I/O Command Set Profile", (
        Field("IOCSCI", 0, 8, "I/O Command Set Combination Index"),), cite="base 2.0c 5.27.1.21"),
    Feature(0x1A, "spinup_control", "Spinup Control", (
        _bit("SPINUPC", 0, "Spinup Control Enable"),), cite="base 2.0c 5.27.1.22"),
    Feature(0x7D, "enhanced_controller_metadata", "Enhanced Controller Metadata", data=4096),
    Feature(0x7E, "controller_metadata", "Controller Metadata", data=4096),
    Feature(0x7F, "namespace_metadata", "Namespace Metadata", data=4096, per_namespace=True),
    Feature(0x80, "software_progress_marker", "Software Progress Marker", (
        Field("PBSLC", 0, 7, "Pre-boot Software Load Count"),)),
    Feature(0x81, "host_identifier", "Host Identifier", (
        _bit("EXHID", 0, "Extended Host Identifier", {0: "64 bits", 1: "128 bits"}),), data=16),
    Feature(0x82, "reservation_notification_mask", "Reservation Notification Mask", (
        _bit("REGPRE", 1, "Mask Registration Preempted", _YES),
        _bit("RESREL", 2, "Mask Reservation Released", _YES),
        _bit("RESPRE", 3, "Mask Reservation Preempted", _YES),
    ), per_namespace=True),
    Feature(0x83, "reservation_persistence", "Reservation Persistence", (
        _bit("PTPL", 0, "Persist Through Power Loss", _YES),), per_namespace=True),
    Feature(0x84, "write_protection", "Namespace Write Protection Config", (
        Field("WPS", 0, 2, "Write Protection State",
              {0: "No Write Protect", 1: "Write Protect", 2: "Write Protect Until Power Cycle",
               3: "Permanent Write Protect"}),), per_namespace=True),
)}


def lookup(fid):
    """The Feature with this identifier or short name. UsageError when the table has none."""
    for feature in FEATURES.values():
        if fid in (feature.fid, feature.name):
            return feature
    raise UsageError(f"no feature {fid!r}; there are {', '.join(f'{f.fid:#04x} {f.name}' for f in FEATURES.values())}")
