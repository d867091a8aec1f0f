"""`nvlab lab`: where it finds notebooks, what it hands to JupyterLab, and that it starts without a browser."""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from nvlab.spec.errors import UsageError
from nvlab.tools import lab

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse(*argv):
    parser = argparse.ArgumentParser()
    lab.add_parser(parser.add_subparsers())
    return parser.parse_args(["lab", *argv])


def test_in_a_checkout_the_notebooks_are_used_in_place():
    assert lab.find_notebooks() == (ROOT, ROOT / "notebooks" / lab.FIRST)
    assert lab.find_notebooks("01")[1].name == "01-first-io.ipynb"


def test_a_path_is_taken_as_it_is(tmp_path):
    mine = tmp_path / "mine.ipynb"
    mine.write_text("{}")
    assert lab.find_notebooks(str(mine)) == (tmp_path.resolve(), mine.resolve())


def test_an_unknown_notebook_is_an_error_that_lists_what_there_is():
    with pytest.raises(UsageError, match="no notebook '99'.*01-first-io"):
        lab.find_notebooks("99")


def test_from_a_wheel_they_are_copied_once(tmp_path, monkeypatch):
    share, work = tmp_path / "share", tmp_path / "work"
    share.mkdir()
    work.mkdir()
    (share / lab.FIRST).write_text("original")
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "site" / "nvlab" / "tools" / "lab.py"))
    monkeypatch.chdir(work)
    monkeypatch.setattr(lab.notebooks, "installed", lambda: [])
    with pytest.raises(UsageError, match="not installed beside nvlab"):
        lab.find_notebooks()
    monkeypatch.setattr(lab.notebooks, "installed", lambda: [share / lab.FIRST])
    root, path = lab.find_notebooks()
    assert root == work / lab.COPIED and path.read_text() == "original"
    path.write_text("changed")
    assert lab.find_notebooks()[1].read_text() == "changed"


def test_options(monkeypatch):
    args = parse("01", "--port", "9000", "--ip", "0.0.0.0", "--jupyter=--ServerApp.token=x")
    assert args.notebook == "01"
    options = lab.jupyter_options(args, ROOT, ROOT / "notebooks" / lab.FIRST, browser=False)
    assert {"--no-browser", "--ServerApp.port=9000", "--ServerApp.ip=0.0.0.0", "--ServerApp.token=x",
            "--LabApp.default_url=/lab/tree/notebooks/00-tour.ipynb"} <= set(options)
    assert options[-1] == "--ServerApp.token=x", "a person's own options come last, and hold"
    for uid, wanted in ((0, True), (1000, False)):
        monkeypatch.setattr(os, "geteuid", lambda uid=uid: uid)
        assert ("--allow-root" in lab.jupyter_options(parse(), ROOT, ROOT / "notebooks" / lab.FIRST, browser=True)) is wanted


def test_what_a_server_disables_stays_so():
    page = {"disabledExtensions": ["other"], "baseUrl": "/"}
    changed = lab.without_question(None, lab.without_question(None, page))
    assert changed["disabledExtensions"] == ["other", "@jupyterlab/apputils-extension:announcements"]
    assert page["disabledExtensions"] == ["other"] and changed["baseUrl"] == "/"


def test_no_window_no_browser(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not lab.has_browser()


def test_it_starts_without_a_browser_and_prints_an_url_that_answers(tmp_path):
    pytest.importorskip("jupyterlab", reason="nvlab lab needs the lab extra: pip install 'nvlab[lab]'")
    private = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "HOME")}
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")} | private
    code = "import sys; from nvlab.tools.main import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", code, "lab", "--port", "18888"], cwd=ROOT, env=env, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    killer = threading.Timer(60, process.kill)
    killer.start()
    try:
        url = next((m[0] for line in process.stdout if (m := re.search(r"http://\S+token=\w+", line))), None)
        assert url and "/lab/tree/notebooks/00-tour.ipynb" in url
        shown = fetch(url)
        assert b"JupyterLab" in shown and b"apputils-extension:announcements" in shown     # no question over the first page
    finally:
        killer.cancel()
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def fetch(url, seconds=30):
    """What `url` answers; it may take a moment until the server listens."""
    end = time.monotonic() + seconds
    while True:
        try:
            return urllib.request.urlopen(url, timeout=seconds).read()
        except urllib.error.URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
