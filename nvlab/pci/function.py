"""A PCI NVMe function: the registers, the memory that it can reach, and who it says it is."""
import threading

from nvlab._core.trace import Kind, Lane, Side

from .msix import Interrupts

TEXTS, LOST = 4096, "(one of too many different texts)"
"""How many texts a function keeps, and what stands for any more: memory is fixed."""


class Function(Interrupts):
    """An opened NVMe function. A context manager; close() as often as you like.

    `address` canonical string · `kind` · `options` of the address · `bar` registers (Bar) · `dma` memory that the drive
    reaches (DmaPool) · `ids` {"vid", "did", "ssvid", "ssid"} from configuration space · `model` what it is, in words ·
    `ssd` the drive's other half, when it lives in this process, else None · `lanes` where events are recorded · `texts` of
    the steps that were recorded · `msix` its MSI-X capability (Msix), or None.

    Kinds derive from it and override `_release`, `pump` and `gone`.
    """

    poll_slice = 0.02
    """Seconds that a waiting host polls without the GIL before it looks around: for Ctrl-C, deadlines, a vanished device."""

    def __init__(self, address, bar, dma, ids, *, model="", ssd=None):
        self.address = str(address)
        self.kind = address.kind
        self.options = dict(address.options)
        self.bar = bar
        self.dma = dma
        self.ids = ids
        self.model = model
        self.ssd = ssd
        self.lanes = [bar.lane] + ([ssd.datapath.lane] if ssd is not None else [])
        self.texts, self._numbers = [], {}
        self._begin_interrupts()
        self._closed = False
        self._closing = threading.Lock()

    def lane(self, name):
        """The trace lane called `name`, made when it isn't there; it records when the host's own lane does."""
        with self._closing:
            found = next((lane for lane in self.lanes if lane.name == name), None)
            if found is None:
                found = Lane(name, self.bar.lane.room)
                self.lanes.append(found)
            if self.bar.lane.on and not found.on:
                found.start()
        return found

    def mark(self, text):
        """Record that a step called `text` begins (Kind.STEP): of the bring-up, or of somebody's own."""
        lane = self.bar.lane
        if lane.on or lane.hook is not None:
            number = self._number(str(text))
            if lane.hook is not None:
                lane.hook(Kind.STEP, 0, number, 0, self.texts[number])
            lane.record(Kind.STEP, Side.HOST, 0, number)

    def _number(self, text):
        """The place of a text in `texts`."""
        with self._closing:
            if text not in self._numbers and len(self.texts) >= TEXTS:
                text = LOST
            if text not in self._numbers:
                self.texts.append(text)
                self._numbers[text] = len(self.texts) - 1
            return self._numbers[text]

    def pump(self, blocking=False):
        """Let a drive that lives in this process move: in a poll, or (`blocking`) in a call that waits; nothing elsewhere."""

    def settle(self):
        """Make ready to be measured: a drive in this process takes the memory it will need; nothing elsewhere."""

    def gone(self):
        """Why the function vanished, in a phrase, or None while it is there."""
        return "it was closed" if self._closed else None

    def close(self):
        """Give everything back; later accesses raise ControllerGone."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._end_interrupts()
            self._release()

    @property
    def closed(self):
        """True after close()."""
        return self._closed

    def _release(self):
        """What close() does, once."""

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def __repr__(self):
        ids = "{vid:04x}:{did:04x}".format(**self.ids)
        state = self.gone()
        return f"<{self.model or self.kind} [{ids}] at {self.address}{', ' + state if state else ''}>"
