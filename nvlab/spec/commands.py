"""Commands: the tables, the entries as people see them, and `cmd`, which builds them by name.

    >>> cmd.identify(cns=1, prp1=0x10000)
    <Identify: prp1=0x10000 cns=1 (Identify Controller)>
    >>> cmd.read(nsid=1, slba=8, nlb=0).slba
    8
"""

import difflib
import inspect

from . import status
from .command_format import CQE, CQE_SIZE, SQE, SQE_SIZE, CommandFormat, place
from .command_view import Command, Completion
from .commands_admin import ADMIN
from .commands_nvm import NVM
from .errors import UsageError

__all__ = ["ADMIN", "CQE", "CQE_SIZE", "Command", "CommandFormat", "Completion", "NVM", "SQE", "SQE_SIZE", "cmd", "fields_json"]

_LAST = ("fuse", "psdt", "cid")
_COMMON = {field.name: field for field in SQE}


def _parameters(fmt):
    """{keyword: (Field, default)} of a command's builder, in the order of its signature."""
    keyword_of = {field: word for word, field in (fmt.keywords or {}).items()}
    own = {keyword_of.get(field.name, field.name): field for field in fmt.fields}
    nsid = {"nsid": _COMMON["nsid"]} if fmt.nsid is not None else {}
    first, second = (own, nsid) if fmt.admin else (nsid, own)
    shared = [name for name in (*fmt.pointers, *fmt.extras, *_LAST) if name not in own]
    fields = {**first, **second, **{name: _COMMON[name] for name in shared}}
    defaults = {"nsid": fmt.nsid, **(fmt.defaults or {})}
    return {name: (field, defaults.get(name, 0)) for name, field in fields.items()}


def _signature(parameters):
    kinds = {name: inspect.Parameter.KEYWORD_ONLY if name in _LAST and name == field.name
             else inspect.Parameter.POSITIONAL_OR_KEYWORD for name, (field, _) in parameters.items()}
    return inspect.Signature([inspect.Parameter(name, kinds[name], default=default)
                              for name, (_, default) in parameters.items()])


def _doc(fmt, parameters):
    lines = [f"{fmt.name} (opcode {fmt.opcode:#04x}, {'admin' if fmt.admin else 'I/O'}; {fmt.cite}).", ""]
    for name, (field, _) in parameters.items():
        known = "; ".join(f"{value}: {meaning}" for value, meaning in list((field.values or {}).items())[:8])
        more = f" ({known})" if known else f" ({field.unit})" if field.unit else ""
        lines.append(f"{name}: {field.title}, {place(field)}{more}.{' ' + field.doc if field.doc else ''}")
    lines += ["", "Addresses are ints or DMA buffers. Raises UsageError for an unknown keyword or a value too large for its field."]
    return "\n".join(lines)


def _bind(signature, name, args, kwargs):
    """The arguments by name; a wrong call is a UsageError that lists what there is."""
    for keyword in kwargs:
        if keyword not in signature.parameters:
            near = difflib.get_close_matches(keyword, signature.parameters, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(signature.parameters)}"
            raise UsageError(f"cmd.{name} has no field {keyword!r}; {hint}")
    if not args:
        return kwargs
    try:
        return signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise UsageError(f"cmd.{name}{signature}: {error}") from None


def _builder(fmt):
    """The function that builds the command `fmt`."""
    parameters = _parameters(fmt)
    signature = _signature(parameters)
    blank = bytearray(SQE_SIZE)
    blank[0] = fmt.opcode

    def build(*args, **kwargs):
        command = Command(blank, fmt.admin)
        given = _bind(signature, fmt.builder, args, kwargs)
        for name, (field, default) in parameters.items():
            if name in given or default:
                command._put(field, given.get(name, default))
        return command

    build.__name__ = build.__qualname__ = fmt.builder
    build.__signature__, build.__doc__ = signature, _doc(fmt, parameters)
    return build


def _raw(opcode, admin=True, nsid=0, cdw10=0, cdw11=0, cdw12=0, cdw13=0, cdw14=0, cdw15=0, prp1=0, prp2=0, mptr=0, cdw2=0,
         cdw3=0, *, fuse=0, psdt=0, cid=0):
    """Any command, known or not, by its opcode and plain dwords. `admin` False makes it an I/O command.

    Raises UsageError for a value too large for its field.
    """
    given = dict(locals(), opc=opcode)
    command = Command(admin=bool(admin))
    for name, field in _COMMON.items():
        command._put(field, given[name])
    return command


_raw.__name__ = _raw.__qualname__ = "raw"


class Builders:
    """One function a command, generated from the tables: `cmd.identify(cns=1, prp1=buf)` makes a Command."""

    def __init__(self):
        for fmt in (*ADMIN.values(), *NVM.values()):
            setattr(self, fmt.builder, _builder(fmt))
        self.raw = _raw

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        near = difflib.get_close_matches(name, vars(self), n=1)
        hint = f"did you mean {near[0]}?" if near else "cmd.raw(opcode, …) builds any"
        raise AttributeError(f"there is no command {name!r}; {hint}")

    def __repr__(self):
        return f"<commands: {', '.join(vars(self))}>"


cmd = Builders()


def _json_field(field):
    values = {str(value): meaning for value, meaning in field.values.items()} if field.values else None
    return {"name": field.name, "title": field.title, "byte": field.lo >> 3, "bit": field.lo & 7, "width": field.width,
            "values": values}


def _json_formats(table):
    return {str(opcode): {"name": fmt.name, "data": fmt.data, "cite": fmt.cite, "fields": [_json_field(f) for f in fmt.fields]}
            for opcode, fmt in table.items()}


def fields_json():
    """A plain dict with which a program that has no tables (a browser) can decode entries.

    "sqe" and "cqe" are lists of fields {name, title, byte, bit, width, values}; "admin" and "nvm" go from opcode to
    {name, data, cite, fields}; "status" from "sct/sc" to {name, hint}.
    """
    names = {f"{s.sct}/{s.sc}": {"name": s.title, "hint": s.hint} for s in status.ALL if s.command_set != "fabrics"}
    return {"sqe": [_json_field(f) for f in SQE], "cqe": [_json_field(f) for f in CQE], "admin": _json_formats(ADMIN),
            "nvm": _json_formats(NVM), "status": names}
