/* How an event gets into its lane. Out of line on purpose: a loop that records what it does keeps its registers and its
 * cache lines for the time when nobody looks, and then pays for a test of one flag an event. */
#ifndef NVLAB_TRACE_H
#define NVLAB_TRACE_H

#include <stdint.h>
#include <string.h>

#include "atomics.h"

#ifdef NVLAB_NO_TRACE            /* a build without tracing: what tracing costs while it is off is measured against it */
#define nv_traced(on) 0
#else
#define nv_traced(on) __builtin_expect(!!(on), 0)
#endif

#define NV_OUT_OF_LINE static __attribute__((noinline, unused))

typedef struct {
    uint64_t time;
    uint8_t kind, side;
    uint16_t qid;
    uint32_t index;
    uint64_t a, b;
} event_t;

typedef struct {
    volatile int on;
    event_t *events;
    uint8_t *sqes;
    uint64_t posted, mask, head;
} lane_t;

/* What tells a command from its neighbours: opcode | cid << 16 | nsid << 32. */
static inline uint64_t sqe_key(const uint8_t *sqe)
{
    uint16_t cid;
    uint32_t nsid;
    memcpy(&cid, sqe + 2, sizeof cid);
    memcpy(&nsid, sqe + 4, sizeof nsid);
    return (uint64_t)sqe[0] | (uint64_t)cid << 16 | (uint64_t)nsid << 32;
}

/* Record one event. The caller has looked at lane->on. */
NV_OUT_OF_LINE void emit(lane_t *lane, uint64_t time, uint32_t kind, uint32_t side, uint32_t qid, uint32_t index, uint64_t a,
                         uint64_t b)
{
    event_t *e = &lane->events[lane->head & lane->mask];
    e->time = time;
    e->kind = (uint8_t)kind;
    e->side = (uint8_t)side;
    e->qid = (uint16_t)qid;
    e->index = index;
    e->a = a;
    e->b = b;
    nv_store64(&lane->head, lane->head + 1);
}

/* Record a submission queue entry as posted, with its 64 bytes. */
NV_OUT_OF_LINE void emit_sqe(lane_t *lane, uint64_t time, uint32_t kind, uint32_t side, uint32_t qid, uint32_t slot,
                             const uint8_t *sqe)
{
    memcpy(lane->sqes + (lane->posted & lane->mask) * 64, sqe, 64);
    lane->posted++;
    emit(lane, time, kind, side, qid, slot, sqe_key(sqe), lane->posted - 1);
}

#endif
