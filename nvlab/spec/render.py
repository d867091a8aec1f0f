"""Tables for people: the same rows as plain text (repr, terminals) and as HTML (notebooks).

    >>> print(Table("CSTS", ("Bits", "Field"), [("0", "RDY"), ("1", "CFS")]).text())
    CSTS
    Bits  Field
    0     RDY
    1     CFS
"""

from html import escape

__all__ = ["Table", "counted", "hexadecimal", "mimebundle"]

_CELL = "text-align:left;padding:1px 10px 1px 4px;vertical-align:top"
_NUMBER = _CELL + ";font-family:monospace;white-space:nowrap"


def hexadecimal(value, size):
    """`value` as 0x… with the digits of `size` bytes."""
    return f"{int(value):#0{2 + 2 * size}x}"


def counted(number, noun):
    """`number` of a thing, in words: counted(1, "block") is "1 block", counted(2, "block") is "2 blocks"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class Table:
    """A titled table: `columns` are the headings, `rows` tuples of as many cells (anything with a str).

    `numbers` names the columns to set in monospace; `note` is a line below.
    """

    def __init__(self, title, columns, rows, numbers=(), note=""):
        self.title, self.columns, self.note = title, tuple(columns), note
        self.rows = [tuple("" if cell is None else str(cell) for cell in row) for row in rows]
        self.numbers = frozenset(numbers)

    def text(self):
        """The table as lines of text, without trailing blanks."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        out = [self.title] if self.title else []
        out += ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
        if self.note:
            out.append(self.note)
        return "\n".join(out)

    def html(self):
        """The table as HTML; every cell is escaped."""
        styles = [_NUMBER if column in self.numbers else _CELL for column in self.columns]
        out = ['<table style="border-collapse:collapse">']
        if self.title:
            out.append(f'<caption style="{_CELL};font-weight:bold;white-space:nowrap">{escape(self.title)}</caption>')
        heads = "".join(f'<th style="{_CELL}">{escape(column)}</th>' for column in self.columns)
        out.append(f"<thead><tr>{heads}</tr></thead><tbody>")
        for row in self.rows:
            cells = "".join(f'<td style="{style}">{escape(cell)}</td>' for style, cell in zip(styles, row))
            out.append(f"<tr>{cells}</tr>")
        out.append("</tbody></table>")
        if self.note:
            out.append(f"<div>{escape(self.note)}</div>")
        return "".join(out)


def mimebundle(table):
    """What a notebook shows for `table`: HTML, and text where there is no HTML."""
    return {"text/plain": table.text(), "text/html": table.html()}
