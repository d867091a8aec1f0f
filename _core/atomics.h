/* The one place for memory order, clocks and CPU hints: portable `__atomic_*` builtins and POSIX, so that the core
 * builds on x86-64 and arm64, Linux and macOS. Everything architecture-specific stays in this file. */
#ifndef NVLAB_ATOMICS_H
#define NVLAB_ATOMICS_H

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#endif

/* Entries first, doorbell second: all stores before are visible before any store after. */
static inline void nv_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* A register or doorbell: exactly one aligned access of this width, never merged, split or elided. A write comes after
 * whatever was read or written before it: a slot is given back once it has been read. */
static inline uint32_t nv_mmio_read32(const volatile void *p) { return *(const volatile uint32_t *)p; }
static inline uint64_t nv_mmio_read64(const volatile void *p) { return *(const volatile uint64_t *)p; }
static inline void nv_mmio_write32(volatile void *p, uint32_t v) { __atomic_store_n((volatile uint32_t *)p, v, __ATOMIC_RELEASE); }
static inline void nv_mmio_write64(volatile void *p, uint64_t v) { __atomic_store_n((volatile uint64_t *)p, v, __ATOMIC_RELEASE); }

/* Memory that another thread or device writes. */
static inline uint16_t nv_load16(const volatile void *p) { return __atomic_load_n((const volatile uint16_t *)p, __ATOMIC_ACQUIRE); }
static inline uint32_t nv_load32(const volatile void *p) { return __atomic_load_n((const volatile uint32_t *)p, __ATOMIC_ACQUIRE); }
static inline uint64_t nv_load64(const volatile void *p) { return __atomic_load_n((const volatile uint64_t *)p, __ATOMIC_ACQUIRE); }
static inline void nv_store32(volatile void *p, uint32_t v) { __atomic_store_n((volatile uint32_t *)p, v, __ATOMIC_RELEASE); }
static inline void nv_store64(volatile void *p, uint64_t v) { __atomic_store_n((volatile uint64_t *)p, v, __ATOMIC_RELEASE); }
static inline uint32_t nv_exchange32(volatile void *p, uint32_t v) { return __atomic_exchange_n((volatile uint32_t *)p, v, __ATOMIC_ACQ_REL); }
static inline int nv_trylock(volatile int *lock) { return !__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE); }
static inline void nv_unlock(volatile int *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }

/* Fetch a line early that the other core wrote last. */
static inline void nv_prefetch(const void *p) { __builtin_prefetch(p, 0, 3); }
static inline void nv_prefetch_write(const void *p) { __builtin_prefetch(p, 1, 3); }

static inline void nv_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static inline uint64_t nv_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static inline void nv_sleep_ns(uint64_t ns)
{
    struct timespec ts = {(time_t)(ns / 1000000000ull), (long)(ns % 1000000000ull)};
    nanosleep(&ts, NULL);
}

/* Processor time that the calling thread has taken. */
static inline uint64_t nv_thread_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* What a polling loop does when nothing happened `idle` times in a row: spin briefly, give the core away, then sleep.
 * Spinning blindly beside a busy neighbour costs whole scheduler slices; yielding costs a system call. */
static inline void nv_backoff(uint32_t idle, uint32_t spins)
{
    if (idle < spins) nv_relax();
    else if (idle < spins + 2000u) sched_yield();
    else nv_sleep_ns(idle < spins + 4000u ? 20000u : 500000u);
}

/* The calling thread only; a notebook's kernel keeps its own priority. Returns 0, or -1 where it can't be done. */
static inline int nv_lower_priority(int nice_value)
{
#ifdef __linux__
    id_t self = (id_t)syscall(SYS_gettid);
    return getpriority(PRIO_PROCESS, self) >= nice_value ? 0 : setpriority(PRIO_PROCESS, self, nice_value);
#else
    (void)nice_value;
    return -1;
#endif
}

#endif
