"""No wakeup is lost: whatever the order of posts, masks and looks, a driver that sleeps by the rules is woken."""
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvlab.spec.commands import cmd

SOON = 3.0
DEPTH = 8

MASKS, MOVES = ("mask", "mask all"), ("move", "look")
OPERATIONS = st.lists(st.one_of(
    st.tuples(st.just("post"), st.integers(1, 4)), st.tuples(st.sampled_from(MASKS), st.booleans()),
    st.tuples(st.sampled_from(MOVES), st.just(0)), st.tuples(st.just("behind"), st.sampled_from(MASKS)), st.tuples(st.just("coalesce"), st.sampled_from([0, 1 << 8, 2 << 8 | 2, 20 << 8 | 1]))),
    min_size=4, max_size=30)


class Driver:
    """A driver of one queue pair that sleeps whenever it may: it has noted the count, and looked, and nothing was there."""

    def __init__(self, device, ctrl, pair):
        self.device, self.ctrl, self.pair, self.irq = device, ctrl, pair, pair.cq.interrupt
        self.masked = self.all_masked = False
        self.sleep()

    def do(self, name, value):
        getattr(self, name.replace(" ", "_"))(value)
        if self.pair.sq.outstanding and not (self.masked or self.all_masked):
            assert self.irq.wait(SOON, past=self.past), f"a wakeup was lost: {self.irq.count} of more than {self.past}, pending {self.irq.pending}"
            self.sleep()

    def sleep(self):
        while True:
            self.past = self.irq.count
            if not self.pair.poll():
                break

    def post(self, count):
        for _ in range(min(count, self.pair.sq.space)):
            self.pair.sq.post(cmd.flush(nsid=1))
        self.pair.sq.ring()

    def move(self, _):
        """Let the drive do its part, while the driver sleeps."""
        if self.device.manual:
            self.device.settle(self.ctrl)
        self.ctrl.function.pump()
        time.sleep(0.0003)

    def behind(self, mask):
        """Completions while a mask is set, which goes then, unless another is left."""
        for name, value in ((mask, True), ("post", 2), ("move", 0), (mask, False)):
            getattr(self, name.replace(" ", "_"))(value)

    def look(self, _):
        self.sleep()

    def mask(self, on):
        self.masked = on
        self.irq.mask() if on else self.irq.unmask()

    def mask_all(self, on):
        self.all_masked = self.ctrl.function.msix.function_mask = on

    def coalesce(self, value):
        if self.ctrl.ssd is not None:            # QEMU has the feature, and gathers nothing
            self.ctrl.set_feature(0x08, value)

    def finish(self):
        self.do("mask", False)
        self.do("mask all", False)
        while self.pair.sq.outstanding:
            self.do("look", 0)
        self.coalesce(0)


def test_no_wakeup_is_lost(device):
    ctrl = device.attach(size="1M")
    pair = ctrl.create_io_queue_pair(DEPTH, vector=1)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(OPERATIONS)
    def run(operations):
        driver = Driver(device, ctrl, pair)
        for operation in operations:
            driver.do(*operation)
        driver.finish()
        assert not pair.sq.outstanding

    run()
