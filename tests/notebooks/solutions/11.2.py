class Driver2(TinyDriver):
    def poll(self):
        done = []
        while (completion := self.entry()).p == self.phase:
            del self.waiting[int(completion.cid)]
            done.append(completion)
            self.head += 1
            if self.head == self.depth:
                self.head, self.phase = 0, 1 - self.phase
        if done:
            self.bar.write32(self.cq_doorbell, self.head)
        return done
