class Driver4(TinyDriver):
    def submit(self, command):
        if len(self.waiting) == self.depth - 1:
            return None
        cid = self.free_cid()
        command.cid = cid
        self.waiting[cid] = command
        self.put(command)
        self.tail = (self.tail + 1) % self.depth
        self.bar.write32(self.sq_doorbell, self.tail)
        return cid
