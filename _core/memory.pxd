"""DMA memory and the table that turns a bus address (IOVA) back into memory."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef struct region_t:
    uint64_t iova
    uint64_t size          # 0: the slot is free
    uint8_t *ptr

cdef struct iova_map_t:
    region_t regions[64]
    int count


cdef inline uint8_t *iova_translate(const iova_map_t *table, uint64_t iova, uint64_t length) noexcept nogil:
    """The memory behind [iova, iova + length), or NULL unless one region holds all of it."""
    cdef int i
    cdef uint64_t offset
    for i in range(table.count):
        offset = iova - table.regions[i].iova          # wraps to a huge number below the region
        if offset < table.regions[i].size and length <= table.regions[i].size - offset:
            return table.regions[i].ptr + offset
    return NULL


cdef class IovaMap:
    cdef iova_map_t table
    cdef list owners


cdef class DmaPool:
    cdef readonly uint64_t base        # IOVA of the first byte
    cdef readonly uint64_t size        # bytes
    cdef readonly IovaMap map
    cdef uint8_t *ptr
    cdef object memory                 # the mmap that holds the bytes
    cdef uint64_t first                # offset of the first byte that alloc() may give
    cdef list free_list                # [(offset, size)], ascending, never adjacent
    cdef object returned               # offsets handed back by dying buffers, from any thread
    cdef object lock
    cdef object __weakref__


cdef class Allocation:
    cdef DmaPool pool
    cdef uint8_t *ptr
    cdef readonly uint64_t iova
    cdef readonly uint64_t size
    cdef uint64_t offset
    cdef uint64_t span
    cdef Py_ssize_t shape[1]
    cdef Py_ssize_t strides[1]
