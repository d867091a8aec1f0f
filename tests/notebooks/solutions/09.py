def run_batch(pair, commands):
    done, waiting = [], list(commands)
    while len(done) < len(commands):
        now, waiting = waiting[:pair.sq.space], waiting[pair.sq.space:]
        for command in now:
            pair.sq.post(command)
        if now:
            pair.sq.ring()
        before = len(done)
        while (completion := pair.cq.poll()) is not None:
            done.append(completion)
        if len(done) > before:
            pair.cq.ring()
    return done
