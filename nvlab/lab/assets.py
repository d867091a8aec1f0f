"""What the browser is sent besides data: our scripts and styles, and the libraries shared by all widgets of a session."""

import functools
import gzip
import json
import pathlib

import ipywidgets
import traitlets

_HERE = pathlib.Path(__file__).parent


@functools.cache
def text(*names: str) -> str:
    """The named files of this package, joined: a front end takes a widget's module in one piece."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)


def script(*names: str) -> str:
    """A widget's module: what all views share, then the named files."""
    return text("view.js", *names)


def style(*names: str) -> str:
    """A widget's style sheet: what all views share, then the named files."""
    return text("view.css", *names)


class Library(ipywidgets.Widget):
    """A gzipped text that widgets of this session refer to, so that it crosses the wire once."""

    version = traitlets.Unicode().tag(sync=True)
    gz = traitlets.Bytes().tag(sync=True)

    _kept: dict = {}

    @classmethod
    def get(cls, name: str, version: str, read) -> "Library":
        """The library `name`, made from `read()` (bytes) when first asked for, and again if its comm was closed."""
        kept = cls._kept.get(name)
        if kept is None or kept.comm is None or kept.version != version:
            kept = cls._kept[name] = cls(version=version, gz=gzip.compress(read(), 6, mtime=0))
        return kept


def bokeh_library() -> Library:
    """BokehJS as the installed bokeh package carries it: no CDN, so it works offline (about 350 KB gzipped)."""
    import bokeh

    script = pathlib.Path(bokeh.__file__).parent / "server/static/js/bokeh.min.js"
    return Library.get("bokeh", bokeh.__version__, script.read_bytes)


def tables_library() -> Library:
    """The field tables of the standard, with which the browser decodes an entry without asking the kernel."""
    from nvlab.spec import commands

    return Library.get("tables", "2.0", lambda: json.dumps(commands.fields_json()).encode())


def registers_library() -> Library:
    """The registers of the standard by their offset, for the browser to decode an access: {offset: {name, size, title, cite,
    doc, access, fields: [{name, lo, hi, title, values}]}}."""
    from nvlab.spec import registers

    def field(f):
        return {"name": f.name, "lo": f.lo, "hi": f.hi, "title": f.title, "values": f.values, "unit": f.unit and str(f.unit)}

    def read():
        table = {r.offset: {"name": r.name, "size": r.size, "title": r.title, "cite": r.cite, "access": r.access,
                            "fields": [field(f) for f in r.fields]} for r in registers.ALL.values()}
        return json.dumps(table).encode()

    return Library.get("registers", "2.0", read)
