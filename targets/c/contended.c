/* In place of motor.c: main and the timer's interrupt count the same things, in shared fields and
 * each in a field of its own. No count may be lost. */
#include "motor.h"
#include "mmstats.h"

#define CONTENDED(F, M)                                                                         \
    MMSTATS_FIELD(F, M, counter32, by_main, "by_main", MMSTATS_NO_UNIT, 0, "")                  \
    MMSTATS_FIELD(F, M, counter32, by_timer, "by_timer", MMSTATS_NO_UNIT, 0, "")                \
    MMSTATS_FIELD(F, M, shared_counter32, narrow, "narrow", MMSTATS_NO_UNIT, 0, "")             \
    MMSTATS_FIELD(F, M, shared_counter64, wide, "wide", MMSTATS_NO_UNIT, 0, "")                 \
    MMSTATS_FIELD(F, M, shared_gauge_u8, byte, "byte", MMSTATS_NO_UNIT, 0, "")                  \
    MMSTATS_FIELD(F, M, shared_gauge_i16, balance, "balance", MMSTATS_NO_UNIT, 0, "")           \
    MMSTATS_FIELD(F, M, shared_gauge_u32, highest, "highest", MMSTATS_NO_UNIT, MMSTATS_MAX, "") \
    MMSTATS_SHARED_HISTOGRAM(F, M, 2, 20, sizes, "sizes", MMSTATS_NO_UNIT, 0, "")               \
    MMSTATS_SHARED_TEXT(F, M, 8, last, "last", 0, "")                                           \
    MMSTATS_FIELD(F, M, flag, done, "done", MMSTATS_NO_UNIT, 0, "")

MMSTATS_MODEL_IN_RAM(contended, CONTENDED);
MMSTATS_REGION_IN_RAM(contended, CONTENDED, stats);

enum { TICKS = 3000 };

static void count(mmstats_counter32 *own, const char *name)
{
    mmstats_counter32_incr(own);
    mmstats_shared_counter32_incr(&stats.narrow);
    mmstats_shared_counter64_add(&stats.wide, (uint64_t)1 << 30);
    mmstats_shared_gauge_u8_add(&stats.byte, 1);
    mmstats_shared_gauge_i16_add(&stats.balance, 3);
    mmstats_shared_gauge_i16_add(&stats.balance, -3);
    mmstats_shared_gauge_u32_raise(&stats.highest, mmstats_counter32_get(own));
    mmstats_shared_histogram_record(&stats.sizes, 5);
    mmstats_shared_text_set(&stats.last, name);
}

void motor_on_tick(void)
{
    if (mmstats_counter32_get(&stats.by_timer) < TICKS)
        count(&stats.by_timer, "timer");
}

void motor_run(void (*start_timer)(void), void (*sleep)(void))
{
    mmstats_begin(&stats_descriptor);
    mmstats_publish(&stats_descriptor);
    start_timer();
    while (mmstats_counter32_get(&stats.by_timer) < TICKS)
        count(&stats.by_main, "main");
    mmstats_flag_set(&stats.done, true);
    for (;;)
        sleep();
}
