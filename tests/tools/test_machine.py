"""`nvlab list` and `nvlab doctor`: what they see of a machine, here and on made-up ones."""
import importlib.metadata

import pytest

from nvlab.pci import KINDS
from nvlab.tools import doctor, list as listing, machine


@pytest.fixture
def pci(tmp_path):
    """A sysfs and a procfs with three NVMe functions and a disk controller; gives their functions."""
    bus = tmp_path / "sys/bus/pci/devices"
    for bdf, number in (("0000:00:03.0", "0x010802"), ("0000:00:04.0", "0x010802"), ("0000:00:05.0", "0x010802"), ("0000:00:1f.2", "0x010601")):
        (bus / bdf).mkdir(parents=True)
        for name, text in (("class", number), ("vendor", "0x1b36"), ("device", "0x0010")):
            (bus / bdf / name).write_text(text + "\n")
    for driver, bdf in (("nvme", "0000:00:03.0"), ("vfio-pci", "0000:00:05.0")):
        (tmp_path / "sys/bus/pci/drivers" / driver).mkdir(parents=True)
        (bus / bdf / "driver").symlink_to(tmp_path / "sys/bus/pci/drivers" / driver)
    disk = bus / "0000:00:03.0/nvme/nvme0/nvme0n1"
    for path, number in ((disk, "259:0"), (disk / "nvme0n1p1", "259:1"), (disk / "nvme0n1p2", "259:2"), (disk / "nvme0n1p3", "259:3")):
        (path / "holders").mkdir(parents=True)
        (path / "dev").write_text(number + "\n")
        (path / "size").write_text("8\n")
    (disk / "nvme0n1p3/holders/dm-0").mkdir()
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text("29 1 259:1 / /boot rw - ext4 /dev/nvme0n1p1 rw\n30 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    (tmp_path / "proc/swaps").write_text("Filename Type Size Used Priority\n/dev/nvme0n1p2 partition 8 0 -2\n")
    return machine.nvme_functions(tmp_path / "sys", tmp_path / "proc")


def test_nvme_functions_of_a_machine(pci):
    assert [(f.bdf, f.ids, f.driver) for f in pci] == [
        ("0000:00:03.0", "1b36:0010", "nvme"), ("0000:00:04.0", "1b36:0010", ""), ("0000:00:05.0", "1b36:0010", "vfio-pci")]
    assert pci[0].uses == ("nvme0n1p1 mounted on /boot", "nvme0n1p2 is swap", "nvme0n1p3 used by dm-0") and not pci[1].uses
    text = listing.functions_table(pci).text()
    assert "0000:00:04.0  1b36:0010  none" in text and "not in this version" in text
    assert "(none)" in listing.functions_table([]).text()


def test_nothing_to_see(tmp_path):
    assert machine.nvme_functions(tmp_path, tmp_path) == []


def test_list_shows_every_kind_and_option(nvlab):
    ran = nvlab("list")
    assert ran.code == 0 and not ran.err
    for kind in KINDS.values():
        assert kind.form in ran.out and kind.title in ran.out
        for option in kind.options:
            line = f"{option.name} {option.default_text} {option.doc}".split()[:4]
            assert any(printed.split()[:4] == line for printed in ran.out.splitlines()), option
    assert max(map(len, ran.out.splitlines())) <= 120


@pytest.mark.require("qemu")
def test_list_and_doctor_name_qemus_version(nvlab):
    version = machine.qemu_version()
    assert f"ready: QEMU {version}" in nvlab("list").out
    assert f"QEMU {version}" in nvlab("doctor").out


def test_without_qemu_the_command_that_provides_it(nvlab, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = nvlab("doctor")
    assert ran.code == 0 and "MISSING" in ran.out and f"  {machine.installer('qemu')}\n" in ran.out
    assert f"missing: {machine.installer('qemu')}" in nvlab("list").out


def test_doctor_tries_and_ends_well(nvlab):
    ran = nvlab("doctor")
    assert ran.code == 0 and not ran.err
    assert all(f"\n{kind}" in ran.out for kind in KINDS) and "nvlab embedded SSD, NVMe 1.4" in ran.out and "jupyterlab" in ran.out


def test_doctor_names_what_pip_would_install(nvlab, monkeypatch):
    monkeypatch.setattr(machine, "package_version", lambda name: {"bokeh": "2.4"}.get(name))
    out = nvlab("doctor").out
    assert "not installed, wanted >=4.4,<5" in out and "2.4, wanted >=3.6" in out
    assert f"  {machine.pip('lab')}\n" in out and f"  {machine.pip('test')}\n" in out


def test_doctor_tells_a_failure_in_its_own_words(nvlab, monkeypatch):
    def refuse(address):
        from nvlab.spec.errors import ControllerTimeout
        raise ControllerTimeout("it never became ready")

    monkeypatch.setattr(doctor.nvlab, "attach", refuse)
    ran = nvlab("doctor")
    assert ran.code == 0 and "FAILED" in ran.out and "it never became ready" in ran.out


@pytest.mark.parametrize("release, platform, command", [
    ("ID=debian\n", "linux", "apt-get install qemu-system-x86"),
    ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "linux", "apt-get install qemu-system-x86"),
    ("ID=fedora\n", "linux", "dnf install qemu-system-x86"),
    ("ID=arch\n", "linux", "pacman -S qemu-system-x86"),
    ("ID=unheard\n", "linux", "apt-get install qemu-system-x86"),
    ("", "darwin", "brew install qemu"),
])
def test_the_package_of_each_system(tmp_path, release, platform, command):
    (tmp_path / "os-release").write_text(release)
    assert machine.installer("qemu", tmp_path / "os-release", platform).removeprefix("sudo ") == command


@pytest.mark.parametrize("version, specifier, fits", [
    ("4.6.6", ">=4.4,<5", True), ("5.0", ">=4.4,<5", False), ("4.3", ">=4.4,<5", False), ("5.0rc1", "<5.0.1", True), ("1", "", True)])
def test_versions(version, specifier, fits):
    assert machine.satisfied(version, specifier) is fits


def test_requirements_from_an_installed_package(monkeypatch):
    here = dict(machine.requirements("lab"))
    assert set(here) == {"jupyterlab", "ipywidgets", "anywidget", "bokeh"}
    monkeypatch.setattr(machine, "checkout", lambda: None)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["numpy<3", 'bokeh<3.11,>=3.6; extra == "lab"', "pytest; extra == 'test'"])
    assert machine.requirements("lab") == [("bokeh", "<3.11,>=3.6")] and machine.requirements("test") == [("pytest", "")]
    assert machine.pip("lab").endswith("install 'nvlab[lab]'")
