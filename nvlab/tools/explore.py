"""`nvlab explore`: open JupyterLab on a notebook made for one controller, with all its views in one app."""

import json
import pathlib
import tempfile

from . import ahead, lab

__all__ = ["add_parser", "notebook", "run"]

NAME = "explore.ipynb"


def add_parser(subparsers):
    """Add `explore` to an argparse subparsers object."""
    parser = subparsers.add_parser(
        "explore", help="open all views of a controller in JupyterLab",
        description="Start JupyterLab on a notebook made for the controller at ADDRESS, run already: the page opens on the explorer.")
    parser.add_argument("address", nargs="?", default="embedded", metavar="ADDRESS", help="where the controller is (embedded)")
    lab.add_server_options(parser)
    parser.set_defaults(run=run)
    return parser


def run(args) -> int:
    """Start JupyterLab and serve until it is stopped; the notebook is gone then. Returns 0. Raises UsageError, as nvlab lab does."""
    from nvlab import pci

    pci.parse(args.address)                      # what can't be an address is told here, and not in the browser

    async def prepare(app):
        failed = await ahead.run_ahead(app, root / NAME)
        return failed and f"Press Shift+Enter in the notebook; it could not be run beforehand ({failed})."

    with tempfile.TemporaryDirectory(prefix="nvlab-explore-") as folder:
        root = pathlib.Path(folder).resolve()
        (root / NAME).write_text(notebook(args.address), encoding="utf-8")
        return lab.serve(args, root, root / NAME, f"nvlab explore {args.address}", prepare)


def notebook(address) -> str:
    """The notebook that explores `address`, as a file has it."""
    source = f"# Shift+Enter begins anew\nimport nvlab\n\nexplorer = nvlab.explore({address!r})\nexplorer"
    cell = {"cell_type": "code", "id": "explore", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return json.dumps({"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"
