"""Live registers: a handle for each controller property, which reads the device when a field or a value is asked for."""
import difflib

from nvlab.spec import registers
from nvlab.spec.errors import ControllerGone, RegisterError, UsageError
from nvlab.spec.render import Table, hexadecimal, mimebundle

OPTIONAL = {"NSSR": "NSSRS", "CMB": "CMBS", "PMR": "PMRS", "BP": "BPS", "NSSD": "NSSS", "CRTO": "CRMS"}
"""Registers that exist only where a bit of CAP says so, by the beginning of their name."""


class NoSuchRegister(RegisterError, AttributeError):
    """A register that the standard doesn't have."""


class RegisterHandle:
    """One register of a live controller: `h.EN` reads a field, `h.EN = 1` changes one, `h.read()` is a snapshot.

    Nothing is read until a field or value is asked for; each read of the register is one access of the device.
    """

    __slots__ = ("_regs", "register")

    def __init__(self, regs, register):
        object.__setattr__(self, "_regs", regs)
        object.__setattr__(self, "register", register)

    def read(self):
        """Read the register once. Returns an immutable snapshot with its fields as attributes."""
        return self._regs.read(self.register)

    def write(self, value):
        """Write the whole register."""
        self._regs.write(self.register, value)

    def set(self, **fields):
        """Read, change the named fields, write: one access each. Returns what was written."""
        value = self.read().replace(**fields)
        self.write(value)
        return value

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            self.register.field(name)
        except UsageError as error:
            raise AttributeError(str(error)) from None
        return getattr(self.read(), name)

    def __setattr__(self, name, value):
        self.set(**{name: value})

    def __int__(self):
        return int(self.read())

    __index__ = __int__

    def __eq__(self, other):
        return int(self) == other

    __hash__ = None

    def __dir__(self):
        return ["read", "write", "set", "register", *(f.name for f in self.register.fields)]

    def __repr__(self):
        return repr(self.read()) if self.register.readable else repr(self.register)

    def _repr_mimebundle_(self, include=None, exclude=None):
        if self.register.readable:
            return self.read()._repr_mimebundle_(include, exclude)
        return mimebundle(self.register.table())


class Registers:
    """The register table of a live controller: `regs.CAP.MQES`, `regs.CC.EN = 1`, `regs["CSTS"]`, `regs[0x14]`.

    Raises RegisterError for a register that doesn't exist, a read of a write-only or a write of a read-only one, and
    ControllerGone when CSTS reads as all ones: nothing answers on the bus any more.
    """

    def __init__(self, bar, gone=lambda: None):
        vars(self).update(_bar=bar, _gone=gone, _dstrd=None)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return RegisterHandle(self, self._find(name))

    def __setattr__(self, name, value):
        self.write(self._find(name), value)

    def __getitem__(self, key):
        return RegisterHandle(self, self._find(key))

    def __setitem__(self, key, value):
        self.write(self._find(key), value)

    def __dir__(self):
        return ["read", "write", "snapshot", *registers.ALL]

    def _find(self, key):
        """The Register called `key`, or at offset `key`. Raises RegisterError."""
        if isinstance(key, registers.Register):
            return key
        name = key
        if isinstance(key, int):
            name = registers.name_at(key, self.dstrd if key >= 0x1000 else 0)
            if name is None:
                raise NoSuchRegister(f"no register at offset {key:#x}: the standard reserves it (base 2.0c 3.1.3)")
        if not isinstance(name, str):
            raise NoSuchRegister(f"no register is called {name!r}; ask by name (\"CC\") or by offset (0x14)")
        if name in registers.ALL:
            return registers.ALL[name]
        try:
            return registers.lookup(name, self.dstrd)
        except UsageError:
            close = difflib.get_close_matches(str(name).upper(), registers.ALL, 3)
            hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(registers.ALL)} and the doorbells"
            raise NoSuchRegister(f"no register is called {name!r}; {hint}") from None

    @property
    def dstrd(self):
        """CAP.DSTRD, read once: it never changes."""
        if self._dstrd is None:
            vars(self)["_dstrd"] = int(self.read(registers.CAP).DSTRD)
        return self._dstrd

    def read(self, register):
        """Read a register (a Register, name or offset) once. Returns its snapshot."""
        register = self._find(register)
        if not register.readable:
            raise RegisterError(f"{register.name} is write-only and never read ({register.cite}); "
                                "a queue remembers what was written last: sq.rung, cq.rung")
        width = register.size
        value = self._bar.read64(register.offset) if width == 8 else self._bar.read32(register.offset)
        if value == (1 << 8 * width) - 1 and register is not registers.INTMS and register is not registers.INTMC:
            self._check_gone(register)
        return register.decode(value)

    def _check_gone(self, register):
        """All ones: nothing answers, unless CSTS says otherwise."""
        if self._bar.read32(registers.CSTS.offset) == 0xFFFFFFFF:
            reason = self._gone() or "all registers read as ones, as they do when a device is unplugged"
            raise ControllerGone(f"read of {register.name}: the controller is gone ({reason}); attach again when it is back")

    def write(self, register, value):
        """Write a whole register (a Register, name or offset)."""
        register = self._find(register)
        if not register.writable:
            raise RegisterError(f"{register.name} is read-only ({register.cite})")
        value = int(register.decode(int(value)))
        if register.size == 8:
            self._bar.write64(register.offset, value)
        else:
            self._bar.write32(register.offset, value)

    def present(self):
        """The registers that this controller has: all mandatory ones, and the optional ones that CAP names."""
        cap = self.read(registers.CAP)
        missing = tuple(prefix for prefix, bit in OPTIONAL.items() if not getattr(cap, bit))
        return [r for r in registers.ALL.values() if not r.name.startswith(missing or ("?",))]

    def snapshot(self):
        """{name: snapshot} of all registers that this controller has, each read once."""
        return {r.name: self.read(r) for r in self.present() if r.readable}

    def table(self):
        """All registers, one a row, as a render.Table."""
        rows = [(f"{value.register.offset:#x}", name, hexadecimal(value, value.size),
                 " ".join(f"{f.name}={int(v)}" for f, v in value.items() if v) if name not in ("ASQ", "ACQ") else "",
                 value.register.title) for name, value in self.snapshot().items()]
        return Table("Controller registers", ("Offset", "Name", "Value", "Fields", "Title"), rows, numbers=("Offset", "Value"))

    def __repr__(self):
        return self.table().text()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return mimebundle(self.table())
