"""What each kind of address can say: its options as tables, and the parsers of their values."""
import dataclasses
import difflib
import re
from collections.abc import Callable
from typing import Any

from nvlab.spec.errors import UsageError

SUFFIXES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
TRUE, FALSE = ("on", "yes", "true", "1"), ("off", "no", "false", "0")


def parse_size(text):
    """Bytes in "4096", "64K", "64KiB", "256M", "1G", "1TiB" (powers of 1024). Raises ValueError."""
    match = re.fullmatch(r"(\d+)\s*(?:([kmgt])(?:ib)?)?", text, re.IGNORECASE | re.ASCII)
    if not match:
        raise ValueError("a size is a whole number of bytes, or one with K, M, G or T (or KiB, MiB, …): 4096, 64K, 1GiB")
    return int(match[1]) * SUFFIXES[(match[2] or "").upper()]


def format_size(size):
    """The shortest form that parse_size reads back: 1G, 64M, 1000."""
    for suffix in "TGMK":
        if size and size % SUFFIXES[suffix] == 0:
            return f"{size // SUFFIXES[suffix]}{suffix}"
    return str(size)


def parse_bool(text):
    """on/off, yes/no, true/false, 1/0. Raises ValueError."""
    if text.lower() not in TRUE + FALSE:
        raise ValueError("say on or off")
    return text.lower() in TRUE


def sized(low, high=None, multiple=1):
    """A parser of sizes from `low` to `high` bytes that are multiples of `multiple`."""
    def parse(text):
        value = parse_size(text)
        if value < low or (high is not None and value > high) or value % multiple:
            rule = f"at least {format_size(low)}" + (f", at most {format_size(high)}" if high else "")
            raise ValueError(f"it must be {rule}" + (f", a multiple of {format_size(multiple)}" if multiple > 1 else ""))
        return value
    return parse


def ranged(low, high):
    """A parser of whole numbers (decimal, or hex with 0x) from `low` to `high`."""
    def parse(text):
        try:
            value = int(text, 16 if text.lower().startswith("0x") else 10)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise ValueError(f"it must be a whole number from {low} to {high}")
        return value
    return parse


def chosen(*choices):
    """A parser of one of the words or numbers `choices`."""
    def parse(text):
        for choice in choices:
            if str(choice) == text.lower():
                return choice
        raise ValueError("it must be " + " or ".join(map(str, choices)) + did_you_mean(text, filter(str.isalpha, map(str, choices))))
    return parse


def text_of(limit=None, printable=False):
    """A parser of non-empty text, at most `limit` characters; `printable`: ASCII 20h-7Eh (base 2.0c 1.4.2)."""
    def parse(text):
        if not text:
            raise ValueError("it must not be empty")
        if limit and len(text) > limit:
            raise ValueError(f"it must have at most {limit} characters")
        if printable and not all(" " <= c <= "~" for c in text):
            raise ValueError("it must be printable ASCII")
        return text
    return parse


def did_you_mean(word, known):
    """" (did you mean …?)" for the nearest of `known`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


@dataclasses.dataclass(frozen=True)
class Option:
    """One key=value of an address: how its text is read, what it is when not given, what it means."""

    name: str
    parse: Callable[[str], Any]
    default: Any
    doc: str
    show: Callable[[Any], str] = str

    def read(self, text):
        """The value of `text`. Raises UsageError that names key, value and rule."""
        try:
            return self.parse(text)
        except ValueError as error:
            raise UsageError(f"option {self.name}={text}: {error} ({self.doc})") from None

    @property
    def default_text(self):
        """The default as it would be written, or "" when there is none."""
        return "" if self.default is None else self.show(self.default)


def show_bool(value):
    return "on" if value else "off"


def size_option(name, default, doc, low=4096, multiple=512, high=1 << 50):
    return Option(name, sized(low, high, multiple), default, doc, format_size)


def flag_option(name, default, doc):
    return Option(name, parse_bool, default, doc, show_bool)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of place where a controller can be."""

    name: str
    title: str
    form: str                                  # how an address of it is written
    options: tuple[Option, ...] = ()
    prefixes: dict[str, str] = dataclasses.field(default_factory=dict)     # PREFIX.anything=text, and what it is for
    opener: str | None = None                  # "module:function" that takes an Address; None: not in this version

    def option(self, name):
        """The Option called `name`, or None."""
        return next((o for o in self.options if o.name == name), None)


