"""What was read of a controller, in one place: for `identify` to show as text or as nvme-cli's JSON."""

from dataclasses import dataclass, field

from nvlab.spec import nvmecli
from nvlab.spec.registers import ALL as REGISTERS

__all__ = ["Findings", "NamespaceFindings", "to_json"]


@dataclass
class NamespaceFindings:
    """What was read of one namespace: IdentifyNamespace, and NamespaceDescriptors and IdentifyNamespaceNvm or None."""

    id: object
    descriptors: object = None
    nvm: object = None


@dataclass
class Findings:
    """What was read of one controller; None or empty for what wasn't.

    registers: {name: value}. errors: a list of ErrorLogEntry. features: {FID: dword 0}. namespaces: {nsid:
    NamespaceFindings}. `queues` is how many I/O queue pairs the controller granted.
    """

    address: str
    registers: dict = field(default_factory=dict)
    id: object = None
    id_nvm: object = None
    smart: object = None
    errors: list | None = None
    firmware: object = None
    effects: object = None
    features: dict = field(default_factory=dict)
    namespaces: dict = field(default_factory=dict)
    queues: int | None = None

    def register(self, name):
        """The RegisterValue called `name`, or None."""
        value = self.registers.get(name)
        return None if value is None else REGISTERS[name].decode(int(value))

    @property
    def sizes(self):
        """Bytes in a minimum memory page, where CAP is known."""
        cap = self.register("CAP")
        return {} if cap is None else {"pages": cap.MPSMIN.bytes}


def to_json(found, device="nvme0"):
    """`found` as plain Python: each key is a command of nvme-cli, its value what that prints with `-o json`.

    id-ns, ns-descs and nvm-id-ns have one such value a namespace, keyed by its identifier ({"1": {...}}). `regs` is
    what `nvme show-regs` prints. What wasn't read has no key.
    """
    shown = {"address": found.address}
    if found.registers:
        shown["regs"] = nvmecli.to_json("regs", found.registers)
    for kind, data in (("id-ctrl", found.id), ("smart-log", found.smart), ("error-log", found.errors),
                       ("fw-log", found.firmware)):
        if data is not None:
            shown[kind] = nvmecli.to_json(kind, data, device=device)
    for kind, part in (("id-ns", "id"), ("ns-descs", "descriptors"), ("nvm-id-ns", "nvm")):
        each = {str(nsid): nvmecli.to_json(kind, getattr(one, part), id_ns=one.id)
                for nsid, one in found.namespaces.items() if getattr(one, part) is not None}
        if each:
            shown[kind] = each
    return shown
