"""Asynchronous events: what a controller says unasked, and who hears it."""
from nvlab.spec.commands import cmd
from nvlab.spec.events import AsyncEvent

KEPT = 1024


class Events(list):
    """The latest events, oldest first, each an AsyncEvent; what didn't fit any more is counted in `dropped`."""

    dropped = 0

    def append(self, event):
        """Keep one more event."""
        super().append(event)
        if len(self) > KEPT:
            del self[0]
            self.dropped += 1


class EventsMixin:
    """Keeps one Asynchronous Event Request at the controller, and hands on what it brings."""

    def _begin_events(self):
        """What events need to remember; set once."""
        self.on_event, self.events, self._armed = [], Events(), None

    def arm_async_events(self):
        """Keep one Asynchronous Event Request outstanding; what it brings goes to ctrl.events and the on_event callbacks.

        Events arrive while any call waits, and in ctrl.poll(). A callback gets the AsyncEvent; what it raises comes out of that
        wait, at its end.
        """
        if self._armed is None or self._armed.done:
            self._armed = self.admin_queue().submit(cmd.async_event_request(), what="Asynchronous Event Request",
                                                    on_done=self._take_event)

    def _take_event(self, request):
        if not request.completion.ok or self.closed:
            return
        event, first = AsyncEvent(request.completion.dw0), None
        self.events.append(event)
        self.arm_async_events()                  # before the callbacks, which may raise
        for callback in list(self.on_event):
            try:
                callback(event)
            except Exception as error:
                first = first or error
        if first is not None:
            raise first
