def collect(entries, head, phase):
    cids = []
    while entries[head, 14] & 1 == phase:
        cids.append(int(entries[head, 12]) | int(entries[head, 13]) << 8)
        head += 1
        if head == len(entries):
            head, phase = 0, 1 - phase
    return cids, head, phase
