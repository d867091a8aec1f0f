"""PRPs, checked as a drive would walk them: from a command's 64 bytes and what lies where PRP2 points (base 2.0c 4.1.1)."""
from nvlab.spec.commands import Command

from .why_rules import Finding

QWORD = 8
BLOCK = 512
NVM_DATA = {0x01: "Write", 0x02: "Read", 0x05: "Compare"}


def transfer_length(command, admin, block):
    """Bytes that a command moves by its PRPs, and bytes of one unit of its zero-based count; (0, 0) where there are none."""
    opcode = int(command.opc)
    if not admin:
        if opcode in NVM_DATA:
            return (int(command.cdw12) & 0xFFFF) * block + block, block
        return ((int(command.cdw10) & 0xFF) * 16 + 16, 16) if opcode == 0x09 else (0, 0)
    if opcode == 0x06:
        return 4096, 0
    if opcode == 0x02:
        return (int(command.cdw10) >> 16 | (int(command.cdw11) & 0xFFFF) << 16) * 4 + 4, 4
    return 0, 0


def block_size(scene, nsid):
    """Bytes of a logical block of a namespace, as far as anybody knows."""
    spaces = scene.ctrl.namespaces
    if nsid in spaces:
        return int(spaces[nsid].block_size)
    if scene.ssd is not None and nsid in scene.ssd.subsystem.namespaces:
        return scene.ssd.subsystem.namespaces[nsid].bdev.block_size
    return int(scene.ctrl.function.options.get("block", BLOCK))


def check(scene, sqid, raw, listed=None, failed=False):
    """The Finding for what is wrong with the PRPs of one command, or None.

    `listed` is what lay at PRP2 when the command was submitted; `failed`: the drive refused it for its data pointers.
    """
    command = Command.decode(raw, admin=sqid == 0)
    length, unit = transfer_length(command, sqid == 0, block_size(scene, int(command.nsid)) if sqid else 0)
    if not length or command.psdt:
        return None
    page, prp1, prp2 = scene.page, int(command.prp1), int(command.prp2)
    first, rest = page - prp1 % page, length - (page - prp1 % page)
    case = _Case(scene, sqid, command, length, first, rest, page)
    if rest <= 0:
        return case.unused() if prp2 and page > 4096 and length > 4096 - prp1 % 4096 else None
    if prp2 == 0:
        return case.missing(unit)
    if rest <= page:
        if prp2 % page:
            return case.unaligned(f"PRP2 = {prp2:#x} is the second page, and its offset is {prp2 % page}, not 0")
        return case.list_for_page(listed)
    if prp2 % QWORD:
        return case.unaligned(f"PRP2 = {prp2:#x} points to a PRP list, which must lie at a multiple of 8")
    return case.wrong_list(listed, failed)


class _Case:
    """One command whose data goes beyond the page of PRP1."""

    def __init__(self, scene, sqid, command, length, first, rest, page):
        self.scene, self.sqid, self.command, self.page = scene, sqid, command, page
        self.length, self.first, self.rest = length, first, rest
        self.pages = 1 + -(-max(rest, 0) // page)

    def finding(self, rule, what, *evidence, **about):
        """A Finding with the addresses as evidence."""
        name = f"{self.command.name} with cid {int(self.command.cid)} on SQ {self.sqid}"
        return Finding(rule, f"{name}: {what}.", [
            ("Transfer", f"{self.length} bytes in {self.pages} pages of {self.page}: {min(self.first, self.length)} in the first"),
            ("PRP1", f"{int(self.command.prp1):#x}"), ("PRP2", f"{int(self.command.prp2):#x}"), *evidence], **about)

    def missing(self, unit):
        if unit and self.rest <= unit and self.length > unit and self.length - unit >= self.page // 2:
            count = self.length // unit
            return self.finding("zero-based-size", f"it asks for {count} units of {unit} bytes, one more than fits the page of PRP1, and "
                                f"there is no PRP2; most likely the zero-based count ({count - 1}) is one too large",
                                cite="base 2.0c 1.4.2 (0's based values); NVM command set 1.0c 3.2 (NLB)")
        return self.finding("prp2-missing", f"{self.length} bytes leave the page of PRP1, and PRP2 is 0")

    def unaligned(self, what):
        return self.finding("prp2-unaligned", what)

    def unused(self):
        return self.finding("page-size", f"it fits the page of PRP1, {self.page} bytes as CC.MPS says, and has a PRP2 all the same; most "
                            "likely the driver builds PRPs with pages of 4096 bytes")

    def mapped(self, address):
        """True where a list entry is the begin of a page that the drive can reach."""
        return address != 0 and address % self.page == 0 and self.scene.memory(address, self.page) is not None

    def list_for_page(self, listed):
        """PRP2 should be the second page; what lay there looks like a list: an address, then more addresses or nothing."""
        if listed is None or len(listed) < 4 * QWORD:
            return None
        words = _words(listed)
        if self.mapped(words[0]) and all(word == 0 or self.mapped(word) for word in words[1:]):
            shown = ", ".join(f"{word:#x}" for word in words if word)
            return self.finding("prp2-list-for-page", "PRP2 is the second of two pages, and what lies there is a PRP list; the "
                                "drive takes the list's own page for data", ("At PRP2", f"{shown}: page addresses"))
        return None

    def wrong_list(self, listed, failed):
        """PRP2 should be a list of pages."""
        if listed is None:
            if not failed:
                return None
            listed = self.scene.memory(int(self.command.prp2), min(64, self.page - int(self.command.prp2) % self.page)) or b""
        words = _words(listed)[:self.pages - 1]
        wrong = next((place for place, word in enumerate(words) if not self.mapped(word)), None)
        if wrong is None:
            return None if words or not failed else self.finding(
                "prp2-page-for-list", "PRP2 should point to a list of pages, and the drive can't reach that address")
        word = words[wrong]
        if word and word % self.page and self.scene.memory(word, 1) is not None:
            return self.finding("prp2-unaligned", f"entry {wrong} of the PRP list is {word:#x}: its offset is {word % self.page}, not 0")
        return self.finding("prp2-page-for-list", f"{self.pages} pages need a PRP list, and what PRP2 points to is none: its entry {wrong} "
                            f"is {word:#x}", ("At PRP2", " ".join(f"{word:#x}" for word in words[:4])))


def _words(raw):
    return [int.from_bytes(raw[at:at + QWORD], "little") for at in range(0, len(raw) // QWORD * QWORD, QWORD)]
