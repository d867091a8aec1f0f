"""`nvlab debug`: gdb's words, on scripts, pipes and a terminal; and the transcript that the notebooks show.

`python -m tests.tools.test_debug` makes the transcript anew.
"""
import contextlib
import io
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import threading
import time

import pytest

from nvlab.tools.debug import program
from nvlab.tools.main import COMMANDS, main

ROOT = pathlib.Path(__file__).parents[2]
TRANSCRIPT = ROOT / "notebooks/transcripts/debug-hello-world.txt"
COMMAND = "nvlab debug embedded -- hello-world"
SESSION = """\
tbreak AQA
tbreak CC
tbreak SQ0TDBL
tbreak CQ0HDBL
info breakpoints
run
bt
continue
bt
info registers CC
print value
continue
bt
info rings
x/2i ctrl.admin.sq.iova
continue
bt
info rings
x/16xb ctrl.admin.cq.iova
finish
step
tbreak CQ1HDBL
continue
bt
continue
quit
"""


def session(*words, text=""):
    """Run `nvlab debug` with `text` as its input. Returns (code, output, complaints)."""
    out, err, before = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO(), sys.stdin
    sys.stdin = io.StringIO(text)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["debug", *words])
    finally:
        sys.stdin = before
    assert not [t for t in threading.enumerate() if t.name == "nvlab-debugged"]
    out.flush()
    return code, out.buffer.getvalue().decode(), err.getvalue()


def transcript():
    return f"$ {COMMAND}\n{session(*COMMAND.split()[2:], text=SESSION)[1]}"


def steady(text):
    """A transcript without what moves when the code does: bus addresses, line numbers."""
    return re.sub(r"(\.pyx?):\d+", r"\1:N", re.sub(r"0x1[0-9a-f]{8}\b", "IOVA", text))


@pytest.mark.parametrize("cpus", [1, 8], ids=["inline", "thread"])
def test_the_transcript_is_what_running_it_gives(monkeypatch, cpus):
    monkeypatch.setattr("nvlab.pci.embedded.CPUS", cpus)
    assert steady(transcript()) == steady(TRANSCRIPT.read_text()), "if this is right: python -m tests.tools.test_debug"


def test_the_transcript_stops_where_it_should():
    text = TRANSCRIPT.read_text()
    parts = ["before AQA <- 0x1f001f", "before CC <- 0x460001", "before SQ0TDBL <- 1: Identify", "before CQ0HDBL <- 1: Identify",
             "before CQ1HDBL <- 1: Write", "Namespace 1: Hello world!", "[hello-world ended with code 0]"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places) and str(ROOT) not in text and "/work" not in text
    assert re.search(r"#0  write32\(offset=0x1000 SQ0TDBL, value=1\) at _core/mmio\.pyx:\d+\n#1  SubmissionQueue\.ring", text)


def test_on_every_device(address):
    code, out, err = session(address, "--", "hello-world",
                             text="break SQ0TDBL on Identify\nrun\ni registers CSTS\ni queues\nx/1i ctrl.admin.sq.iova\nbt\nkill\ninfo rings\n")
    assert code == 0 and not err
    assert "Breakpoint 1, before SQ0TDBL <- 1: Identify cns=1 cid=0" in out and "hello.py:" in out
    assert "SQ 0   32       1     0            SQ0TDBL 0" in out and "<SQ0[0]>:  Identify cns=1 cid=0 prp1=0x" in out
    assert out.endswith("[killed]\n(nvlab) info rings\nthere is no controller any more: it was closed\n\n") and "Hello" not in out


def ask(*lines, words=("embedded:size=1M,mode=inline", "--", "hello-world")):
    """What each line printed, as a list; the first of lines included."""
    code, out, err = session(*words, text="\n".join(lines) + "\n")
    assert code == 0 and not err
    return [part.split("\n", 1)[1].strip() for part in out.split("(nvlab) ")[1:]][:len(lines)]


