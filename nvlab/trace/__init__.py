"""What happened: the event stream of a controller, recorded, read, replayed, compared.

    with nvlab.Trace(ctrl) as trace:
        ns.read(0, 1)
    print(trace.text())                    # SQ1TDBL <- 1 …
    trace.at(trace.select(kind="doorbell")[0]).sqs[1]
    nvlab.trace.diff(trace, other)

    with nvlab.watch(ctrl):                # and what is wrong with a driver, or why nothing moves
        my_driver(ctrl)
    print(ctrl.why())
"""
from .decode import Event
from .diff import diff
from .live import Trace
from .recording import Recording
from .stacks import Stacks
from .state import State
from .watch import Watch, watch
from .why import Why, why

load = Recording.load

__all__ = ["Event", "Recording", "Stacks", "State", "Trace", "Watch", "Why", "diff", "load", "watch", "why"]
