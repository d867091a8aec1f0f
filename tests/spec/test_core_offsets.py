"""The core's numbers come from the tables."""
import subprocess
import sys

from nvlab.spec import core_offsets


def test_nvme_pxd_is_fresh():
    assert core_offsets.fresh(), "run python -m nvlab.spec.core_offsets"


def test_stale_and_written_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(core_offsets, "TARGET", tmp_path / "nvme.pxd")
    assert core_offsets.main(["--check"]) == 1 and "is stale" in capsys.readouterr().err
    assert core_offsets.main([]) == 0 and core_offsets.main(["--check"]) == 0


def test_numbers():
    numbers = [pair for _, section in core_offsets.sections() for pair in section]
    assert len(dict(numbers)) == len(numbers), "no name twice"
    assert dict(numbers).items() >= {"SQE_SIZE": 64, "CQE_SIZE": 16, "SQE_PRP1": 24, "SQE_CDW10": 40, "RW_NLB": 48, "CQE_CID": 12,
                                     "CQE_P": 14, "REG_CSTS": 0x1C, "REG_DOORBELLS": 0x1000, "NVM_READ": 2, "ADMIN_IDENTIFY": 6,
                                     "SC_COMPARE_FAILURE": 0x285}.items()


def test_spec_stands_alone():
    code = ("import sys, pkgutil, importlib, nvlab.spec as spec\n"
            "[importlib.import_module(f'nvlab.spec.{m.name}') for m in pkgutil.iter_modules(spec.__path__)]\n"
            "print([m for m in sys.modules if m.startswith('nvlab.') and not m.startswith('nvlab.spec')])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
