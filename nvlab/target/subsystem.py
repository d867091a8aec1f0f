"""An NVM subsystem: its names, and the namespaces that rest on block devices."""
import uuid

from nvlab.spec.errors import UsageError
from nvlab.spec.identify import IdentifyNamespace, NamespaceDescriptors
from nvlab.spec.render import counted

MAX_NAMESPACES = 128


class TargetNamespace:
    """A namespace: an nsid in front of a block device."""

    def __init__(self, nsid, bdev, subnqn):
        self.nsid, self.bdev = nsid, bdev
        self.uuid = uuid.uuid5(uuid.NAMESPACE_URL, f"{subnqn}/{nsid}")    # the same drive has the same names each time
        self.nguid = self.uuid.bytes
        self.eui64 = bytes(8)

    def identify(self):
        """What Identify CNS 00h answers."""
        shift = self.bdev.block_size.bit_length() - 1
        kept = self.bdev.memory is not None
        return IdentifyNamespace.new(
            nsze=self.bdev.blocks, ncap=self.bdev.blocks, nuse=self.bdev.blocks if kept else 0,
            dlfeat={"READ": 1, "WRITE_ZEROES": 1},
            nguid=self.nguid, nvmcap=self.bdev.size, lbaf=[{"ms": 0, "lbads": shift, "rp": 0}])

    def descriptors(self):
        """What Identify CNS 03h answers."""
        return NamespaceDescriptors.build(nguid=self.nguid, uuid=self.uuid, csi=0)

    def __repr__(self):
        return f"TargetNamespace(nsid={self.nsid}, {self.bdev!r})"


class Subsystem:
    """What the controllers of a drive have in common: NQN, serial number, model, namespaces."""

    def __init__(self, serial="NVLAB0001", model="nvlab embedded SSD", firmware="1.0"):
        for name, text, width in (("serial", serial, 20), ("model", model, 40), ("firmware", firmware, 8)):
            if not text.isascii() or not text.isprintable() or not 0 < len(text) <= width:
                raise UsageError(f"{name}={text!r}: 1 to {width} printable ASCII characters (base 2.0c 5.17.2.1)")
        self.serial, self.model, self.firmware = serial, model, firmware
        self.nqn = f"nqn.2026-01.org.nvlab:{serial}"
        self.namespaces = {}

    def add_namespace(self, bdev, nsid=None):
        """Put a block device behind an nsid (the next free one). Raises UsageError when it is taken or out of range."""
        nsid = nsid or max(self.namespaces, default=0) + 1
        if not 0 < nsid <= MAX_NAMESPACES or nsid in self.namespaces:
            raise UsageError(f"namespace {nsid}: identifiers 1 to {MAX_NAMESPACES}, each once; in use are {sorted(self.namespaces)}")
        namespace = self.namespaces[nsid] = TargetNamespace(nsid, bdev, self.nqn)
        return namespace

    def close(self):
        """Close all block devices."""
        for namespace in self.namespaces.values():
            namespace.bdev.close()

    def __repr__(self):
        return f"Subsystem({self.nqn!r}, {counted(len(self.namespaces), 'namespace')})"
