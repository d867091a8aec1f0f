"""The debugger's prompt: a line, a word of gdb's, what it does."""
import contextlib
import inspect
import re
import sys
import threading

import nvlab
from nvlab.spec.errors import Error, UsageError

from . import debug_show as show
from .debug_break import number, set_breakpoint

__all__ = ["Prompt"]

HINT = "As in gdb: break SQ0TDBL, run, bt, info rings, continue; help lists all words."
PROMPT = "(nvlab) "
PATIENCE = 5.0
"""Seconds that an expression may take: it may wait for a lock that the standing code holds."""

ALIASES = {"b": "break", "tb": "tbreak", "r": "run", "c": "continue", "s": "step", "n": "step", "next": "step", "fin": "finish",
           "where": "bt", "backtrace": "bt", "i": "info", "p": "print", "q": "quit", "exit": "quit", "h": "help", "d": "delete",
           "k": "kill", "l": "list", "f": "frame", "u": "up", "dis": "disable", "en": "enable", "watch": "break"}
REPEATED = ("continue", "step", "finish", "x", "up", "down", "list")
"""Words that an empty line repeats."""


class Quit(Exception):
    """The user leaves."""


class Prompt:
    """One session: reads lines, carries them out on a Debugger, prints. `argv` is the command that `run` runs."""

    def __init__(self, debugger, argv, interactive=False):
        self.debugger, self.argv, self.interactive = debugger, argv, interactive
        self.chosen, self.last, self.next_address, self.memory_format = 0, "", None, ("x", "w")

    # -- lines

    def script(self, lines):
        """Carry out lines that were given beforehand, echoed. Returns False when one of them was quit."""
        try:
            for line in lines:
                print(f"{PROMPT}{line}")
                self.obey(line)
        except Quit:
            return False
        return True

    def loop(self, stream):
        """Read and obey until quit or the end of the input."""
        if self.interactive:
            show.prepare_terminal(self.words())
            print(HINT)
        with contextlib.suppress(Quit):
            while True:
                try:
                    self.obey(self._read(stream))
                except KeyboardInterrupt:
                    print("Quit")
                except EOFError:
                    print()
                    break

    def _read(self, stream):
        if self.interactive:
            return input(PROMPT)
        line = stream.readline()
        if not line:
            raise EOFError
        print(f"{PROMPT}{line.rstrip()}")
        return line

    def obey(self, line):
        """Carry out one line; what is wrong with it is printed."""
        line = line.strip()
        if not line:
            line = self.last if self.last.split(" ")[0].split("/")[0] in REPEATED else ""
        if not line or line.startswith("#"):
            return
        try:
            word, rest = re.fullmatch(r"([A-Za-z_]+)\s*(.*)", line).groups() if line[0].isalpha() else ("", line)
            name = self._command(word)
            self.last = f"{name} {rest}".strip()
            getattr(self, f"do_{name}")(rest)
        except Error as error:
            print(error)
        sys.stdout.flush()

    def words(self):
        """All words that may begin a line."""
        return [name[3:] for name in dir(self) if name.startswith("do_")]

    def _command(self, word):
        if word in ALIASES:
            return ALIASES[word]
        found = [name for name in self.words() if name.startswith(word)] if word else []
        if word in found:
            return word
        if len(found) != 1:
            raise UsageError(f"{word!r} may be {' or '.join(found)}" if found else f"no command {word!r}; help lists them")
        return found[0]

    # -- breakpoints

    def do_break(self, text):
        """break WHAT [on COMMAND] [queue N] [= VALUE] [if CONDITION]: stop before it. WHAT is a register (SQ0TDBL, CC, 0x14),
        a command (Identify), or: error, completion, doorbell, register read, register write, event, step."""
        print(set_breakpoint(self.debugger, text))

    def do_tbreak(self, text):
        """tbreak WHAT …: the same, once."""
        print(set_breakpoint(self.debugger, text, temporary=True))

    def do_rwatch(self, text):
        """rwatch REGISTER: stop before it is read."""
        print(set_breakpoint(self.debugger, text, access="read"))

    def do_awatch(self, text):
        """awatch REGISTER: stop before it is read or written."""
        print(set_breakpoint(self.debugger, text, access="any"))

    def do_delete(self, text):
        """delete [N …]: forget these breakpoints, or all."""
        for one in text.split() or [None]:
            self.debugger.delete(one if one is None else number(one))

    def do_enable(self, text):
        """enable [N …]: let these breakpoints stop again, or all."""
        for one in text.split() or self.debugger.breakpoints:
            self.debugger.enable(number(one))

    def do_disable(self, text):
        """disable [N …]: keep these breakpoints, or all, and don't stop at them."""
        for one in text.split() or self.debugger.breakpoints:
            self.debugger.disable(number(one))

    def do_ignore(self, text):
        """ignore N COUNT: let the next COUNT hits of a breakpoint pass."""
        which, count = arguments(text, 2, "ignore N COUNT")
        self.debugger.ignore(number(which), number(count))
        print(f"Will ignore next {number(count)} crossings of breakpoint {number(which)}.")

    def do_condition(self, text):
        """condition N [EXPRESSION]: stop only when it holds; without one, always."""
        which, _, expression = text.partition(" ")
        self.debugger.breakpoint(number(which)).condition = expression.strip() or None

    # -- running

    def do_run(self, text):
        """run: begin the command."""
        from .main import main
        if self.debugger.state in ("running", "stopped"):
            raise UsageError("it has been begun already: continue it, or kill it first")
        print(f"Starting: nvlab {' '.join(self.argv)}")
        sys.stdout.flush()
        self.debugger.run(main, self.argv)
        self._follow()

    def _go(self, how, *args):
        self._need_stop()
        how(*args)
        self._follow()

    def _follow(self):
        """Wait until it stops or ends, and tell. Ctrl-C stops it."""
        while self.debugger.state == "running":
            try:
                self.debugger.wait(0.5)
            except KeyboardInterrupt:
                if self.debugger.interrupt() is None and self.debugger.state == "running":
                    print("It does nothing that it could be stopped at (a loop of perf runs in the core). "
                          "continue waits for it, kill ends it.")
                    break
        self.chosen = 0
        print(show.arrival(self.debugger, self.argv[0]))

    def do_continue(self, text):
        """continue: go on to the next breakpoint."""
        if self.debugger.state == "running":
            return self._follow()
        self._go(self.debugger.cont)

    def do_step(self, text):
        """step [COUNT]: go on to the next event, whatever it is."""
        self._need_stop()
        for _ in range(number(text) if text else 1):
            if self.debugger.stopped is not None:
                self._go(self.debugger.step)

    def do_finish(self, text):
        """finish: go on until the chosen frame's function has returned."""
        self._need_stop()
        frame = next((f for f in self.debugger.bt()[self.chosen:] if f.live is not None), None)
        print(f"Run till exit from {frame or 'here'}")
        self._go(self.debugger.finish, self.chosen)

    def do_kill(self, text):
        """kill: end the command before what it stands before."""
        if self.debugger.state not in ("running", "stopped"):
            raise UsageError("it isn't being run")
        print("[killed]" if self.close() else "it doesn't end: it does nothing that it could be stopped at")

    def do_detach(self, text):
        """detach: let the command run to its end without further stops."""
        self._need_stop()
        self.debugger.detach()
        self._follow()

    def do_quit(self, text):
        """quit: end the command, and leave."""
        raise Quit

    def close(self):
        """End what still runs. Returns True once it has ended."""
        if not self.debugger.kill(1.0) and self.debugger.ctrl is not None:
            self.debugger.ctrl.close()           # that stops a loop of perf, and with it what waits for that
        return self.debugger.kill()

    # -- looking

    def _need_stop(self):
        if self.debugger.stopped is None:
            raise UsageError({"running": "it runs: Ctrl-C stops it"}.get(self.debugger.state, "the command isn't being run: run begins it"))

    def do_bt(self, text):
        """bt: the frames, innermost first."""
        self._need_stop()
        print(self.debugger.bt())

    def do_frame(self, text):
        """frame [N]: choose a frame, for info locals, list and print."""
        self._choose(number(text) if text else self.chosen)

    def do_up(self, text):
        """up: choose the caller."""
        self._choose(self.chosen + 1)

    def do_down(self, text):
        """down: choose the frame that this one called."""
        self._choose(self.chosen - 1)

    def _choose(self, index):
        self._need_stop()
        frames = self.debugger.bt()
        if not 0 <= index < len(frames):
            raise UsageError(f"no frame {index}: there are 0 to {len(frames) - 1}")
        self.chosen = index
        print(f"{frames[index]}\n{frames[index].line or ''}\t{frames[index].source}")

    def _frame(self):
        self._need_stop()
        return self.debugger.bt()[self.chosen]

    def do_list(self, text):
        """list: the source around the chosen frame."""
        frame = self._frame()
        print("\n".join(f"{'>' if n == frame.line else ' '}{n:>4}  {line}".rstrip() for n, line in frame.listing()) or "no source here")

    def do_info(self, text):
        """info registers [NAME] | rings [QUEUE] | queues | breakpoints | locals | frame"""
        word, _, rest = text.partition(" ")
        topics = ("registers", "rings", "queues", "breakpoints", "locals", "frame")
        found = next((name for name in topics if word and name.startswith(word)), None)
        if found is None:
            raise UsageError(inspect.getdoc(self.do_info))
        if found == "breakpoints":
            print(self.debugger.table().text().strip())
        elif found == "locals":
            print(show.local_text(self._frame()))
        elif found == "frame":
            self.do_frame("")
        else:
            print(getattr(show, found)(self._ctrl(), rest.strip()))

    def _ctrl(self):
        ctrl = self.debugger.ctrl
        if ctrl is None or ctrl.closed:
            raise UsageError("there is no controller " + ("any more: it was closed" if ctrl else "yet: run until it has been opened"))
        return ctrl

    def do_print(self, text):
        """print EXPRESSION: Python, with ctrl, nvlab, cmd, the event's names and the chosen frame's locals."""
        print(self._evaluate(text)[1])

    def do_x(self, text):
        """x/NFS ADDRESS: N units of memory at a bus address (an expression). F: x d u o t c, or i: queue entries decoded;
        S: b h w g, for 1, 2, 4, 8 bytes."""
        found = re.fullmatch(r"(?:/(\d*)([a-z]*))?\s*(.*)", text, re.S)
        count, letters, where = int(found[1] or 1), found[2] or "", found[3].strip()
        form, unit = self.memory_format
        for letter in letters:
            form, unit = (letter, unit) if letter in show.FORMATS else (form, letter)
            if letter not in show.FORMATS and letter not in show.UNITS:
                known = f"a format ({' '.join(show.FORMATS)}) nor a size ({' '.join(show.UNITS)})"
                raise UsageError(f"x/{letters}: {letter!r} is neither {known}")
        address = self._evaluate(where)[0] if where else self.next_address
        address = getattr(address, "iova", address)
        if not hasattr(address, "__index__"):
            raise UsageError("x needs an address: x/16xb ctrl.admin.sq.iova")
        if not 0 < count <= 4096:
            raise UsageError(f"x/{count}: 1 to 4096 units")
        out, self.next_address = show.memory(self._ctrl(), int(address), count, form, unit)
        self.memory_format, self.last = (form, unit), f"x/{count}"       # an empty line shows as much again
        print(out)

    def _evaluate(self, text):
        """(value, text) of an expression, worked out in a thread: it must not block for ever on what the standing code holds."""
        if not text:
            raise UsageError("print what? An expression, such as ctrl.cap.MQES or ctrl.admin.sq")
        scope, stop = {"nvlab": nvlab, "cmd": nvlab.cmd, "dbg": self.debugger, "ctrl": self.debugger.ctrl}, self.debugger.stopped
        if stop is not None:
            scope.update(stop.event.names() if stop.event else {})
            scope.update(stop.frames[self.chosen].locals)
        done = []

        def work():
            try:
                value = eval(text.strip(), scope)
                done.append((value, show.value_text(value)))
            except Exception as error:
                done.append((error, None))

        thread = threading.Thread(target=work, name="nvlab-print", daemon=True)
        thread.start()
        thread.join(PATIENCE)
        if not done:
            raise UsageError(f"no value within {PATIENCE:g} s: does it need what the standing code holds, its queue pair for example?")
        if done[0][1] is None:
            raise UsageError(f"{type(done[0][0]).__name__}: {done[0][0]}")
        return done[0]

    def do_help(self, text):
        """help [COMMAND]"""
        if text:
            print(inspect.getdoc(getattr(self, f"do_{self._command(text.split()[0])}")))
            return
        print("\n".join(" ".join(inspect.getdoc(getattr(self, f"do_{name}")).split("\n")[0].split()) for name in self.words()))
        print("A word may be shortened; an empty line repeats the last one.")


def arguments(text, count, usage):
    """The words of `text`, which must be `count`. Raises UsageError."""
    words = text.split()
    if len(words) != count:
        raise UsageError(usage)
    return words
