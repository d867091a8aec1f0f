def bring_up(ctrl, depth):
    def follows(value):
        deadline = time.monotonic() + ctrl.cap.TO.seconds
        while ctrl.regs.CSTS.RDY != value:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    sq = ctrl.alloc(depth * 64)
    cq = ctrl.alloc(depth * 16)
    ctrl.regs.CC.EN = 0
    if not follows(0):
        return None
    ctrl.regs.AQA = AQA.encode(ASQS=depth - 1, ACQS=depth - 1)
    ctrl.regs.ASQ = sq.iova
    ctrl.regs.ACQ = cq.iova
    ctrl.regs.CC = CC.encode(EN=1, MPS=int(ctrl.cap.MPSMIN), IOSQES=6, IOCQES=4)
    return (sq, cq) if follows(1) else None
