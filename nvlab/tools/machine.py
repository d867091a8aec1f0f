"""What this machine has: QEMU, NVMe functions on its PCI bus, Python packages. It only looks: nothing is opened or bound."""
import dataclasses
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

from nvlab.pci.config_space import NVME_CLASS

__all__ = ["PciFunction", "installer", "nvme_functions", "package_version", "pip", "qemu_version", "requirements", "satisfied"]


@dataclasses.dataclass(frozen=True)
class PciFunction:
    """An NVMe function of this machine: `bdf`, `ids` as vvvv:dddd, its `driver` ("" when none) and `uses`, what holds its disks."""

    bdf: str
    ids: str
    driver: str = ""
    uses: tuple[str, ...] = ()


def nvme_functions(sys_root="/sys", proc_root="/proc"):
    """The NVMe functions on the PCI bus, as a list of PciFunction. Reads sysfs only."""
    found = []
    for path in sorted(pathlib.Path(sys_root, "bus/pci/devices").glob("*")):
        if _number(path / "class") == NVME_CLASS:
            driver = path / "driver"
            found.append(PciFunction(path.name, f"{_number(path / 'vendor') or 0:04x}:{_number(path / 'device') or 0:04x}",
                                     os.path.basename(os.path.realpath(driver)) if driver.exists() else "",
                                     tuple(_uses(path, pathlib.Path(sys_root), pathlib.Path(proc_root)))))
    return found


def _number(path):
    text = _text(path).strip()
    return int(text, 16) if text else None


def _text(path):
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _uses(device, sys_root, proc_root):
    """What holds the disks of a function: mount points, swap, and block devices on top of them."""
    mounts = {}
    for line in _text(proc_root / "self/mountinfo").splitlines():
        words = line.split(" ")
        if len(words) > 4:
            mounts.setdefault(words[2], words[4])
    swaps = {line.split()[0].rsplit("/", 1)[-1] for line in _text(proc_root / "swaps").splitlines()[1:]}
    for disk in sorted(path for path in device.glob("nvme/nvme*/nvme*n*") if (path / "size").exists()):
        for block in [disk, *sorted(disk.glob(f"{disk.name}p*"))]:
            number = _text(block / "dev").strip()
            if number in mounts:
                yield f"{block.name} mounted on {mounts[number]}"
            if block.name in swaps:
                yield f"{block.name} is swap"
            yield from (f"{block.name} used by {holder.name}" for holder in sorted((block / "holders").glob("*")))


def qemu_version(binary="qemu-system-x86_64"):
    """QEMU's version ("7.2.22"), or None when it isn't installed or doesn't start."""
    path = shutil.which(binary)
    if path is None:
        return None
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"version (\S+)", said)
    return match[1] if match else None


# -- packages

INSTALLERS = (
    ("debian", "apt-get install {}", {"qemu": "qemu-system-x86", "chromium": "chromium"}),
    ("ubuntu", "apt-get install {}", {"qemu": "qemu-system-x86", "chromium": "chromium-browser"}),
    ("fedora", "dnf install {}", {"qemu": "qemu-system-x86", "chromium": "chromium"}),
    ("rhel", "dnf install {}", {"qemu": "qemu-kvm", "chromium": "chromium"}),
    ("suse", "zypper install {}", {"qemu": "qemu-x86", "chromium": "chromium"}),
    ("arch", "pacman -S {}", {"qemu": "qemu-system-x86", "chromium": "chromium"}),
    ("alpine", "apk add {}", {"qemu": "qemu-system-x86_64", "chromium": "chromium"}),
    ("macos", "brew install {}", {"qemu": "qemu", "chromium": "--cask chromium"}),
)
"""Name in os-release's ID or ID_LIKE, its command, and what it calls the programs that nvlab can use."""


def installer(program, os_release="/etc/os-release", platform=sys.platform):
    """The command that installs "qemu" or "chromium" here."""
    names = re.findall(r'^(?:ID|ID_LIKE)="?([^"\n]*)"?$', _text(pathlib.Path(os_release)), re.MULTILINE)
    here = ["macos"] if platform == "darwin" else " ".join(names).split()
    name, command, packages = next((row for word in here for row in INSTALLERS if row[0] == word), INSTALLERS[0])
    root = name == "macos" or not hasattr(os, "geteuid") or os.geteuid() == 0
    return ("" if root else "sudo ") + command.format(packages[program])


def checkout():
    """The directory of the source checkout that this nvlab runs from, or None."""
    root = pathlib.Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else None


def pip(extra):
    """The command that installs what nvlab's `extra` ("lab", "test", or "" for nvlab itself) needs."""
    python = "pip" if sys.prefix != sys.base_prefix else f"{sys.executable} -m pip"
    where, option = (checkout() or "nvlab"), "-e " if checkout() else ""
    return f"{python} install {option}'{where}{f'[{extra}]' if extra else ''}'"


def requirements(extra):
    """What nvlab's `extra` requires, as [(package, specifier)], from the installed metadata or from pyproject.toml."""
    if root := checkout():
        lines = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"].get(extra, ())
    else:
        lines = [line for line in importlib.metadata.requires("nvlab") or () if re.search(rf"extra\s*==\s*['\"]{extra}['\"]", line)]
    return [(match[1], match[2].strip()) for line in lines
            if (match := re.match(r"([A-Za-z0-9._-]+)\s*([^;\[]*)(?:;|$)", line)) and match[1] != "nvlab"]


def package_version(name):
    """The installed version of a Python package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def satisfied(version, specifier):
    """True when an installed `version` is within `specifier` (">=4.4,<5")."""
    compare = {">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "==": lambda a, b: a == b, "<=": lambda a, b: a <= b,
               ">": lambda a, b: a > b, "!=": lambda a, b: a != b}
    pairs = re.findall(r"(>=|<=|==|!=|>|<)\s*([\d.]+)", specifier)
    return all(compare[sign](_release(version), _release(wanted)) for sign, wanted in pairs)


def _release(version):
    """(4, 6, 0, 0) of "4.6", to compare by."""
    numbers = [int(n) for n in re.match(r"\d+(?:\.\d+)*", version)[0].split(".")]
    return tuple((numbers + [0] * 4)[:4])
