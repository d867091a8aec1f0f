def create_pair(ctrl, qid, depth):
    cq = ctrl.alloc(depth * 16)
    sq = ctrl.alloc(depth * 64)
    ctrl.execute(cmd.create_io_cq(qid=qid, qsize=depth - 1, prp1=cq, pc=1))
    try:
        ctrl.execute(cmd.create_io_sq(qid=qid, qsize=depth - 1, cqid=qid, prp1=sq, pc=1))
    except NvmeStatusError:
        ctrl.execute(cmd.delete_io_cq(qid=qid))
        raise
    return sq, cq