def test_breakpoints():
    said = ask("break SQ1TDBL if value > 1", "b Identify", "tb CC = 0x460001", "rwatch CAP", "break opcode 0x09 queue 0", "break error",
               "awatch CSTS", "break 0x24", "watch SQ0TDBL on Read", "break register read", "disable 2 4 7 10", "ignore 8 1", "condition 5 cid > 0",
               "info breakpoints", "run", "delete 3", "delete 5 8", "c", "enable", "delete", "info breakpoints", "c", "info rings")
    assert said[:10] == [
        "Breakpoint 1 at SQ1TDBL if value > 1", "Breakpoint 2 at Identify", "Temporary breakpoint 3 at CC <- 0x460001",
        "Breakpoint 4 at CAP", "Breakpoint 5 at opcode 0x09 on queue 0", "Breakpoint 6 at completions seen with an error status",
        "Breakpoint 7 at CSTS read or written", "Breakpoint 8 at AQA", "Breakpoint 9 at SQ0TDBL for Read", "Breakpoint 10 at register read"]
    assert said[10:13] == ["", "Will ignore next 1 crossings of breakpoint 8.", ""]
    assert "4    keep  n    CAP\n" in said[13] and "8    keep  y    AQA, ignores the next 1" in said[13] and "cid > 0" in said[13]
    assert "Temporary breakpoint 3, before CC <- 0x460001" in said[14] and said[15] == "no breakpoint 3: there are 1, 2, 4, 5, 6, 7, 8, 9, 10"
    assert "Breakpoint 1, before SQ1TDBL <- 2: Read" in said[17] and said[20] == "No breakpoints."
    assert said[21].endswith("[hello-world ended with code 0]") and "closed" in said[22]


def test_frames_values_and_memory():
    said = ask("break SQ1TDBL", "run", "up", "p self.tail", "i locals", "list", "down", "i locals", "frame 99", "p value + 1",
               "print ctrl.regs.CC.EN", "p 1 / 0", "p ctrl.identify_controller().mn", "x/2xw ctrl.io[1].sq.iova", "", "x/4db 0x100000000",
               "x/s 0", "x/2xb 0", "x/i 5", "x/2i ctrl.admin.cq.iova", "i rings 1", "i rings 7", "i queues", "i nothing", "fin", "step 2")
    assert said[2].startswith("#1  SubmissionQueue.ring(self=<SQ 1>) at nvlab/host/pcie.py:") and "self.bar.write32(self.doorbell" in said[2]
    assert said[3] == "1" and said[4] == "self = <SQ 1>" and "> " in said[5] and "def ring(self):" in said[5]
    assert said[7] == "offset = 0x1008 SQ1TDBL\nvalue = 1" and said[8].startswith("no frame 99: there are 0 to ")
    assert said[9] == "2" and said[10] == "1 (enabled)" and said[11] == "ZeroDivisionError: division by zero"
    assert said[12] == "nvlab embedded SSD"                              # admin queue: not what the standing code holds
    assert re.fullmatch(r"0x1\w+ <SQ1\[0\]>:  0x00000001 0x00000001", said[13])
    assert re.fullmatch(r"0x1\w+ <SQ1\[0\]\+8>:  0x00000000 0x00000000", said[14])
    assert re.fullmatch(r"0x100000000 <SQ0\[\d+\]>:  [-\d]+ [-\d]+ [-\d]+ [-\d]+", said[15])
    assert "neither a format" in said[16] and "not mapped" in said[17] and "no queue entry" in said[18]
    assert "<CQ0[0]>:  cid=0 sqhd=1 p=1: Successful Completion" in said[19] and "SQ1TDBL 0" in said[20] and "no queue pair 7" in said[21]
    assert "CQ 1" in said[22] and "info registers" in said[23]
    assert said[24].startswith("Run till exit from #1  SubmissionQueue.ring") and "SubmissionQueue.ring returned None" in said[24]
    assert said[25].count("Stopped before") == 2


def test_what_would_wait_for_the_standing_code_does_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr("nvlab.tools.debug_prompt.PATIENCE", 0.2)
    said = ask("break CQ0HDBL", "run", "p ctrl.admin.poll()", "q")
    assert said[2].startswith("no value within 0.2 s: does it need what the standing code holds")


def test_what_is_wrong_is_told():
    said = ask("bt", "c", "info registers", "break", "break Lunch", "break SQXTDBL", "break CCC", "break CC if (", "break 0x3", "break CC queue 1",
               "break Read = 3", "fly", "d 7", "kill", "s", "x/4", "condition 9 x", "ignore 1", "help break", "help", "# a comment", "b CC", "run", "run", "b Read if (",
               "b doorbell if (")
    assert said[0] == said[1] == "the command isn't being run: run begins it" and said[2].startswith("there is no controller yet")
    assert said[3].startswith("break needs to know where") and said[4].startswith("can't break at 'Lunch'")
    assert "no register" in said[5] + said[8] and "condition" in said[7] and "its queue" in said[9] and "no register" in said[10]
    assert said[11] == "no command 'fly'; help lists them" and said[12] == "no breakpoint 7: there are none" and said[13] == "it isn't being run"
    assert said[16].startswith("no breakpoint 9") and said[17] == "ignore N COUNT" and "stop before it" in said[18]
    assert "condition '('" in said[24] and "condition '('" in said[25]
    assert "finish: go on until" in said[19] and said[20] == "" and said[23].startswith("it has been begun already")


