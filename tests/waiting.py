"""To wait in a test for what comes about by itself: by a condition and a deadline, never by time alone."""

import time


def holds(condition, seconds=5.0, nap=0.002):
    """True as soon as `condition()` holds; False if it doesn't within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(nap)
    return True
