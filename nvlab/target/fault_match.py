"""Which commands a fault strikes: by opcode, queue, namespace, LBA, command identifier; how many of them, after how many."""
import difflib

from nvlab.spec import status
from nvlab.spec.commands import ADMIN, NVM
from nvlab.spec.errors import UsageError
from nvlab.spec.status import Status

KEYWORDS = {"opcode": None, "qid": None, "nsid": None, "lba": None, "cid": None, "count": None, "after": 0}
"""What a fault can be matched by, with the defaults: any command, always."""

EVENT_REQUEST = 0x0C
"""Asynchronous Event Request: waits inside by design, so only a fault that names it strikes it."""

WITH_LBA = frozenset({0x01, 0x02, 0x04, 0x05, 0x08, 0x0C})
"""I/O commands with SLBA in dwords 10 and 11 and NLB in dword 12 (NVM command set 1.0c 3.2)."""


class Match:
    """A condition on commands, from the keywords of a fault. Raises UsageError for what no command could have."""

    def __init__(self, opcode=None, qid=None, nsid=None, lba=None, cid=None, count=None, after=0):
        self.admin, self.io = (None, None) if opcode is None else opcodes(opcode)
        self.qids, self.nsids = numbers(qid, "qid", 0xFFFF), numbers(nsid, "nsid", 0xFFFFFFFF)
        self.cids, self.lbas = numbers(cid, "cid", 0xFFFF), blocks(lba)
        self.count = None if count is None else number(count, "count", 1, 1 << 63, "how many commands to strike, at least one")
        self.after = number(after, "after", 0, 1 << 63, "how many matching commands to let pass first")
        given = {"opcode": opcode, "qid": qid, "nsid": nsid, "lba": lba, "cid": cid}
        self.given = {name: value for name, value in given.items() if value is not None}
        self._check_sense()

    def _check_sense(self):
        if self.lbas and self.io is not None and not self.io & WITH_LBA:
            raise UsageError(f"lba={self.given['lba']!r} with opcode={self.given['opcode']!r}: that command names no LBA; "
                             "leave one of them out")
        if self.qids == {0} and (self.lbas or self.admin == frozenset()):
            what = f"opcode={self.given['opcode']!r}" if self.admin == frozenset() else f"lba={self.given['lba']!r}"
            raise UsageError(f"{what} with qid=0: that is an I/O command, and queue 0 takes admin commands; no command would match")
        if self.io == frozenset() and self.qids and 0 not in self.qids:
            raise UsageError(f"opcode={self.given['opcode']!r} with qid={self.given['qid']!r}: that is an admin command, and "
                             "those go to queue 0; no command would match")

    @property
    def anything(self):
        """True when no keyword was given."""
        return not self.given and self.count is None and not self.after

    def fits(self, sqid, raw):
        """True when the 64-byte entry `raw` of submission queue `sqid` is such a command."""
        known = self.io if sqid else self.admin
        if raw[0] not in known if known is not None else not sqid and raw[0] == EVENT_REQUEST:
            return False
        return (self._in(self.qids, sqid) and self._in(self.cids, raw[2] | raw[3] << 8)
                and self._in(self.nsids, int.from_bytes(raw[4:8], "little")) and (self.lbas is None or self._overlaps(sqid, raw)))

    @staticmethod
    def _in(wanted, value):
        return wanted is None or value in wanted

    def _overlaps(self, sqid, raw):
        if not sqid or raw[0] not in WITH_LBA:
            return False
        first = int.from_bytes(raw[40:48], "little")
        return first < self.lbas.stop and first + (raw[48] | raw[49] << 8) >= self.lbas.start

    def __str__(self):
        words = []
        for name, value in self.given.items():
            if isinstance(value, range):
                value = f"{value.start}..{value.stop - 1}"
            words.append(f"{name}={value}")
        return " ".join(words) or "any command"


# ---------------------------------------------------------------- arguments

