# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=False
"""DMA memory: a pool that is mapped once, buffers that know their IOVA, and the checked way back from IOVA to memory.

An IOVA is never a plain pointer. Whatever a driver, a person or a hostile peer puts into a PRP goes through
`IovaMap` first, so a wrong address gives the status that the standard gives it and can't touch the process.
"""
import bisect
import collections
import mmap
import threading

import numpy as np

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport uint8_t, uint64_t, uintptr_t
from libc.string cimport memset, memcpy

from nvlab.spec.errors import UsageError

PAGE = 4096
"""Bytes in a memory page here: CC.MPS = 0."""

DEFAULT_BASE = 0x1_0000_0000
"""Where a pool's IOVAs begin unless told otherwise: above 4 GiB, so that a driver that drops PRP's upper dword shows."""


cdef class IovaMap:
    """A table of at most 64 mapped regions: IOVA, size in bytes, memory."""

    def __cinit__(self):
        memset(&self.table, 0, sizeof(iova_map_t))
        self.owners = []

    def add(self, uint64_t iova, memory):
        """Map the writable buffer `memory` at `iova`. Raises UsageError on overlap, wrap-around or a full table."""
        cdef uint8_t[::1] view = memory
        cdef uint64_t size = view.shape[0]
        cdef int i, n = self.table.count
        if size == 0 or iova + size < iova:
            raise UsageError(f"cannot map {size} bytes at IOVA {iova:#x}: the range is empty or wraps past 2**64")
        for i in range(n):
            if iova < self.table.regions[i].iova + self.table.regions[i].size and self.table.regions[i].iova < iova + size:
                raise UsageError(f"cannot map {size} bytes at IOVA {iova:#x}: it overlaps the region at "
                                 f"{self.table.regions[i].iova:#x}; unmap that first or choose another address")
        if n == 64:
            raise UsageError("cannot map another region: the IOVA table holds 64; unmap one first")
        self.table.regions[n].iova = iova
        self.table.regions[n].ptr = &view[0]
        self.table.regions[n].size = size
        self.owners.append(memoryview(memory))     # an exported buffer: an mmap can't be closed underneath us
        self.table.count = n + 1               # published last: a polling drive may be reading the table

    def translate(self, uint64_t iova, uint64_t length=1):
        """True when [iova, iova + length) lies within one mapped region."""
        return iova_translate(&self.table, iova, length) != NULL

    def read(self, uint64_t iova, uint64_t length):
        """Copy `length` bytes at `iova`. Raises UsageError when they are not all mapped."""
        cdef uint8_t *p = iova_translate(&self.table, iova, length)
        if p == NULL:
            raise UsageError(f"IOVA {iova:#x}+{length} is not mapped; mapped are {self!r}")
        return (<char *>p)[:length]

    def write(self, uint64_t iova, data):
        """Copy the bytes of `data` to `iova`. Raises UsageError when the range is not all mapped."""
        cdef const uint8_t[::1] view = data
        cdef uint64_t length = view.shape[0]
        cdef uint8_t *p = iova_translate(&self.table, iova, length)
        if p == NULL:
            raise UsageError(f"IOVA {iova:#x}+{length} is not mapped; mapped are {self!r}")
        if length:
            memcpy(p, &view[0], length)

    @property
    def regions(self):
        """[(iova, size in bytes)] of all mapped regions."""
        return [(self.table.regions[i].iova, self.table.regions[i].size) for i in range(self.table.count)]

    def __repr__(self):
        return "IovaMap(" + ", ".join(f"{a:#x}+{n:#x}" for a, n in self.regions) + ")"


cdef class Allocation:
    """The piece of a pool that one or more DmaBuffers share; returns itself when the last of them goes."""

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.ptr, <Py_ssize_t>self.size, 0, flags)

    def __dealloc__(self):
        if self.pool is not None:
            self.pool.returned.append((self.offset, self.span))

    @property
    def address(self):
        return <uintptr_t>self.ptr


