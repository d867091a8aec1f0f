"""What a drive has to say unasked: asynchronous events, and the error log behind them."""
import collections

from nvlab.spec.logs import ErrorLogEntry

ERROR, SMART, NOTICE = 0, 1, 2
"""Asynchronous event types (base 2.0c 5.2)."""
INVALID_DOORBELL_REGISTER, INVALID_DOORBELL_VALUE = 0, 1
"""Information of error events: a doorbell of a queue that doesn't exist, a value that its queue can't have."""
LOG_OF_TYPE = {ERROR: 0x01, SMART: 0x02, NOTICE: 0x04}


class AsyncEvents:
    """Pairs Asynchronous Event Requests with events. An event type stays silent from its report until its log is read."""

    def __init__(self, limit=4):
        self.limit = limit                       # requests that may wait at once: AERL + 1
        self.reset()

    def reset(self):
        """Forget requests and events, as a controller reset does."""
        self.requests = collections.deque()      # cids
        self.pending = collections.deque()       # (type, information)
        self.masked = set()

    def request(self, cid):
        """Take an Asynchronous Event Request. Returns False when the limit is reached."""
        if len(self.requests) >= self.limit:
            return False
        self.requests.append(cid)
        return True

    def add(self, kind, information):
        """Something happened. The same news is kept once."""
        if (kind, information) not in self.pending and len(self.pending) < 64:
            self.pending.append((kind, information))

    def unmask(self, log):
        """The host has read log page `log`: events that point to it may be reported again."""
        self.masked -= {kind for kind, lid in LOG_OF_TYPE.items() if lid == log}

    def take(self):
        """(cid, dw0) of a request that can be completed with an event now, or None."""
        if not self.requests:
            return None
        for event in self.pending:
            if event[0] not in self.masked:
                self.pending.remove(event)
                self.masked.add(event[0])
                kind, information = event
                return self.requests.popleft(), kind | information << 8 | LOG_OF_TYPE[kind] << 16
        return None

    def cancel(self, cid):
        """Take back the request `cid` (Abort). Returns True when it was waiting."""
        if cid in self.requests:
            self.requests.remove(cid)
            return True
        return False


class ErrorLog:
    """The last errors, newest first (base 2.0c 5.16.1.2)."""

    def __init__(self, entries=64):
        self.entries = collections.deque(maxlen=entries)
        self.count = 0

    def add(self, sqid, cid, status, location=0xFFFF, lba=0, nsid=0):
        """Record one error. `status` has 15 bits, `location` is the byte and bit of the parameter, FFFFh for none."""
        self.count += 1
        self.entries.appendleft(ErrorLogEntry.new(
            error_count=self.count, sqid=sqid, cmdid=cid, status_field=status << 1, parm_error_location=location,
            lba=lba, nsid=nsid))

    def page(self):
        """The log page: newest first, unused entries zero."""
        raw = b"".join(bytes(entry) for entry in self.entries)
        return raw.ljust(self.entries.maxlen * ErrorLogEntry.SIZE, b"\0")