def number(value, name, least, most, rule):
    """`value` as an int between `least` and `most`. Raises UsageError, which tells the `rule`."""
    if isinstance(value, (bool, str)) or not hasattr(value, "__index__") or not least <= value.__index__() <= most:
        raise UsageError(f"{name}={value!r}: {rule}" + ("" if most >= 1 << 63 else f", {least} to {most}"))
    return value.__index__()


def seconds(value, name="seconds", most=86400.0):
    """`value` as a float of seconds. Raises UsageError."""
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__") or not 0 <= float(value) <= most:
        raise UsageError(f"{name}={value!r}: a number of seconds from 0 to {most:g}")
    return float(value)


def several(wanted):
    """`wanted` as something to go through: itself, or in a list."""
    return wanted if isinstance(wanted, (list, tuple, set, frozenset, range)) else [wanted]


def numbers(wanted, name, most):
    """The numbers that a keyword names, one or several; None for any."""
    if wanted is None:
        return None
    found = frozenset(number(one, name, 0, most, "a number, or several in a list") for one in several(wanted))
    if not found:
        raise UsageError(f"{name}={wanted!r}: names nothing, so no command would match; leave it out for any")
    return found


def blocks(wanted):
    """The range of LBAs that `lba` names; None for any."""
    if wanted is None:
        return None
    if isinstance(wanted, range):
        if wanted.step != 1 or wanted.start < 0 or not wanted or wanted.stop > 1 << 64:
            raise UsageError(f"lba={wanted!r}: a range of LBAs goes up in steps of 1 and holds one at least")
        return wanted
    first = number(wanted, "lba", 0, (1 << 64) - 1, "an LBA, or a range such as range(8, 16)")
    return range(first, first + 1)


def plain(name):
    """A name without anything but its letters and digits, in lower case."""
    return "".join(c for c in name.lower() if c.isalnum())


def opcodes(wanted):
    """(admin, I/O): the opcodes that `opcode` names, by number or name, one or several."""
    admin, io = set(), set()
    for one in several(wanted):
        if not isinstance(one, str):
            one = number(one, "opcode", 0, 0xFF, "a number or a command's name such as Read")
            admin.add(one), io.add(one)
            continue
        known = [(found, fmt) for found, table in ((admin, ADMIN), (io, NVM)) for fmt in table.values()]
        same = [(found, fmt.opcode) for found, fmt in known if plain(one) in (plain(fmt.name), plain(fmt.builder))]
        if not same:
            near = difflib.get_close_matches(one.title(), [fmt.name for _, fmt in known], n=1)
            raise UsageError(f"opcode={one!r}: no command is called that; "
                             f"{f'did you mean {near[0]}?' if near else 'a number, or a name such as Read or Identify'}")
        for found, opcode in same:
            found.add(opcode)
    if not admin and not io:
        raise UsageError(f"opcode={wanted!r}: names nothing, so no command would match; leave it out for any")
    return frozenset(admin), frozenset(io)


def status_of(what):
    """The Status that `what` names: a Status, its title or constant, or (sct, sc). Raises UsageError."""
    if isinstance(what, Status):
        return what
    if isinstance(what, (tuple, list)) and len(what) == 2:
        return status.lookup(number(what[0], "sct", 0, 7, "a status code type"), number(what[1], "sc", 0, 0xFF, "a status code"))
    if isinstance(what, str):
        for known in status.ALL:
            if known.command_set != "fabrics" and plain(what) in (plain(known.title), plain(known.name), plain(known.class_name)):
                return known
        near = difflib.get_close_matches(what.title(), [known.title for known in status.ALL], n=1)
        raise UsageError(f"status {what!r}: the standard has none of that name; "
                         f"{f'did you mean {near[0]!r}?' if near else 'nvlab.spec.status.ALL lists them'}")
    raise UsageError(f"status {what!r}: a Status, its title such as 'Unrecovered Read Error', or (sct, sc)")
