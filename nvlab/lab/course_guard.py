"""Running a learner's code so that it can't do harm: in a thread, with a deadline, on a drive of its own."""
import contextlib
import ctypes
import secrets
import threading
import traceback

import nvlab

__all__ = ["Hung", "drive", "guarded", "some_text", "where"]

END_SECONDS = 2.0


class Hung(Exception):
    """The code didn't end in time."""


class _Ended(BaseException):
    """Raised inside code that took too long; no except clause of the learner's should catch it."""


def guarded(function, args=(), seconds=5.0):
    """What function(*args) returns, or raises. Raises Hung when it takes longer than `seconds`; the code is ended then."""
    box = {}

    def run():
        try:
            box["value"] = function(*args)
        except _Ended:
            pass
        except BaseException as error:
            box["error"] = error

    thread = threading.Thread(target=run, name="nvlab-exercise", daemon=True)
    thread.start()
    try:
        thread.join(seconds)
    finally:                                     # an interrupt of the check (Ctrl-C) ends the code, too
        alive = thread.is_alive()
        if alive:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Ended))
            thread.join(END_SECONDS)
    if alive:
        raise Hung
    if "error" in box:
        error = box["error"]
        raise error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
    return box.get("value")


def where(error):
    """The innermost line of the notebook's own code in an exception's traceback, in words; "" when there is none."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "ipykernel" in f.filename or f.filename.startswith("<")]
    return f"line {frames[-1].lineno} of the cell, in {frames[-1].name}()" + (f": {frames[-1].line}" if frames[-1].line else "") if frames else ""


@contextlib.contextmanager
def drive(options="", ready=False, **settings):
    """A small embedded drive for one trial, closed afterwards: its Controller, probed, or brought up when `ready`."""
    words = {"size": "1M", "dma": "8M", "mode": "manual", **settings}
    address = "embedded:" + ",".join([f"{key}={value}" for key, value in words.items()] + ([options] if options else []))
    ctrl = (nvlab.attach if ready else nvlab.probe)(address, timeout=2.0)
    try:
        yield ctrl
    finally:
        ctrl.close()


def some_text(letters=8):
    """Text that nobody can know beforehand."""
    return "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(letters))
