"""A notebook open in JupyterLab, as a test holds it: run all, look at outputs, find the widgets."""

import nbformat

READY = """async () => {
  const app = window.jupyterapp, panel = app?.shell?.currentWidget;
  if (!panel?.context) return false;
  await panel.context.ready;
  await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) return false;
  await kernel.info;
  return panel.content.widgets.length > 0;
}"""
CELLS = """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells
  .filter((c) => c.cell_type === 'code')
  .map((c) => ({ count: c.execution_count, source: c.source, errors: c.outputs.filter((o) => o.output_type === 'error')
                 .map((o) => `${o.ename}: ${o.evalue}`) }))"""


def write(path, *sources):
    """A notebook file of these code cells."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)
    return path


class Notebook:
    """A notebook in a page of a `Lab`."""

    def __init__(self, page, lab, name, dark=False):
        self.page = page
        page.goto(lab.url(name))
        page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.context", timeout=60_000)
        page.wait_for_function(READY, timeout=60_000)
        page.evaluate("(theme) => { window.jupyterapp.commands.execute('apputils:change-theme', {theme}); }",
                      "JupyterLab Dark" if dark else "JupyterLab Light")
        page.wait_for_function("(light) => document.body.dataset.jpThemeLight === light", arg="false" if dark else "true")

    def command(self, name):
        """Start a command of JupyterLab without waiting for it."""
        self.page.evaluate("(name) => { window.jupyterapp.commands.execute(name); }", name)

    def run_all(self, timeout=90_000):
        """Run every cell; fails with the first error a cell showed."""
        self.command("notebook:run-all-cells")
        self.settle(timeout)

    def settle(self, timeout=90_000):
        """Wait until each code cell has run, or one failed."""
        self.page.wait_for_function(f"""() => {{ const cells = ({CELLS})().filter((c) => c.source.trim());
            return cells.some((c) => c.errors.length) || cells.every((c) => c.count); }}""", timeout=timeout)
        bad = [(c["source"], e) for c in self.page.evaluate(CELLS) for e in c["errors"]]
        assert not bad, "\n".join(f"{error}\nin cell:\n{source}" for source, error in bad)

    def show(self, selector):
        """The first element matching, scrolled into sight."""
        found = self.page.locator(selector).first
        found.wait_for(state="attached")
        found.scroll_into_view_if_needed()
        return found
