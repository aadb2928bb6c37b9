/* For ../sizes: a program with COUNTERS counters, 0, 1 or 10; with RESUME, they survive a reset. */
#include "mmstats.h"

#define COUNTER(F, M, name) \
    MMSTATS_FIELD(F, M, counter32, name, #name, MMSTATS_NO_UNIT, 0, "")

#if COUNTERS == 10
#define ROWS(F, M)                                                          \
    COUNTER(F, M, a0) COUNTER(F, M, a1) COUNTER(F, M, a2) COUNTER(F, M, a3) \
    COUNTER(F, M, a4) COUNTER(F, M, a5) COUNTER(F, M, a6) COUNTER(F, M, a7) \
    COUNTER(F, M, a8) COUNTER(F, M, a9)
#else
#define ROWS(F, M) COUNTER(F, M, a0)
#endif

#if COUNTERS > 0
MMSTATS_MODEL(counters, ROWS);
MMSTATS_REGION(counters, ROWS, stats);

/* Not inlined, so that its instructions can be counted. */
__attribute__((noinline)) static void count(mmstats_counter32 *counter)
{
    mmstats_counter32_incr(counter);
}
#endif

int main(void)
{
#if COUNTERS > 0
#ifdef RESUME
    if (!mmstats_resume(&stats_descriptor))
#endif
        mmstats_begin(&stats_descriptor);
    mmstats_publish(&stats_descriptor);
    int counters = COUNTERS;
    __asm__ volatile("" : "+r"(counters)); /* the same loop, however many there are */
    for (int i = 0; i < counters; i++)
        count(&stats.a0 + i);
#endif
    for (;;)
        __asm__ volatile("");
}
