"""What a page shows of a view when there is no kernel behind it: a still picture beside the widget, in an output of its own.

A saved notebook holds the widget's number, not its state, and JupyterLab shows "model not found" for it. So a cell that
shows a view has two outputs: the widget, and a picture as HTML (class `nvl-static`). The picture hides while the widget
lives, the widget's error hides behind the picture, and where a notebook isn't trusted only the picture is left of both.
"""

import base64
import contextlib
import sys
from html import escape

# JupyterLab's widget renderer is a lumino panel: with a child once the widget lives, and with the class jupyter-widgets
# and nothing but text once it failed. In between it loads, which without any kernel lasts for ever: then the picture
# comes after a while.
RULES = """
.jp-OutputArea-child:has(+.jp-OutputArea-child .nvl-static)>.jp-OutputArea-output.jupyter-widgets:not(:has(*)){display:none}
.jp-OutputArea-child:has(>.lm-Panel.jp-OutputArea-output:not(.jupyter-widgets):has(*))+.jp-OutputArea-child:has(.nvl-static){display:none}
.jp-OutputArea-child:has(>.lm-Panel.jp-OutputArea-output:not(.jupyter-widgets):not(:has(*)))+.jp-OutputArea-child .nvl-static{animation:nvl-late 5s step-end}
@keyframes nvl-late{from{max-height:0;overflow:hidden}}
""".strip().replace("\n", "")
NOTE = "A still picture from when the cell ran; run the cell again to bring it to life."


def page_there() -> bool:
    """Whether a page may show the output of the cell that runs.

    False under nbconvert --execute and the like: they forbid questions to the user, as nobody is there, and a widget in
    their result would stay blank unless the reader's browser can fetch its manager from the network.
    """
    with contextlib.suppress(Exception):             # no IPython, no kernel, no cell: nothing speaks against a page
        request = sys.modules["IPython"].get_ipython().kernel.get_parent("shell")
        return request["content"].get("allow_stdin", True)
    return True


def mime(picture) -> str:
    """The type of a picture: one element of SVG, or HTML."""
    return "image/svg+xml" if picture.lstrip().startswith("<svg") else "text/html"


def html(picture, text, token="", note="") -> str:
    """A picture as HTML that also survives where a notebook isn't trusted: SVG as an image, with `text` in its place if need be."""
    if mime(picture) == "image/svg+xml":
        data = base64.b64encode(picture.encode()).decode()
        picture = f'<img alt="{escape(text.splitlines()[0] if text else "")}" src="data:image/svg+xml;base64,{data}" style="max-width:100%">'
    style = f"<style>{RULES}</style>" if token else ""
    below = f'<div style="font-size:12px;opacity:.75">{escape(note)}</div>' if note else ""
    return f'<div class="nvl-static" data-nvl="{token}">{style}{picture}{below}</div>'


def show(widget, picture, text, token):
    """Display a widget's view ({mime: data}, metadata) and its still picture; where no page is there, the picture alone."""
    from IPython.display import display

    if not page_there():
        display({"text/plain": text, "text/html": html(picture, text)}, raw=True)
        return
    data, metadata = widget
    display({**data, "text/plain": ""}, metadata=metadata, raw=True)
    display({"text/plain": text, "text/html": html(picture, text, token, NOTE)}, raw=True)
