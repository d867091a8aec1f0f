"""Addresses: the one string that says where a controller is (see KINDS in options.py for what each kind understands)."""
import dataclasses
import ipaddress
import re
from typing import Any

from nvlab.pci.options import KINDS, did_you_mean
from nvlab.spec.errors import UsageError

BDF = re.compile(r"(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])", re.IGNORECASE | re.ASCII)
SPDK_KINDS = {"pcie": "pcie", "vfiouser": "vfio-user", "tcp": "tcp", "rdma": "rdma"}
SPDK_KEYS = ("trtype", "adrfam", "traddr", "trsvcid", "subnqn")


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a controller is: `kind`, `target` (what follows the kind, for kinds that have it) and `options`.

    `options` holds every option of the kind, the defaults too. `str()` gives the canonical form, which leaves
    defaults out; equal addresses have equal strings, and `parse(str(a)) == a`.
    """

    kind: str
    target: str = ""
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __str__(self):
        kind = KINDS[self.kind]
        words = [f"{o.name}={o.show(self.options[o.name])}" for o in kind.options if self.options[o.name] != o.default]
        words += [f"{key}={self.options[key]}" for key in sorted(self.options) if kind.option(key) is None]
        rest = ",".join([self.target] * bool(self.target) + words)
        return f"{self.kind}:{rest}" if rest else self.kind

    def __hash__(self):
        return hash(str(self))

    def prefixed(self, prefix):
        """The options written PREFIX.NAME=text, as {NAME: text}."""
        return {key[len(prefix) + 1:]: value for key, value in self.options.items() if key.startswith(prefix + ".")}


def parse(address):
    """The Address that a string means; an Address is returned as it is.

    Raises UsageError for an unknown kind or key, a malformed value or target. Whether anything is there is for open().
    """
    if isinstance(address, Address):
        return address
    if not isinstance(address, str):
        raise UsageError(f"an address is a string such as 'embedded' or 'qemu:size=256M', not {type(address).__name__}")
    text = address.strip()
    if re.match(r"trtype\s*[:=]", text, re.IGNORECASE):
        return parse_spdk(text)
    if BDF.fullmatch(text):
        return Address("pcie", parse_bdf(text))
    name, colon, rest = text.partition(":")
    name = name.strip().lower()
    if name not in KINDS:
        raise UsageError(unknown_kind(text, name))
    if name in TARGETS:
        return Address(name, TARGETS[name](rest.strip()))
    return Address(name, "", parse_options(KINDS[name], rest))


def unknown_kind(text, name):
    """The message for an address of no known kind: what was meant, perhaps, and what there is."""
    forms = "; ".join(kind.form for kind in KINDS.values())
    if not name:
        return f"address {text!r}: the kind is missing. Known are: {forms}"
    if text.startswith("/dev/"):
        return (f"address {text!r}: a block or character device belongs to the kernel's driver, and nvlab is a driver itself; "
                "give the controller's PCI address, as in pcie:0000:00:03.0")
    head = re.split(r"[,=/\s]", name)[0]
    if head in KINDS and head != name:
        return f"address {text!r}: a colon follows the kind, as in {KINDS[head].form}"
    return f"address {text!r}: unknown kind {name!r}{did_you_mean(name, KINDS)}. Known are: {forms}"


def parse_options(kind, text):
    """{name: value} of all options of `kind`, from "key=value,key=value" and the defaults."""
    options = {option.name: option.default for option in kind.options}
    given = set()
    for word in text.split(",") if text.strip() else ():
        key, equals, value = (part.strip() for part in word.partition("="))
        key = key if "." in key else key.lower()
        if not equals:
            raise UsageError(f"{kind.name}: {word.strip()!r} is not key=value{did_you_mean(key, options)}. {valid_keys(kind)}")
        if key in given:
            raise UsageError(f"{kind.name}: option {key} is given twice")
        given.add(key)
        option = kind.option(key)
        prefix, _, rest = key.partition(".")
        if option:
            options[key] = option.read(value)
        elif prefix in kind.prefixes and rest and value:
            options[key] = value
        else:
            raise UsageError(f"{kind.name}: unknown option {key!r}{did_you_mean(key, options)}. {valid_keys(kind)}")
    check_options(kind, options, given)
    return options


def valid_keys(kind):
    """One sentence that lists the keys of a kind."""
    keys = [option.name for option in kind.options] + [f"{prefix}.PROPERTY" for prefix in kind.prefixes]
    return f"Valid options: {', '.join(keys)}"


def check_options(kind, options, given):
    """The rules between options. Raises UsageError."""
    if options["size"] % options["block"]:
        raise UsageError(f"{kind.name}: size={options['size']} is not a multiple of block={options['block']}")
    if kind.name != "qemu":
        return
    if options["image"] and {"size", "bdev"} & given:
        raise UsageError("qemu: image= brings its own size and place; leave size= and bdev= out")
    if options["image"] and options["namespaces"] > 1:
        raise UsageError("qemu: image= holds one namespace; leave namespaces= out")
    if options["ro"] and not options["image"]:
        raise UsageError("qemu: ro=on needs an image= to protect")
    if options["log"] and not options["trace"]:
        raise UsageError("qemu: log= keeps the trace, and trace=off drops it; say one of them")


def parse_bdf(text):
    """The canonical DDDD:BB:DD.F of a PCI address; domain 0000 when it is left out."""
    match = BDF.fullmatch(text)
    if not match or int(match[3], 16) > 31:
        raise UsageError(f"pcie:{text}: a PCI address is DOMAIN:BUS:DEVICE.FUNCTION in hex, as in pcie:0000:00:03.0 "
                         "(device 00 to 1f, function 0 to 7)")
    return f"{int(match[1] or '0', 16):04x}:{int(match[2], 16):02x}:{int(match[3], 16):02x}.{match[4]}"


def parse_path(text):
    """The absolute path of a vfio-user socket."""
    if not text.startswith("/"):
        raise UsageError(f"vfio-user:{text}: give the absolute path of the socket, as in vfio-user:/run/nvlab/0")
    return text


def parse_fabric(text):
    """The canonical HOST:PORT[/NQN] of a fabrics target; port 4420 when it is left out."""
    match = re.fullmatch(r"(?:\[([^\]/]+)\]|([^:/\s]+))(?::(\d{1,5}))?(?:/(\S+))?", text)
    if not match or not 0 < int(match[3] or 4420) < 65536:
        raise UsageError(f"fabrics address {text!r}: it is HOST[:PORT]/NQN, as in tcp:127.0.0.1:4420/nqn.2024-01.io.nvlab:disk "
                         "(port 1 to 65535, an IPv6 address in brackets)")
    if len(match[4] or "") > 223:
        raise UsageError(f"fabrics address {text!r}: an NQN has at most 223 bytes (base 2.0c 4.5)")
    host = f"[{parse_ipv6(match[1])}]" if match[1] else match[2].lower()
    return f"{host}:{int(match[3] or 4420)}" + (f"/{match[4]}" if match[4] else "")


def parse_ipv6(text):
    """The canonical form of an IPv6 address."""
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError as error:
        raise UsageError(f"fabrics address [{text}]: {error}") from None


def parse_spdk(text):
    """An address in SPDK's form: `trtype:TCP adrfam:IPv4 traddr:127.0.0.1 trsvcid:4420 subnqn:NQN`."""
    words = {}
    for word in text.split():
        match = re.fullmatch(r"(\w+)[:=](\S+)", word)
        key = match[1].lower() if match else word
        if key not in SPDK_KEYS:
            raise UsageError(f"address {text!r}: {word!r} is not one of {', '.join(SPDK_KEYS)}{did_you_mean(key, SPDK_KEYS)}")
        if key in words:
            raise UsageError(f"address {text!r}: {key} is given twice")
        words[key] = match[2]
    kind = SPDK_KINDS.get(words["trtype"].lower())
    if kind is None:
        raise UsageError(f"address {text!r}: unknown trtype{did_you_mean(words['trtype'].lower(), SPDK_KINDS)}. "
                         "Known are: PCIe, VFIOUSER, TCP, RDMA")
    if "traddr" not in words:
        raise UsageError(f"address {text!r}: traddr is missing, as in 'trtype:{words['trtype']} traddr:…'")
    target = words["traddr"]
    if kind in ("tcp", "rdma"):
        target = f"[{target}]" if ":" in target and not target.startswith("[") else target
        target += f":{words['trsvcid']}" if "trsvcid" in words else ""
        target += f"/{words['subnqn']}" if "subnqn" in words else ""
    return Address(kind, TARGETS[kind](target))


TARGETS = {"pcie": parse_bdf, "vfio-user": parse_path, "tcp": parse_fabric, "rdma": parse_fabric}
"""Kind -> what reads the text after its colon, for the kinds that name a place instead of having options."""
