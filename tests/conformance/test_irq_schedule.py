"""No wakeup is lost: whatever the order of posts, masks and looks, a driver that sleeps by the rules is woken."""
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvlab.spec.commands import cmd

SOON = 3.0
DEPTH = 8

OPERATIONS = st.lists(st.one_of(
    st.tuples(st.just("post"), st.integers(1, 4)), st.tuples(st.just("look"), st.just(0)), st.tuples(st.just("sleep"), st.just(0)),
    st.tuples(st.just("mask"), st.booleans()), st.tuples(st.just("mask all"), st.booleans()),
    st.tuples(st.just("coalesce"), st.sampled_from([0, 1 << 8, 2 << 8 | 2, 20 << 8 | 1]))), max_size=25)


class Driver:
    """A driver of one queue pair, `vector` its own, that may sleep at any time once it has noted, and then looked."""

    def __init__(self, ctrl, pair):
        self.ctrl, self.pair, self.irq = ctrl, pair, pair.cq.interrupt
        self.past = None                         # asleep: how many interrupts there were
        self.masked = self.all_masked = False

    def do(self, name, value):
        getattr(self, name.replace(" ", "_"))(value)
        if self.past is not None and self.pair.sq.outstanding and not (self.masked or self.all_masked):
            assert self.irq.wait(SOON, past=self.past), "a wakeup was lost"
            self.past = None

    def post(self, count):
        for _ in range(min(count, self.pair.sq.space)):
            self.pair.sq.post(cmd.flush(nsid=1))
        self.pair.sq.ring()

    def look(self, _=0):
        self.pair.poll()
        self.past = None

    def sleep(self, _=0):
        past = self.irq.count
        self.past = past if not self.pair.poll() else None       # something new: look again before the next sleep

    def mask(self, on):
        self.masked = on
        self.irq.mask() if on else self.irq.unmask()

    def mask_all(self, on):
        self.all_masked = self.ctrl.function.msix.function_mask = on

    def coalesce(self, value):
        if self.ctrl.ssd is not None:            # QEMU's has the feature, but knows no time
            self.ctrl.set_feature(0x08, value)

    def finish(self):
        self.do("mask", False)
        self.do("mask all", False)
        while self.pair.sq.outstanding:
            self.do("sleep", 0)


def test_no_wakeup_is_lost(device):
    ctrl = device.attach(size="1M")
    pair = ctrl.create_io_queue_pair(DEPTH, vector=1)

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(OPERATIONS)
    def run(operations):
        driver = Driver(ctrl, pair)
        for operation in operations:
            driver.do(*operation)
        driver.finish()
        assert not pair.sq.outstanding
        driver.coalesce(0)

    run()
