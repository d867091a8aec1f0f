def greet(ctrl, words):
    ns = ctrl.namespaces[1]
    block = ctrl.alloc(ns.block_size)
    block[:len(words)] = list(words)
    pair = ctrl.create_io_queue_pair(depth=min(64, ctrl.cap.MQES + 1))
    pair.sq.post(cmd.write(nsid=1, slba=ns.blocks - 1, nlb=0, prp1=block))
    pair.sq.ring()
    while (done := pair.cq.poll()) is None:
        pass
    pair.cq.ring()
    return done
