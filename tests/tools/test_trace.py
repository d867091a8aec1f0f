"""`nvlab trace`: another command under a trace, and recordings in files."""
import json
import re

import pytest

from nvlab import probe
from nvlab.trace import load


def test_a_command_is_traced_from_its_first_access_to_its_last(nvlab, address):
    ran = nvlab("trace", "--last", -1, address, "--", "hello-world")
    assert ran.code == 0 and "Namespace 1: Hello world!" in ran.out
    lines = ran.out.splitlines()
    for text in ("CAP -> ", "CC <- 0x460", "SQ0[0] Identify cns=1 cid=0", "SQ0TDBL <- 1", "CQ0HDBL <- 1",
                 "Write nsid=1 slba=0", "Read SQ1", "SHN=1"):
        assert any(text in line for line in lines), text
    assert "CAP -> " in next(line for line in lines if " host " in line)
    assert ran.err.startswith(f"Trace of {address}")


def test_filters_and_files(nvlab, tmp_path):
    saved, timeline = tmp_path / "run.trace", tmp_path / "run.json"
    ran = nvlab("trace", "embedded:size=4M", "--save", saved, "--perfetto", timeline, "--last", 0, "--",
                "perf", "-q", 4, "-d", 100, "-w", "randread")
    assert ran.code == 0 and "Total" in ran.out and "DBL" not in ran.out
    assert json.loads(timeline.read_text())["traceEvents"]
    assert (load(saved).commands["sqid"] > 0).sum() == 100
    ran = nvlab("trace", saved, "--kind", "doorbell,register", "--qid", 0, "--last", 3)
    shown = ran.out.splitlines()
    assert "the last 3 are above, --last -1 prints all" in ran.err
    assert len(shown) == 3 and shown[-1].endswith("CQ0HDBL <- 9")
    reads = nvlab("trace", saved, "--opcode", "read", "--kind", "SQE_POST", "--last", -1)
    assert reads.out.count("SQ1[") == 100 and "100 events selected" in reads.err and "above" not in reads.err
    assert "SQE fetched" in nvlab("trace", "--side", "drive", saved).out


def test_perf_is_told_event_by_event_after_the_steps_of_its_bring_up(nvlab):
    ran = nvlab("trace", "--last", -1, "embedded:size=4M,mode=inline", "--", "perf", "-q", 2, "-d", 3, "-o", 512, "-w", "read")
    assert ran.code == 0 and "Total" in ran.out
    lines = [re.split(r"  +", line.strip()) for line in ran.out.splitlines() if re.match(r" *[0-9.]+  (host|drive) ", line)]
    steps = [text for _, _, kind, text in lines if kind == "step"]
    with probe("embedded:size=1M") as ctrl:
        assert steps == [*(step.name for step in ctrl.steps()), "shutdown"]
    of = {name: next(n for n, line in enumerate(lines) if line[2:] == ["step", name]) for name in steps}
    begin = [text for _, side, _, text in lines[of["create admin queue"]:of["enable"]] if side == "host"]
    assert [text.split()[0] for text in begin[1:] if "->" not in text] == ["AQA", "ASQ", "ACQ", "CQ0:", "SQ0:"]
    mine = [line for line in lines if re.match(r"[SC]Q1", line[3])]
    reads = [text for _, _, kind, text in mine if kind == "SQE posted"]
    assert [text.split(" cid=")[0] for text in reads] == [f"SQ1[{n}] Read nsid=1 slba={n}" for n in range(3)]
    kinds = [kind for _, _, kind, _ in mine]
    assert kinds.count("SQE fetched") == kinds.count("CQE posted") == kinds.count("CQE seen") == 3
    shown = nvlab("trace", "--kind", "step", "embedded:size=4M", "--", "identify").out.splitlines()
    assert [line.split("  ")[-1] for line in shown if " step " in line] == steps


def test_two_runs_are_compared(nvlab, tmp_path):
    saved = tmp_path / "one.trace"
    address = "embedded:size=4M,mode=inline"
    assert nvlab("trace", "--save", saved, address, "--", "hello-world").code == 0
    assert "the same (a: " in nvlab("trace", "--diff", saved, address, "--", "hello-world").out
    assert "- SQ0: Identify" in nvlab("trace", "--diff", saved, address, "--", "identify").out


def test_a_command_that_fails_is_told_too(nvlab, tmp_path):
    saved = tmp_path / "failed.trace"
    ran = nvlab("trace", "--save", saved, "embedded:size=4M", "--", "perf", "-o", 513, "-d", 1)
    assert ran.code == 2 and "I/O size 513" in ran.err and "CSTS" in ran.out and saved.exists()


@pytest.mark.parametrize("words, says", [
    (["trace"], "or a command to run"), (["trace", "embedded"], "embedded is no file"),
    (["trace", "--", "list"], "list is no command that drives a controller"),
    (["trace", "--", "trace", "--", "identify"], "trace is no command that drives"),
    (["trace", "--kind", "x", "--", "identify"], "kind='x'"), (["trace", "--opcode", "reed", "--", "identify"], "opcode='reed'"),
    (["trace", "--qid", "one", "--", "identify"], "whole number"), (["trace", "embeded", "--", "identify"], "did you mean 'embedded'"),
    (["trace", "--memory", "1", "--", "identify"], "memory=1"), (["trace", "--frob", "--", "identify"], "--frob"),
    (["trace", __file__], "no recording of nvlab"),
])
def test_a_wrong_request_says_so(nvlab, words, says):
    ran = nvlab(*words)
    assert ran.code == 2 and says in ran.err and "Traceback" not in ran.err
