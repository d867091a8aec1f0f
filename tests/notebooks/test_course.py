"""The course runs from top to bottom; each exercise's check fails on the text as it is and passes on a solution.

Each notebook runs once on the drive that it names, with its solution and the check again behind the last cell, and, where it can,
once on QEMU's. Two run at a time.
"""
import concurrent.futures
import os
import pathlib
import re
import tempfile

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks need the test extra: pip install -e '.[test]'")

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OWN_DRIVES = ("11", "12")
"""Notebooks that choose their drives themselves."""
SECONDS = 60
WIDE = 100


SAYS = {
    "00": {"hello": "b'Hello world!'", "hand": "• posted by the host, doorbell not rung", "why": "the doorbell was never rung", "break": "Unrecovered Read Error", "speed": "IOPS"},
    "01": {"cap": "MQES", "post-state": "• posted by the host, doorbell not rung", "doorbell": "SQ0TDBL was last rung with 1", "phase": "Successful Completion",
           "cqring": "CQ0HDBL 1", "read": "b'Hello world!'", "meanwhile": "perf did",
           "owner": "belongs to perf", "stop": "IOPS", "turn": "drive"},
    "02": {"map": "SQ0TDBL", "view": "Controller Capabilities", "masks": "the mask is 0110", "forbidden": "write-only", "stride": "SQ9TDBL is at 0x1480",
           "gone": "CSTS & 1 says: 1\n\nControllerGone"},
    "03": {"run": "SQ0TDBL <- 1", "disable": "after:  CC.EN = 0, CSTS.RDY = 0, ASQ = 0x", "watch": "Controller Configuration", "fatal": "without an admin queue", "never": "CSTS.RDY = 1", "diff": "ASQS=7"},
    "04": {"full": "the submission queue is full", "forget": "command 4: nothing came", "why": "is full", "cure": "Successful Completion"},
    "05": {"proof": "{2}  after it: {3}", "apart": "{3}", "list": "list[2]", "mdts": "2 list pages",
           "walk": "list", "memory": "Model Number", "beforehand": "1,024 bytes in 2 pages",
           "held": "is there: True\nwhen it has completed, the buffer is there: False"},
    "06": {"share": "cid=0 sqid=5 sqhd=1 p=1: Successful Completion>\n<Completion cid=0 sqid=6", "danger": "\\x01\\x00\\x01\\x00AA\\x01\\x00dy else",
           "order": "Invalid Queue Deletion", "half": "Invalid Queue Size", "retry": "Invalid Queue Identifier", "driver": "Delete I/O Completion Queue"},
    "07": {"refused": "LbaOutOfRange", "tries": "try 3: b'worth waiting for'", "retries": "sent again: 2 times", "crdt": "CRDT3: 500 ms",
           "acre": "ACRE = 0: CRD = 0\nACRE = 1: CRD = 3", "media": "eeeeeeee", "twice": "not outstanding",
           "whether": "Unrecovered Read Error   DNR = 0   times sent: 4\nRead          Unrecovered Read Error   DNR = 1   times sent: 1",
           "silence": "no completion within 0.3 s", "silence-why": "The driver waits for the Read", "recover": "the lost one: Command Aborted By Host"},
    "08": {"bt": "SubmissionQueue.ring", "memory": "Hello doorbell", "why": "the doorbell was never rung", "situations": "AQA", "conditions": "slba=0x64", "error": "LBA Out of Range"},
    "09": {"doorbells": "2 tail and 2 head", "live-work": "While Python did 300 reads", "live-stop": "IOPS", "sweep-results": "randread"},
    "10": {"once": "before: the word is 0 and the phase tag 0\nafter:  the word is 1 and the phase tag 1", "mask": "masked: pending True, arrived False",
           "many": "busy: interrupts 1, completions 8",
           "lost": "new at the look: False\n3. woken: False\ncompletions that lay there all the time: 1",
           "race": "new at the look: False; woken: True", "cost": "by polling"},
    "11": {"works": "Successful Completion", "worlds": "that makes 4 commands in a ring of 4"},
    "12": {"compare": "Model Number", "record": "AQA", "vary": "mdts=1",
           "vary-more": "asked: cid [5, 6, 7], answered: cid [6, 7, 5]"},
}
"""What cells must say, by notebook: the claims that their text makes."""


