def serial_number(ctrl):
    buffer = ctrl.alloc(4096)
    ctrl.admin.sq.post(cmd.identify(cns=1, prp1=buffer))
    ctrl.admin.sq.ring()
    ctrl.ssd.step()
    assert ctrl.admin.cq.poll().ok
    ctrl.admin.cq.ring()
    return IdentifyController(buffer).sn
