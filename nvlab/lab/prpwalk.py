"""PRPs walked as a drive walks them: which pages a command's data lies in, over which list pages, and which entries are wrong.

The rules are base 2.0c 4.1.1: PRP1 may begin anywhere on a dword; all other entries begin a page; PRP2 is the second page where
two are enough, else it points to a list, whose last entry points to another list when more remain.
"""

from dataclasses import dataclass, field

from nvlab.spec.errors import UsageError
from nvlab.spec.render import Table, counted

MOST = 4096              # entries walked at most: 16 MiB in pages of 4 KiB


@dataclass(frozen=True)
class Entry:
    """One PRP entry: its `name` ("PRP1", "PRP2", "list 0 [3]"), where it lies (`at`, None in the command itself), the `value`,
    `role` ("data", "list", "chain"), the bytes of data there and how far into the transfer they are, and what is `wrong`."""

    name: str
    value: int
    role: str
    at: int | None = None
    length: int = 0
    offset: int = 0
    wrong: str = ""
    page: int = 4096

    @property
    def page_base(self):
        """The page that it points into."""
        return self.value // self.page * self.page

    @property
    def page_offset(self):
        """Bytes from the page's begin."""
        return self.value % self.page

    def to_dict(self):
        """Plain values, addresses as text."""
        return {"name": self.name, "value": hex(self.value), "role": self.role, "at": None if self.at is None else hex(self.at),
                "length": self.length, "offset": self.offset, "wrong": self.wrong, "page": hex(self.page_base), "into": self.page_offset}


@dataclass
class Walk:
    """All entries in the order in which a drive follows them; `lists` are the addresses of the list pages, `told` the bytes covered."""

    prp1: int
    prp2: int
    length: int
    page: int
    entries: list = field(default_factory=list)
    lists: list = field(default_factory=list)
    told: int = 0

    @property
    def data(self):
        """The entries that point to data."""
        return [entry for entry in self.entries if entry.role == "data"]

    @property
    def wrong(self):
        """The entries with something wrong."""
        return [entry for entry in self.entries if entry.wrong]

    @property
    def ok(self):
        """Whether a drive could move all of the data."""
        return not self.wrong and self.told == self.length

    @property
    def sentence(self):
        """What there is to say, in one sentence."""
        where = f"{self.length:,} bytes in {counted(len(self.data), 'page')}"
        over = f", over {counted(len(self.lists), 'list page')}" if self.lists else ""
        if self.ok:
            return f"{where}{over}."
        bad = self.wrong[0] if self.wrong else None
        return f"{where}{over}: {bad.name} = {bad.value:#x} {bad.wrong}." if bad else f"{where}{over}: only {self.told:,} bytes are covered."

    def table(self):
        """One entry a row, as a render.Table."""
        rows = [(e.name, f"{e.value:#x}", e.role if e.role == "data" else f"to a {e.role}" if e.role == "list" else "to the next list",
                 f"{e.length} bytes from {e.page_offset:#x}" if e.role == "data" else "", f"✗ {e.wrong}" if e.wrong else "") for e in self.entries]
        return Table(self.sentence, ("Entry", "Value", "Points to", "Data there", "Wrong"), rows, numbers=("Entry", "Value"))


def walk(dma, prp1, prp2, length, page=4096):
    """Follow the PRPs of a transfer of `length` bytes through the mapped memory of `dma` (a DmaPool). Returns a Walk; never faults:
    what a drive would refuse is told in the entries. Raises UsageError for a length that isn't positive, or is more than MOST pages."""
    if length <= 0 or length > MOST * page:
        raise UsageError(f"PRPs of {length} bytes: 1 to {MOST * page} can be walked")
    found = Walk(int(prp1), int(prp2), int(length), page)
    mapped = dma.map.translate
    wrong = "isn't aligned to a dword" if found.prp1 & 3 else ""
    _data(found, mapped, "PRP1", found.prp1, None, wrong)
    rest = length - found.told
    if rest <= 0:
        return found
    if rest <= page:
        _data(found, mapped, "PRP2", found.prp2, None, _offset(found.prp2, page))
        return found
    _lists(found, dma, mapped)
    return found


def _offset(value, page):
    return f"begins {value % page:#x} into its page: only PRP1, or PRP2 to a list, may" if value % page else ""


def _data(found, mapped, name, value, at, wrong):
    into = value % found.page if name == "PRP1" else 0     # an offset elsewhere is refused, not followed
    size = min(found.page - into, found.length - found.told)
    if not wrong and not mapped(value, size):
        wrong = "is 0: no page is there" if value == 0 else "isn't in memory that the drive can reach"
    found.entries.append(Entry(name, value, "data", at, size, found.told, wrong, found.page))
    found.told += size


def _lists(found, dma, mapped):
    """The list that PRP2 points to, and those after it."""
    page, pointer, name, at = found.page, found.prp2, "PRP2", None
    while True:
        role = "list" if not found.lists else "chain"
        wrong = ("isn't aligned to a qword" if pointer & 7 else _offset(pointer, page) if found.lists else "")
        if not wrong and (pointer == 0 or not mapped(pointer, 8)):
            wrong = "is 0: no list is there" if pointer == 0 else "points to a list that isn't in memory that the drive can reach"
        if not wrong and pointer // page * page in [known // page * page for known in found.lists]:
            wrong = "leads back to a list that was walked already"
        found.entries.append(Entry(name, pointer, role, at, 0, found.told, wrong, page))
        if wrong:
            return
        found.lists.append(pointer)
        name, at, pointer = _one_list(found, dma, mapped, pointer)
        if name is None:
            return


def _one_list(found, dma, mapped, begin):
    """Walk one list. Returns (name, where, value) of the entry that leads to the next, or Nones."""
    page, number = found.page, len(found.lists) - 1
    for n in range((page - begin % page) // 8):
        rest = found.length - found.told
        if rest <= 0:
            return None, None, None
        at, last = begin + 8 * n, (begin + 8 * n) % page == page - 8
        if not mapped(at, 8):
            found.entries.append(Entry(f"list {number} [{n}]", 0, "data", at, 0, found.told, "the list ends where memory does", page))
            return None, None, None
        value = int.from_bytes(dma.read(at, 8), "little")
        if last and rest > page:
            return f"list {number} [{n}]", at, value
        _data(found, mapped, f"list {number} [{n}]", value, at, _offset(value, page))
    return None, None, None
