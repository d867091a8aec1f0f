"""The `nvlab` command as a whole: help, exit codes, one clear message, no traceback."""
import os
import subprocess
import sys
import types

import pytest

import nvlab as package
from nvlab.spec.errors import ControllerGone
from nvlab.tools import hello, main as tool

COMMANDS = ["hello-world", "identify", "perf", "tour", "decode", "trace", "list", "doctor", "lab", "explore"]


def shell(*words, **options):
    """`nvlab …` as a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "nvlab", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_help_names_every_command(nvlab):
    ran = nvlab("--help")
    assert ran.code == 0 and all(f"    {name} " in ran.out or f"    {name}\n" in ran.out for name in COMMANDS)
    bare = nvlab()
    assert bare.code == 2 and bare.out == ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(nvlab, command):
    ran = nvlab(command, "--help")
    assert ran.code == 0 and ran.out.startswith(f"usage: nvlab {command}") and not ran.err


def test_version(nvlab):
    assert nvlab("--version") == (0, f"nvlab {package.__version__}\n", "")


@pytest.mark.parametrize("words, says", [
    (["frobnicate"], "invalid choice: 'frobnicate'"),
    (["identify", "--frob"], "unrecognized arguments: --frob"),
    (["hello-world", "bogus"], "unknown kind 'bogus'"),
    (["hello-world", "embeded"], "did you mean 'embedded'"),
    (["identify", "embedded:sise=1M"], "did you mean 'size'"),
    (["identify", "embedded:size=1"], "option size=1"),
    (["hello-world", "/dev/nvme0n1"], "give the controller's PCI address"),
    (["hello-world", "embedded", "-r", "qemu"], "two addresses"),
    (["hello-world", "pcie:0000:00:03.0"], "this version of nvlab can't open that yet"),
    (["tour", "-t", "soon"], "a number of seconds"),
    (["decode", "id-ctrl", "/no/such/file"], "No such file"),
])
def test_a_wrong_request_is_one_message_and_exit_code_2(nvlab, words, says):
    ran = nvlab(*words)
    assert ran.code == 2 and says in ran.err
    assert ran.err.startswith("nvlab: ") and "Traceback" not in ran.err


def test_a_failing_device_is_exit_code_1(nvlab, monkeypatch):
    def vanish(args):
        raise ControllerGone("it is gone")

    monkeypatch.setattr(hello, "run", vanish)
    assert nvlab("hello-world") == (1, "", "nvlab: it is gone\n")


def test_a_mistake_of_ours_has_no_traceback_unless_asked(nvlab, monkeypatch):
    monkeypatch.setattr(hello, "greet", lambda *words: 1 / 0)
    ran = nvlab("hello-world")
    assert ran.code == 1 and "ZeroDivisionError" in ran.err and "--debug" in ran.err and "Traceback" not in ran.err
    for words in (["hello-world", "--debug"], ["--debug", "hello-world"]):
        with pytest.raises(ZeroDivisionError):
            tool.main(words)


def test_a_core_that_is_not_built_is_said(nvlab, monkeypatch):
    def missing():
        raise ModuleNotFoundError("No module named 'nvlab._core.perf'", name="nvlab._core.perf")

    monkeypatch.setattr(tool, "build_parser", missing)
    ran = nvlab("doctor")
    assert ran.code == 1 and "isn't built" in ran.err and "pip" in ran.err and "install" in ran.err


def test_no_qemu_on_the_path(nvlab, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for command in ("hello-world", "identify", "perf", "tour"):
        ran = nvlab(command, "qemu")
        assert ran.code == 2 and "apt-get install qemu-system-x86" in ran.err


def test_ctrl_c_is_exit_code_130(nvlab, monkeypatch):
    def interrupt(*words):
        raise KeyboardInterrupt

    monkeypatch.setattr(hello, "greet", interrupt)
    ran = nvlab("hello-world")
    assert (ran.code, ran.err) == (130, "nvlab: interrupted\n")


def test_a_reader_that_goes_away_is_no_error():
    process = shell("identify")
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(20) == 141
    process.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_said():
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "nvlab", "list"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 1 and "No space left" in done.stderr and "Traceback" not in done.stderr


def test_a_terminal_without_unicode(monkeypatch):
    done = subprocess.run([sys.executable, "-m", "nvlab", "list"], capture_output=True, text=True, timeout=20,
                          env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and "embedded[:key=value,?]" in done.stdout


def test_every_module_of_the_list_is_a_command():
    for name in tool.COMMANDS:
        module = __import__(f"nvlab.tools.{name}", fromlist=["run"])
        assert isinstance(module.run, types.FunctionType) and module.add_parser.__doc__
