"""Memory order, clocks and CPU hints for the core; see atomics.h."""
from libc.stdint cimport uint16_t, uint32_t, uint64_t

cdef extern from "atomics.h" nogil:
    void nv_fence()
    uint32_t nv_mmio_read32(const volatile void *p)
    uint64_t nv_mmio_read64(const volatile void *p)
    void nv_mmio_write32(volatile void *p, uint32_t v)
    void nv_mmio_write64(volatile void *p, uint64_t v)
    uint16_t nv_load16(const volatile void *p)
    uint32_t nv_load32(const volatile void *p)
    uint64_t nv_load64(const volatile void *p)
    void nv_store32(volatile void *p, uint32_t v)
    void nv_store64(volatile void *p, uint64_t v)
    bint nv_trylock(volatile int *lock)
    void nv_unlock(volatile int *lock)
    void nv_prefetch(const void *p)
    void nv_prefetch_write(const void *p)
    void nv_relax()
    uint64_t nv_now_ns()
    void nv_sleep_ns(uint64_t ns)
    void nv_backoff(uint32_t idle, uint32_t spins)
    int nv_lower_priority(int nice_value)