def test_ends_detach_and_runs_again():
    said = ask("tb CC", "run", "detach", "tb SQ1TDBL", "run", "c", "detach")
    assert said[2].endswith("Namespace 1: Hello world!\n[hello-world ended with code 0]")
    assert "before SQ1TDBL <- 1: Write" in said[4] and said[5].endswith("code 0]") and said[6].startswith("the command isn't being run")


def test_a_command_that_fails():
    code, out, err = session("embedded:bdev=null,mode=inline", "--", "hello-world", text="run\n")
    assert code == 0 and "not what was written" in err and "[hello-world ended with code 1]" in out


def test_scripts(tmp_path):
    file = tmp_path / "commands"
    file.write_text("tbreak CC\n\n# a comment\nrun\n")
    code, out, _ = session("-ex", "tbreak AQA", "-x", str(file), "-ex", "continue", "-batch", "embedded", "--", "hello-world", text="info rings\n")
    assert code == 0 and re.findall(r"breakpoint (\d), before (\w+)", out) == [("1", "AQA"), ("2", "CC")] and "info rings" not in out
    code, out, _ = session("-ex", "quit", "embedded", "--", "hello-world", text="run\n")
    assert code == 0 and "run" not in out
    code, _, err = session("-x", str(tmp_path / "none"), "embedded", "--", "hello-world")
    assert code == 2 and "can't read" in err


@pytest.mark.parametrize("words, argv", [
    (["embedded", "--", "hello-world"], ["hello-world", "-r", "embedded"]),
    (["--", "hello-world"], ["hello-world", "-r", "embedded"]),
    (["hello-world"], ["hello-world", "-r", "embedded"]),
    (["qemu:size=4M", "identify", "--json"], ["identify", "-r", "qemu:size=4M", "--json"]),
    (["embedded", "--", "perf", "-q", "4", "-t", "0.1"], ["perf", "-r", "embedded", "-q", "4", "-t", "0.1"]),
])
def test_what_is_run(words, argv):
    assert program(words) == argv


@pytest.mark.parametrize("words, says", [
    ([], "say which command"), (["embedded"], "say which command"), (["embedded", "--", "list"], "list is no command that drives"),
    (["embedded", "--", "debug", "embedded"], "debug is no command"), (["embedded", "--", "hello-world", "--fast"], "--fast"),
])
def test_what_cannot_be_run(words, says):
    code, _, err = session(*words)
    assert code == 2 and says in err and "debug" in COMMANDS


class Terminal:
    """`nvlab debug` on a pseudo-terminal."""

    def __init__(self, *words):
        self.master, child = pty.openpty()
        self.process = subprocess.Popen([sys.executable, "-m", "nvlab", "debug", *words], stdin=child, stdout=child, stderr=child, cwd=ROOT,
                                        env={**os.environ, "TERM": "dumb"}, start_new_session=True, close_fds=True,
                                        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
        os.close(child)
        self.text = ""

    def expect(self, words, seconds=20):
        end = time.monotonic() + seconds
        while words not in self.text:
            if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"{words!r} didn't come: {self.text!r}")
            try:
                self.text += os.read(self.master, 65536).decode()
            except OSError:                      # the other side ended
                assert words in self.text, self.text
        before, self.text = self.text.split(words, 1)
        return before

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            os.close(self.master)


def test_on_a_terminal_with_ctrl_c():
    terminal = Terminal("embedded:size=1M", "--", "perf", "-t", "60", "-q", "4", "-o", "512")
    terminal.expect("help lists all words")
    terminal.expect("(nvlab) ")
    terminal.type("tbreak CC\n")
    terminal.expect("(nvlab) ")
    terminal.type("run\n")
    terminal.expect("before CC <- 0x460001")
    terminal.expect("(nvlab) ")
    terminal.type("c\n")
    terminal.expect("Launching workers")
    time.sleep(0.3)
    terminal.type("\x03")                         # perf's loop makes no events
    terminal.expect("it could be stopped at")
    terminal.expect("(nvlab) ")
    terminal.type("q\n")
    assert terminal.end() == 0


if __name__ == "__main__":
    TRANSCRIPT.write_text(transcript())
