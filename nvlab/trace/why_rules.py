"""The rules that ctrl.why() knows, as a table: what each is called, how grave it is, where it is written, what to do."""
from dataclasses import dataclass, field

ERROR, WAITING, NOTE, OK = "error", "waiting", "note", "ok"
"""How grave a finding is: a rule is broken; nothing is wrong, and this is what everybody waits for; by the way; all is well."""

_DOORBELLS = "base 2.0c 3.3.1.2 and 5.2, Invalid Doorbell Write Value"


@dataclass(frozen=True)
class Rule:
    """One rule: `id`, `title`, `severity` ("error", "waiting", "note"), `cite` where the standard says it, `remedy`.

    `drive` True: it takes the drive's own view, and is only found on the embedded SSD.
    """

    id: str
    title: str
    severity: str
    cite: str
    remedy: str
    drive: bool = False


_TABLE = (
    # -- the device
    Rule("gone", "Device gone", ERROR, "base 2.0c 3.1.3: what isn't there reads as all ones",
         "attach again, once the device is back; nothing that was outstanding will complete"),
    Rule("fault", "A fault that was asked for", ERROR, "nvlab: ssd.faults",
         "ssd.faults lists what is armed; ssd.faults.clear() disarms it, ctrl.disable() and ctrl.start() begin anew", drive=True),
    # -- bring-up
    Rule("admin-queue-unset", "Enabled without an admin queue", ERROR, "base 2.0c 3.5.1, 3.1.3.8 to 3.1.3.10",
         "clear CC.EN, write AQA (both sizes zero-based), ASQ and ACQ, and set CC.EN only then"),
    Rule("admin-queue-unaligned", "Admin queue not aligned to a page", ERROR, "base 2.0c 3.1.3.9 and 3.1.3.10",
         "put both admin rings at addresses whose low 12 bits are 0 (ctrl.alloc() gives such), and enable again"),
    Rule("page-size", "Memory page size mismatch", ERROR, "base 2.0c 3.1.3.5 (CC.MPS), 3.1.3.1 (CAP.MPSMIN, CAP.MPSMAX), 4.1.1",
         "write a CC.MPS that CAP allows while CC.EN is 0, and build PRPs with pages of that very size"),
    Rule("entry-size", "Queue entry sizes unset", ERROR, "base 2.0c 3.1.3.5 (CC.IOSQES, CC.IOCQES) and 3.5.1",
         "write CC.IOSQES = 6 (64 bytes) and CC.IOCQES = 4 (16 bytes), as Identify Controller's SQES and CQES ask, with CC.EN = 1"),
    Rule("fatal", "Controller fatal status", ERROR, "base 2.0c 3.1.3.6 (CSTS.CFS)",
         "only a reset helps: ctrl.disable(), or clear CC.EN and wait for CSTS.RDY = 0"),
    # -- queues and their doorbells
    Rule("zero-based-size", "Off by one in a zero-based size", ERROR, "base 2.0c 1.4.2 (0's based values); AQA 3.1.3.8, QSIZE 5.4 and 5.5",
         "write the number less one: 8 entries are ASQS, ACQS or QSIZE = 7, 8 blocks are NLB = 7"),
    Rule("queue-mismatch", "The two ends hold different queues", ERROR, "base 2.0c 3.3.1.1, 5.4 and 5.5",
         "tell the drive the address and the size that the driver uses; create the queue anew", drive=True),
    Rule("doorbell-past-end", "Doorbell past the end of its queue", ERROR, _DOORBELLS,
         "let the index wrap, index = (index + 1) % depth; and check that the queue was created with as many entries as the driver uses"),
    Rule("sq-before-cq", "Submission queue before its completion queue", ERROR, "base 2.0c 5.5 (CQID) and 3.3.1.1",
         "create the completion queue first and wait for its success, then the submission queue that completes to it"),
    Rule("doorbell-of-no-queue", "Doorbell of a queue that doesn't exist", ERROR, "base 2.0c 5.2, Write to Invalid Doorbell Register",
         "create the queue first (admin: AQA, ASQ, ACQ, then CC.EN; I/O: Create I/O CQ, then SQ) and check its status; "
         "check the doorbell's offset, 1000h + (2 * qid + is_cq) * (4 << CAP.DSTRD)"),
    Rule("entry-after-doorbell", "Entry written after its doorbell", ERROR, "base 2.0c 3.3.1.2",
         "write all 64 bytes first, then a fence, then the doorbell with the slot after the last entry"),
    Rule("cid-reused", "Command identifier reused while outstanding", ERROR, "base 2.0c 3.3.3.1 (CID)",
         "keep a set of cids in use; one is free again when its completion has been seen"),
    Rule("wrong-phase", "Wrong Phase Tag expected after a wrap", ERROR, "base 2.0c 3.3.3.2 (Phase Tag)",
         "turn the expected Phase Tag over (phase ^= 1) each time the head goes from the last slot to 0"),
    Rule("stale-completion", "Stale completion read", ERROR, "base 2.0c 3.3.3.2 (Phase Tag) and 5.2, Invalid Doorbell Write Value",
         "look at the Phase Tag before anything else of an entry: only one that equals the expected phase is new"),
    Rule("queue-overfull", "More commands than the ring holds", ERROR, "base 2.0c 3.3.1.5",
         "leave one slot free: post only while (tail + 1) % depth isn't the head, which SQHD of each completion tells (sq.space)", drive=True),
    Rule("doorbell-not-moving", "Doorbell written without moving", ERROR, _DOORBELLS,
         "move the index first, then write it: SQ tail is the slot after the last entry, CQ head the slot after the last one read"),
    # -- commands
    Rule("admin-on-io", "Admin command on an I/O queue", ERROR, "base 2.0c 3.3 and 5",
         "send admin commands (Identify, features, logs, queue creation) on queue 0, I/O commands on the others"),
    Rule("aer-limit", "More Asynchronous Event Requests than AERL", ERROR, "base 2.0c 5.2 and 5.17.2.1 (AERL, zero-based)",
         "keep at most AERL + 1 of them outstanding, and send another only when one has completed"),
    Rule("prp2-missing", "PRP2 missing", ERROR, "base 2.0c 4.1.1",
         "a transfer that leaves the page of PRP1 needs PRP2: the second page, or from a third page on a PRP list (host.prp.build_prp)"),
    Rule("prp2-unaligned", "PRP2 not aligned", ERROR, "base 2.0c 4.1.1",
         "only PRP1 may have an offset: PRP2 as a page and every list entry begin a page; a list lies at a multiple of 8"),
    Rule("prp2-list-for-page", "PRP list where a page is meant", ERROR, "base 2.0c 4.1.1",
         "with at most two pages PRP2 is the second page itself; a list begins with the third"),
    Rule("prp2-page-for-list", "Page where a PRP list is meant", ERROR, "base 2.0c 4.1.1",
         "with three pages or more PRP2 points to a list of all pages but the first, eight bytes each"),
    # -- what everybody waits for
    Rule("cq-doorbell-never-rung", "Completion queue full", WAITING, "base 2.0c 3.3.1.2 and 3.3.1.5",
         "take what is new and give the slots back: write CQyHDBL with the slot after the last one read (cq.poll(), cq.ring())"),
    Rule("nobody-steps", "Nobody moves the drive", WAITING, "nvlab: the drive's modes", "ssd.step()", drive=True),
    Rule("doorbell-never-rung", "Submission doorbell never rung", WAITING, "base 2.0c 3.3.1.2",
         "write SQyTDBL with the slot after the last entry (sq.ring())"),
    Rule("completion-not-taken", "Completion not taken", WAITING, "base 2.0c 3.3.3.2",
         "poll the completion queue, then give the slots back (cq.poll(), cq.ring())"),
    Rule("completion-lost", "Completion lost", WAITING, "base 2.0c 3.3.1.2 and 3.7.2",
         "nothing will come: only a controller reset, ctrl.reset(), makes certain; a driver needs a deadline for each command", drive=True),
    Rule("in-the-drive", "In the drive", WAITING, "base 2.0c 3.3.1.2", "wait for it; or Abort it, or reset the controller"),
    Rule("not-ready", "Not ready", WAITING, "base 2.0c 3.5.1; CAP.TO 3.1.3.1",
         "wait up to CAP.TO; a controller that isn't ready by then needs a reset, ctrl.disable()"),
    Rule("shut-down", "Shut down", WAITING, "base 2.0c 3.6.1", "ctrl.disable() and ctrl.start() begin anew"),
    Rule("disabled", "Not enabled", WAITING, "base 2.0c 3.5.1",
         "ctrl.create_admin_queue() and ctrl.enable(); or all of it: ctrl.start()"),
    # -- by the way
    Rule("command-failed", "A command failed", NOTE, "base 2.0c 3.3.3.2.1", "see the status"),
)

RULES = {rule.id: rule for rule in _TABLE}
"""{id: Rule}, the gravest first, causes before what follows from them."""

ORDER = {id: place for place, id in enumerate(RULES)}
GRAVITY = {ERROR: 0, WAITING: 1, NOTE: 2}


@dataclass
class Finding:
    """What one rule found: `rule` its id, `sentence`, `evidence` [(label, value)]; `severity`, `remedy` and `cite` where they
    differ from the rule's own."""

    rule: str
    sentence: str
    evidence: list = field(default_factory=list)
    severity: str = ""
    remedy: str = ""
    cite: str = ""

    def __post_init__(self):
        known = RULES[self.rule]
        self.severity, self.remedy = self.severity or known.severity, self.remedy or known.remedy
        self.cite = self.cite or known.cite

    @property
    def title(self):
        """What the rule is called."""
        return RULES[self.rule].title

    @property
    def place(self):
        """Where it comes among others: the gravest first."""
        return GRAVITY[self.severity], ORDER[self.rule]
