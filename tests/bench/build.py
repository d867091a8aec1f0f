"""Compile the yardsticks of this folder on demand, outside the tree, with the same compiler and flags as the core."""
import importlib.util
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent


def load(name):
    """The module tests/bench/NAME.pyx, compiled."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    with tempfile.TemporaryDirectory(prefix="nvlab-bench-") as folder:
        folder = pathlib.Path(folder)
        source = folder / f"{name}.pyx"
        shutil.copy(HERE / f"{name}.pyx", source)
        extension = Extension(name, [str(source)], include_dirs=[str(ROOT / "_core")], extra_compile_args=["-O3"])
        extensions = cythonize([extension], include_path=[str(ROOT)], quiet=True)
        command = build_ext(Distribution({"ext_modules": extensions}))
        command.build_lib = command.build_temp = str(folder)
        command.ensure_finalized()
        command.run()
        path = next(folder.glob(f"{name}*.so"))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
        return module
