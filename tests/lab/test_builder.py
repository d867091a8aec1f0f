"""CommandBuilder without a page: what it sends, posts and refuses, the buffer it keeps, and the forms it gives the page."""

import json

import pytest

import nvlab
from nvlab import cmd
from nvlab.lab import CommandBuilder, memfields
from nvlab.lab.builder import data_length, forms_json
from nvlab.lab.safety import DESTRUCTIVE
from nvlab.spec.commands import ADMIN, NVM
from nvlab.spec.errors import UsageError


@pytest.fixture(scope="module")
def ctrl():
    with nvlab.attach("embedded:size=4M") as ctrl:
        yield ctrl


@pytest.fixture
def builder(ctrl):
    builder = CommandBuilder(ctrl)
    yield builder
    builder.close()


def page(command, **more):
    """What a page sends for a command."""
    return {"sqe": list(bytes(command)), "kind": "nvm" if command.admin is False else "admin", **more}


def test_it_begins_with_identify_and_a_buffer(builder):
    assert builder.command.name == "Identify" and int(builder.command.prp1) == builder.data.iova
    assert builder._state["buffer"]["size"] == 4096 and builder._state["kind"] == "admin"


def test_send_shows_the_completion_and_the_structure(builder):
    builder.act("send", page(builder.command))
    assert builder._notice["text"] == "Identify: Successful Completion."
    assert builder.completion.ok and len(builder._answer["cqe"]) == 16
    assert any(row["name"] == "sn" and row["meaning"] == "NVLAB0001" for row in builder._fields)
    assert "NVLAB" in builder._data.decode("latin-1") and "Successful Completion" in str(builder)
    assert "000000" in builder.picture()


def test_what_the_drive_refuses_is_shown_with_its_hint(builder):
    command = cmd.read(nsid=1, slba=1 << 40, nlb=0, prp1=builder.data)
    builder.act("send", page(command))
    assert not builder._answer["ok"] and builder._answer["title"] == "LBA Out of Range" and builder._answer["hint"]
    assert builder._fields == []


def test_post_fills_a_slot_and_leaves_the_doorbell(ctrl, builder):
    before = ctrl.admin.sq.rung
    builder.act("post", page(cmd.get_features(fid=7)))
    assert "doesn't know until SQ0TDBL" in builder._notice["text"] and ctrl.admin.sq.rung == before
    ctrl.admin.sq.ring()
    ctrl.admin.wait_until(lambda: builder._told.get("command") == "Get Features fid=7", 5, "Get Features")
    builder.refresh()
    assert builder._answer["ok"]


def test_the_buffer_grows_with_the_command_and_its_prps_follow(builder):
    command = cmd.read(nsid=1, slba=0, nlb=15)
    builder.act("buffer", page(command))
    assert builder.data.nbytes == 8192 and int(builder.command.prp2) == builder.data.iova + 4096
    builder.act("buffer", page(cmd.read(nsid=1, slba=0, nlb=255)))
    assert int(builder.command.prp2) == builder._prp.lists[0].iova
    builder.act("buffer", page(cmd.flush()))
    assert not int(builder.command.prp1)


@pytest.mark.parametrize("what, begins", [("abc", b"abc\0"), ("0x0102", b"\1\2\1\2"), ("count", b"\0\1\2\3")])
def test_fill(builder, what, begins):
    builder.act("fill", {"with": what})
    assert bytes(builder.data[:4]) == begins
    builder.act("fill", {"with": "0xZZ"})
    assert builder._notice["kind"] == "error"


def test_a_drive_of_somebody_must_be_confirmed(builder, monkeypatch):
    monkeypatch.setattr("nvlab.lab.safety.PLAYTHINGS", frozenset())
    write = cmd.write(nsid=1, slba=0, nlb=0, prp1=builder.data)
    for what in ("send", "post"):
        builder.act(what, page(write))
        assert builder._notice["kind"] == "error" and "nothing was sent" in builder._notice["text"]
    for command in (cmd.format_nvm(), cmd.sanitize(), cmd.raw(0xC1)):
        with pytest.raises(UsageError, match="confirmed"):
            builder.send(command)
    assert builder.send(cmd.read(nsid=1, slba=0, nlb=0, prp1=builder.data)).ok
    assert builder.send(write, confirmed=True).ok


def test_events_are_not_waited_for(builder):
    builder.act("send", page(cmd.async_event_request()))
    assert "completes when there is something to tell" in builder._notice["text"]


def test_an_io_queue_pair_that_is_not_there(builder):
    builder.act("send", page(cmd.flush(), qid=77))
    assert "there is no I/O queue pair 77" in builder._notice["text"]


def test_forms_name_every_command_and_danger():
    forms = forms_json()
    json.dumps(forms)
    assert len(forms["admin"]) == len(ADMIN) and len(forms["nvm"]) == len(NVM)
    assert all(hasattr(cmd, form["builder"]) for kind in forms.values() for form in kind.values())
    known = {(kind, form["builder"]) for kind, table in forms.items() for form in table.values()}
    assert known >= DESTRUCTIVE
    assert forms["nvm"]["1"]["danger"] and not forms["nvm"]["2"]["danger"]


def test_lengths_and_structures():
    assert data_length(cmd.read(nlb=7), 512) == 4096 and data_length(cmd.flush()) == 0
    assert data_length(cmd.get_log_page(lid=2, numdl=127)) == 512 and data_length(cmd.create_io_cq(qid=1, qsize=3)) == 4096
    assert memfields.returned(cmd.identify(cns=0)) == "IdentifyNamespace" and memfields.returned(cmd.read()) is None
