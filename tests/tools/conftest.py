"""What tests of the command line share."""
import collections

import pytest

from nvlab.tools.main import main

Ran = collections.namedtuple("Ran", "code out err")


@pytest.fixture
def nvlab(capsys):
    """Run `nvlab …` in this process; gives (code, out, err)."""
    def run(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Ran(code, *capsys.readouterr())

    return run


EMBEDDED, QEMU = "embedded:size=4M", pytest.param("qemu:size=4M", marks=pytest.mark.require("qemu"))


@pytest.fixture(params=[EMBEDDED, QEMU], ids=["embedded", "qemu"])
def address(request):
    """A small controller of each kind."""
    return request.param
