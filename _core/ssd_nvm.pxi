# Part of ssd.pyx: I/O commands, and the checked way to the host's memory that they take.

cdef enum copy_op:
    TO_HOST
    FROM_HOST
    COMPARE
    NOTE_TO_HOST                   # nothing moves: the pieces are recorded
    NOTE_FROM_HOST

cdef enum:
    DNR = 1 << 14                  # Do Not Retry, in the 15-bit status (phase aside)
    MORE = 1 << 13                 # the error log has more to say (base 2.0c 3.3.3.2.1)
    DOORBELLS = 0x1000             # PCIe transport 1.0c 3.1.2


# ---------------------------------------------------------------- data transfer

cdef inline uint32_t move(ssd_t *d, uint64_t iova, uint8_t *local, uint64_t n, copy_op op) noexcept nogil:
    """One contiguous piece between the host's memory and ours (local NULL: a null bdev, all zeroes). Returns a status."""
    cdef uint8_t *host = iova_translate(d.iova, iova, n)
    cdef uint64_t i
    if host == NULL:
        return nvme.SC_DATA_TRANSFER_ERROR
    if op == TO_HOST:
        if local != NULL:
            memcpy(host, local, n)
        else:
            memset(host, 0, n)
    elif op == FROM_HOST:
        if local != NULL:
            memcpy(local, host, n)
    elif op != COMPARE:
        emit(d.lane, d.now, DMA, DRIVE, d.sqid, d.cid, iova, n | <uint64_t>(op == NOTE_TO_HOST) << 63)
    elif local != NULL:
        if memcmp(local, host, n):
            return nvme.SC_COMPARE_FAILURE
    else:
        for i in range(n):
            if host[i]:
                return nvme.SC_COMPARE_FAILURE
    return 0


cdef uint32_t prp_move(ssd_t *d, uint64_t prp1, uint64_t prp2, uint8_t *local, uint64_t length, copy_op op) noexcept nogil:
    """Move `length` bytes along PRP1, PRP2 and PRP lists (base 2.0c 4.1.1). Returns a status."""
    cdef uint64_t page = d.page, mask = page - 1, n, entry, where
    cdef uint32_t status
    cdef uint8_t *slot
    if prp1 & 3:
        return nvme.SC_INVALID_PRP_OFFSET | DNR
    n = page - (prp1 & mask)
    if n > length:
        n = length
    status = move(d, prp1, local, n, op)
    if status or n == length:
        return status
    length -= n
    if local != NULL:
        local += n
    if length <= page:                              # PRP2 is the second page itself
        if prp2 & mask:
            return nvme.SC_INVALID_PRP_OFFSET | DNR
        return move(d, prp2, local, length, op)
    if prp2 & 7:                                    # PRP2 points to a list of qwords
        return nvme.SC_INVALID_PRP_OFFSET | DNR
    where = prp2
    while length:
        slot = iova_translate(d.iova, where, 8)
        if slot == NULL:
            return nvme.SC_DATA_TRANSFER_ERROR
        entry = (<uint64_t *>slot)[0]
        if entry & mask:                            # list entries, and pointers to the next list, have offset 0
            return nvme.SC_INVALID_PRP_OFFSET | DNR
        if (where & mask) == page - 8 and length > page:
            where = entry                           # the last entry of a list page points on while more than a page remains
            continue
        n = page if length > page else length
        status = move(d, entry, local, n, op)
        if status:
            return status
        length -= n
        where += 8
        if local != NULL:
            local += n
    return 0


# ---------------------------------------------------------------- commands

