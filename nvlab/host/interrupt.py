"""Waiting for a completion queue's interrupt in place of polling it.

The order makes it free of races: how many interrupts came so far, then a look at the queue, then a wait for one more. What
the controller posts after the look raises an interrupt after the count, and ends the wait.
"""
from nvlab.spec.errors import UsageError


class Interrupted:
    """What a completion queue knows of its interrupt: `interrupt` is a function's Interrupt or Line, None for a queue to poll."""

    interrupt = None

    @property
    def vector(self):
        """The number of the queue's interrupt vector, or None."""
        return None if self.interrupt is None else self.interrupt.number

    def take_interrupt(self, function, vector):
        """Wait for this queue by `vector`: a number, or the function's line. Returns the fields of its creation, ien and iv."""
        if vector is None:
            return {"ien": 0, "iv": 0}
        if vector is function._line:             # a pin (or MSI with one message): vector 0 (base 2.0c 5.4)
            if function.msix is not None and function.msix.enabled:
                raise UsageError(f"{self.name}: MSI-X is enabled, and the interrupt line is silent; say which vector, or disable it "
                                 "with function.msix.enabled = False")
            self.interrupt = vector
        else:
            self.interrupt = function.interrupt(vector)
        return {"ien": 1, "iv": self.interrupt.number}

    def wait(self, seconds):
        """Wait up to `seconds`, without the GIL, for something new at the head; True as soon as it is there.

        A queue with an interrupt sleeps until that comes; one without is polled, spinning briefly, then yielding.
        """
        interrupt = self.interrupt
        if interrupt is None:
            return super().wait(seconds)
        past = interrupt.count
        if self.has_new():
            return True
        interrupt.sleep(seconds, past, self.qid)
        return self.has_new()
