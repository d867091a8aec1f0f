"""One thread a widget, which carries news from the kernel to the page while cells run."""

import threading
import time


class Publisher:
    """Calls `push()` from a daemon thread every `period()` seconds, for as long as `wanted()` says so.

    `push` must not raise and must not touch traits that another thread touches without the widget's lock: ipywidgets'
    `hold_sync` is not thread-safe. The thread ends by itself when it isn't wanted; `start()` brings it back.
    """

    def __init__(self, name, push, period, wanted):
        self._name, self._push, self._period, self._wanted = name, push, period, wanted
        self._lock, self._wake, self._thread, self._ended = threading.Lock(), threading.Event(), None, False

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self):
        """Run from now on, if it doesn't already; after `stop()` this does nothing."""
        with self._lock:
            if self._ended or self.alive:
                return
            self._wake.clear()
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def stop(self):
        """End for good. Returns at once when called from the thread itself, else within one period."""
        self._ended = True
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=2)

    def _run(self):
        while True:
            with self._lock:                     # so that start() sees either a thread that goes on, or none
                if self._ended or not self._wanted():
                    self._thread = None
                    return
            began = time.monotonic()
            self._push()
            self._wake.wait(max(0.01, self._period() - (time.monotonic() - began)))
