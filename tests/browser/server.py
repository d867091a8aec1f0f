"""A JupyterLab of its own, and a headless Chromium: what the browser tests and the picture are made with."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-color-profile=srgb"]
TOKEN = "nvlab-tests"


def chromium_path():
    """Where Chromium is, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Lab:
    """One JupyterLab: `url(path)` opens a notebook that lies under `root`."""

    def __init__(self, base):
        self.base, self.root, self.log, self.opened = base, base / "root", base / "log", 0
        self.root.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._settings()
        self.process = subprocess.Popen(self._command(), cwd=self.root, env=self._environment(),
                                        stdout=self.log.open("wb"), stderr=subprocess.STDOUT, start_new_session=True)

    def _settings(self):
        share = self.base / "settings"
        share.mkdir()
        overrides = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
                     "@jupyterlab/docmanager-extension:plugin": {"autosave": False}}
        (share / "overrides.json").write_text(json.dumps(overrides))
        self.share = share

    def _command(self):
        return [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={self.port}",
                f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={self.root}", "--expose-app-in-browser",
                f"--LabServerApp.app_settings_dir={self.share}", "--LabApp.news_url=None", "--LabApp.collaborative=False"]

    def _environment(self):
        private = {name: str(self.base / name.lower()) for name in
                   ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR",
                    "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR", "HOME")}
        for path in private.values():
            os.makedirs(path, exist_ok=True)
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        return {**os.environ, **private, "PYTHONPATH": os.pathsep.join(p for p in paths if p)}

    def url(self, path):
        """Where to open a file: a workspace of its own, so that no earlier test's tabs come back."""
        self.opened += 1
        return f"http://127.0.0.1:{self.port}/lab/workspaces/w{self.opened}/tree/{path}?token={TOKEN}"

    def api(self, path, method="GET"):
        """Ask the server's REST interface; returns the decoded answer, or None when it is empty."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/{path}?token={TOKEN}", method=method)
        body = urllib.request.urlopen(request, timeout=20).read()
        return json.loads(body) if body else None

    def end_kernels(self):
        """Shut every running kernel down."""
        for session in self.api("sessions"):
            self.api(f"sessions/{session['id']}", "DELETE")

    def wait(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"JupyterLab ended:\n{self.log.read_text(errors='replace')[-3000:]}")
            with contextlib.suppress(OSError):
                self.api("status")
                return self
            time.sleep(0.2)
        raise RuntimeError(f"JupyterLab did not answer:\n{self.log.read_text(errors='replace')[-3000:]}")

    def close(self):
        with contextlib.suppress(OSError):
            self.api("shutdown", "POST")
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
