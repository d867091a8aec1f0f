"""A headless Chromium and one JupyterLab for the whole session, in private directories.

Without Chromium (or playwright) these tests are skipped, unless NVLAB_REQUIRE names "browser": then they fail.
"""

import os
import pathlib

import pytest

from tests.browser.server import FLAGS, Lab, chromium_path


@pytest.fixture(scope="session")
def chromium(require):
    """A running headless Chromium."""
    path = chromium_path()
    require("browser", None if path else "chromium is not installed (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        require("browser", "playwright is not installed (pip install -e '.[test]')")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A fresh page; what its console says in errors is in `page.problems`."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000}, device_scale_factor=1)
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    yield page
    context.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Where screenshots go: NVLAB_PICTURES, or pytest's temporary directory."""
    chosen = os.environ.get("NVLAB_PICTURES")
    path = pathlib.Path(chosen) if chosen else tmp_path_factory.mktemp("pictures")
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory, chromium):
    """A JupyterLab server, started once."""
    server = Lab(tmp_path_factory.mktemp("lab"))
    try:
        yield server.wait()
    finally:
        server.close()


@pytest.fixture
def lab(lab_server):
    """The JupyterLab server; kernels that a test started end with it."""
    yield lab_server
    lab_server.end_kernels()
