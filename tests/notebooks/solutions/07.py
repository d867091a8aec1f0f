def read_patiently(ctrl, lba, tries):
    block = ctrl.alloc(512)
    command = cmd.read(nsid=1, slba=lba, nlb=0, prp1=block)
    for left in reversed(range(tries)):
        try:
            ctrl.submit(command, held=(block,)).wait()
            return bytes(block)
        except NvmeStatusError as error:
            if error.completion.dnr or not left:
                raise
            time.sleep(ctrl.retry_delay(error.completion))
