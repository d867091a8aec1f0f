"""PRP1, PRP2 and PRP lists: how a command says where its data is (base 2.0c 4.1.1)."""
import numpy as np

from nvlab.spec.errors import UsageError


class Prp:
    """The two PRP fields of a command, and the list pages that they need; keep it until the command has completed."""

    __slots__ = ("prp1", "prp2", "lists")

    def __init__(self, prp1=0, prp2=0, lists=()):
        self.prp1, self.prp2, self.lists = prp1, prp2, lists

    def __repr__(self):
        return f"Prp(prp1={self.prp1:#x}, prp2={self.prp2:#x}, {len(self.lists)} list pages)"


def build_prp(dma, iova, length, page=4096):
    """Describe `length` bytes at `iova`, contiguous in bus addresses. Returns a Prp; list pages come from `dma`.

    Raises UsageError when the address is not aligned to a dword or the length is not positive.
    """
    if iova & 3:
        raise UsageError(f"PRP1 = {iova:#x}: a PRP entry must be aligned to a dword, its two lowest bits 0 (base 2.0c 4.1.1)")
    if length <= 0:
        raise UsageError(f"a transfer of {length} bytes: the length must be positive")
    first = page - iova % page
    if length <= first:
        return Prp(iova)
    second = iova + first
    if length - first <= page:
        return Prp(iova, second)
    pages = np.arange(second, iova + length, page, dtype=np.uint64)
    lists = build_lists(dma, pages, page)
    return Prp(iova, lists[0].iova, lists)


def build_lists(dma, pages, page=4096):
    """Put page addresses into as many PRP list pages as they take; the last entry of a full one points to the next."""
    per_list = page // 8
    lists, at = [], 0
    while at < len(pages):
        rest = len(pages) - at
        take = rest if rest <= per_list else per_list - 1
        buffer = dma.alloc(page, align=page)
        buffer.view(np.uint64)[:take] = pages[at:at + take]
        lists.append(buffer)
        at += take
    for full, following in zip(lists, lists[1:]):
        full.view(np.uint64)[per_list - 1] = following.iova
    return lists
