"""Rules about the device and its bring-up: gone, faults, the admin queue, CC and CSTS."""
from nvlab.spec import registers
from nvlab.spec.render import counted, hexadecimal

from .decode import name_of
from .why_rules import NOTE, Finding

KIB = 1024


def _shown(scene, *names):
    """Registers as evidence."""
    return [(name, repr(value) if name in ("CC", "CSTS") else hexadecimal(value, value.register.size))
            for name, value in scene.registers.items() if name in names]


def gone(scene):
    """Nothing answers any more."""
    if scene.gone is not None:
        fetched = sum(c.completed is None and c.rung is not None for sq in scene.ledger.sqs.values() for c in sq.commands)
        evidence = [("Outstanding", f"{counted(fetched, 'command')} that nobody will complete")] if fetched else []
        yield Finding("gone", f"The controller is gone: {scene.gone}.", [("Address", scene.ctrl.address), *evidence])


def faults(scene):
    """The drive misbehaved as it was told to."""
    if scene.ssd is None:
        return
    armed, matters = [("Armed", str(fault).strip("<>")) for fault in scene.ssd.faults], _may_matter(scene)
    for name, number, qid, key in scene.ledger.faults[-3:][::-1]:
        opcode, cid = key & 0xFF, key >> 16 & 0xFFFF
        book = scene.ledger.sqs.get(qid)
        open_ = key and book is not None and any(c.cid == cid and c.fetched is not None and c.completed is None for c in book.commands)
        command = f", of the {name_of(opcode, qid == 0)} with cid {cid} on SQ {qid}" if key else ""
        yield Finding("fault", f"The drive was told to misbehave, and did: {name}{command}.",
                      [("Fault", name), *armed, ("Event", number)], severity="" if matters or open_ else NOTE)
    if not scene.ledger.faults:
        for fault in list(scene.ssd.faults)[::-1]:           # the newest first
            if fault.hits:
                yield Finding("fault", f"The drive was told to misbehave, and did so {counted(fault.hits, 'time')}: {fault.event}.", armed,
                              severity="" if matters else NOTE)


def _may_matter(scene):
    """True while a fault may still act, or something stands still that one may have caused; False when all that is over."""
    faults = list(scene.ssd.faults)
    if any(fault.armed for fault in faults):
        return True
    cc, csts = scene.registers.get("CC"), scene.registers.get("CSTS")
    if scene.gone is not None or cc is None or cc.EN and (csts.CFS or not csts.RDY):
        return True
    return bool(faults) and any(view.ring is None or _hangs(view) for view in scene.sqs.values())


def _hangs(view):
    """True while commands of the host's own ring are outstanding; Asynchronous Event Requests always are."""
    return any(view.qid or int(request.command.opc) != 0x0C for request in list(view.ring.outstanding.values()))


def status(scene):
    """CC and CSTS: fatal, not ready, shut down, not enabled."""
    if scene.gone is not None or not scene.registers:
        return
    cc, csts = scene.registers["CC"], scene.registers["CSTS"]
    if csts.CFS:
        yield from _fatal(scene)
    elif csts.SHST:
        yield Finding("shut-down", "The controller was shut down (CSTS.SHST = "
                      f"{int(csts.SHST)}): it fetches nothing until it is enabled again.", _shown(scene, "CC", "CSTS"))
    elif not cc.EN:
        unset = [name for name in ("AQA", "ASQ", "ACQ") if not scene.registers[name]]
        todo = f", and {', '.join(unset)} still to be written" if unset else ""
        yield Finding("disabled", f"The controller isn't enabled: CC.EN is 0{todo}.", _shown(scene, "CC", "CSTS", "AQA", "ASQ", "ACQ"))
    elif scene.ssd is None and list(_unset(scene)):
        unset = list(_unset(scene))
        yield Finding("admin-queue-unset", f"CC.EN was set while {' and '.join(unset)} {'were' if len(unset) > 1 else 'was'} 0: the drive "
                      "takes address 0 for the queue, or one entry for its size.", _shown(scene, "CC", "CSTS", "AQA", "ASQ", "ACQ"))
    elif not csts.RDY:
        seconds = scene.registers["CAP"].TO.seconds
        yield Finding("not-ready", "The controller is enabled and not ready: CC.EN is 1, CSTS.RDY still 0; CAP.TO allows it "
                      f"{seconds:g} s.",
                      _shown(scene, "CC", "CSTS"))


