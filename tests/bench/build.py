"""Compile the yardsticks of this folder on demand, outside the tree, with the same compiler and flags as the core.

Another yardstick is nvlab itself, its core built without tracing.
"""
import importlib.util
import os
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
HOT = ("trace", "mmio", "rings", "ssd", "perf")
"""Modules of the core in which events are recorded while loops run."""


def load(name):
    """The module tests/bench/NAME.pyx, compiled."""
    from Cython.Build import cythonize
    from setuptools import Extension

    with tempfile.TemporaryDirectory(prefix="nvlab-bench-") as folder:
        folder = pathlib.Path(folder)
        source = folder / f"{name}.pyx"
        shutil.copy(HERE / f"{name}.pyx", source)
        extension = Extension(name, [str(source)], include_dirs=[str(ROOT / "_core")], extra_compile_args=["-O3"])
        _compile(cythonize([extension], include_path=[str(ROOT)], quiet=True), folder)
        path = next(folder.glob(f"{name}*.so"))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
        return module


def as_it_is(folder):
    """Put a copy of nvlab into a new `folder`: of the package, nothing else."""
    shutil.copytree(ROOT / "nvlab", pathlib.Path(folder) / "nvlab", ignore=shutil.ignore_patterns("__pycache__", "*.c", "*.html"))
    return folder


def untraced(folder):
    """The same, its hot modules built with NVLAB_NO_TRACE: an nvlab without tracing."""
    from Cython.Build import cythonize
    from setuptools import Extension

    core = pathlib.Path(as_it_is(folder)) / "nvlab" / "_core"
    for name in HOT:
        for old in core.glob(f"{name}.*.so"):
            old.unlink()
    extensions = [Extension(f"nvlab._core.{name}", [f"nvlab/_core/{name}.pyx"], include_dirs=[str(core)],
                            define_macros=[("NVLAB_NO_TRACE", "1")], extra_compile_args=["-O3"]) for name in HOT]
    here = os.getcwd()
    os.chdir(folder)                             # where names of sources and of packages agree
    try:
        with tempfile.TemporaryDirectory(prefix="nvlab-bench-") as scratch:
            _compile(cythonize(extensions, quiet=True, build_dir=scratch), folder, scratch)
    finally:
        os.chdir(here)
    return folder


def _compile(extensions, folder, scratch=None):
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    command = build_ext(Distribution({"ext_modules": extensions}))
    command.build_lib, command.build_temp = str(folder), str(scratch or folder)
    command.ensure_finalized()
    command.run()
