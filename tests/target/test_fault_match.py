"""Which commands a fault strikes: what fits, what nearly does, and arguments that make no sense."""
import inspect

import pytest

import nvlab
from nvlab.spec import errors, status
from nvlab.spec.commands import cmd
from nvlab.target.fault_match import Match, status_of

READ = bytes(cmd.read(nsid=2, slba=100, nlb=7, cid=0x1234))      # LBAs 100 to 107
IDENTIFY = bytes(cmd.identify(cns=1, cid=5))


@pytest.mark.parametrize("keywords, fits", [
    ({}, True), ({"opcode": "Read"}, True), ({"opcode": "read"}, True), ({"opcode": 2}, True), ({"opcode": "Write"}, False),
    ({"opcode": 1}, False), ({"opcode": ["Write", "Read"]}, True), ({"opcode": "Identify"}, False), ({"opcode": "Get Log Page"}, False),
    ({"qid": 3}, True), ({"qid": 2}, False), ({"qid": [1, 3]}, True), ({"qid": range(4, 9)}, False),
    ({"nsid": 2}, True), ({"nsid": 1}, False), ({"cid": 0x1234}, True), ({"cid": 0x1235}, False), ({"cid": 0x34}, False),
    ({"lba": 100}, True), ({"lba": 107}, True), ({"lba": 99}, False), ({"lba": 108}, False), ({"lba": range(90, 100)}, False),
    ({"lba": range(90, 101)}, True), ({"lba": range(107, 200)}, True), ({"lba": range(108, 200)}, False), ({"lba": range(103, 104)}, True),
    ({"lba": range(0, 1 << 64)}, True), ({"opcode": "Read", "qid": 3, "nsid": 2, "lba": 100}, True),
    ({"opcode": "Read", "qid": 3, "nsid": 2, "lba": 108}, False)])
def test_an_io_command(keywords, fits):
    assert Match(**keywords).fits(3, READ) is fits


@pytest.mark.parametrize("keywords, fits", [
    ({}, True), ({"qid": 0}, True), ({"qid": 1}, False), ({"opcode": "Identify"}, True), ({"opcode": 6}, True), ({"opcode": "Abort"}, False),
    ({"lba": 0}, False), ({"cid": 5}, True), ({"nsid": 0}, True)])
def test_an_admin_command(keywords, fits):
    assert Match(**keywords).fits(0, IDENTIFY) is fits


def test_an_opcode_by_name_is_of_its_own_set():
    assert not Match(opcode="Read").fits(0, bytes(cmd.raw(2)))               # Get Log Page
    assert not Match(opcode="Get Log Page").fits(1, READ)
    assert Match(opcode=2).fits(0, bytes(cmd.raw(2))) and Match(opcode=2).fits(1, READ)


def test_an_event_request_is_struck_only_by_name():
    request = bytes(cmd.async_event_request())
    assert not Match().fits(0, request) and not Match(qid=0).fits(0, request)
    assert Match(opcode="Asynchronous Event Request").fits(0, request) and Match(opcode=0x0C).fits(0, request)
    assert Match(qid=1).fits(1, bytes(cmd.verify(nsid=1)))                   # the same opcode in another set


def test_commands_without_lbas_have_none():
    assert not Match(lba=range(0, 1 << 64)).fits(1, bytes(cmd.flush(nsid=1)))
    assert not Match(lba=range(0, 1 << 64)).fits(1, bytes(cmd.dataset_management(nsid=1)))
    last = bytes(cmd.write(nsid=1, slba=(1 << 64) - 1, nlb=0xFFFF))          # beyond any namespace, and no overflow
    assert Match(lba=(1 << 64) - 1).fits(1, last) and not Match(lba=0).fits(1, last)


@pytest.mark.parametrize("keywords, words", [
    ({"opcode": "Raed"}, ["'Raed'", "did you mean Read"]), ({"opcode": "zzz"}, ["'zzz'", "Identify"]), ({"opcode": 256}, ["opcode=256", "0 to 255"]),
    ({"opcode": True}, ["opcode=True"]), ({"opcode": []}, ["names nothing"]), ({"qid": -1}, ["qid=-1", "0 to 65535"]), ({"qid": "1"}, ["qid='1'"]),
    ({"qid": []}, ["names nothing", "leave it out"]), ({"nsid": 1 << 32}, ["nsid=4294967296"]), ({"cid": 1.5}, ["cid=1.5"]),
    ({"lba": -1}, ["lba=-1"]), ({"lba": range(5, 5)}, ["range(5, 5)", "one at least"]), ({"lba": range(0, 8, 2)}, ["steps of 1"]),
    ({"lba": range(8, 0, -1)}, ["steps of 1"]), ({"lba": "3"}, ["lba='3'", "range(8, 16)"]), ({"count": 0}, ["count=0", "at least one"]),
    ({"count": "all"}, ["count='all'"]), ({"after": -1}, ["after=-1"]), ({"after": None}, ["after=None"]),
    ({"qid": 0, "opcode": "Read"}, ["I/O command", "queue 0"]), ({"qid": 1, "opcode": "Identify"}, ["admin command", "queue 0"]),
    ({"qid": 0, "lba": 5}, ["lba=5", "queue 0"]), ({"opcode": "Flush", "lba": 5}, ["names no LBA"])])