EMBEDDED = (
    size_option("size", 64 << 20, "bytes of each namespace"),
    Option("block", chosen(512, 4096), 512, "bytes in a logical block"),
    Option("namespaces", ranged(1, 1024), 1, "how many namespaces"),
    Option("mode", chosen("manual", "inline", "thread"), None,
           "who moves the drive: only step(), the host's poll, its own thread; chosen by the number of cores when not given"),
    Option("bdev", chosen("malloc", "null"), "malloc", "where the bytes rest: memory, or nowhere"),
    Option("serial", text_of(20, printable=True), "NVLAB0001", "Serial Number, at most 20 characters"),
    Option("mdts", ranged(0, 16), 7, "largest transfer: 2**mdts pages of 4 KiB, 0 for no limit (base 2.0c figure 275, MDTS)"),
    Option("mqes", ranged(2, 65536), 1024, "most entries of an I/O queue; CAP.MQES is one less"),
    Option("dstrd", ranged(0, 15), 0, "doorbell stride: 4 << dstrd bytes (CAP.DSTRD)"),
    size_option("dma", 256 << 20, "bytes of DMA memory", low=1 << 20, multiple=4096),
)

QEMU = (
    size_option("size", 64 << 20, "bytes of each namespace"),
    Option("block", chosen(512, 4096), 512, "bytes in a logical block"),
    Option("namespaces", ranged(1, 256), 1, "how many namespaces"),
    Option("serial", text_of(20, printable=True), "NVLAB-QEMU", "Serial Number, at most 20 characters"),
    Option("image", text_of(), None, "path of a raw or qcow2 disk image to use as namespace 1, in place of size="),
    flag_option("ro", False, "open the image read-only"),
    Option("bdev", chosen("file", "null"), "file", "where the bytes rest: an anonymous file, or nowhere (null-co)"),
    flag_option("zoned", False, "zoned namespaces (ZNS)"),
    Option("mdts", ranged(0, 16), 7, "largest transfer: 2**mdts pages of 4 KiB, 0 for no limit"),
    Option("max_ioqpairs", ranged(1, 65535), 64, "I/O queue pairs the controller offers"),
    Option("msix", ranged(1, 2048), 65, "MSI-X vectors (msix_qsize)"),
    size_option("dma", 64 << 20, "bytes of DMA memory: the guest's RAM, of which 16 MiB are kept free",
                low=32 << 20, high=2 << 30, multiple=1 << 20),
    flag_option("trace", True, "keep the list of rules that the driver broke, as QEMU sees them (trace())"),
    Option("log", text_of(), None, "path that receives that list, in place of memory"),
    Option("binary", text_of(), "qemu-system-x86_64", "the QEMU to start: a name on PATH, or a path"),
)

KINDS = {kind.name: kind for kind in (
    Kind("embedded", "the SSD model in this process", "embedded[:key=value,…]", EMBEDDED,
         opener="nvlab.pci.embedded:open_embedded"),
    Kind("qemu", "QEMU's NVMe device, without a guest", "qemu[:key=value,…]", QEMU,
         {"device": "property of QEMU's nvme device (qemu-system-x86_64 -device nvme,help)",
          "ns": "property of QEMU's nvme-ns device (qemu-system-x86_64 -device nvme-ns,help)"},
         opener="nvlab.pci.qemu:open_qemu"),
    Kind("pcie", "a drive on this machine, through VFIO", "pcie:DDDD:BB:DD.F, or the bare address"),
    Kind("vfio-user", "a device served on a vfio-user socket", "vfio-user:/path/of/socket"),
    Kind("tcp", "a target over NVMe/TCP", "tcp:HOST[:PORT]/NQN"),
    Kind("rdma", "a target over NVMe/RDMA", "rdma:HOST[:PORT]/NQN"),
)}
