class Driver7(TinyDriver):
    def free_cid(self):
        return next(cid for cid in range(self.depth) if cid not in self.waiting)
