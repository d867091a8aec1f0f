"""What every test may ask for.

A test that needs something from the machine says so with `require`. Where it is missing the test is skipped, with the
reason; where the environment variable NVLAB_REQUIRE names it (`NVLAB_REQUIRE="qemu browser"`, as in CI) it fails.

    pytestmark = pytest.mark.require("qemu")       # a whole module, or a mark on one test

    def test_x(require):                           # or in the course of a test or a fixture
        require("browser", reason)                 # reason: why it is missing, None when it is there
"""
import os
import shutil

import pytest
from hypothesis import settings

settings.register_profile("nvlab", deadline=None)      # a busy machine is no bug; pytest-timeout ends what hangs
settings.load_profile("nvlab")


def missing_qemu():
    """Why QEMU can't be started here, or None."""
    if shutil.which("qemu-system-x86_64"):
        return None
    return "qemu-system-x86_64 is not installed (Debian: apt-get install qemu-system-x86)"


MISSING = {"qemu": missing_qemu}
"""Name -> function that gives the reason why it is missing, or None."""


def require_or_skip(name, reason=None):
    """Skip the running test, or fail it if NVLAB_REQUIRE names `name`, when `name` is missing.

    `reason` says why it is missing, None that it isn't; for the names in MISSING it is found out.
    """
    if name in MISSING:
        reason = MISSING[name]()
    if reason is None:
        return
    if name in os.environ.get("NVLAB_REQUIRE", "").replace(",", " ").split():
        pytest.fail(f"NVLAB_REQUIRE names {name!r}, and it is missing: {reason}", pytrace=False)
    pytest.skip(f"needs {name}: {reason}")


@pytest.fixture(scope="session", name="require")
def require_fixture():
    """`require(name, reason=None)`: see require_or_skip."""
    return require_or_skip


def pytest_configure(config):
    config.addinivalue_line("markers", "require(name, …): what the test needs from the machine; see tests/conftest.py")


def pytest_runtest_setup(item):
    for mark in item.iter_markers("require"):
        for name in mark.args:
            require_or_skip(name)
