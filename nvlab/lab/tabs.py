"""The tabs of the Explorer: what there is, and how each view is made. A view's module is imported when its tab is opened."""

from importlib import import_module

DEBUGGED = 'ns = next(iter(ctrl.namespaces.values()))\nns.write(0, b"Hello world!")\nbytes(ns.read(0, 1))[:12]'
BRING_UP = "ctrl.start()"


def _of(module, name):
    """A factory that makes view `name` of nvlab.lab.`module` on the explorer's controller."""
    return lambda explorer: getattr(import_module(f"nvlab.lab.{module}"), name)(explorer.ctrl)


def _timeline(explorer):
    from nvlab.lab.timeline import Timeline

    return Timeline(explorer.trace)


def _debugger(explorer):
    from nvlab.lab.debuggerview import DebuggerView

    explorer.alone()
    return DebuggerView(explorer.ctrl, DEBUGGED if explorer.ctrl.namespaces else BRING_UP)


TABS = (
    ("rings", "Rings", "submission and completion queues, from both sides", _of("ringview", "RingView")),
    ("registers", "Registers", "every property, bit by bit", _of("registersview", "RegistersView")),
    ("identify", "Identify", "what the controller and its namespaces say of themselves", _of("identifyview", "IdentifyView")),
    ("timeline", "Timeline", "what was recorded, event by event", _timeline),
    ("debugger", "Debugger", "stop before a register or doorbell is written", _debugger),
    ("commands", "Commands", "any command as a form: its dwords, its Python, its completion", _of("builder", "CommandBuilder")),
    ("memory", "Memory", "what the drive can reach, in hexadecimal and decoded", _of("memview", "MemoryView")),
    ("perf", "Perf", "throughput and latency", _of("perfview", "PerfView")),
)
"""(name, title, what it is for, factory(explorer)) of each tab, in their order."""
