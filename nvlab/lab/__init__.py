"""The notebook face of nvlab: `RingView` shows a queue pair, `LivePlot` perf while it runs, `Timeline` what was recorded,
`DebuggerView` code that is being debugged, `WhyView` what the checker says, `explore(ADDRESS)` all of them in one app.

They need the lab extra: `pip install 'nvlab[lab]'`. Nothing else in nvlab imports this package; text drawings that
need no notebook are in `nvlab.tools.draw`.
"""

from importlib import import_module as _import

_WHERE = {"Explorer": "explorer", "explore": "explorer", "RingView": "ringview", "LivePlot": "liveplot",
          "RegistersView": "registersview", "IdentifyView": "identifyview",
          "Timeline": "timeline", "DebuggerView": "debuggerview", "WhyView": "whyview",
          "PerfView": "perfview", "CommandBuilder": "builder", "MemoryView": "memview", "PrpView": "memview"}
__all__ = sorted(_WHERE)


def __getattr__(name):
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = _import(f"{__name__}.{_WHERE[name]}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "nvlab":
            raise
        raise ImportError(f"{name} needs {error.name}, which the lab extra brings: pip install 'nvlab[lab]'") from error
    return getattr(module, name)


def __dir__():
    return __all__
