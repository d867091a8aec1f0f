"""The command line of a QEMU that is nothing but an NVMe device, from the options of an address."""
import json
import os
import re
import shutil

from nvlab.spec.errors import DeviceNotFound, UsageError

RULES = ("pci_nvme_ub*", "pci_nvme_err*")      # trace events: what the driver did that the standard forbids
QCOW2_MAGIC = b"QFI\xfb"
SMALLEST_ZONE = 64 << 10


def find_binary(name):
    """The absolute path of QEMU. Raises DeviceNotFound that names the package."""
    path = shutil.which(name)
    if path is None:
        raise DeviceNotFound(f"qemu: no program {name!r} here. On Debian and Ubuntu: apt-get install qemu-system-x86; "
                             "on macOS: brew install qemu. Or say where it is: qemu:binary=/path/of/qemu-system-x86_64")
    return os.path.abspath(path)


def bios():
    """64 KiB that end at the reset vector FFFFFFF0h, where the CPU stops for good: cli; hlt; jmp to the hlt."""
    return bytes(0xFFF0) + b"\xfa\xf4\xeb\xfd" + bytes(12)


def machine_arguments(size, ram_path, bios_path, socket_fd):
    """A q35 machine with shared RAM, a sleeping CPU and the qtest protocol on `socket_fd`.

    The protocol is had as an object: Debian builds QEMU without the accelerator that -qtest wants.
    """
    return ["-nodefaults", "-no-user-config", "-display", "none",
            "-accel", "tcg,thread=single", "-machine", "q35,memory-backend=ram0,sata=off,smbus=off", "-m", f"{size >> 20}M",
            "-object", f"memory-backend-file,id=ram0,size={size},share=on,mem-path={ram_path}",
            "-bios", bios_path,
            "-chardev", f"socket,id=qtest,fd={socket_fd}", "-object", "qtest,id=qtest0,chardev=qtest,log=/dev/null"]


def trace_arguments(log_path):
    """Write the rules the driver breaks to `log_path`."""
    return ["-D", log_path] + [word for rule in RULES for word in ("-trace", rule)]


def image_format(path):
    """"raw" or "qcow2". Raises DeviceNotFound when the image can't be read."""
    try:
        with open(path, "rb") as file:
            return "qcow2" if file.read(4) == QCOW2_MAGIC else "raw"
    except OSError as error:
        raise DeviceNotFound(f"qemu: image={path}: {error.strerror}") from None


def disk_arguments(options, disk_paths):
    """One block node disk1, disk2, … a namespace: the image, null-co, or the files at `disk_paths`."""
    nodes = []
    if options["image"]:
        node = {"driver": "file", "filename": os.path.abspath(options["image"]), "read-only": options["ro"]}
        nodes.append({"driver": image_format(options["image"]), "read-only": options["ro"], "file": node})
    elif options["bdev"] == "null":
        nodes += [{"driver": "null-co", "size": options["size"]} for _ in range(options["namespaces"])]
    else:
        nodes += [{"driver": "raw", "file": {"driver": "file", "filename": path, "discard": "unmap"}, "discard": "unmap"}
                  for path in disk_paths]
    return [word for i, node in enumerate(nodes, 1) for word in ("-blockdev", json.dumps({"node-name": f"disk{i}"} | node))]


def device_arguments(address):
    """The controller, and its namespaces as devices of their own: QEMU 7.2 can't Copy within an inline drive=."""
    options = address.options
    controller = {"driver": "nvme", "id": "nvme0", "serial": options["serial"], "mdts": options["mdts"],
                  "max_ioqpairs": options["max_ioqpairs"], "msix_qsize": options["msix"]} | address.prefixed("device")
    words = ["-device", properties(controller)]
    for nsid in range(1, options["namespaces"] + 1):
        namespace = {"driver": "nvme-ns", "bus": "nvme0", "drive": f"disk{nsid}", "nsid": nsid,
                     "logical_block_size": options["block"], "physical_block_size": options["block"]}
        if options["zoned"]:
            namespace |= {"zoned": "on", "zoned.zone_size": zone_size(options["size"])}
        words += ["-device", properties(namespace | address.prefixed("ns"))]
    return words


def zone_size(size):
    """A power of two that cuts a namespace of `size` bytes into some sixteen zones: QEMU's own 128 MiB is too large for most."""
    return max(SMALLEST_ZONE, 1 << (max(1, size // 16).bit_length() - 1))


def properties(values):
    """A -device argument; QEMU reads a doubled comma as one."""
    driver = values.pop("driver")
    return ",".join([driver] + [f"{key}={value}".replace(",", ",,") for key, value in values.items()])


def refusal(address, said, ending):
    """The exception for a QEMU that ended before it answered: `said` is its own text."""
    lines = [re.sub(r"^\S*qemu\S*: (-\w+ \S+: )?", "", line) for line in said.splitlines()]
    text = "; ".join(line for line in lines if line.strip()) or ending
    wrong_option = re.search(r"[Pp]roperty|Parameter|[Ii]nvalid|must be|expects", text)
    return (UsageError if wrong_option else DeviceNotFound)(f"{address}: QEMU did not start: {text}")
