"""Statuses: what the status field of a completion says.

    >>> lookup(1, 2)
    <Status Invalid Queue Size (sct 1, sc 2)>
    >>> LBA_OUT_OF_RANGE.sc, LBA_OUT_OF_RANGE.hint[:14]
    (128, 'The last block')

Every status is a constant of this module, named after its title: INVALID_OPCODE, LBA_OUT_OF_RANGE, …
"""

import re
from dataclasses import dataclass

from .status_table import COMMAND_SPECIFIC, GENERIC, GROUPS, MEDIA, PATH, VENDOR

__all__ = ["ALL", "COMMAND_SPECIFIC", "GENERIC", "MEDIA", "PATH", "Status", "TYPES", "VENDOR", "code", "lookup"]

TYPES = {GENERIC: "generic", COMMAND_SPECIFIC: "command specific", MEDIA: "media and data integrity", PATH: "path related",
         VENDOR: "vendor specific"}
"""Status code types."""

_SHORTER = {"Invalid Command Opcode": "INVALID_OPCODE", "Successful Completion": "SUCCESS",
            "PRP Offset Invalid": "INVALID_PRP_OFFSET"}
"""Constants that go by a name other than their title."""


def code(number):
    """A status code as the messages show it: 2, 0x80."""
    return str(number) if number < 10 else f"{number:#x}"


@dataclass(frozen=True)
class Status:
    """One status: its type `sct` and code `sc`, constant's name, the standard's title, and what to do about it."""

    sct: int
    sc: int
    name: str
    title: str
    hint: str = ""
    cite: str = ""
    command_set: str = "base"

    @property
    def ok(self):
        return self.sct == GENERIC and self.sc == 0

    @property
    def field(self):
        """The 11 bits SCT and SC as one number: sct << 8 | sc."""
        return self.sct << 8 | self.sc

    @property
    def class_name(self):
        """Its exception in nvlab.spec.errors: "LbaOutOfRange"."""
        return "".join(word[:1].upper() + word[1:].lower() for word in _words(self.title))

    def __str__(self):
        return f"{self.title} (sct {self.sct}, sc {code(self.sc)})"

    def __repr__(self):
        return f"<Status {self}>"


def _words(title):
    return re.findall(r"[A-Za-z0-9]+", title.replace("I/O", "IO"))


def _constant(title):
    return _SHORTER.get(title) or "_".join(_words(title)).upper()


ALL = tuple(Status(sct, sc, _constant(title), title, hint, cite, command_set)
            for sct, command_set, cite, rows in GROUPS for sc, title, hint in rows)
"""Every Status, fabrics ones included."""

_FABRICS = {(s.sct, s.sc): s for s in ALL if s.command_set == "fabrics"}
_KNOWN = {(s.sct, s.sc): s for s in (*_FABRICS.values(), *(s for s in ALL if s.command_set != "fabrics"))}

globals().update({s.name: s for s in ALL})


def lookup(sct, sc, fabrics=False):
    """The Status of type `sct` and code `sc`; one called UNKNOWN where the standard has none.

    Some command specific codes mean one thing to fabrics commands and another to the NVM command set: `fabrics` chooses.
    """
    found = (_FABRICS.get((sct, sc)) if fabrics else None) or _KNOWN.get((sct, sc))
    if found:
        return found
    if sct == VENDOR or sct in TYPES and sc >= 0xC0:
        return Status(sct, sc, "UNKNOWN", "Vendor Specific Status", "The drive's vendor knows what it means.")
    return Status(sct, sc, "UNKNOWN", "Unknown Status")
