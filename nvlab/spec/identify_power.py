"""One power state of Identify Controller (base 2.0c 5.17.2.1, Power State Descriptor)."""

from .fields import Field
from .struct import Json, Member, Struct

__all__ = ["PowerState"]

_WATTS = {0: "Not Reported", 1: "0.0001 W", 2: "0.01 W"}


class PowerState(Struct):
    """A power state descriptor, 32 bytes: how much it draws, how long entering and leaving take."""

    SIZE = 32
    CITE = "base 2.0c 5.17.2.1"
    MEMBERS = [
        Member("mp", 0, 2, "Max Power", scale="flags.MXPS", json=Json("max_power")),
        Member("flags", 3, 1, "Flags", bits=[
            Field("MXPS", 0, 0, "Max Power Scale", {0: "0.01 W", 1: "0.0001 W"}),
            Field("NOPS", 1, 1, "Non-Operational State", {0: "Operational", 1: "Non-Operational"}),
        ]),
        Member("enlat", 4, 4, "Entry Latency", unit="us", values={0: "Not Reported"}, json=Json("entry_lat")),
        Member("exlat", 8, 4, "Exit Latency", unit="us", values={0: "Not Reported"}, json=Json("exit_lat")),
        Member("rrt", 12, 1, "Relative Read Throughput", json=Json("read_tput")),
        Member("rrl", 13, 1, "Relative Read Latency", json=Json("read_lat")),
        Member("rwt", 14, 1, "Relative Write Throughput", json=Json("write_tput")),
        Member("rwl", 15, 1, "Relative Write Latency", json=Json("write_lat")),
        Member("idlp", 16, 2, "Idle Power", scale="ips.IPS", json=Json("idle_power")),
        Member("ips", 18, 1, "Idle Power Scale", json=Json("idle_scale", bits=(6, 7)), bits=[
            Field("IPS", 6, 7, "Idle Power Scale", _WATTS)]),
        Member("actp", 20, 2, "Active Power", scale="apws.APS", json=Json("active_power")),
        Member("apws", 22, 1, "Active Power Workload and Scale", bits=[
            Field("APW", 0, 2, "Active Power Workload", {0: "No Workload", 1: "Workload #1", 2: "Workload #2"}),
            Field("APS", 6, 7, "Active Power Scale", _WATTS),
        ], json=[Json("active_power_work", bits=(0, 2)), Json("active_scale", bits=(6, 7))]),
    ]