def test_nonsense_is_refused(keywords, words):
    with pytest.raises(errors.UsageError) as error:
        Match(**keywords)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize("what", ["Unrecovered Read Error", "unrecovered read error", "UNRECOVERED_READ_ERROR", "UnrecoveredReadError", (2, 0x81),
                                  status.lookup(2, 0x81)])
def test_a_status_by_any_of_its_names(what):
    assert status_of(what) == status.lookup(2, 0x81)


def test_a_status_of_no_name():
    assert status_of((7, 0xC3)).field == 0x7C3
    for what, words in (("Unrecovered Raed Error", ["did you mean 'Unrecovered Read Error'"]), ("xyzzy", ["status.ALL"]), ((8, 0), ["sct=8"]),
                        ((0, 256), ["sc=256"]), (5, ["(sct, sc)"]), ((1, 2, 3), ["(sct, sc)"])):
        with pytest.raises(errors.UsageError) as error:
            status_of(what)
        assert all(word in str(error.value) for word in words), str(error.value)


@pytest.fixture
def faults():
    with nvlab.probe("embedded:mode=manual,size=1M") as ctrl:
        yield ctrl.ssd.faults


@pytest.mark.parametrize("arm, words", [
    (lambda f: f.delay(), ["faults.delay", "seconds"]), (lambda f: f.delay(-1), ["seconds=-1"]), (lambda f: f.delay("1"), ["'1'"]),
    (lambda f: f.delay(1e9), ["86400"]), (lambda f: f.drop(opcod="Read"), ["opcod", "it takes execute, opcode"]),
    (lambda f: f.drop(1), ["faults.drop"]), (lambda f: f.duplicate(0), ["times=0"]), (lambda f: f.duplicate(1 << 16), ["times=65536"]),
    (lambda f: f.corrupt(xor=b"123"), ["3 bytes", "16"]), (lambda f: f.corrupt(xor=1 << 128), ["128 bits"]), (lambda f: f.corrupt(dw0=1 << 32), ["dw0="]),
    (lambda f: f.wrong_cid(65536), ["cid=65536"]), (lambda f: f.wrong_sqhd(-1), ["sqhd=-1"]), (lambda f: f.status("Write Fault", crd=4), ["crd=4"]),
    (lambda f: f.status("Write Fault", crd=1, dnr=True), ["crd=1", "dnr=True"]), (lambda f: f.status(), ["faults.status", "what"]),
    (lambda f: f.slow_ready(None), ["seconds=None"]), (lambda f: f.never_ready(count=0), ["count=0"]),
    (lambda f: f.fatal(), ["isn't running", "enable it first"])])
def test_faults_that_make_no_sense_are_not_armed(faults, arm, words):
    with pytest.raises(errors.UsageError) as error:
        arm(faults)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert len(faults) == 0 and not faults.armed


def test_what_a_person_sees(faults):
    assert repr(faults) == "<no faults>" and "behaves" in faults._repr_mimebundle_()["text/html"]
    drop = faults.drop(opcode="Read", lba=range(8, 16), count=2, after=5)
    faults.status("Write Fault", dnr=True, qid=[1, 2]), faults.corrupt(dw0=7), faults.slow_ready(0.2), faults.never_ready()
    text = repr(faults)
    for words in ("drop", "opcode=Read lba=8..15", "0 of 2", "status Write Fault (sct 2, sc 0x80) DNR", "qid=[1, 2]", "corrupt dw0=0x7", "any command",
                  "ready after 0.2 s", "armed"):
        assert words in text
    assert "<table" in faults._repr_mimebundle_()["text/html"] and len(faults) == 5 and list(faults)[0] is faults[0] is drop
    assert repr(drop) == "<fault drop: opcode=Read lba=8..15 after 5, 0 of 2 hits, armed>"
    drop.remove(), drop.remove()
    assert "removed" in repr(drop) and len(faults) == 4
    faults.clear()
    assert repr(faults) == "<no faults>"


def test_every_keyword_is_in_the_signature(faults):
    for name in ("drop", "delay", "duplicate", "corrupt", "wrong_cid", "wrong_phase", "wrong_sqhd", "status", "fatal", "vanish"):
        method = getattr(faults, name)
        parameters = inspect.signature(method).parameters
        assert {"opcode", "qid", "nsid", "lba", "count", "after"} <= set(parameters) and "match" not in parameters
        assert "opcode" in inspect.getdoc(method) and "UsageError" in inspect.getdoc(method)
    assert "match_cid" in inspect.signature(faults.wrong_cid).parameters
