def next_completion(cq, interrupt, seconds):
    deadline = time.monotonic() + seconds
    while (completion := cq.poll()) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        interrupt.wait(left)
    return completion
