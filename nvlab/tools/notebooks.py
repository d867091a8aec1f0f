"""`nvlab notebooks`: copy the course to a directory of one's own, and never over somebody's work."""

import importlib.metadata
import pathlib
import shutil

from nvlab.spec.errors import UsageError

__all__ = ["add_parser", "copy", "course", "run"]

COPIED = "nvlab-notebooks"
NEW, SAME, KEPT, REPLACED = "copied", "there already", "kept: it was changed", "replaced"


def add_parser(subparsers):
    """Add `notebooks` to an argparse subparsers object."""
    parser = subparsers.add_parser(
        "notebooks", help="copy the course's notebooks to a directory",
        description="Copy the course's notebooks to a directory. A notebook that is there already, and differs, is somebody's work: "
                    "it stays, unless --force is given.")
    parser.add_argument("directory", nargs="?", default=COPIED, metavar="DIR", help=f"where to (./{COPIED}); made when it isn't there")
    parser.add_argument("--force", action="store_true", help="replace notebooks that were changed")
    parser.set_defaults(run=run)
    return parser


def run(args) -> int:
    """Copy, tell what became of each notebook. Returns 0. Raises UsageError when there are none, or DIR can't be written."""
    target = pathlib.Path(args.directory)
    done = copy(course(), target, args.force)
    width = max(map(len, done))
    for name, what in done.items():
        print(f"{name:<{width}}  {what}")
    if KEPT in done.values():
        print("\nNotebooks that were changed stay as they are; --force replaces them.")
    print(f"\nThe course is in {target}. To begin: nvlab lab {target / min(done)}")
    return 0


def course() -> list[pathlib.Path]:
    """The notebooks of the course in reading order: of the source checkout, or as a wheel brought them. Raises UsageError."""
    found = in_checkout() or installed()
    if not found:
        raise UsageError("the notebooks are not installed beside nvlab: run this in a checkout of the project, or install nvlab from a wheel")
    return found


def in_checkout() -> list[pathlib.Path]:
    """The notebooks of the checkout that this file is in, if it is in one."""
    return sorted((pathlib.Path(__file__).resolve().parents[2] / "notebooks").glob("[0-9][0-9]-*.ipynb"))


def installed() -> list[pathlib.Path]:
    """The notebooks that a wheel brought along (share/nvlab/notebooks)."""
    try:
        files = importlib.metadata.files("nvlab") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = [pathlib.Path(file.locate()).resolve() for file in files if file.match("share/nvlab/notebooks/*.ipynb")]
    return sorted(path for path in found if path.is_file())


def copy(sources, target, force=False) -> dict[str, str]:
    """Copy notebooks to the directory `target`. Returns {name: what became of it}.

    One that is there and differs stays, unless `force`. Raises UsageError when the directory can't be written.
    """
    done = {}
    try:
        target.mkdir(parents=True, exist_ok=True)
        for source in sources:
            place = target / source.name
            done[source.name] = _fate(source, place, force)
            if done[source.name] in (NEW, REPLACED):
                shutil.copyfile(source, place)
    except OSError as error:
        raise UsageError(f"the notebooks can't be copied to {target}: {error.strerror}; choose a directory that can be written") from error
    return done


def _fate(source, place, force):
    if not place.exists():
        return NEW
    if place.read_bytes() == source.read_bytes():
        return SAME
    return REPLACED if force else KEPT
