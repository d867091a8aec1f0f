class Driver6(TinyDriver):
    def submit(self, command):
        if len(self.waiting) == self.depth - 1:
            return None
        cid = self.free_cid()
        command.cid = cid
        self.waiting[cid] = command
        slot = self.tail
        self.tail = (self.tail + 1) % self.depth
        self.sq[slot * 64:slot * 64 + 64] = memoryview(bytes(command))
        self.bar.write32(self.sq_doorbell, self.tail)
        return cid
