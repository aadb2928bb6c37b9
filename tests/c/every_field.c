/* Writes a region with every field type to a file, and its directory to FILE.directory unless that
 * is in the region (-DIN_RAM): every_field FILE. */
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "mmstats.h"

#define GAUGE(F, M, type, unit, options) \
    MMSTATS_FIELD(F, M, gauge_##type, own_##type, "c.gauge_" #type, unit, options, "")
#define SHARED(F, M, type) \
    MMSTATS_FIELD(F, M, shared_gauge_##type, all_##type, "c.shared_" #type, MMSTATS_NO_UNIT, 0, "")
#define CONSTANT(F, M, type) \
    MMSTATS_CONSTANT(F, M, type, constant_##type, "c.constant_" #type, MMSTATS_NO_UNIT, "")

#if MMSTATS_WORD == 8
#define WIDE(F, M)                                                                          \
    MMSTATS_HISTOGRAM64(F, M, 5, 64, wide, "c.wide", MMSTATS_UNIT("bytes", 0), 0, "Sizes.") \
    MMSTATS_SHARED_HISTOGRAM64(F, M, 3, 33, shared_wide, "c.shared_wide", MMSTATS_NO_UNIT, 0, "")
#else
#define WIDE(F, M)
#endif

#define EVERY(F, M)                                                                             \
    MMSTATS_FIELD(F, M, counter32, narrow, "c.counter32", MMSTATS_NO_UNIT, 0,                   \
                  "Counts.\nIn two lines: größer, \xe2\x98\x83, \"quoted\" and \\.")            \
    MMSTATS_FIELD(F, M, counter64, counter, "c.http{method=\"GET\"}", MMSTATS_NO_UNIT, 0, "")   \
    MMSTATS_FIELD(F, M, flag, up, "c.flag", MMSTATS_NO_UNIT, 0, "")                             \
    GAUGE(F, M, i8, MMSTATS_NO_UNIT, 0)                                                         \
    GAUGE(F, M, u8, MMSTATS_UNIT_OVER("ratio", 255), 0)                                         \
    CONSTANT(F, M, flag) CONSTANT(F, M, i8) CONSTANT(F, M, u8)                                  \
    GAUGE(F, M, i16, MMSTATS_UNIT("celsius", -1), MMSTATS_KEPT)                                 \
    GAUGE(F, M, u16, MMSTATS_NO_UNIT, MMSTATS_MAX)                                              \
    GAUGE(F, M, i32, MMSTATS_UNIT("volts", -128), MMSTATS_MIN | MMSTATS_KEPT)                   \
    GAUGE(F, M, u32, MMSTATS_UNIT("größen", 127), 0)                                            \
    MMSTATS_FIELD(F, M, gauge_i8, most_i8, "c.most_i8", MMSTATS_NO_UNIT, MMSTATS_MAX, "")       \
    MMSTATS_FIELD(F, M, gauge_u8, least_u8, "c.least_u8", MMSTATS_NO_UNIT, MMSTATS_MIN, "")     \
    MMSTATS_FIELD(F, M, gauge_i64, most_i64, "c.most_i64", MMSTATS_NO_UNIT, MMSTATS_MAX, "")    \
    MMSTATS_FIELD(F, M, gauge_u64, least_u64, "c.least_u64", MMSTATS_NO_UNIT, MMSTATS_MIN, "")  \
    MMSTATS_FIELD(F, M, gauge_f32, most_f32, "c.most_f32", MMSTATS_NO_UNIT, MMSTATS_MAX, "")    \
    MMSTATS_FIELD(F, M, gauge_f32, least_f32, "c.least_f32", MMSTATS_NO_UNIT, MMSTATS_MIN, "")  \
    MMSTATS_FIELD(F, M, gauge_f64, most_f64, "c.most_f64", MMSTATS_NO_UNIT, MMSTATS_MAX, "")    \
    MMSTATS_FIELD(F, M, gauge_f64, least_f64, "c.least_f64", MMSTATS_NO_UNIT, MMSTATS_MIN, "")  \
    GAUGE(F, M, i64, MMSTATS_NO_UNIT, MMSTATS_LAST)                                             \
    GAUGE(F, M, u64, MMSTATS_NO_UNIT, 0)                                                        \
    GAUGE(F, M, f32, MMSTATS_NO_UNIT, MMSTATS_MEAN)                                             \
    GAUGE(F, M, f64, MMSTATS_UNIT("unixtime", 0), 0)                                            \
    MMSTATS_TEXT(F, M, 13, text, "c.text", 0, "Any.")                                           \
    MMSTATS_TEXT(F, M, 1, letter, "c.letter", MMSTATS_KEPT, "")                                 \
    MMSTATS_HISTOGRAM(F, M, 2, 20, delay, "c.delay", MMSTATS_UNIT("seconds", -6), 0, "")        \
    MMSTATS_HISTOGRAM(F, M, 0, 64, powers, "c.powers", MMSTATS_NO_UNIT, 0, "")                  \
    MMSTATS_FIELD(F, M, shared_counter32, all_narrow, "c.shared_counter32", MMSTATS_NO_UNIT, 0, \
                  "")                                                                           \
    MMSTATS_FIELD(F, M, shared_counter64, all_counter, "c.shared_counter64", MMSTATS_NO_UNIT,   \
                  0, "")                                                                        \
    SHARED(F, M, i8) SHARED(F, M, u8) SHARED(F, M, i16) SHARED(F, M, u16) SHARED(F, M, i32)     \
    SHARED(F, M, u32) SHARED(F, M, i64) SHARED(F, M, u64) SHARED(F, M, f32) SHARED(F, M, f64)   \
    MMSTATS_SHARED_TEXT(F, M, 7, all_text, "c.shared_text", 0, "")                              \
    MMSTATS_SHARED_HISTOGRAM(F, M, 1, 8, all_delay, "c.shared_delay", MMSTATS_NO_UNIT, 0, "")   \
    CONSTANT(F, M, i16) CONSTANT(F, M, u16) CONSTANT(F, M, i32) CONSTANT(F, M, u32)             \
    CONSTANT(F, M, i64) CONSTANT(F, M, u64) CONSTANT(F, M, f32) CONSTANT(F, M, f64)             \
    MMSTATS_CONSTANT_TEXT(F, M, 5, version, "c.version", "Of the firmware.")                    \
    WIDE(F, M)

#ifdef IN_RAM
MMSTATS_MODEL_IN_RAM(every, EVERY);
MMSTATS_REGION_IN_RAM(every, EVERY, stats);
#define PLACE(name) &stats.directory.name.constant
#else
MMSTATS_MODEL(every, EVERY);
MMSTATS_REGION(every, EVERY, stats);
#define PLACE(name) &stats.name
#endif

unsigned long mmstats_enter_critical(void)
{
    return 0;
}

void mmstats_exit_critical(unsigned long before)
{
    (void)before;
}

static void set_constants(void)
{
    mmstats_constant_flag_set(&stats_descriptor, PLACE(constant_flag), true);
    mmstats_constant_i8_set(&stats_descriptor, PLACE(constant_i8), INT8_MIN);
    mmstats_constant_u8_set(&stats_descriptor, PLACE(constant_u8), UINT8_MAX);
    mmstats_constant_i16_set(&stats_descriptor, PLACE(constant_i16), -0x0102);
    mmstats_constant_u16_set(&stats_descriptor, PLACE(constant_u16), 0x0102);
    mmstats_constant_i32_set(&stats_descriptor, PLACE(constant_i32), -0x01020304);
    mmstats_constant_u32_set(&stats_descriptor, PLACE(constant_u32), 0x01020304);
    mmstats_constant_i64_set(&stats_descriptor, PLACE(constant_i64), -0x0102030405060708);
    mmstats_constant_u64_set(&stats_descriptor, PLACE(constant_u64), UINT64_MAX);
    mmstats_constant_f32_set(&stats_descriptor, PLACE(constant_f32), -0.5f);
    mmstats_constant_f64_set(&stats_descriptor, PLACE(constant_f64), 2.5e-308);
    mmstats_constant_text_set(&stats_descriptor, PLACE(version), "1.2é☃");
}

/* Calls both setters of a type, more than once. */
#define SET(type, first, then)                                   \
    mmstats_gauge_##type##_set(&stats.own_##type, first);        \
    mmstats_gauge_##type##_add(&stats.own_##type, then);         \
    mmstats_shared_gauge_##type##_set(&stats.all_##type, first); \
    mmstats_shared_gauge_##type##_add(&stats.all_##type, then)

/* Raises to a greater value and lowers to a lesser one; neither does the opposite. */
#define BOUND(type, less, greater)                                         \
    mmstats_gauge_##type##_set(&stats.own_##type, less);                   \
    mmstats_gauge_##type##_raise(&stats.own_##type, greater);              \
    mmstats_gauge_##type##_raise(&stats.own_##type, less);                 \
    if (mmstats_gauge_##type##_get(&stats.own_##type) != (greater))        \
        return false;                                                      \
    mmstats_gauge_##type##_lower(&stats.own_##type, less);                 \
    mmstats_gauge_##type##_lower(&stats.own_##type, greater);              \
    if (mmstats_gauge_##type##_get(&stats.own_##type) != (less))           \
        return false;                                                      \
    mmstats_shared_gauge_##type##_set(&stats.all_##type, less);            \
    mmstats_shared_gauge_##type##_raise(&stats.all_##type, greater);       \
    mmstats_shared_gauge_##type##_raise(&stats.all_##type, less);          \
    if (mmstats_shared_gauge_##type##_get(&stats.all_##type) != (greater)) \
        return false;                                                      \
    mmstats_shared_gauge_##type##_lower(&stats.all_##type, less);          \
    mmstats_shared_gauge_##type##_lower(&stats.all_##type, greater);       \
    if (mmstats_shared_gauge_##type##_get(&stats.all_##type) != (less))    \
        return false

static bool bounds_hold(void)
{
    BOUND(i8, -2, 1);
    BOUND(u8, 2, 200);
    BOUND(i16, -300, 1);
    BOUND(u16, 2, 60000);
    BOUND(i32, INT32_MIN, 1);
    BOUND(u32, 2, UINT32_MAX);
    BOUND(i64, INT64_MIN, 1);
    BOUND(u64, 2, UINT64_MAX);
    BOUND(f32, -0.5f, FLT_MAX);
    BOUND(f64, -DBL_MAX, 0.25);
    return true;
}

static void fill(void)
{
    mmstats_counter32_add(&stats.narrow, UINT32_MAX);
    mmstats_counter32_incr(&stats.narrow);
    mmstats_counter32_add(&stats.narrow, 7);
    mmstats_shared_counter32_add(&stats.all_narrow, UINT32_MAX);
    mmstats_shared_counter32_incr(&stats.all_narrow);
    mmstats_counter64_add(&stats.counter, UINT64_MAX);
    mmstats_counter64_add(&stats.counter, 0x0102030405060708);
    mmstats_counter64_incr(&stats.counter);
    mmstats_shared_counter64_add(&stats.all_counter, 0x0102030405060708);
    mmstats_shared_counter64_incr(&stats.all_counter);
    mmstats_flag_set(&stats.up, true);
    SET(i8, INT8_MAX, 2);
    SET(u8, 0xfe, 1);
    SET(i16, -215, -1);
    SET(u16, 0xff01, 0xff01);
    SET(i32, INT32_MIN, 3300);
    SET(u32, 0xff010203, 1);
    SET(i64, INT64_MIN, -1);
    SET(u64, UINT64_MAX - 1, 1);
    SET(f32, 1.0f / 3, 2);
    SET(f64, 1353442620, 0.125);
    mmstats_text_set(&stats.text, "exactly 13 ☃ and more");
    mmstats_text_set(&stats.text, "grüße");
    mmstats_text_set(&stats.text, "exactly 13 ☃ and more");
    mmstats_text_set(&stats.letter, "x");
    mmstats_shared_text_set(&stats.all_text, "shorter");
    for (unsigned power = 0; power < 64; power++) {
        const uint64_t values[] = {((uint64_t)1 << power) - 1, (uint64_t)1 << power,
                                   UINT64_MAX >> power};
        for (unsigned i = 0; i < 3; i++) {
            mmstats_histogram_record(&stats.delay, values[i]);
            mmstats_histogram_record(&stats.powers, values[i]);
            mmstats_shared_histogram_record(&stats.all_delay, values[i]);
#if MMSTATS_WORD == 8
            mmstats_histogram_record(&stats.wide, values[i]);
            mmstats_shared_histogram_record(&stats.shared_wide, values[i]);
#endif
        }
    }
}

static bool counters_are_read(void)
{
    return mmstats_counter32_get(&stats.narrow) == 7 &&
           mmstats_counter64_get(&stats.counter) == 0x0102030405060708 &&
           mmstats_shared_counter32_get(&stats.all_narrow) == 0 &&
           mmstats_shared_counter64_get(&stats.all_counter) == 0x0102030405060709;
}

static bool write_file(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return false;
    const bool written = fwrite(bytes, 1, length, file) == length;
    return fclose(file) == 0 && written;
}

/* Bytes among the constants that belong to none: numbers of 1 and 2 bytes and the text of 5 are
 * padded to whole words. In a directory in RAM, its CRC covers them. */
#ifdef IN_RAM
enum { PADDING = 0 };
#else
enum { PADDING = 3 * 3 + 2 * 2 + 3 };
#endif

/* A region of this very program is resumed with its counts and kept fields; one that differs in any
 * other byte than the generation's before the values is not. */
static bool resumes(void)
{
    static uint8_t copy[sizeof stats];
    uint32_t unnoticed = 0;
    if (!mmstats_resume(&stats_descriptor))
        return false;
    set_constants();
    mmstats_publish(&stats_descriptor);
    if (mmstats_counter32_get(&stats.narrow) != 7 ||
        mmstats_gauge_i16_get(&stats.own_i16) != -216 ||
        mmstats_gauge_i32_get(&stats.own_i32) != INT32_MIN + 3300 ||
        mmstats_gauge_u16_get(&stats.own_u16) != 0 || mmstats_flag_get(&stats.up) ||
        mmstats_gauge_u8_get(&stats.own_u8) != 0 || mmstats_gauge_u64_get(&stats.own_u64) != 0)
        return false;
    if (mmstats_gauge_i64_get(&stats.most_i64) != INT64_MIN ||
        mmstats_gauge_u8_get(&stats.least_u8) != UINT8_MAX ||
        mmstats_gauge_f32_get(&stats.least_f32) <= FLT_MAX)
        return false;
    memcpy(copy, &stats, sizeof stats);
    for (uint32_t i = 0; i < stats_descriptor.variables; i++) {
        ((uint8_t *)&stats)[i] ^= 1;
        if (mmstats_resume(&stats_descriptor)) {
            set_constants();
            unnoticed += stats.header.words[0] != 0;
        }
        memcpy(&stats, copy, sizeof stats);
    }
    if (unnoticed != sizeof stats.header.words[MMSTATS_GENERATION_] + PADDING)
        return false;
    mmstats_gauge_i32_set(&stats.own_i32, 5);
    mmstats_constant_u8_set(&stats_descriptor, PLACE(constant_u8), 1);
    return stats.header.words[0] == 0 && mmstats_gauge_i32_get(&stats.own_i32) == INT32_MAX && mmstats_counter32_get(&stats.narrow) == 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    memset(&stats, 0xa5, sizeof stats); /* as RAM is after power-on */
    if (mmstats_resume(&stats_descriptor))
        return 1;
    mmstats_begin(&stats_descriptor);
    set_constants();
    mmstats_publish(&stats_descriptor);
    if (!bounds_hold()) {
        fputs("a gauge was raised or lowered to something else\n", stderr);
        return 1;
    }
    fill();
    if (!counters_are_read()) {
        fputs("a counter is read as something else\n", stderr);
        return 1;
    }
    if (!write_file(argv[1], &stats, sizeof stats))
        return 1;
#ifndef IN_RAM
    char path[4096];
    snprintf(path, sizeof path, "%s.directory", argv[1]);
    if (!write_file(path, &stats_directory, sizeof stats_directory))
        return 1;
#endif
    if (!resumes()) {
        fputs("resumed what it should not, or not what it should\n", stderr);
        return 1;
    }
    return 0;
}
