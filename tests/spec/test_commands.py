"""Commands: built by name, seen as fields, and back from bytes."""
import copy
import inspect
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nvlab.spec import status
from nvlab.spec.command_format import CQE, SQE, read_bits, write_bits
from nvlab.spec.commands import ADMIN, NVM, Command, Completion, cmd, fields_json
from nvlab.spec.errors import UsageError

FORMATS = [*ADMIN.values(), *NVM.values()]
IDS = [f.builder for f in FORMATS]


class Buffer:
    iova = 0x1_0000_0000


def test_sizes():
    assert len(bytes(Command())) == 64 == len(Command()) and len(bytes(Completion.new())) == 16 == len(Completion.new())
    assert max(field.hi for field in SQE) == 511 and max(field.hi for field in CQE) == 127


@pytest.mark.parametrize("fmt", FORMATS, ids=IDS)
def test_a_format_is_well_formed(fmt):
    assert (ADMIN if fmt.admin else NVM)[fmt.opcode] is fmt and fmt.cite and fmt.data in ("none", "h2c", "c2h")
    used = 0
    common = {field.name for field in SQE}
    for field in fmt.fields:
        assert 64 <= field.lo <= field.hi < 512 and not used & field.mask, field.name
        assert field.name not in common and field.name.islower(), field.name
        assert all(0 <= value <= field.max for value in field.values or {}), field.name
        used |= field.mask
    assert set((*fmt.pointers, *fmt.extras)) <= common


def test_the_directions_are_those_of_the_opcodes():
    way = {0: "none", 1: "h2c", 2: "c2h"}
    odd = {fmt.builder for fmt in FORMATS if fmt.data != way[fmt.opcode & 3]}
    assert odd == {"create_io_sq", "create_io_cq"}     # prp1 is the queue, nothing is transferred


@pytest.mark.parametrize("fmt", FORMATS, ids=IDS)
def test_a_builder_has_a_real_signature(fmt):
    build = getattr(cmd, fmt.builder)
    signature = inspect.signature(build)
    assert build.__name__ == fmt.builder in dir(cmd) and fmt.name in build.__doc__
    assert all(p.kind is not p.VAR_KEYWORD and p.default is not p.empty for p in signature.parameters.values())
    assert all(f"\n{name}: " in build.__doc__ for name in signature.parameters)
    command = build()
    assert command.opc == fmt.opcode and command.admin is fmt.admin and command.format is fmt and command.name == fmt.name


@given(st.sampled_from(FORMATS), st.data())
def test_what_is_built_can_be_read_back(fmt, data):
    keyword_of = {field: word for word, field in (fmt.keywords or {}).items()}
    values = {field.name: data.draw(st.integers(0, field.max), field.name) for field in fmt.fields}
    command = getattr(cmd, fmt.builder)(**{keyword_of.get(name, name): value for name, value in values.items()})
    again = Command.decode(bytes(command), admin=fmt.admin)
    assert again == command and {name: getattr(again, name) for name in values} == values
    assert {name: again.to_dict()[name] for name in values} == values
    assert fmt.name in repr(again) and fmt.name in again._repr_html_()


@given(st.binary(min_size=64, max_size=64), st.sampled_from([None, True, False]))
def test_any_bytes_are_a_command(raw, admin):
    command = Command.decode(raw, admin)
    assert bytes(command) == raw and repr(command) and command.brief() and command._repr_mimebundle_()
    assert command.data in ("none", "h2c", "c2h", "both")


@given(st.binary(min_size=64, max_size=64), st.sampled_from(SQE), st.data())
def test_writing_a_field_leaves_the_others(raw, field, data):
    value, entry = data.draw(st.integers(0, field.max)), bytearray(raw)
    write_bits(entry, field, value)
    assert read_bits(entry, field) == value
    word, before = int.from_bytes(entry, "little"), int.from_bytes(raw, "little")
    assert word & ~field.mask == before & ~field.mask


def test_the_bytes_of_well_known_commands():
    read = bytes(cmd.read(nsid=1, slba=0x1_0000_0002, nlb=7, prp1=0x1000, prp2=0x2000))
    assert read[:8] == bytes([2, 0, 0, 0, 1, 0, 0, 0])
    assert read[24:40] == (0x1000).to_bytes(8, "little") + (0x2000).to_bytes(8, "little")
    assert read[40:50] == (0x1_0000_0002).to_bytes(8, "little") + (7).to_bytes(2, "little") and not any(read[50:])
    queue = bytes(cmd.create_io_sq(qid=3, qsize=63, cqid=2, prp1=0x5000))
    assert queue[40:48] == bytes([3, 0, 63, 0, 1, 0, 2, 0])
    queue = bytes(cmd.create_io_cq(qid=3, qsize=63, prp1=0x5000, ien=1, iv=4))
    assert queue[40:48] == bytes([3, 0, 63, 0, 3, 0, 4, 0])
    assert bytes(cmd.abort(sqid=1, cid=0x203))[40:44] == bytes([1, 0, 3, 2]) and cmd.abort(1, 2).cid == 0
    assert bytes(cmd.set_features(fid=7, cdw11=0x30003))[40:48] == bytes([7, 0, 0, 0, 3, 0, 3, 0])
    assert bytes(cmd.identify(cns=0, nsid=5, cid=9))[:8] == bytes([6, 0, 9, 0, 5, 0, 0, 0])


def test_buffers_are_addresses_and_are_kept():
    buffer = Buffer()
    command = cmd.identify(cns=1, prp1=buffer)
    assert command.prp1 == Buffer.iova and command.held == {"prp1": buffer}
    assert copy.copy(command).held == command.held
    command.prp1 = 0
    assert command.held == {}


