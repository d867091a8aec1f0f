"""Checks of the exercises 00 to 03: what a drive is, first I/O, registers, bring-up."""
import secrets

import numpy as np

from nvlab import Trace
from nvlab.spec import registers as regs
from nvlab.spec.commands import Completion, cmd
from nvlab.spec.errors import Error, UsageError
from nvlab.spec.identify import IdentifyController

from .course_guard import drive, some_text

__all__ = ["bring_up", "capacity", "registers", "serial_number"]


def capacity(report, function):
    """00: all bytes of a controller's namespaces."""
    for settings in ({"size": "1M"}, {"size": "3M", "block": 4096}, {"size": f"{secrets.randbelow(6) + 2}M", "namespaces": 3}):
        with drive(ready=True, **settings) as ctrl:
            said = ", ".join(f"{key}={value}" for key, value in settings.items())
            got, namespaces = report.call(function, ctrl), list(ctrl.namespaces.values())
            report.equal(got, sum(ns.size for ns in namespaces), f"the bytes of a drive with {said}", _capacity_hint(got, namespaces))


def _capacity_hint(got, namespaces):
    """What helps with a wrong number of bytes."""
    if got == sum(ns.blocks for ns in namespaces):
        return "That many blocks it has. How many bytes is one of them?"
    if got == sum(ns.blocks for ns in namespaces) * 512:
        return "Not every drive has blocks of 512 bytes."
    if got in [ns.size for ns in namespaces]:
        return f"That is one namespace, and this controller has {len(namespaces)}: ctrl.namespaces holds them all, by number."
    return "A namespace knows its size in bytes; a controller may have several."


def _by_hand(ctrl):
    """Take the short cuts away from a controller."""
    def refuse(*args, **kw):
        raise UsageError("in this exercise you are the driver: post, ring, step, poll, ring")
    for name in ("identify", "identify_controller", "identify_data", "execute", "submit"):
        setattr(ctrl, name, refuse)
    ctrl.admin.submit = ctrl.admin.execute = refuse


def _not_asked(sq, ssd):
    """What helps when the buffer holds no answer: which of the steps was left out."""
    if sq.tail == 0:
        return "IdentifyController(buffer).sn has it, once the drive has filled the buffer. Nothing was posted yet."
    if sq.rung != sq.tail:
        return "A command was posted, and its doorbell never rung: the drive knows nothing of it."
    if ssd.step():
        return "The drive had not moved yet: in mode manual it does so in ctrl.ssd.step()."
    return "The drive has executed a command. Is it Identify with cns=1, and does prp1 name the buffer that you decode?"


def serial_number(report, function):
    """01: Identify by hand, on a small ring, more than once around."""
    for depth in (4, 2):
        serial = some_text(10)
        with drive(serial=serial) as ctrl:
            ctrl.disable()
            sq, cq = (pair := ctrl.create_admin_queue(depth)).sq, pair.cq
            ctrl.enable()
            _by_hand(ctrl)
            got = report.call(function, ctrl)
            report.equal(got, serial, f"the serial number of a drive (admin queue of {depth})", _not_asked(sq, ctrl.ssd))
            if depth == 4:
                posted = sq.tail
                report.expect(posted == 1, "one Identify was posted", f"{posted} commands were posted, one Identify is enough")
                report.expect(cq.head == 1, "the completion was taken", "the completion still lies at the head of the ring",
                              "Take it: cq.poll(). Only that moves the host's head, and frees the slot of the command.")
                report.expect(cq.rung == cq.head, "CQ0HDBL was rung", f"CQ0HDBL was last rung with {cq.rung}, and the head is {cq.head}", "Give the slot back: cq.ring().")
            for turn in range(2 * depth + 1):
                if report.call(function, ctrl, what=f"call {turn + 2}") != serial:
                    report.wrong(f"call {turn + 2} on the same ring gave something else", "Does every call take its completion, and ring both doorbells?")
            report.right(f"{2 * depth + 2} calls in a row, around a ring of {depth}")


def _caps():
    """CAP values, of drives real and not, with what follows from them."""
    for _ in range(20):
        mqes, to, dstrd, low = secrets.randbelow(4096) + 1, secrets.randbelow(255) + 1, secrets.randbelow(5), secrets.randbelow(4)
        value = int(regs.CAP.encode(MQES=mqes, TO=to, DSTRD=dstrd, MPSMIN=low, MPSMAX=low + 2, CQR=secrets.randbelow(2), CSS=1,
                                    AMS=secrets.randbelow(2), NSSRS=secrets.randbelow(2)))
        yield value, (mqes + 1, to / 2, 4096 << low, 4 << dstrd)


def registers(report, limits, doorbell):
    """02: CAP decoded by hand, and where a doorbell lies."""
    names = ("entries in a queue", "seconds to wait for CSTS.RDY", "bytes of the smallest page", "bytes from doorbell to doorbell")
    hints = ("MQES is bits 15:0, and zero-based.", "TO is bits 31:24, in units of 500 ms.", "MPSMIN is bits 51:48: 2 ** (12 + MPSMIN) bytes.",
             "DSTRD is bits 35:32: 4 << DSTRD bytes.")
    for number, (value, wanted) in enumerate(_caps()):
        got = report.call(limits, value)
        if not isinstance(got, (tuple, list)) or len(got) != 4:
            report.wrong(f"limits({value:#x}) should return four numbers, not {got!r}", "return entries, seconds, page, stride")
        for name, hint, one, right in zip(names, hints, got, wanted):
            if one is None or one is Ellipsis:
                report.wrong(f"CAP = {value:#x}: {name}: nothing was returned yet", hint)
            if one != right:
                report.wrong(f"CAP = {value:#x}: {name}: expected {right:g}, got {one}", hint)
    report.right(f"{number + 1} values of CAP decoded")
    if report.call(doorbell, 0, False, 4) is None:
        report.wrong("doorbell() returns nothing yet", "An offset in BAR0 is wanted; the first doorbell, SQ0TDBL, lies at 1000h.")
    for dstrd in (0, 1, 4):
        for qid in (0, 1, 7, 63):
            for completion, offset in ((False, regs.sq_tail_doorbell), (True, regs.cq_head_doorbell)):
                name = f"{'CQ' if completion else 'SQ'}{qid}{'H' if completion else 'T'}DBL"
                got = report.call(doorbell, qid, completion, 4 << dstrd)
                if got != offset(qid, dstrd):
                    report.wrong(f"{name} with a stride of {4 << dstrd}: expected {offset(qid, dstrd):#x}, got {hex(got) if isinstance(got, int) else repr(got)}",
                                 "They begin at 1000h, two for each queue pair: SQ tail first, then CQ head (PCIe transport 1.0c 3.1.2).")
    report.right("every doorbell found, at any stride")


