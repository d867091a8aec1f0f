# Part of ssd.pyx: the drive's side of the rings, and a round over them.


# ---------------------------------------------------------------- rings

cdef inline bint cq_room(ssd_t *d, dcq_t *cq) noexcept nogil:
    """True when an entry can be posted; reads CQyHDBL again only when the queue looks full."""
    cdef uint32_t next = 0 if cq.tail + 1 == cq.size else cq.tail + 1
    cdef uint32_t head
    if next != cq.head:
        return True
    head = nv_load32(cq.db)
    if head >= cq.size:
        if head != cq.bad:
            d.attention = True
        return False
    cq.head = head
    return next != cq.head


cdef inline void post_entry(ssd_t *d, uint32_t cqid, uint64_t dw01, uint64_t dw23, bint traced) noexcept nogil:
    """Write 16 bytes into the slot at the tail. The qword with the Phase Tag goes last, in one store."""
    cdef dcq_t *cq = &d.cq[cqid]
    cdef uint8_t *slot = cq.base + <uint64_t>cq.tail * 16
    if nv_traced(traced):
        emit(d.lane, d.now, CQE_POST, DRIVE, cqid, cq.tail, dw01, dw23)
    (<uint64_t *>slot)[0] = dw01
    nv_store64(slot + 8, dw23)
    cq.tail += 1
    if cq.tail == cq.size:
        cq.tail = 0
        cq.phase ^= 1


cdef inline void post(ssd_t *d, uint32_t cqid, uint32_t sqhd, uint32_t sqid, uint32_t cid, uint32_t status, uint64_t dw01,
                      bint traced) noexcept nogil:
    """Write one completion, with the Phase Tag of this lap."""
    cdef uint64_t tagged = status << 1 | d.cq[cqid].phase
    post_entry(d, cqid, dw01, sqhd | <uint64_t>sqid << 16 | <uint64_t>cid << 32 | tagged << 48, traced)


cdef void note_failure(ssd_t *d, uint32_t qid, const uint8_t *e, uint32_t status) noexcept nogil:
    """Keep what the error log will say of a command that failed."""
    cdef derror_t *f = &d.failed[d.failures % 64]
    f.sqid, f.cid, f.status = qid, (<uint16_t *>(e + nvme.SQE_CID))[0], status
    f.nsid, f.slba = (<uint32_t *>(e + nvme.SQE_NSID))[0], (<uint64_t *>(e + nvme.RW_SLBA))[0]
    d.failures += 1
    d.counts[5] += 1


cdef inline bint begin_events(ssd_t *d) noexcept nogil:
    """Decide once for what follows whether it is recorded, and at what time: the lane may be switched on meanwhile.

    Returns whether. Loops keep the answer in a register: each event that is not recorded costs them a test of it, no more.
    """
    if nv_traced(d.lane.on):
        d.now = nv_now_ns()
        return True
    return False


cdef inline void note_fetch(ssd_t *d, uint32_t qid, const uint8_t *e) noexcept nogil:
    """Record that the entry at the head is fetched; its transfers bear its name."""
    d.sqid, d.cid = qid, (<uint16_t *>(e + nvme.SQE_CID))[0]
    emit(d.lane, d.now, SQE_FETCH, DRIVE, qid, d.sq[qid].head, sqe_key(e), 0)


cdef inline int serve(ssd_t *d, uint32_t qid, int budget) noexcept nogil:
    """Fetch, execute and complete up to `budget` commands of one I/O submission queue. Returns how many."""
    cdef dsq_t *sq = &d.sq[qid]
    cdef dcq_t *cq
    cdef uint8_t *e
    cdef uint32_t status, tail = nv_load32(sq.db)
    cdef int n = 0, spent = 0
    cdef bint traced
    if tail == sq.head:
        return 0
    if tail >= sq.size:
        if tail != sq.bad:
            d.attention = True
        return 0
    if d.defer:                                     # somebody wants to meddle with each command: Python executes them all
        sq.stalled = True
        d.attention = True
        return 0
    cq = &d.cq[sq.cqid]
    traced = begin_events(d)                        # after the doorbell was seen: a fetch comes later than its doorbell
    while sq.head != tail and spent < budget:
        if not cq_room(d, cq):
            break
        e = sq.base + <uint64_t>sq.head * 64
        nv_prefetch(e + 128)
        status = execute_io(d, e)
        if status == DEFER:
            sq.stalled = True
            d.attention = True
            break
        if nv_traced(traced):                       # in the order of what happened, before the host can see the end of it
            note_fetch(d, qid, e)
            note_transfer(d, e, status)
        sq.head = 0 if sq.head + 1 == sq.size else sq.head + 1
        if status:
            status |= MORE
            note_failure(d, qid, e, status)
        post(d, sq.cqid, sq.head, qid, (<uint16_t *>(e + nvme.SQE_CID))[0], status, 0, traced)
        n += 1
        spent += 1 + ((<uint16_t *>(e + nvme.RW_NLB))[0] >> 6)     # large ones cost more: nobody waits long for the lock
    if cq.ien:
        irq_posted(d, sq.cqid, n)
    return n


cdef int ssd_poll(ssd_t *d, int budget) noexcept nogil:
    """One round over all I/O submission queues. The caller holds the lock. Returns how many commands completed."""
    cdef uint32_t i
    cdef int n = 0
    if d.alarm and nv_now_ns() >= d.alarm:
        d.attention = True
    if not d.enabled:
        return 0
    for i in range(d.live_count):
        if not d.sq[d.live[i]].stalled:
            n += serve(d, d.live[i], budget)
        elif cq_room(d, &d.cq[d.sq[d.live[i]].cqid]):
            d.attention = True                      # again, should Python have found its completion queue full
    if d.due_count:
        irq_round(d)
    return n


cdef int ssd_try_poll(ssd_t *d, int budget) noexcept nogil:
    """ssd_poll() unless somebody else is in the drive just now."""
    cdef int n
    if not nv_trylock(&d.lock):
        return 0
    n = ssd_poll(d, budget)
    nv_unlock(&d.lock)
    return n


cdef inline bint admin_waits(ssd_t *d) noexcept nogil:
    return d.enabled and d.sq[0].live and nv_load32(d.sq[0].db) != d.sq[0].head
