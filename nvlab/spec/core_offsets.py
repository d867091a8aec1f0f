"""The tables' numbers for the core: writes nvlab/_core/nvme.pxd.

    python -m nvlab.spec.core_offsets            write it
    python -m nvlab.spec.core_offsets --check    say whether it is fresh (exit status 1 when stale)
"""

import argparse
import pathlib
import sys

from . import registers, status
from .command_format import CQE, CQE_SIZE, SQE, SQE_SIZE
from .commands_admin import ADMIN
from .commands_nvm import NVM

TARGET = pathlib.Path(__file__).resolve().parents[1] / "_core" / "nvme.pxd"

_HEAD = '''"""Numbers of the NVMe standard. Generated from nvlab/spec by `python -m nvlab.spec.core_offsets`; change the tables, not this."""
'''


def _bytes_of(fields, prefix):
    """The byte at which each field starts, for those that start at one."""
    return [(f"{prefix}_{field.name.upper()}", field.lo // 8) for field in fields if field.lo % 8 == 0]


def sections():
    """[(title, [(name, value)])]: all that the core may use."""
    own = [field for field in NVM[0x02].fields if field.name in ("slba", "nlb")]
    return [
        ("sizes of entries, in bytes", [("SQE_SIZE", SQE_SIZE), ("CQE_SIZE", CQE_SIZE)]),
        ("bytes of a submission queue entry", _bytes_of(SQE, "SQE")),
        ("bytes of Read, Write, Compare and Write Zeroes", _bytes_of(own, "RW")),
        ("bytes of a completion queue entry; the word at CQE_P holds the status field and the phase tag", _bytes_of(CQE, "CQE")),
        ("registers", [(f"REG_{name}", r.offset) for name, r in registers.ALL.items()] + [("REG_DOORBELLS", registers.DOORBELLS)]),
        ("admin opcodes", [(f"ADMIN_{f.builder.upper()}", opcode) for opcode, f in ADMIN.items()]),
        ("I/O opcodes", [(f"NVM_{f.builder.upper()}", opcode) for opcode, f in NVM.items()]),
        ("statuses: type << 8 | code, what a completion holds above the phase tag",
         [(f"SC_{s.name}", s.field) for s in status.ALL]),
    ]


def text():
    """What nvme.pxd has to hold."""
    lines = [_HEAD, "cdef enum:"]
    for title, numbers in sections():
        lines.append(f"    # {title}")
        lines += [f"    {name} = {value:#x}" for name, value in numbers]
    return "\n".join(lines) + "\n"


def fresh():
    """True when nvme.pxd is what the tables say."""
    return TARGET.exists() and TARGET.read_text() == text()


def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m nvlab.spec.core_offsets", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the file is fresh")
    if parser.parse_args(arguments).check:
        if not fresh():
            print(f"{TARGET} is stale: run python -m nvlab.spec.core_offsets", file=sys.stderr)
            return 1
        return 0
    if not fresh():
        TARGET.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
