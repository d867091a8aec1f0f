"""What the project promises on its front page holds: the README's code runs, CI runs the README's command, Binder has its files."""
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language):
    """The fenced blocks of the README in one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_readme_code_by_hand_runs():
    code = blocks("python")[0] + "\nassert ctrl.io[1].sq is sq1\nctrl.close()\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "Successful Completion" in done.stdout and "CAP" in done.stdout and not done.stderr


def test_ci_runs_exactly_the_readme_test_command():
    command = next(line.split("#")[0].strip() for line in blocks("sh")[0].splitlines() if "[test]" in line)
    assert command in [line.strip() for line in (ROOT / ".ci/run").read_text().splitlines()]
    assert "NVLAB_REQUIRE=qemu,browser" in (ROOT / ".ci/run").read_text()


def test_readme_names_files_that_exist():
    for name in re.findall(r"`((?:nvlab|_core|notebooks|tests)/[\w./-]+)`", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_binder_scripts_are_valid_and_executable(name):
    path = ROOT / "binder" / name
    assert os.access(path, os.X_OK)
    assert subprocess.run(["bash", "-n", path]).returncode == 0


def test_binder_has_what_the_lab_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    major, minor = (ROOT / "binder/runtime.txt").read_text().strip().removeprefix("python-").split(".")
    assert (int(major), int(minor)) >= tuple(int(n) for n in project["requires-python"].removeprefix(">=").split("."))
    assert "qemu-system-x86" in (ROOT / "binder/apt.txt").read_text().split()
    post = (ROOT / "binder/postBuild").read_text()
    assert "'.[lab]'" in post and "notebooks/00-tour.ipynb" in post
    assert (ROOT / "notebooks/01-first-io.ipynb").exists()


def test_wheel_holds_the_whole_package(tmp_path):
    """A wheel built from this tree has the compiled core, the widgets' scripts and the command."""
    pytest.importorskip("setuptools")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=300, env={**os.environ, "CFLAGS": "-O0"})
    assert done.returncode == 0, done.stderr
    import zipfile
    names = zipfile.ZipFile(next(tmp_path.glob("nvlab-*.whl"))).namelist()
    for part in ("memory", "mmio", "qtest", "rings", "ssd", "perf"):
        assert any(re.fullmatch(rf"nvlab/_core/{part}\.[^/]*\.(so|dylib|pyd)", name) for name in names), part
    for source in ROOT.glob("nvlab/*/*.py"):
        assert str(source.relative_to(ROOT)) in names
    assert {f"nvlab/lab/{f.name}" for f in (ROOT / "nvlab/lab").glob("*.[jc]s*")} <= set(names)


def test_interpreter_ends_quickly_and_quietly_with_everything_running():
    """A script that ends while a loop runs must not hang, crash or say anything."""
    code = ("import nvlab, time\nc = nvlab.attach('embedded:mode=thread')\np = nvlab.Perf(c, io_size=512).start()\n"
            "d = nvlab.attach('embedded:mode=inline')\nq = nvlab.Perf(d, io_size=512).start()\ntime.sleep(0.2)\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=8, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