def _fatal(scene):
    """CSTS.CFS: what of the bring-up explains it."""
    unset = list(_unset(scene))
    evidence = _shown(scene, "CC", "CSTS", "AQA", "ASQ", "ACQ")
    if unset:
        order = scene.ledger.at_enable is not None and all(scene.ledger.written.get(name) for name in unset)
        late = "; they were written only afterwards" if order else ""
        yield Finding("admin-queue-unset", f"CC.EN was set while {' and '.join(unset)} {'were' if len(unset) > 1 else 'was'} 0"
                      f"{late}: the controller has no admin queue and reports a fatal status.", evidence)
    elif not list(page_size(scene)) and not list(alignment(scene)) and not list(entry_sizes(scene)):
        sentence = "CSTS.CFS is set: the controller met a fatal error"
        if scene.ssd is not None and not scene.sqs:
            sentence += ", and has no admin queue: is the memory at ASQ and ACQ the drive's to reach, and were they written before CC.EN?"
        yield Finding("fatal", sentence.rstrip("?.") + ("?" if sentence.endswith("?") else "."), evidence)


def _unset(scene):
    """The admin queue's registers, or parts of them, that were 0 when CC.EN was set."""
    values = scene.ledger.at_enable or {name: int(scene.registers[name]) for name in ("AQA", "ASQ", "ACQ")}
    aqa = registers.AQA.decode(values["AQA"])
    if not aqa.ASQS or not aqa.ACQS:
        yield "AQA" if not aqa else "AQA.ASQS" if not aqa.ASQS else "AQA.ACQS"
    for name in ("ASQ", "ACQ"):
        if not values[name] & ~0xFFF and not values[name] & 0xFFF:
            yield name


def alignment(scene):
    """ASQ or ACQ with low bits: reserved, so that the drive takes the address without them, or refuses it."""
    if scene.gone is not None or not scene.registers or not scene.registers["CC"].EN:
        return
    written, page, cap = scene.ledger.at_enable or {}, scene.page, scene.registers["CAP"]
    for name in ("ASQ", "ACQ"):
        value = int(written.get(name, scene.registers[name]))
        if value & 0xFFF:
            held = int(scene.registers[name]) & ~0xFFF
            yield Finding("admin-queue-unaligned", f"{name} was written with {value:#x}, which isn't aligned to a page: the "
                          f"drive takes {held:#x}, {value & 0xFFF} bytes before the driver's ring.",
                          [(name, f"{value:#x} written, bits 11:0 are reserved"), *_shown(scene, "CC", "CSTS")])
        elif value % page and scene.registers["CC"].MPS <= cap.MPSMAX:
            yield Finding("page-size", f"CC.MPS says pages of {page // KIB} KiB, and {name} = {value:#x} is aligned to 4 KiB only.",
                          _shown(scene, "CC", "CSTS", "ASQ", "ACQ"))


def page_size(scene):
    """CC.MPS beyond what CAP allows, or another than the driver's PRPs are made for."""
    if scene.gone is not None or not scene.registers or not scene.registers["CC"].EN:
        return
    cc, cap, ctrl = scene.registers["CC"], scene.registers["CAP"], scene.ctrl
    low, high, mine = int(cap.MPSMIN), int(cap.MPSMAX), int(cc.MPS)
    evidence = [("CC.MPS", f"{mine}: pages of {4 << mine} KiB"), ("CAP", f"MPSMIN {low} ({4 << low} KiB), MPSMAX {high} ({4 << high} KiB)")]
    if not low <= mine <= high:
        yield Finding("page-size", f"CC.MPS is {mine}, pages of {4 << mine} KiB, and CAP allows {4 << low} KiB"
                      f"{'' if low == high else f' to {4 << high} KiB'}.", evidence)
    elif ctrl.admin is not None and scene.page != ctrl.page:
        yield Finding("page-size", f"CC.MPS says pages of {scene.page // KIB} KiB, and the driver builds its PRPs with pages of "
                      f"{ctrl.page // KIB} KiB.", [*evidence, ("Driver", f"ctrl.page is {ctrl.page}")])


def entry_sizes(scene):
    """CC.IOSQES or CC.IOCQES not 6 and 4, with I/O queues, or where the controller doesn't start for it."""
    if scene.gone is not None or not scene.registers or not scene.registers["CC"].EN:
        return
    cc = scene.registers["CC"]
    wrong = [f"CC.{name} is {int(getattr(cc, name))}" for name, size in (("IOSQES", 6), ("IOCQES", 4)) if getattr(cc, name) != size]
    if not wrong:
        return
    book = scene.ledger.sqs.get(0)
    asked = any(qid for qid in (*scene.sqs, *scene.cqs)) or book is not None and any(c.opcode in (1, 5) for c in book.commands)
    asked = asked or any(view.entries is not None and any(e[0] in (1, 5) for e in view.entries if e[40:44].any())
                         for view in (scene.sqs.get(0),) if view is not None)
    if asked or scene.registers["CSTS"].CFS and not list(_unset(scene)):
        yield Finding("entry-size", f"{' and '.join(wrong)}: entries of I/O queues are 64 (IOSQES = 6) and 16 bytes (IOCQES = 4), "
                      "and both must be set before the first I/O queue is created.", _shown(scene, "CC", "CSTS"))


CHECKS = (gone, faults, status, alignment, page_size, entry_sizes)
