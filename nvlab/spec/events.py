"""Asynchronous events: what dword 0 of a completed Asynchronous Event Request says (base 2.0c 5.2.1)."""

from .logs import LOGS

__all__ = ["AsyncEvent", "NAMES", "TYPES"]

TYPES = {0: "Error", 1: "SMART / Health", 2: "Notice", 3: "Immediate", 6: "I/O command specific", 7: "Vendor specific"}
"""Asynchronous event types."""

NAMES = {
    0: {0x00: "Write to Invalid Doorbell Register", 0x01: "Invalid Doorbell Write Value", 0x02: "Diagnostic Failure",
        0x03: "Persistent Internal Error", 0x04: "Transient Internal Error", 0x05: "Firmware Image Load Error"},
    1: {0x00: "NVM Subsystem Reliability", 0x01: "Temperature Threshold", 0x02: "Spare Below Threshold"},
    2: {0x00: "Namespace Attribute Changed", 0x01: "Firmware Activation Starting", 0x02: "Telemetry Log Changed",
        0x03: "Asymmetric Namespace Access Change", 0x04: "Predictable Latency Event Aggregate Log Change",
        0x05: "LBA Status Information Alert", 0x06: "Endurance Group Event Aggregate Log Page Change",
        0xEF: "Zone Descriptor Changed", 0xF0: "Discovery Log Page Change"},
    3: {0x00: "Normal NVM Subsystem Shutdown"},
    6: {0x00: "Reservation Log Page Available", 0x01: "Sanitize Operation Completed",
        0x02: "Sanitize Operation Completed With Unexpected Deallocation"},
}
"""Type -> information -> the standard's name of the event."""


class AsyncEvent(int):
    """One event: dword 0 as an int, with `type`, `information`, `log_page` and, in words, `name`."""

    @property
    def type(self):
        """Asynchronous Event Type, a key of TYPES."""
        return int(self) & 7

    @property
    def information(self):
        """Asynchronous Event Information: which event of that type."""
        return int(self) >> 8 & 0xFF

    @property
    def log_page(self):
        """The log page to read: it says more, and ends the silence that follows each event of a type."""
        return int(self) >> 16 & 0xFF

    @property
    def name(self):
        """The standard's name of the event."""
        return NAMES.get(self.type, {}).get(self.information, f"information {self.information:02x}h")

    def __repr__(self):
        log = LOGS.get(self.log_page)
        return (f"<{TYPES.get(self.type, f'type {self.type}')} event: {self.name}; log page {self.log_page:02x}h"
                f"{f' ({log.name})' if log else ''} says more ({int(self):#x})>")

    def __str__(self):
        return repr(self)