def test_the_notebooks_are_numbered_in_reading_order():
    assert [book.name[:3] for book in BOOKS] == [f"{n:02}-" for n in range(13)]


def solved(book, number):
    """The notebook with a solution and the check once more at its end (before whatever the last cells close)."""
    cells = []
    for cell in book.cells:
        cells.append(cell)
        if cell.cell_type == "code" and cell.id.startswith("check"):
            which = number + cell.id.removeprefix("check").replace("-", ".")
            text = (HERE / "solutions" / f"{which}.py").read_text()
            cells.append(nbformat.v4.new_code_cell(text, id=cell.id.replace("check", "solution")))
            cells.append(nbformat.v4.new_code_cell(cell.source, id=cell.id.replace("check", "verdict")))
    book.cells = cells
    return book


def run(path, address):
    """Execute a notebook. Returns it with its outputs."""
    from nbclient import NotebookClient

    book = nbformat.read(path, as_version=4)
    if address == "embedded":
        book = solved(book, path.name[:2])
    env = {key: value for key, value in os.environ.items() if key != "NVLAB_ADDRESS"}
    with tempfile.TemporaryDirectory() as folder:
        env.update(IPYTHONDIR=folder, PYTHONPATH=str(ROOT), **({"NVLAB_ADDRESS": address} if address != "embedded" else {}))
        NotebookClient(book, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}}).execute(env=env)
    return book


@pytest.fixture(scope="session")
def books(request):
    """(path, address) -> the executed notebook; those of the tests that were selected run ahead, two at a time."""
    wanted = [item.callspec.params for item in request.session.items
              if item.path == pathlib.Path(__file__) and hasattr(item, "callspec")]
    pairs = dict.fromkeys((p["path"], p["address"]) for p in wanted if "address" in p)
    pool = concurrent.futures.ThreadPoolExecutor(2)
    ahead = {pair: pool.submit(run, *pair) for pair in pairs}
    yield lambda *pair: ahead[pair].result(SECONDS * 10)
    pool.shutdown(cancel_futures=True)


CASES = [pytest.param(path, "embedded", id=f"{path.stem}-embedded") for path in BOOKS] + [
    pytest.param(path, "qemu", id=f"{path.stem}-qemu", marks=pytest.mark.require("qemu")) for path in BOOKS
    if path.name[:2] not in OWN_DRIVES]


@pytest.mark.parametrize("path, address", CASES)
def test_a_notebook_runs_and_its_exercise_can_be_solved(books, path, address):
    book = books(path, address)
    checks = {cell.id: cell.outputs[-1]["data"]["text/plain"] for cell in book.cells
              if cell.cell_type == "code" and cell.id.startswith(("check", "verdict"))}
    assert checks, "a notebook of the course ends with a checked exercise"
    for name, verdict in checks.items():
        wanted = "solved" if name.startswith("verdict") else "not yet"
        assert verdict.splitlines()[0].endswith(wanted), f"{name}: {verdict}"
        assert "check stumbled" not in verdict


@pytest.mark.parametrize("path, address", CASES)
def test_a_notebook_shows_what_it_claims(books, path, address):
    said = {cell.id: "".join(o.get("text") or o.get("data", {}).get("text/plain", "") + "\n" for o in cell.outputs)
            for cell in books(path, address).cells if cell.cell_type == "code"}
    for name, words in SAYS[path.name[:2]].items():
        assert words in said[name], f"{name}: {said[name]}"


@pytest.mark.parametrize("path, address", [case for case in CASES if "09-" in case.id])
def test_littles_law_holds(books, path, address):
    """What is in flight is IOPS times latency; a measurement of a moment on a busy machine may be a quarter off."""
    said = next(cell.outputs[0]["text"] for cell in books(path, address).cells if cell.id == "little")
    rows = [(int(depth), float(product)) for depth, product in re.findall(r"depth\s+(\d+):.*=\s+([\d.]+)$", said, re.MULTILINE)]
    assert len(rows) >= 4 and all(abs(product - depth) <= depth / 4 for depth, product in rows), said


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_what_each_of_the_course_has(path):
    book = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    assert text.startswith("# ") and "## Try this" in text and "Exercise" in text
    for cell in book.cells:
        wide = [line for line in cell.source.splitlines() if len(line) > WIDE] if cell.cell_type == "code" else []
        assert not wide, f"{cell.id}: wider than a notebook shows: {wide}"
