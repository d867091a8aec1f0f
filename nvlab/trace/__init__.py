"""What happened: the event stream of a controller, recorded, read, replayed, compared.

    with nvlab.Trace(ctrl) as trace:
        ns.read(0, 1)
    print(trace.text())                    # SQ1TDBL <- 1 …
    trace.at(trace.select(kind="doorbell")[0]).sqs[1]
    nvlab.trace.diff(trace, other)
"""
from .decode import Event
from .diff import diff
from .live import Trace
from .recording import Recording
from .state import State

load = Recording.load

__all__ = ["Event", "Recording", "State", "Trace", "diff", "load"]