class DmaBuffer(np.ndarray):
    """Bytes that a drive can reach: a numpy array (uint8 unless viewed otherwise) with an IOVA.

    Slices and views share the memory and know their own `iova`. Results of arithmetic are ordinary copies without one.
    """

    _allocation = None

    def __array_finalize__(self, obj):
        self._allocation = getattr(obj, "_allocation", None)

    @property
    def iova(self):
        """Bus address of the first byte. Raises UsageError for a copy that is not in DMA memory."""
        a = self._allocation
        offset = self.__array_interface__["data"][0] - a.address if a is not None else -1
        if a is None or not 0 <= offset <= a.size:
            raise UsageError("this array is a copy in ordinary memory: only buffers from alloc(), and slices of them, have an IOVA")
        return a.iova + offset

    def __repr__(self):
        try:
            where = f"iova={self.iova:#x}"
        except UsageError:
            return np.asarray(self).__repr__()
        head = self.view(np.ndarray).reshape(-1).view(np.uint8)[:16].tobytes() if self.flags.c_contiguous else b""
        return f"DmaBuffer({self.nbytes} bytes, {where}, {head.hex(' ')}{' ...' if self.nbytes > 16 else ''})"

    __str__ = __repr__


cdef class DmaPool:
    """A span of DMA memory and its allocator.

    `memory` is a writable buffer that the drive reaches at IOVA `base` (guest RAM, say); without it the pool maps
    `size` bytes of anonymous memory, which cost nothing until touched. `first` bytes at the start are never given out.
    """

    def __init__(self, size=256 << 20, base=DEFAULT_BASE, memory=None, first=0):
        cdef uint8_t[::1] view
        if memory is None:
            if size <= 0 or size % PAGE:
                raise UsageError(f"DMA pool of {size} bytes: the size must be a positive multiple of {PAGE}")
            memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)     # a fork has its own
        view = memory
        self.memory = memory
        self.ptr = &view[0]
        self.size = view.shape[0]
        self.base = base
        self.first = first
        self.map = IovaMap()
        self.map.add(base, memory)
        self.free_list = [(first, self.size - first)]
        self.returned = collections.deque()
        self.lock = threading.Lock()

    def alloc(self, nbytes, align=PAGE, zero=True):
        """A DmaBuffer of `nbytes`, aligned to `align` bytes (a power of two, at least 4 KiB granules).

        Raises UsageError when the size is not positive or the pool has no such span left.
        """
        cdef Allocation a
        nbytes = int(nbytes)
        if nbytes <= 0 or align <= 0 or align & (align - 1):
            raise UsageError(f"alloc({nbytes}, align={align}): the size must be positive and the alignment a power of two")
        align = max(align, PAGE)
        span = -(-nbytes // PAGE) * PAGE
        with self.lock:
            self._take_back()
            offset = self._carve(span, align)
        if offset is None:
            raise UsageError(f"no {nbytes} contiguous bytes left in the DMA pool of {self.size >> 20} MiB "
                             f"({self.available >> 20} MiB free): release buffers, or open the drive with a larger dma= option")
        a = Allocation.__new__(Allocation)
        a.pool, a.offset, a.span, a.size = self, offset, span, nbytes
        a.iova = self.base + <uint64_t>offset
        a.ptr = self.ptr + <uint64_t>offset
        if zero:
            memset(a.ptr, 0, span)
        buffer = np.frombuffer(a, dtype=np.uint8).view(DmaBuffer)
        buffer._allocation = a
        return buffer

    def _carve(self, span, align):
        """Take the first free span that fits (first fit), or return None. Called with the lock held."""
        for i, (start, size) in enumerate(self.free_list):
            at = -(-(start + self.base) // align) * align - self.base
            if at + span <= start + size:
                pieces = [(start, at - start), (at + span, start + size - at - span)]
                self.free_list[i:i + 1] = [p for p in pieces if p[1]]
                return at
        return None

    def _take_back(self):
        """Merge what dying buffers returned into the free list. Called with the lock held."""
        while self.returned:
            offset, span = self.returned.popleft()
            i = bisect.bisect(self.free_list, (offset, 0))
            if i < len(self.free_list) and offset + span == self.free_list[i][0]:
                span += self.free_list.pop(i)[1]
            if i and sum(self.free_list[i - 1]) == offset:
                offset, span = self.free_list[i - 1][0], self.free_list[i - 1][1] + span
                i -= 1
                self.free_list.pop(i)
            self.free_list.insert(i, (offset, span))

    @property
    def available(self):
        """Bytes not given out."""
        with self.lock:
            self._take_back()
            return sum(size for _, size in self.free_list)

    def read(self, iova, length):
        """Copy `length` bytes at `iova`."""
        return self.map.read(iova, length)

    def __repr__(self):
        return f"DmaPool({self.size >> 20} MiB at IOVA {self.base:#x}, {self.available >> 20} MiB free)"
