"""Random faults over random commands: the drive lives on, completes nothing twice that it wasn't told to, and counts right."""
import collections

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvlab.spec.commands import cmd
from nvlab.target.inflight import InFlight

from .raw_drive import RawDrive

COMMANDS = [lambda d, lba: cmd.read(nsid=1, slba=lba, nlb=3, prp1=d), lambda d, lba: cmd.write(nsid=1, slba=lba, nlb=0, prp1=d),
            lambda d, lba: cmd.flush(nsid=1), lambda d, lba: cmd.verify(nsid=1, slba=lba), lambda d, lba: cmd.read(nsid=9, slba=lba, prp1=d)]
ADMIN = [lambda d, lba: cmd.identify(cns=1, prp1=d), lambda d, lba: cmd.abort(sqid=1, cid=lba), lambda d, lba: cmd.async_event_request(),
         lambda d, lba: cmd.get_features(fid=7)]
KINDS = {
    "drop": lambda f, n, kw: f.drop(execute=bool(n & 1), **kw), "delay": lambda f, n, kw: f.delay(n / 1e4, **kw),
    "long": lambda f, n, kw: f.delay(3600, **kw), "duplicate": lambda f, n, kw: f.duplicate(n + 1, **kw), "corrupt": lambda f, n, kw: f.corrupt(**kw),
    "xor": lambda f, n, kw: f.corrupt(xor=n << 100, **kw), "cid": lambda f, n, kw: f.wrong_cid(n, match_cid=kw.pop("cid", None), **kw),
    "phase": lambda f, n, kw: f.wrong_phase(**kw), "sqhd": lambda f, n, kw: f.wrong_sqhd(n, **kw), "sqhd0": lambda f, n, kw: f.wrong_sqhd(**kw),
    "status": lambda f, n, kw: f.status((n % 8, 0x80 + n), **kw),
}
KEYWORDS = {
    "opcode": st.sampled_from([0, 1, 2, "Read", "Write", "Flush", ["Identify", "Verify"]]), "qid": st.sampled_from([1, 2, [0, 1], [1, 2]]),
    "nsid": st.sampled_from([1, 9, [0, 1]]), "cid": st.integers(0, 12).map(lambda n: list(range(n, n + 8))),
    "lba": st.one_of(st.integers(0, 9), st.integers(1, 9).map(lambda n: range(n, 2 * n))),
    "count": st.integers(1, 4), "after": st.integers(0, 4)}
MATCH = st.lists(st.sampled_from(sorted(KEYWORDS)), max_size=3, unique=True).filter(
    lambda words: not {"lba", "opcode"} <= set(words)).flatmap(lambda words: st.fixed_dictionaries({word: KEYWORDS[word] for word in words}))
ARM = st.tuples(st.just("arm"), st.sampled_from(sorted(KINDS)), st.integers(0, 15), MATCH)
SUBMIT = st.tuples(st.just("submit"), st.sampled_from([0, 1, 1, 2]), st.integers(0, 8), st.integers(0, 9), st.integers(1, 15))
STEP = st.tuples(st.just("step"), st.integers(1, 30))
RARE = st.one_of(st.tuples(st.just("take"), st.integers(0, 2)), st.tuples(st.sampled_from(["release", "clear", "reset"])),
                 st.tuples(st.just("remove"), st.integers(0, 3)))
ROUND = st.tuples(st.lists(ARM, max_size=2), st.lists(SUBMIT, min_size=1, max_size=4), st.lists(STEP, max_size=1), st.lists(RARE, max_size=2))


def fits(fault, held):
    """The rule of matching once more, in the plainest words there are."""
    command, given = held.command, fault.match.given
    opcode, name = given.get("opcode"), command.format.name if command.format else ""
    if held.sqid == 0 and command.opc == 0x0C:
        return False
    if opcode is not None and int(command.opc) != opcode and not (isinstance(opcode, str) and name == opcode) and not (
            isinstance(opcode, list) and name in opcode):
        return False
    for word, value in (("qid", held.sqid), ("nsid", int(command.nsid)), ("cid", held.cid)):
        wanted = given.get(word)
        if wanted is not None and value != wanted and not (isinstance(wanted, list) and value in wanted):
            return False
    lbas = given.get("lba")
    if lbas is None:
        return True
    if held.sqid == 0 or name not in ("Read", "Write", "Verify"):
        return False
    return any(int(command.slba) <= lba <= int(command.slba) + int(command.nlb) for lba in (lbas if isinstance(lbas, range) else [lbas]))