def _works(report, ctrl, sq, cq):
    """One Identify through the learner's own rings."""
    buffer = ctrl.alloc(4096)
    sq[:64] = np.frombuffer(bytes(cmd.identify(cns=1, cid=7, prp1=buffer)), np.uint8)
    ctrl.bar.write32(0x1000, 1)
    ctrl.ssd.step()
    completion = Completion(bytes(cq[:16]))
    report.expect(completion.p == 1 and completion.cid == 7 and completion.ok and IdentifyController(buffer).sn == ctrl.function.options["serial"],
                  "an Identify came through your rings", f"an Identify sent through your rings was not answered: {completion!r}",
                  "Do you return the buffers whose addresses ASQ and ACQ have, first the submission queue's?")


def _check_registers(report, ctrl, depth):
    cc, csts, aqa = ctrl.cc, ctrl.csts, ctrl.regs.AQA.read()
    report.expect(not csts.CFS, "no fatal status", "CSTS.CFS is set: the drive found the admin queue wrong",
                  "AQA, ASQ and ACQ must be right before CC.EN is set, both addresses page-aligned.")
    report.expect(cc.EN and csts.RDY, "CC.EN = 1, CSTS.RDY = 1", f"CC.EN is {int(cc.EN)} and CSTS.RDY {int(csts.RDY)}")
    sizes = int(aqa.ASQS), int(aqa.ACQS)
    report.expect(sizes == (depth - 1, depth - 1), f"AQA says {depth} entries each",
                  f"AQA.ASQS, ACQS = {sizes}, for {depth} entries", "Both sizes are zero-based (base 2.0c 3.1.3.8).")
    report.expect((cc.IOSQES, cc.IOCQES) == (6, 4), "IOSQES = 6, IOCQES = 4",
                  f"IOSQES = {int(cc.IOSQES)}, IOCQES = {int(cc.IOCQES)}", "Entries of 2**6 and 2**4 bytes (base 2.0c 3.1.3.5).")


def _check_none(report, ctrl):
    """Say what stands in the way of a controller that was given up, though it was sound."""
    report.expect(not ctrl.csts.CFS, "no fatal status", "None was returned, and CSTS.CFS is set: the drive found the admin queue wrong",
                  "AQA, ASQ and ACQ must be right before CC.EN is set, both addresses page-aligned.")
    report.wrong("nothing was returned: (sq, cq) is wanted", "CC.EN is still 0: nobody has enabled the controller." if not ctrl.cc.EN
                 else "The controller is enabled and ready. Return the two buffers, once CSTS.RDY is 1." if ctrl.csts.RDY
                 else "Return the two buffers, once CSTS.RDY is 1.")


def bring_up(report, function):
    """03: disabled or not before, any depth, and a controller that never gets ready."""
    for depth, used in ((16, False), (secrets.randbelow(60) + 4, True)):
        with drive() as ctrl:
            if used:
                ctrl.disable(), ctrl.create_admin_queue(8), ctrl.enable()
            with Trace(ctrl) as trace:
                rings = report.call(function, ctrl, depth, seconds=6)
            if rings is None:
                _check_none(report, ctrl)
            sizes = [getattr(ring, "nbytes", 0) for ring in rings] if isinstance(rings, (tuple, list)) else []
            if len(sizes) != 2 or sizes[0] < depth * 64 or sizes[1] < depth * 16:
                report.wrong(f"two buffers are wanted, of {depth} * 64 and {depth} * 16 bytes", "ctrl.alloc(bytes) makes them; first the submission queue's.")
            _check_registers(report, ctrl, depth)
            if used:
                _check_reset_first(report, trace)
            _works(report, ctrl, *rings)
    with drive() as ctrl:
        ctrl.ssd.faults.never_ready()
        got = report.call(function, ctrl, 16, seconds=3, what="with a controller that never gets ready, bring_up()", may_raise=Error,
                          hint="Wait no longer than ctrl.cap.TO.seconds.")
        report.expect(got is None or isinstance(got, Error), "a controller that never gets ready is given up within CAP.TO",
                      "a controller that never got ready was reported as ready", "Return None when CSTS.RDY is still 0 after ctrl.cap.TO.seconds.")


def _check_reset_first(report, trace):
    """A controller that ran before must have been disabled before its admin queue moved."""
    enabled = True
    for event in trace.select(kind="reg_write"):
        if event.a == regs.CC.offset:
            enabled = bool(event.b & 1)
        elif enabled and (name := regs.name_at(event.a)) in ("AQA", "ASQ", "ACQ"):
            report.wrong(f"{name} was written while CC.EN was 1", "Disable first; AQA, ASQ and ACQ are for a controller that is off (base 2.0c 3.5.1).")
    report.right("a controller that was running was disabled first")
