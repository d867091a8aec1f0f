"""`nvlab lab`: start JupyterLab on the first notebook of the course."""

import os
import pathlib
import sys
import webbrowser

from nvlab.spec.errors import UsageError

from . import notebooks

__all__ = ["add_parser", "add_server_options", "find_notebooks", "run", "serve"]

FIRST = "00-tour.ipynb"
COPIED = notebooks.COPIED


def add_parser(subparsers):
    """Add `lab` to an argparse subparsers object."""
    parser = subparsers.add_parser(
        "lab", help="open the notebooks in JupyterLab",
        description="Start JupyterLab on the first notebook. Without a browser it prints the URL to open elsewhere.")
    parser.add_argument("notebook", nargs="?", default=FIRST, help=f"which notebook ({FIRST})")
    add_server_options(parser)
    parser.set_defaults(run=run)
    return parser


def add_server_options(parser):
    """Add what any command that starts JupyterLab takes."""
    parser.add_argument("--ip", help="the address to listen on (localhost; 0.0.0.0 to be reached from outside a container)")
    parser.add_argument("--port", type=int, help="the port to listen on (8888, or the next free one)")
    parser.add_argument("--no-browser", action="store_true", help="only print the URL")
    parser.add_argument("--jupyter", action="append", default=[], metavar="OPTION",
                        help="an option for JupyterLab itself, as in --jupyter=--ServerApp.token=x")


def run(args) -> int:
    """Start JupyterLab and serve until it is stopped. Returns 0.

    Raises UsageError when JupyterLab is not installed or the notebook can't be found.
    """
    root, path = find_notebooks(args.notebook)
    return serve(args, root, path, f"nvlab lab: {path.relative_to(root)}")


def serve(args, root, path, title, prepare=None) -> int:
    """Start JupyterLab in the directory `root`, open on `path`, and serve until it is stopped. Returns 0.

    `prepare` is a coroutine function, called with the server before anybody is told its address; what it returns is said below
    `title`. Raises UsageError without JupyterLab.
    """
    try:
        from jupyterlab.labapp import LabApp
    except ImportError as error:
        raise UsageError(f"this needs JupyterLab, and {error.name} is not installed: pip install 'nvlab[lab]'") from error
    browser = has_browser() and not args.no_browser
    app = LabApp.initialize_server(argv=jupyter_options(args, root, path, browser))
    app.web_app.settings.setdefault("page_config_hook", without_question)
    said = app.io_loop.run_sync(lambda: prepare(app)) if prepare else ""
    print("\n".join(filter(None, (f"\n{title}", said))), end="\n\n")
    print(f"    {app.display_url.splitlines()[0].strip()}\n", flush=True)
    if not browser:
        print("Open that address in a browser; Ctrl-C here ends the lab.\n", flush=True)
    app.start()
    return 0


def without_question(handler, page) -> dict:
    """A page's configuration, without the question for Jupyter's news that a first page otherwise has over its corner."""
    asked = "@jupyterlab/apputils-extension:announcements"
    return {**page, "disabledExtensions": [*(name for name in page.get("disabledExtensions", ()) if name != asked), asked]}


def jupyter_options(args, root, path, browser) -> list[str]:
    """The command line for JupyterLab."""
    place = path.relative_to(root).as_posix()
    options = [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{place}"]
    options += ["--Application.log_level=WARN"]     # so that the address stands out; --jupyter=--debug shows more
    options += [f"--ServerApp.ip={args.ip}"] if args.ip else []
    options += [f"--ServerApp.port={args.port}"] if args.port else []
    options += [] if browser else ["--no-browser"]
    options += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return options + args.jupyter


def has_browser() -> bool:
    """Whether a browser with a window could be opened from here."""
    if sys.platform.startswith("linux") and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))):
        return False                     # what is left are browsers of the terminal, which would take this one over
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def find_notebooks(name=FIRST) -> tuple[pathlib.Path, pathlib.Path]:
    """(directory to serve, notebook). In a source checkout the notebooks are used where they are.

    Installed from a wheel they are first copied to ./nvlab-notebooks, so that they can be changed; files that are there
    already stay as they are. Raises UsageError when there is no such notebook.
    """
    given = pathlib.Path(name)
    if given.is_file():
        given = given.resolve()
        return given.parent, given
    checkout = pathlib.Path(__file__).resolve().parents[2]
    if (checkout / "notebooks" / FIRST).is_file():
        return checkout, _named(checkout / "notebooks", name)
    installed = notebooks.installed()
    if not installed:
        raise UsageError(f"the notebooks are not installed beside nvlab ({checkout}): run nvlab lab in a checkout of the "
                         "project, or give the path of a notebook")
    target = pathlib.Path(COPIED).resolve()
    _named(installed[0].parent, name)
    notebooks.copy(installed, target)
    return target, _named(target, name)


def _named(folder, name):
    path = folder / (name if name.endswith(".ipynb") else f"{name}.ipynb")
    matches = [path] if path.is_file() else sorted(folder.glob(f"{name}*.ipynb"))   # "01" is enough
    if not matches:
        there = ", ".join(sorted(p.name for p in folder.glob("*.ipynb")))
        raise UsageError(f"no notebook {name!r} in {folder}: there are {there}")
    return matches[0]
