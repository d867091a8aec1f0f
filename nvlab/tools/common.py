"""What several commands share: how an address is given, and how numbers are read from the command line."""
import argparse
import math

from nvlab.pci import parse
from nvlab.pci.options import parse_size
from nvlab.spec.errors import UsageError

DEFAULT = "embedded"


def add_address(parser):
    """Let the command take its controller as ADDRESS, or as SPDK's tools do with -r."""
    parser.add_argument("address", nargs="?", metavar="ADDRESS",
                        help=f"where the controller is: embedded, qemu, qemu:size=256M, … ({DEFAULT}); `nvlab list` tells more")
    parser.add_argument("-r", "--transport", metavar="ADDRESS", help="the same, as SPDK's tools take it")


def address_of(args):
    """The Address that the arguments name. Raises UsageError when it is malformed, or given twice and not the same."""
    if args.address and args.transport and parse(args.address) != parse(args.transport):
        raise UsageError(f"two addresses, {args.address} and {args.transport} (-r): give one")
    return parse(args.address or args.transport or DEFAULT)


def size(text):
    """An argparse type: bytes, with K, M or G (4096, 4K, 1MiB)."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def seconds(text):
    """An argparse type: a number of seconds, fractions allowed."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r}: a number of seconds, as 10 or 0.5")
    return value


def whole(text):
    """An argparse type: a whole number, decimal or with 0x."""
    try:
        return int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number, as 128 or 0x80") from None


def core_mask(text):
    """An argparse type: CPU numbers in ascending order, from a mask (0x3; hexadecimal, as in SPDK) or a list ([0,1], [0-3])."""
    try:
        cores = _core_list(text[1:-1]) if text.startswith("[") and text.endswith("]") else _bits(int(text, 16))
    except ValueError:
        cores = None
    if not cores:
        raise argparse.ArgumentTypeError(f"{text!r}: a mask with a bit for each core, as 0x3, or a list of cores, as [0,1] or [0-3]")
    return cores


def _bits(mask):
    return [n for n in range(mask.bit_length()) if mask >> n & 1] if mask > 0 else []


def _core_list(text):
    cores = set()
    for word in text.split(","):
        first, dash, last = word.partition("-")
        first, last = int(first), int(last if dash else first)
        if not 0 <= first <= last < 4096:
            raise ValueError(word)
        cores.update(range(first, last + 1))
    return sorted(cores)