def test_wrong_calls_say_what_is_right():
    with pytest.raises(UsageError, match=r"Read: nlb \(Number of Logical Blocks\): 65536 does not fit; the range is 0 to 65535"):
        cmd.read(nlb=65536)
    with pytest.raises(UsageError, match="cmd.read has no field 'slab'; did you mean slba"):
        cmd.read(slab=1)
    with pytest.raises(UsageError, match="it takes nsid"):
        cmd.flush(xyzzy=1)
    with pytest.raises(UsageError, match="too many positional"):
        cmd.abort(1, 2, 3)
    with pytest.raises(UsageError, match="prp1: expected an address"):
        cmd.read(prp1="here")
    with pytest.raises(UsageError, match="nsid"):
        cmd.read(nsid=-1)
    with pytest.raises(AttributeError, match="did you mean read"):
        cmd.reed


def test_any_command_can_be_sent_raw():
    command = cmd.raw(0xC1, admin=True, nsid=4, cdw10=7, cdw15=1 << 31, cdw2=5)
    assert (command.opc, command.nsid, command.cdw10, command.cdw15, command.cdw2) == (0xC1, 4, 7, 1 << 31, 5)
    assert command.format is None and command.name == "Command 0xc1" and command.data == "h2c"
    assert cmd.raw(6, cdw10=1).cns.meaning == "Identify Controller" and cmd.raw(2, admin=False).name == "Read"
    with pytest.raises(UsageError, match="opc"):
        cmd.raw(256)


def test_a_command_can_be_changed():
    command = cmd.read(nsid=1)
    command.slba, command.cid, command.fua = 77, 5, 1
    assert (command.slba, command.cid, command.fua, command.cdw12) == (77, 5, 1, 1 << 30)
    command.opc = 1
    assert command.name == "Write" and command.data == "h2c"
    with pytest.raises(UsageError, match="cid"):
        command.cid = 1 << 16
    with pytest.raises(AttributeError, match="has no field 'cns'"):
        command.cns = 1
    command.raw[4:8] = bytes([2, 0, 0, 0])
    assert command.nsid == 2
    assert "slba" in dir(command) and pickle.loads(pickle.dumps(command)) == command


@pytest.mark.parametrize("cls, raw", [(Command, b"x" * 63), (Command, 64), (Completion, b"x" * 17), (Completion, None)])
def test_the_wrong_bytes(cls, raw):
    with pytest.raises(UsageError, match="bytes"):
        Command.decode(raw) if cls is Command and raw is not None else cls(raw)


def test_entries_of_a_ring():
    ring = np.zeros((4, 64), np.uint8)
    ring[2] = np.frombuffer(bytes(cmd.flush(nsid=3)), np.uint8)
    assert Command.decode(ring[2], admin=False).nsid == 3
    assert Completion(np.zeros(16, np.uint8)).ok


@given(st.fixed_dictionaries({field.name: st.integers(0, field.max) for field in CQE}))
def test_completions(values):
    done = Completion.new(**values)
    assert done.to_dict() == values and Completion(bytes(done)) == done and hash(done) == hash(Completion(bytes(done)))
    assert done.ok is (values["sct"] == 0 and values["sc"] == 0) is done.status.ok
    assert repr(done) and done._repr_html_() and pickle.loads(pickle.dumps(done)) == done


def test_a_completion_speaks():
    done = Completion.new(status.LBA_OUT_OF_RANGE, cid=3, sqid=1, sqhd=4, p=1, dnr=1)
    assert repr(done) == "<Completion cid=3 sqid=1 sqhd=4 p=1 dnr: LBA Out of Range (sct 0, sc 0x80)>"
    assert bytes(done) == bytes([0] * 8 + [4, 0, 1, 0, 3, 0, 1, 0x81]) and done.status is status.LBA_OUT_OF_RANGE
    assert "below the namespace's size" in done._repr_mimebundle_()["text/plain"]
    with pytest.raises(AttributeError, match="does not change"):
        done.cid = 1
    with pytest.raises(UsageError, match="no field 'status_code'"):
        Completion.new(status_code=1)


def decode_like_javascript(entry, field):
    """A field the way the browser does it: from byte, bit and width alone."""
    word = int.from_bytes(entry[field["byte"]:], "little") >> field["bit"]
    return word & (1 << field["width"]) - 1


def test_the_tables_for_the_browser():
    tables = json.loads(json.dumps(fields_json()))
    assert tables == fields_json(), "keys must be strings, so that nothing changes on the way"
    command = cmd.create_io_sq(qid=3, qsize=63, cqid=2, qprio=2, prp1=0x5000, cid=9)
    own = {f["name"]: decode_like_javascript(bytes(command), f) for f in tables["admin"]["1"]["fields"]}
    assert own == {"qid": 3, "qsize": 63, "cqid": 2, "pc": 1, "qprio": 2, "nvmsetid": 0}
    shared = {f["name"]: decode_like_javascript(bytes(command), f) for f in tables["sqe"]}
    assert (shared["opc"], shared["cid"], shared["prp1"]) == (1, 9, 0x5000)
    assert tables["admin"]["6"]["name"] == "Identify" and tables["nvm"]["2"]["name"] == "Read"
    assert tables["status"]["0/128"]["name"] == "LBA Out of Range" and tables["status"]["1/128"]["name"] == "Conflicting Attributes"
    done = Completion.new(status.LBA_OUT_OF_RANGE, cid=3)
    assert {f["name"]: decode_like_javascript(bytes(done), f) for f in tables["cqe"]} == done.to_dict()
