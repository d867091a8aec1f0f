"""The house rules: imports point one way, files stay short, the top level stays tidy."""
import ast
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
MAX_LINES = 500
COUNTED = {".py", ".pyx", ".pxd", ".pxi", ".js", ".css", ".h"}
TOP = {".ci", ".gitignore", "LICENSE", "README.md", "_core", "binder", "notebooks", "nvlab", "pyproject.toml", "tests"}

ORDER = ("spec",), ("_core",), ("bdev",), ("host", "target"), ("pci",), ("trace",), ("tools",), ("lab",)
"""Each package may import those before it, and itself."""

RANK = {package: rank for rank, packages in enumerate(ORDER) for package in packages}
USES_TOP = {"tools", "lab"}
"""Who may import nvlab itself, where attach() and probe() are."""

EXCEPTIONS = {"bdev/nvme.py": {"host", "pci"}, "pci/embedded.py": {"host", "target"}}
"""File -> what it may import beyond its package's rule: the two places that join the halves."""

CYTHON_IMPORT = re.compile(r"^\s*(?:from\s+(?P<source>[\w.]+)\s+c?import\s+(?P<names>\([^)]*\)|[^\n#]*)|c?import\s+(?P<plain>[\w., ]+))",
                           re.MULTILINE)


def tracked():
    """The files of the repository, as paths relative to ROOT; without git, all but what a build leaves behind."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
        names = [name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        skip = {"build", "dist", "__pycache__"}
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.suffix in COUNTED
                 and not skip & set(path.relative_to(ROOT).parts) and not path.is_symlink()]
    return [pathlib.PurePosixPath(name) for name in names if (ROOT / name).exists()]


def sources():
    """(package, path in it, absolute path) of every Python and Cython file of nvlab."""
    for directory in sorted({*RANK}):
        for path in sorted((ROOT / "nvlab" / directory).rglob("*")):
            if path.suffix in (".py", ".pyx", ".pxd", ".pxi"):
                yield directory, f"{directory}/{path.relative_to(ROOT / 'nvlab' / directory)}", path


def python_imports(text, package):
    """The modules that a Python file of `package` (dotted) imports, as dotted names."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[:len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def cython_imports(text):
    """The same of a Cython file, cimports included."""
    for found in CYTHON_IMPORT.finditer(text):
        if found["source"]:
            yield found["source"]
            names = re.sub(r"[()\\]", " ", found["names"])
            yield from (f"{found['source']}.{name.split()[0]}" for name in names.split(",") if name.strip())
        else:
            yield from (name.split()[0] for name in found["plain"].split(",") if name.strip())


def imported_packages(path, where):
    """The packages of nvlab that the file imports; "" is nvlab itself."""
    text = path.read_text()
    package = ".".join(["nvlab", *pathlib.PurePosixPath(where).parent.parts])
    names = set(python_imports(text, package) if path.suffix == ".py" else cython_imports(text))
    packages = {name.split(".")[1] for name in names if name.startswith("nvlab.") and name.split(".")[1] in RANK}
    top = any(name == "nvlab" for name in names) and not any(
        name.startswith("nvlab.") and name.split(".")[1] in RANK for name in names)
    strange = {name for name in names if name.startswith("nvlab.") and name.split(".")[1] not in RANK}
    return packages | ({""} if top or strange else set())


def allowed(package, where):
    """What a file may import."""
    before = {other for other, rank in RANK.items() if rank < RANK[package]}
    if package == "pci":
        before -= {"host", "target"}
    return before | {package} | EXCEPTIONS.get(where, set()) | ({""} if package in USES_TOP else set())


FILES = list(sources())


@pytest.mark.parametrize("package, where, path", FILES, ids=[where for _, where, _ in FILES])
def test_imports_point_one_way(package, where, path):
    wrong = imported_packages(path, where) - allowed(package, where)
    assert not wrong, f"nvlab/{where} may not import {sorted(f'nvlab.{name}'.rstrip('.') for name in wrong)}"


def test_the_rule_would_notice():
    assert set(python_imports("from ..target import nvm", "nvlab.host")) == {"nvlab.target", "nvlab.target.nvm"}
    assert set(python_imports("from . import status", "nvlab.spec")) == {"nvlab.spec", "nvlab.spec.status"}
    text = "from nvlab._core cimport nvme\nfrom nvlab.host.x cimport (a,\n  b as c)\n    import nvlab.lab\n"
    assert set(cython_imports(text)) == {"nvlab._core", "nvlab._core.nvme", "nvlab.host.x", "nvlab.host.x.a", "nvlab.host.x.b",
                                         "nvlab.lab"}
    assert "target" not in allowed("host", "host/pcie.py") and "host" not in allowed("target", "target/pcie.py")
    assert "spec" in allowed("_core", "_core/memory.pyx") and "_core" not in allowed("spec", "spec/fields.py")


def test_no_file_is_too_long():
    long = {str(name): count for name in tracked() if name.suffix in COUNTED
            and (count := len((ROOT / name).read_text().splitlines())) > MAX_LINES}
    assert not long, f"over {MAX_LINES} lines: {long}"


def test_the_top_level_is_tidy():
    assert {name.parts[0] for name in tracked()} <= TOP


def test_every_package_is_built():
    import tomllib
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(settings["packages"]) == {"nvlab", *(f"nvlab.{package}" for package in RANK)}
    extensions = {module["name"].rsplit(".", 1)[1] for module in settings["ext-modules"]}
    assert {path.stem for path in (ROOT / "_core").glob("*.pyx")} <= extensions