class Play:
    """A drive in mode manual, and what should have become of each command."""

    def __init__(self):
        self.drive = RawDrive()
        self.ssd, self.faults = self.drive.ssd, self.drive.ssd.faults
        self.met, self.born = [], {}             # commands in the order of their execution; fault -> how many before it
        self.known, self.ended = set(), 0        # ids of those; how many of them a reset has ended
        self.posted = collections.Counter()

    def arm(self, kind, n, keywords):
        fault = KINDS[kind](self.faults, n, dict(keywords))
        self.born[fault] = len(self.met)

    def submit(self, qid, which, lba, times):
        table = COMMANDS if qid else ADMIN
        for _ in range(min(times, self.drive.space(qid))):
            self.drive.submit(qid, table[which % len(table)](self.drive.data, lba))

    def step(self, times):
        for _ in range(times):
            held = self.ssd.step()
            if isinstance(held, InFlight) and id(held) not in self.known:
                self.known.add(id(held))
                self.met.append(held)            # keeps it alive: its id stays its own

    def take(self, qid):
        self.posted[qid] += len(self.drive.take(qid))

    def remove(self, which):
        if which < len(self.faults):
            self.check(self.faults[which])
            self.faults[which].remove()

    def clear(self):
        for fault in self.faults:
            self.check(fault)
        self.faults.clear()
        assert not self.ssd.datapath.defer

    def release(self):
        self.faults.release()

    def check(self, fault):
        """`hits` is what the rule says."""
        matching = sum(fits(fault, held) for held in self.met[self.born[fault]:])
        most = fault.count if fault.count is not None else 1 << 63
        assert fault.hits == min(most, max(0, matching - fault.after)), (fault, matching)

    def reset(self):
        """Whatever was inside is forgotten: the new queues are empty, and stay so."""
        self.drive.start()
        self.posted, self.ended = collections.Counter(), len(self.met)
        assert not len(self.ssd.held_back) and not self.ssd.inside
        assert [self.drive.ssd.queue_state(qid)["cq_tail"] for qid in (1, 2)] == [0, 0]

    def _progress(self):
        return len(self.met), self.posted.total(), len(self.ssd.inside), len(self.ssd.held_back), *self.drive.head

    def settle(self):
        """Let everything come to its end, and count the completions of each queue."""
        self.clear()
        before = None
        while before != (before := self._progress()):
            self.faults.release()
            self.step(8)
            for qid in range(3):
                self.take(qid)
        assert all(held.state == "lost" for held in self.ssd.held_back)
        for qid in range(3):
            mine = [held for held in self.met[self.ended:] if held.sqid == qid]
            assert not self.drive.ssd.inside and all(held.state in ("completed", "lost", "waiting") for held in mine)
            assert not any(held.plan.copies for held in mine if held.plan is not None and held.state == "completed")
        assert self.ssd.bug is None


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ROUND, min_size=1, max_size=6))
def test_any_faults(rounds):
    play = Play()
    owed = collections.Counter()
    finish = play.ssd._finish

    def counted(held):
        copies = None if held.plan is None or not held.plan.post else held.plan.copies
        result = finish(held)
        if held.state == "completed":
            owed[held.sqid] += 1 if copies is None else copies
        elif copies is not None and held.state == "executed":
            owed[held.sqid] += copies - held.plan.copies
        return result

    play.ssd._finish = counted
    try:
        for name, *arguments in (op for some in rounds for part in some for op in part):
            getattr(play, name)(*arguments)
            if name == "reset":
                owed.clear()
        play.settle()
        assert +play.posted == +owed             # as many completions as commands, but for those told to be more or fewer
        path = play.ssd.datapath
        assert not path.defer and not path.alarm
        cid = play.drive.submit(1, cmd.flush(nsid=1))
        path.poll()                              # by the core alone
        assert [int(completion.cid) for completion in play.drive.take(1)] == [cid]
    finally:
        play.drive.close()
