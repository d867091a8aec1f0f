"""Address strings: every form, its canonical spelling, and messages for what isn't one."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvlab import pci
from nvlab.pci import options as tables
from nvlab.pci.address import Address, parse
from nvlab.pci.options import KINDS, format_size, parse_size
from nvlab.spec.errors import DeviceNotFound, UsageError


@pytest.mark.parametrize("text, size", [("4096", 4096), ("64K", 65536), ("64KiB", 65536), ("256M", 256 << 20),
                                        ("256m", 256 << 20), ("1G", 1 << 30), ("1TiB", 1 << 40), ("2 MiB", 2 << 20)])
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "1.5G", "64KB", "1GB", "0x1000", "1 2", "1P", "٣"])
def test_sizes_that_are_none(text):
    with pytest.raises(ValueError):
        parse_size(text)


@given(st.integers(0, 1 << 50))
def test_format_size_is_read_back(size):
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize("text", ["embedded", "embedded:", " Embedded ", "embedded:size=64M", "embedded:size=64MiB,block=512"])
def test_equal_addresses_have_one_spelling(text):
    address = parse(text)
    assert str(address) == "embedded"
    assert address == parse("embedded") and hash(address) == hash(parse("embedded"))


def test_defaults_and_values():
    assert parse("embedded").options == {
        "size": 64 << 20, "block": 512, "namespaces": 1, "mode": None, "bdev": "malloc", "serial": "NVLAB0001",
        "mdts": 7, "mqes": 1024, "dstrd": 0, "dma": 256 << 20}
    address = parse("embedded:size=1G,block=4096,namespaces=2,mode=manual")
    assert (address.kind, address.target) == ("embedded", "")
    assert address.options["size"] == 1 << 30 and address.options["mode"] == "manual"
    assert str(address) == "embedded:size=1G,block=4096,namespaces=2,mode=manual"


def test_properties_with_a_prefix_pass_through():
    address = parse("qemu:zoned=on,device.zoned.zasl=3,ns.zoned.max_open=4")
    assert address.options["zoned"] is True
    assert address.prefixed("device") == {"zoned.zasl": "3"}
    assert address.prefixed("ns") == {"zoned.max_open": "4"}
    assert parse(str(address)) == address


@pytest.mark.parametrize("word, value", [("on", True), ("yes", True), ("1", True), ("TRUE", True), ("off", False), ("no", False)])
def test_booleans(word, value):
    assert parse(f"qemu:zoned={word}").options["zoned"] is value


@pytest.mark.parametrize("text, kind, target", [
    ("pcie:0000:00:03.0", "pcie", "0000:00:03.0"),
    ("0000:5E:00.1", "pcie", "0000:5e:00.1"),
    ("5e:0.1", "pcie", "0000:5e:00.1"),
    ("trtype:PCIe traddr:0000:04:00.0", "pcie", "0000:04:00.0"),
    ("vfio-user:/run/nvlab/0", "vfio-user", "/run/nvlab/0"),
    ("trtype:VFIOUSER traddr:/run/nvlab/0", "vfio-user", "/run/nvlab/0"),
    ("tcp:127.0.0.1:4420/nqn.2024-01.io.nvlab:disk", "tcp", "127.0.0.1:4420/nqn.2024-01.io.nvlab:disk"),
    ("tcp:Host.example/nqn.x", "tcp", "host.example:4420/nqn.x"),
    ("rdma:[::0001]:4421/nqn.x", "rdma", "[::1]:4421/nqn.x"),
    ("trtype:TCP adrfam:IPv4 traddr:127.0.0.1 trsvcid:4420 subnqn:nqn.2024-01.io.nvlab:disk", "tcp",
     "127.0.0.1:4420/nqn.2024-01.io.nvlab:disk"),
    ("TRTYPE=rdma adrfam=IPv6 traddr=fe80::1 subnqn=nqn.x", "rdma", "[fe80::1]:4420/nqn.x"),
])
def test_targets(text, kind, target):
    address = parse(text)
    assert (address.kind, address.target, address.options) == (kind, target, {})
    assert parse(str(address)) == address
    assert parse(address) is address


BAD = [
    ("", "the kind is missing", "embedded", "qemu"),
    ("embeded", "did you mean 'embedded'", "tcp:HOST"),
    ("nonsense:x", "unknown kind 'nonsense'", "qemu"),
    ("embedded,size=1G", "a colon follows the kind"),
    ("/dev/nvme0n1", "pcie:0000:00:03.0"),
    ("embedded:sise=1G", "'sise'", "did you mean 'size'", "namespaces", "mqes"),
    ("embedded:1G", "not key=value", "size"),
    ("embedded:size=1G,", "not key=value"),
    ("embedded:size=1X", "size=1X", "4096, 64K"),
    ("embedded:size=1", "at least 4K"),
    ("embedded:size=4097", "multiple of 512"),
    ("embedded:size=9728,block=4096", "not a multiple of block=4096"),
    ("embedded:size=1G,size=2G", "given twice"),
    ("embedded:block=520", "512 or 4096"),
    ("embedded:mode=manuel", "manual or inline or thread", "did you mean 'manual'"),
    ("embedded:mqes=65537", "from 2 to 65536"),
    ("embedded:mqes=1", "from 2 to 65536"),
    ("embedded:namespaces=0", "from 1 to"),
    ("embedded:namespaces=two", "whole number"),
    ("embedded:serial=123456789012345678901", "at most 20"),
    ("embedded:serial=Ü", "ASCII"),
    ("embedded:device.x=1", "unknown option 'device.x'"),
    ("qemu:zoned=perhaps", "on or off"),
    ("qemu:device.=1", "unknown option"),
    ("qemu:devise.zoned=1", "device.PROPERTY"),
    ("qemu:image=x,size=1G", "image="),
    ("qemu:image=x,namespaces=2", "one namespace"),
    ("qemu:ro=on", "image="),
    ("qemu:trace=off,log=x", "trace=off"),
    ("qemu:dma=8G", "at most 2G"),
    ("pcie:", "as in pcie:0000:00:03.0"),
    ("pcie:0000:00:20.0", "device 00 to 1f"),
    ("pcie:zz", "DOMAIN:BUS"),
    ("vfio-user:run/0", "absolute path"),
    ("tcp:", "HOST[:PORT]/NQN"),
    ("tcp:host:0/nqn", "port 1 to 65535"),
    ("tcp:[::g]/nqn", "::g"),
    ("tcp:host/" + "n" * 224, "223"),
    ("trtype:FC traddr:x", "unknown trtype", "PCIe"),
    ("trtype:TCP", "traddr is missing"),
    ("trtype:TCP traddr:a traddr:b", "given twice"),
    ("trtype:TCP traddr:a trsvc:1", "'trsvc:1'", "did you mean 'trsvcid'"),
    (7, "an address is a string"),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: str(case[0])[:40] or "empty")
def test_bad_addresses_say_what_is_wrong(case):
    text, *words = case
    with pytest.raises(UsageError) as caught:
        parse(text)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("text", ["pcie:0000:00:03.0", "vfio-user:/run/x", "tcp:127.0.0.1/nqn.x", "rdma:127.0.0.1/nqn.x"])
def test_kinds_of_later_versions_say_so(text):
    with pytest.raises(DeviceNotFound, match="this version of nvlab can't open that yet. It can open embedded and qemu"):
        pci.open(text)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_usage_error(text):
    try:
        address = parse(text)
    except UsageError:
        return
    assert parse(str(address)) == address


SAMPLES = {"image": st.just("/x.img"), "log": st.just("/x.log"), "binary": st.just("qemu"),
           "serial": st.text("ABC 123-", min_size=1, max_size=20).map(str.strip).filter(bool)}


@given(st.data(), st.sampled_from(["embedded", "qemu"]))
def test_options_survive_the_round_trip(data, name):
    kind, options = KINDS[name], {}
    for option in kind.options:
        low = {"dma": 32 << 20}.get(option.name, 4096)
        for strategy in ([SAMPLES[option.name]] if option.name in SAMPLES else
                         [st.integers(low >> 20 or 1, 1024).map(lambda n: n << 20)] if option.show is format_size else
                         [st.booleans()] if option.show is tables.show_bool else
                         [st.sampled_from([512, 4096])] if option.name == "block" else
                         [st.integers(2, 15)] if isinstance(option.default, int) else []):
            options[option.name] = data.draw(st.just(option.default) | strategy)
    address = Address(name, "", {option.name: option.default for option in kind.options} | options)
    try:
        assert parse(str(address)) == address
    except UsageError as error:            # only the rules between options may object
        assert any(word in str(error) for word in ("image=", "log="))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_tables_can_be_printed(kind):
    assert kind.title and kind.form.startswith(kind.name)
    for option in kind.options:
        assert option.doc
        if option.default is not None:
            assert option.read(option.default_text) == option.default
