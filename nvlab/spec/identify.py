"""Identify: the structures, by the CNS value that asks for each.

    >>> CNS[1].name, CNS[1].struct
    ('Identify Controller', <class '...IdentifyController'>)
"""

from dataclasses import dataclass

from .identify_ctrl import IdentifyController, IdentifyControllerNvm
from .identify_lists import (ControllerList, DESCRIPTOR_TYPES, IoCommandSetVectors, NamespaceDescriptor,
                             NamespaceDescriptors, NamespaceList)
from .identify_ns import (ExtendedLbaFormat, IdentifyNamespace, IdentifyNamespaceIndependent, IdentifyNamespaceNvm,
                          LbaFormat)
from .identify_power import PowerState

__all__ = [
    "CNS", "Cns", "ControllerList", "DESCRIPTOR_TYPES", "ExtendedLbaFormat", "IdentifyController",
    "IdentifyControllerNvm", "IdentifyNamespace", "IdentifyNamespaceIndependent", "IdentifyNamespaceNvm",
    "IoCommandSetVectors", "LbaFormat", "NamespaceDescriptor", "NamespaceDescriptors", "NamespaceList", "PowerState",
]


@dataclass(frozen=True)
class Cns:
    """One CNS value: its name, the structure returned, and which of NSID, CNTID and CSI the command takes."""

    cns: int
    name: str
    struct: type
    nsid: bool = False
    cntid: bool = False
    csi: bool = False
    cite: str = ""

    def __iter__(self):
        return iter((self.name, self.struct))


CNS = {c.cns: c for c in (
    Cns(0x00, "Identify Namespace", IdentifyNamespace, nsid=True, cite="NVM command set 1.0c 4.1.5.1"),
    Cns(0x01, "Identify Controller", IdentifyController, cite="base 2.0c 5.17.2.1"),
    Cns(0x02, "Active Namespace ID list", NamespaceList, nsid=True, cite="base 2.0c 5.17.2.2"),
    Cns(0x03, "Namespace Identification Descriptor list", NamespaceDescriptors, nsid=True,
        cite="base 2.0c 5.17.2.3"),
    Cns(0x05, "I/O Command Set specific Identify Namespace", IdentifyNamespaceNvm, nsid=True, csi=True,
        cite="base 2.0c 5.17.2.5"),
    Cns(0x06, "I/O Command Set specific Identify Controller", IdentifyControllerNvm, csi=True,
        cite="base 2.0c 5.17.2.6"),
    Cns(0x07, "I/O Command Set specific Active Namespace ID list", NamespaceList, nsid=True, csi=True,
        cite="base 2.0c 5.17.2.7"),
    Cns(0x08, "I/O Command Set Independent Identify Namespace", IdentifyNamespaceIndependent, nsid=True,
        cite="base 2.0c 5.17.2.8"),
    Cns(0x10, "Allocated Namespace ID list", NamespaceList, nsid=True, cite="base 2.0c 5.17.2.9"),
    Cns(0x11, "Identify Namespace for an allocated Namespace ID", IdentifyNamespace, nsid=True,
        cite="base 2.0c 5.17.2.10"),
    Cns(0x12, "Controller list of controllers attached to the namespace", ControllerList, nsid=True, cntid=True,
        cite="base 2.0c 5.17.2.11"),
    Cns(0x13, "Controller list of the NVM subsystem", ControllerList, cntid=True, cite="base 2.0c 5.17.2.12"),
    Cns(0x1C, "I/O Command Set data structure", IoCommandSetVectors, cntid=True, cite="base 2.0c 5.17.2.21"),
)}
