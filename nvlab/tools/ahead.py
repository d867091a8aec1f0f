"""Run a notebook's cells before a page shows it, in the kernel that the page will find, so that it opens ready made.

The server that is about to start begins the session, as it would for the page: JupyterLab looks for one by the notebook's
path, and takes it. The outputs are in the file by then, and what the widgets show is fetched from that kernel (ipywidgets'
`request_states`), as after a reload. The file is signed, as one that was run in the page is: widgets in others aren't drawn.
"""

import asyncio

__all__ = ["run_ahead"]

SECONDS = 60.0
"""How long the cells may take, kernel and all; what takes longer is left to the page."""


async def run_ahead(app, path, seconds=SECONDS) -> str:
    """Run all code cells of the notebook at `path`, a pathlib.Path under the root of the jupyter_server.ServerApp `app`.

    Ends at the first cell that fails; its error is in the notebook, as in a page. Returns "", or why the cells could not be run
    here: a server whose kernels are elsewhere, no kernel of that name, no end within `seconds`. The notebook stays as it was then.
    """
    import nbformat

    book = nbformat.read(path, as_version=4)
    try:
        await asyncio.wait_for(_run(app, path.name, book), seconds)
    except Exception as error:                       # whatever fails here, the page can still be opened and the cell run in it
        return f"{type(error).__name__}: {error}" if str(error) else f"{type(error).__name__} after {seconds:.0f} s"
    nbformat.write(book, path)
    app.contents_manager.notary.sign(nbformat.read(path, as_version=4))   # as the server will read it
    return ""


async def _run(app, name, book):
    spec = book.metadata["kernelspec"]["name"]
    session = await app.session_manager.create_session(path=name, name=name, type="notebook", kernel_name=spec)
    client = app.kernel_manager.get_kernel(session["kernel"]["id"]).client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=SECONDS)
        for cell in book.cells:
            if cell.cell_type == "code" and not await _run_cell(client, cell):
                break
    finally:
        client.stop_channels()


async def _run_cell(client, cell) -> bool:
    """Run `cell` and give it its outputs and number, as a page would. Returns whether it succeeded."""
    from nbformat.v4 import output_from_msg

    outputs, before = [], client.session.metadata

    def keep(message):
        if message["msg_type"] in ("stream", "display_data", "execute_result", "error"):
            outputs.append(output_from_msg(message))
    client.session.metadata = {**before, "cellId": cell.id}        # how the kernel knows one run of a cell from the next
    try:
        reply = await client.execute_interactive(cell.source, allow_stdin=True, output_hook=keep)   # as in a page, for which views are drawn
    finally:
        client.session.metadata = before
    cell.outputs, cell.execution_count = outputs, reply["content"].get("execution_count")
    return reply["content"]["status"] == "ok"
