def limits(cap):
    return (cap & 0xFFFF) + 1, (cap >> 24 & 0xFF) / 2, 1 << 12 + (cap >> 48 & 15), 4 << (cap >> 32 & 15)


def doorbell(qid, completion, stride):
    return 0x1000 + (2 * qid + bool(completion)) * stride