cdef inline uint32_t transfer(ssd_t *d, const uint8_t *e, uint32_t nsid, copy_op op) noexcept nogil:
    """Read, Write or Compare the blocks that entry `e` names. Returns a status."""
    cdef uint64_t slba = nv_load64(e + nvme.RW_SLBA)
    cdef uint64_t blocks = <uint64_t>nv_load16(e + nvme.RW_NLB) + 1
    cdef dns_t *ns = &d.ns[nsid]
    cdef uint64_t length = blocks << ns.shift
    cdef uint8_t *local
    if slba >= ns.blocks or blocks > ns.blocks - slba:
        return nvme.SC_LBA_OUT_OF_RANGE | DNR
    if length > d.max_transfer:
        return nvme.SC_INVALID_FIELD_IN_COMMAND | DNR
    local = ns.data + (slba << ns.shift) if ns.data != NULL else NULL
    if op == FROM_HOST:
        d.counts[1] += 1
        d.counts[3] += length
    else:
        d.counts[0] += 1
        d.counts[2] += length
    return prp_move(d, (<uint64_t *>(e + nvme.SQE_PRP1))[0], (<uint64_t *>(e + nvme.SQE_PRP2))[0], local, length, op)


cdef uint32_t write_zeroes(ssd_t *d, const uint8_t *e, uint32_t nsid) noexcept nogil:
    cdef dns_t *ns = &d.ns[nsid]
    cdef uint64_t slba = nv_load64(e + nvme.RW_SLBA)
    cdef uint64_t blocks = <uint64_t>nv_load16(e + nvme.RW_NLB) + 1
    if slba >= ns.blocks or blocks > ns.blocks - slba:
        return nvme.SC_LBA_OUT_OF_RANGE | DNR
    if ns.data != NULL:
        memset(ns.data + (slba << ns.shift), 0, blocks << ns.shift)
    d.counts[4] += 1
    return 0


cdef inline uint32_t execute_io(ssd_t *d, const uint8_t *e) noexcept nogil:
    """Execute one I/O command. Returns its status (15 bits, without the phase), or DEFER when Python has to.

    The host can change the entry meanwhile: what is checked is read once.
    """
    cdef uint8_t opcode = e[nvme.SQE_OPC]
    cdef uint32_t nsid = nv_load32(e + nvme.SQE_NSID)
    if e[nvme.SQE_FUSE] & 0xC3:                                 # FUSE, PSDT: neither fused commands nor SGLs here
        return nvme.SC_INVALID_FIELD_IN_COMMAND | DNR
    if nsid == 0 or nsid > MAX_NAMESPACES or not d.ns[nsid].exists:
        if opcode != nvme.NVM_FLUSH or nsid != <uint32_t>0xFFFFFFFFu:
            return DEFER                            # a bad nsid, or a command that takes another
    if opcode == nvme.NVM_READ:
        return transfer(d, e, nsid, TO_HOST)
    if opcode == nvme.NVM_WRITE:
        return transfer(d, e, nsid, FROM_HOST)
    if opcode == nvme.NVM_FLUSH:
        d.counts[4] += 1
        return 0
    if opcode == nvme.NVM_WRITE_ZEROES:
        return write_zeroes(d, e, nsid)
    if opcode == nvme.NVM_COMPARE:
        return transfer(d, e, nsid, COMPARE)
    return DEFER


cdef void note_transfer(ssd_t *d, const uint8_t *e, uint32_t status) noexcept nogil:
    """Record the transfers of an entry that was executed with `status`: its PRPs are walked again, so that the walk which moves
    data has nothing to do with it."""
    cdef uint8_t opcode = e[nvme.SQE_OPC]
    cdef uint32_t nsid = nv_load32(e + nvme.SQE_NSID)
    if opcode != nvme.NVM_READ and opcode != nvme.NVM_WRITE and opcode != nvme.NVM_COMPARE or nsid == 0 or nsid > MAX_NAMESPACES:
        return
    if status == nvme.SC_LBA_OUT_OF_RANGE | DNR or status == nvme.SC_INVALID_FIELD_IN_COMMAND | DNR:
        return                                                  # refused before anything moved
    prp_move(d, (<uint64_t *>(e + nvme.SQE_PRP1))[0], (<uint64_t *>(e + nvme.SQE_PRP2))[0], NULL,
             (<uint64_t>nv_load16(e + nvme.RW_NLB) + 1) << d.ns[nsid].shift, NOTE_TO_HOST if opcode == nvme.NVM_READ else NOTE_FROM_HOST)
