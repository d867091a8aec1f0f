"""Data structures of features: what Set Features and Get Features move besides dwords (base 2.0c 5.27.1)."""

from .struct import Member, Struct

__all__ = ["HostBehavior"]

_ENABLED = {0: "Disabled", 1: "Enabled"}


class HostBehavior(Struct):
    """Host Behavior Support (feature 16h), 512 bytes: what the host is able to deal with."""

    SIZE = 512
    CITE = "base 2.0c 5.27.1.18"
    MEMBERS = [
        Member("acre", 0, 1, "Advanced Command Retry Enable", values=_ENABLED),
        Member("etdas", 1, 1, "Extended Telemetry Data Area 4 Supported", values=_ENABLED),
        Member("lbafee", 2, 1, "LBA Format Extension Enable", values=_ENABLED),
    ]
