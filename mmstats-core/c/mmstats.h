/* mmstats.h: publishes stats in self-describing memory: version 2 of FORMAT.md.
 *
 * For C99 and C++17 or later, any byte order, pointers of 32 or 64 bits; needs no library. This
 * file is enough for a device; a process on Linux also includes mmstats_file.h.
 *
 * A model is a list of fields. Every row passes F and M on and ends with its help text:
 *
 *     #include "mmstats.h"
 *
 *     #define MOTOR(F, M)                                                                      \
 *         MMSTATS_FIELD(F, M, counter32, steps, "motor.steps", MMSTATS_NO_UNIT, 0, "Steps.")   \
 *         MMSTATS_FIELD(F, M, gauge_i16, heat, "motor.heat", MMSTATS_UNIT("celsius", -1), 0,   \
 *                       "Of the winding.")                                                     \
 *         MMSTATS_TEXT(F, M, 12, state, "motor.state", 0, "Its activity.")                     \
 *         MMSTATS_HISTOGRAM(F, M, 2, 20, pause, "motor.pause", MMSTATS_UNIT("seconds", -6), 0, \
 *                           "Time between two steps.")
 *
 *     MMSTATS_MODEL(motor, MOTOR);            // declares struct motor
 *     MMSTATS_REGION(motor, MOTOR, stats);    // defines struct motor stats; the directory is const
 *
 *     int main(void)
 *     {
 *         mmstats_begin(&stats_descriptor);
 *         mmstats_gauge_i16_set(&stats.heat, 200);    // initial values; everything else is zero
 *         mmstats_publish(&stats_descriptor);         // from here on, tools can read it
 *         mmstats_counter32_incr(&stats.steps);
 *         mmstats_text_set(&stats.state, "running");
 *         mmstats_histogram_record(&stats.pause, 1500);
 *         return 0;
 *     }
 *
 * MMSTATS_FIELD has these types:
 *
 *     counter32, counter64            _add(&field, n), _incr(&field), _get(&field)
 *     gauge_i8 … gauge_u64,           _set(&field, x), _add(&field, x), _get(&field),
 *     gauge_f32, gauge_f64            _raise(&field, x) sets x if it is greater than the value,
 *                                     _lower(&field, x) if it is less
 *     flag                            _set(&field, true), _get(&field)
 *     shared_counter32 …,             the same; any number of interrupts, threads and cores may
 *     shared_gauge_f64                update the field. Every other field is updated by one
 *                                     context. Reading never has an effect on updates
 *
 * MMSTATS_SHARED_TEXT and MMSTATS_SHARED_HISTOGRAM are updated by mmstats_shared_text_set and
 * mmstats_shared_histogram_record.
 *
 * A constant is set once, before the initial values:
 *
 *     MMSTATS_CONSTANT(F, M, u32, serial, "motor.serial", MMSTATS_NO_UNIT, "Of the board.")
 *     MMSTATS_CONSTANT_TEXT(F, M, 12, version, "motor.version", "Of the firmware.")
 *
 *     mmstats_constant_u32_set(&stats_descriptor, &stats.serial, 17);
 *     mmstats_constant_text_set(&stats_descriptor, &stats.version, "1.2.3");
 *
 * Options of a field: 0, or MMSTATS_KEPT (the value survives a reset and the end of its thread, as
 * those of counters and histograms always do), or one of MMSTATS_SUM, _MEAN, _MIN, _MAX, _LAST (how
 * readers combine several writers), joined by |. A number with MMSTATS_MIN starts at the greatest
 * value of its type, for _lower, and one with MMSTATS_MAX at the least, for _raise. Readers take
 * that for "no value yet", unless it is 0.
 *
 * Stats that survive a reset lie in memory that start-up code leaves alone:
 *
 *     #define MMSTATS_SECTION __attribute__((section(".noinit")))     // before MMSTATS_REGION
 *     if (!mmstats_resume(&stats_descriptor))                         // instead of mmstats_begin
 *         mmstats_begin(&stats_descriptor);
 *
 * With MMSTATS_MODEL_IN_RAM and MMSTATS_REGION_IN_RAM, a copy of the directory lies in the region,
 * so that a dump of RAM can be read without the program's ELF file; then a constant is
 * stats.directory.serial.constant instead of stats.serial.
 */
#ifndef MMSTATS_H
#define MMSTATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Settings that may be defined before this file is included ---- */

/* The bytes of the widest value that one instruction stores, and that readers load at once: 8 or 4.
 * Wider values are latched. */
#ifndef MMSTATS_WORD
#if UINTPTR_MAX > UINT32_MAX
#define MMSTATS_WORD 8
#else
#define MMSTATS_WORD 4
#endif
#endif

/* A relaxed load and store of a T, which must be one instruction. (On a processor without
 * compare-and-swap, some compilers call a library for atomics.) */
#ifndef MMSTATS_LOAD
#if defined(__GNUC__) && defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_4)
#define MMSTATS_LOAD(T, from) __atomic_load_n((const T *)(from), __ATOMIC_RELAXED)
#define MMSTATS_STORE(T, to, x) __atomic_store_n((T *)(to), (T)(x), __ATOMIC_RELAXED)
#else
#define MMSTATS_LOAD(T, from) (*(const volatile T *)(from))
#define MMSTATS_STORE(T, to, x) (*(volatile T *)(to) = (T)(x))
#endif
#endif

/* A release fence: readers, maybe on another core, see the stores before it before those after it.
 * If all readers are on this core or read through a debug probe, the compiler has to keep the
 * order, but the processor need not: __atomic_signal_fence(__ATOMIC_RELEASE). */
#ifndef MMSTATS_FENCE
#ifdef __GNUC__
#define MMSTATS_FENCE() __atomic_thread_fence(__ATOMIC_RELEASE)
#else
#error "define MMSTATS_FENCE() as a release fence of this compiler"
#endif
#endif

/* A critical section, which excludes everything that updates the same shared field: the interrupts
 * of this core, and other cores. Shared fields use it where no atomic instruction is wide enough.
 * Define both macros, or link the two functions below. */
#ifndef MMSTATS_ENTER_CRITICAL
#if defined(__GNUC__) && defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
static inline uint32_t mmstats_mask_interrupts_(void)
{
    uint32_t before;
    __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(before)::"memory");
    return before;
}
#define MMSTATS_ENTER_CRITICAL() mmstats_mask_interrupts_()
#define MMSTATS_EXIT_CRITICAL(before) __asm__ volatile("msr primask, %0" ::"r"(before) : "memory")
#elif defined(__GNUC__) && defined(__riscv) && !defined(__unix__)
static inline unsigned long mmstats_mask_interrupts_(void)
{
    unsigned long before;
    __asm__ volatile("csrrci %0, mstatus, 8" : "=r"(before)::"memory");
    return before & 8;
}
#define MMSTATS_ENTER_CRITICAL() mmstats_mask_interrupts_()
#define MMSTATS_EXIT_CRITICAL(before) __asm__ volatile("csrs mstatus, %0" ::"r"(before) : "memory")
#else
#ifdef __cplusplus
extern "C" {
#endif
unsigned long mmstats_enter_critical(void);
void mmstats_exit_critical(unsigned long before);
#ifdef __cplusplus
}
#endif
#define MMSTATS_ENTER_CRITICAL() mmstats_enter_critical()
#define MMSTATS_EXIT_CRITICAL(before) mmstats_exit_critical(before)
#endif
#endif

/* Attributes of regions and of constant directories: their sections. May be redefined between two
 * regions. A directory has to be in memory, as publishing computes its CRC. */
#ifndef MMSTATS_SECTION
#define MMSTATS_SECTION
#endif
#ifndef MMSTATS_DIRECTORY_SECTION
#define MMSTATS_DIRECTORY_SECTION
#endif

/* The most bytes that a region may have. */
#ifndef MMSTATS_MAX_BYTES
#define MMSTATS_MAX_BYTES UINT32_MAX
#endif

/* ---- The compiler and the machine ---- */

#if defined(__cplusplus)
#define MMSTATS_ASSERT_(condition, message) static_assert(condition, message)
#elif defined(__GNUC__)
/* Also in C99, without a warning. */
#define MMSTATS_ASSERT_(condition, message) __extension__ _Static_assert(condition, message)
#else
#define MMSTATS_ASSERT_(condition, message) _Static_assert(condition, message)
#endif

#ifdef __GNUC__
#define MMSTATS_ALIGNED_ __attribute__((aligned(8)))
#define MMSTATS_USED_ __attribute__((used))
/* A function that is not worth inlining. */
#define MMSTATS_ONCE_ static __attribute__((noinline, unused))
#else
#define MMSTATS_ALIGNED_
#define MMSTATS_USED_
#define MMSTATS_ONCE_ static inline
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define MMSTATS_BIG_ENDIAN_ 1
#else
#define MMSTATS_BIG_ENDIAN_ 0
#endif

#if MMSTATS_WORD == 8
typedef uint64_t mmstats_word_;
#else
typedef uint32_t mmstats_word_;
#endif

MMSTATS_ASSERT_(sizeof(void *) >= 4 && sizeof(double) == 8,
                "mmstats.h needs pointers of at least 32 bits, and doubles of 64 bits");

/* ---- The format ---- */

typedef struct {
    uint32_t words[10];
} mmstats_header;

/* Indices of words in the header; the two bytes and the u16 of MMSTATS_WIDTH_ share one. */
enum { MMSTATS_WIDTH_ = 2, MMSTATS_LENGTH_, MMSTATS_DIRECTORY_, MMSTATS_CHECK_ = 6,
       MMSTATS_LAYOUT_, MMSTATS_GENERATION_, MMSTATS_PUBLISHED_, MMSTATS_HEADER_WORDS_ };

/* The magic as two words, and the CRC-32 of its bytes. */
#define MMSTATS_MAGIC_0_ (MMSTATS_BIG_ENDIAN_ ? 0x024d4d53u : 0x534d4d02u)
#define MMSTATS_MAGIC_1_ (MMSTATS_BIG_ENDIAN_ ? 0x54415453u : 0x53544154u)
#define MMSTATS_MAGIC_CRC_ 0xd72c8718u

typedef struct {
    uint32_t length, value, size;
    uint8_t kind, type, access;
    int8_t scale;
    uint32_t divisor;
    uint16_t label, help;
    uint8_t unit, p, n, options;
} mmstats_entry;

MMSTATS_ASSERT_(sizeof(mmstats_header) == 40 && sizeof(mmstats_entry) == 28, "as in FORMAT.md");

enum { MMSTATS_COUNTER_ = 1, MMSTATS_GAUGE_, MMSTATS_INFO_, MMSTATS_HISTOGRAM_ };
enum { MMSTATS_IS_CONSTANT_, MMSTATS_IS_WORD_, MMSTATS_IS_LATCHED_ };
enum { MMSTATS_SUM = 1, MMSTATS_MEAN, MMSTATS_MIN, MMSTATS_MAX, MMSTATS_LAST, MMSTATS_KEPT = 8 };
/* Flags of the header. */
enum { MMSTATS_EXTERNAL_ = 0x01, MMSTATS_IMMUTABLE_ = 0x10 };

/* Everything about a region that does not change. Tools find it in the program's ELF file by its
 * first three members, FORMAT.md's descriptor. (If the linker drops unused sections, KEEP the one
 * of stripped programs.) */
typedef struct {
    uint8_t magic[8];
    void *region;
    uint32_t length;
    uint32_t published;
    const void *directory; /* the entries; copied if they are to lie in the region */
    uint32_t variables;    /* offset of what follows the header, directory and constants */
    uint8_t flags;
    bool has_bounds;       /* whether a field has MMSTATS_MIN or MMSTATS_MAX */
} mmstats_descriptor;

/* ---- Numbers as they are stored: a word, or a latch if they are wider ---- */

#ifdef __GNUC__
#define MMSTATS_ADD_(T, to, n) ((void)__atomic_fetch_add((T *)(to), (T)(n), __ATOMIC_RELAXED))
#define MMSTATS_EXCHANGE_(T, to, old, x) \
    __atomic_compare_exchange_n((T *)(to), old, (T)(x), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#else
#define MMSTATS_ADD_(T, to, n) ((void)0)
#define MMSTATS_EXCHANGE_(T, to, old, x) true
#endif

#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_1
#define MMSTATS_HAS_8_ 1
#else
#define MMSTATS_HAS_8_ 0
#endif
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_2
#define MMSTATS_HAS_16_ 1
#else
#define MMSTATS_HAS_16_ 0
#endif
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_4
#define MMSTATS_HAS_32_ 1
#else
#define MMSTATS_HAS_32_ 0
#endif
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_8
#define MMSTATS_HAS_64_ 1
#else
#define MMSTATS_HAS_64_ 0
#endif

/* How a shared cell is updated: all updates of a width use atomic instructions, or all of them a
 * critical section. `exchange` replaces *old by x and returns true, or else loads *old. */
#define MMSTATS_SHARED_CELL_(bits, has)                                                           \
    static inline void mmstats_shared_add##bits##_(mmstats_cell##bits##_ *cell, uint##bits##_t n) \
    {                                                                                             \
        if (has) {                                                                                \
            MMSTATS_ADD_(uint##bits##_t, cell, n);                                                \
        } else {                                                                                  \
            const unsigned long before = MMSTATS_ENTER_CRITICAL();                                \
            mmstats_store##bits##_(cell, (uint##bits##_t)(mmstats_load##bits##_(cell) + n));      \
            MMSTATS_EXIT_CRITICAL(before);                                                        \
        }                                                                                         \
    }                                                                                             \
    static inline void mmstats_shared_store##bits##_(mmstats_cell##bits##_ *cell,                 \
                                                     uint##bits##_t x)                            \
    {                                                                                             \
        if (has) {                                                                                \
            mmstats_store##bits##_(cell, x);                                                      \
        } else {                                                                                  \
            const unsigned long before = MMSTATS_ENTER_CRITICAL();                                \
            mmstats_store##bits##_(cell, x);                                                      \
            MMSTATS_EXIT_CRITICAL(before);                                                        \
        }                                                                                         \
    }                                                                                             \
    static inline bool mmstats_shared_exchange##bits##_(mmstats_cell##bits##_ *cell,              \
                                                        uint##bits##_t *old, uint##bits##_t x)    \
    {                                                                                             \
        if (has)                                                                                  \
            return MMSTATS_EXCHANGE_(uint##bits##_t, cell, old, x);                               \
        const unsigned long before = MMSTATS_ENTER_CRITICAL();                                    \
        const uint##bits##_t found = mmstats_load##bits##_(cell);                                 \
        const bool same = found == *old;                                                          \
        if (same)                                                                                 \
            mmstats_store##bits##_(cell, x);                                                      \
        MMSTATS_EXIT_CRITICAL(before);                                                            \
        *old = found;                                                                             \
        return same;                                                                              \
    }

#define MMSTATS_WORD_CELL_(bits, has)                                                            \
    typedef struct {                                                                             \
        uint##bits##_t value;                                                                    \
    } mmstats_cell##bits##_;                                                                     \
    static inline uint##bits##_t mmstats_load##bits##_(const mmstats_cell##bits##_ *cell)        \
    {                                                                                            \
        return MMSTATS_LOAD(uint##bits##_t, &cell->value);                                       \
    }                                                                                            \
    static inline void mmstats_store##bits##_(mmstats_cell##bits##_ *cell, uint##bits##_t x)     \
    {                                                                                            \
        MMSTATS_STORE(uint##bits##_t, &cell->value, x);                                          \
    }                                                                                            \
    static inline uint##bits##_t mmstats_shared_load##bits##_(const mmstats_cell##bits##_ *cell) \
    {                                                                                            \
        return mmstats_load##bits##_(cell);                                                      \
    }                                                                                            \
    MMSTATS_SHARED_CELL_(bits, has)

MMSTATS_WORD_CELL_(8, MMSTATS_HAS_8_)
MMSTATS_WORD_CELL_(16, MMSTATS_HAS_16_)
MMSTATS_WORD_CELL_(32, MMSTATS_HAS_32_)
#if MMSTATS_WORD == 8
MMSTATS_WORD_CELL_(64, MMSTATS_HAS_64_)
#define MMSTATS_ACCESS_64_ MMSTATS_IS_WORD_
#else
/* Two buffers and a sequence: readers read buffer sequence % 2. */
typedef struct {
    uint32_t buffers[4], sequence;
} mmstats_cell64_;

static inline uint64_t mmstats_load64_(const mmstats_cell64_ *cell)
{
    const uint32_t *buffer = cell->buffers + 2 * (MMSTATS_LOAD(uint32_t, &cell->sequence) & 1);
    return MMSTATS_LOAD(uint32_t, buffer + MMSTATS_BIG_ENDIAN_) |
           (uint64_t)MMSTATS_LOAD(uint32_t, buffer + !MMSTATS_BIG_ENDIAN_) << 32;
}

static inline void mmstats_store64_(mmstats_cell64_ *cell, uint64_t x)
{
    const uint32_t next = MMSTATS_LOAD(uint32_t, &cell->sequence) + 1;
    uint32_t *buffer = cell->buffers + 2 * (next & 1);
    MMSTATS_FENCE(); /* no reader sees these words before the sequence of the last update */
    MMSTATS_STORE(uint32_t, buffer + MMSTATS_BIG_ENDIAN_, x);
    MMSTATS_STORE(uint32_t, buffer + !MMSTATS_BIG_ENDIAN_, x >> 32);
    MMSTATS_FENCE(); /* one that sees the new sequence sees the words */
    MMSTATS_STORE(uint32_t, &cell->sequence, next);
}

/* Updates may interrupt the caller. */
static inline uint64_t mmstats_shared_load64_(const mmstats_cell64_ *cell)
{
    const unsigned long before = MMSTATS_ENTER_CRITICAL();
    const uint64_t x = mmstats_load64_(cell);
    MMSTATS_EXIT_CRITICAL(before);
    return x;
}

MMSTATS_SHARED_CELL_(64, 0)
#define MMSTATS_ACCESS_64_ MMSTATS_IS_LATCHED_
#endif

/* ---- Counters and gauges ---- */

#define MMSTATS_COUNTER_TYPE_(bits)                                                                \
    typedef struct {                                                                               \
        mmstats_cell##bits##_ cell;                                                                \
    } mmstats_counter##bits;                                                                       \
    typedef struct {                                                                               \
        mmstats_cell##bits##_ shared;                                                              \
    } mmstats_shared_counter##bits;                                                                \
    static inline uint##bits##_t mmstats_counter##bits##_get(const mmstats_counter##bits *field)   \
    {                                                                                              \
        return mmstats_load##bits##_(&field->cell);                                                \
    }                                                                                              \
    static inline void mmstats_counter##bits##_add(mmstats_counter##bits *field, uint##bits##_t n) \
    {                                                                                              \
        mmstats_store##bits##_(&field->cell, mmstats_load##bits##_(&field->cell) + n);             \
    }                                                                                              \
    static inline void mmstats_counter##bits##_incr(mmstats_counter##bits *field)                  \
    {                                                                                              \
        mmstats_counter##bits##_add(field, 1);                                                     \
    }                                                                                              \
    static inline uint##bits##_t mmstats_shared_counter##bits##_get(                               \
        const mmstats_shared_counter##bits *field)                                                 \
    {                                                                                              \
        return mmstats_shared_load##bits##_(&field->shared);                                       \
    }                                                                                              \
    static inline void mmstats_shared_counter##bits##_add(mmstats_shared_counter##bits *field,     \
                                                          uint##bits##_t n)                        \
    {                                                                                              \
        mmstats_shared_add##bits##_(&field->shared, n);                                            \
    }                                                                                              \
    static inline void mmstats_shared_counter##bits##_incr(mmstats_shared_counter##bits *field)    \
    {                                                                                              \
        mmstats_shared_add##bits##_(&field->shared, 1);                                            \
    }

MMSTATS_COUNTER_TYPE_(32)
MMSTATS_COUNTER_TYPE_(64)

/* The bits of a T as they are stored, and its addition. */
#define MMSTATS_INTEGER_(name, T, bits)                                               \
    static inline uint##bits##_t mmstats_##name##_bits_(T x)                          \
    {                                                                                 \
        return (uint##bits##_t)x;                                                     \
    }                                                                                 \
    static inline T mmstats_##name##_of_(uint##bits##_t x)                            \
    {                                                                                 \
        return (T)x;                                                                  \
    }                                                                                 \
    static inline uint##bits##_t mmstats_##name##_sum_(uint##bits##_t old, T x)       \
    {                                                                                 \
        return (uint##bits##_t)(old + (uint##bits##_t)x); /* wraps */                 \
    }                                                                                 \
    static inline void mmstats_##name##_shared_add_(mmstats_cell##bits##_ *cell, T x) \
    {                                                                                 \
        mmstats_shared_add##bits##_(cell, (uint##bits##_t)x);                         \
    }
#define MMSTATS_FLOAT_(name, T, bits)                                                          \
    typedef union {                                                                            \
        T number;                                                                              \
        uint##bits##_t stored;                                                                 \
    } mmstats_##name##_union_;                                                                 \
    static inline uint##bits##_t mmstats_##name##_bits_(T x)                                   \
    {                                                                                          \
        mmstats_##name##_union_ both;                                                          \
        both.number = x;                                                                       \
        return both.stored;                                                                    \
    }                                                                                          \
    static inline T mmstats_##name##_of_(uint##bits##_t x)                                     \
    {                                                                                          \
        mmstats_##name##_union_ both;                                                          \
        both.stored = x;                                                                       \
        return both.number;                                                                    \
    }                                                                                          \
    static inline uint##bits##_t mmstats_##name##_sum_(uint##bits##_t old, T x)                \
    {                                                                                          \
        return mmstats_##name##_bits_(mmstats_##name##_of_(old) + x);                          \
    }                                                                                          \
    static inline void mmstats_##name##_shared_add_(mmstats_cell##bits##_ *cell, T x)          \
    {                                                                                          \
        uint##bits##_t old = mmstats_shared_load##bits##_(cell);                               \
        while (!mmstats_shared_exchange##bits##_(cell, &old, mmstats_##name##_sum_(old, x))) { \
        }                                                                                      \
    }

#define MMSTATS_GAUGE_TYPE_(kind, name, T, bits)                                                  \
    kind(name, T, bits)                                                                           \
    typedef struct {                                                                              \
        mmstats_cell##bits##_ cell;                                                               \
    } mmstats_gauge_##name;                                                                       \
    typedef struct {                                                                              \
        mmstats_cell##bits##_ shared;                                                             \
    } mmstats_shared_gauge_##name;                                                                \
    static inline T mmstats_gauge_##name##_get(const mmstats_gauge_##name *field)                 \
    {                                                                                             \
        return mmstats_##name##_of_(mmstats_load##bits##_(&field->cell));                         \
    }                                                                                             \
    static inline void mmstats_gauge_##name##_set(mmstats_gauge_##name *field, T x)               \
    {                                                                                             \
        mmstats_store##bits##_(&field->cell, mmstats_##name##_bits_(x));                          \
    }                                                                                             \
    static inline void mmstats_gauge_##name##_add(mmstats_gauge_##name *field, T x)               \
    {                                                                                             \
        const uint##bits##_t old = mmstats_load##bits##_(&field->cell);                           \
        mmstats_store##bits##_(&field->cell, mmstats_##name##_sum_(old, x));                      \
    }                                                                                             \
    static inline void mmstats_gauge_##name##_raise(mmstats_gauge_##name *field, T x)             \
    {                                                                                             \
        if (x > mmstats_gauge_##name##_get(field))                                                \
            mmstats_gauge_##name##_set(field, x);                                                 \
    }                                                                                             \
    static inline void mmstats_gauge_##name##_lower(mmstats_gauge_##name *field, T x)             \
    {                                                                                             \
        if (x < mmstats_gauge_##name##_get(field))                                                \
            mmstats_gauge_##name##_set(field, x);                                                 \
    }                                                                                             \
    static inline T mmstats_shared_gauge_##name##_get(const mmstats_shared_gauge_##name *field)   \
    {                                                                                             \
        return mmstats_##name##_of_(mmstats_shared_load##bits##_(&field->shared));                \
    }                                                                                             \
    static inline void mmstats_shared_gauge_##name##_set(mmstats_shared_gauge_##name *field, T x) \
    {                                                                                             \
        mmstats_shared_store##bits##_(&field->shared, mmstats_##name##_bits_(x));                 \
    }                                                                                             \
    static inline void mmstats_shared_gauge_##name##_add(mmstats_shared_gauge_##name *field, T x) \
    {                                                                                             \
        mmstats_##name##_shared_add_(&field->shared, x);                                          \
    }                                                                                             \
    static inline void mmstats_shared_gauge_##name##_raise(mmstats_shared_gauge_##name *field,    \
                                                           T x)                                   \
    {                                                                                             \
        uint##bits##_t old = mmstats_shared_load##bits##_(&field->shared);                        \
        while (x > mmstats_##name##_of_(old) &&                                                   \
               !mmstats_shared_exchange##bits##_(&field->shared, &old,                            \
                                                 mmstats_##name##_bits_(x))) {                    \
        }                                                                                         \
    }                                                                                             \
    static inline void mmstats_shared_gauge_##name##_lower(mmstats_shared_gauge_##name *field,    \
                                                           T x)                                   \
    {                                                                                             \
        uint##bits##_t old = mmstats_shared_load##bits##_(&field->shared);                        \
        while (x < mmstats_##name##_of_(old) &&                                                   \
               !mmstats_shared_exchange##bits##_(&field->shared, &old,                            \
                                                 mmstats_##name##_bits_(x))) {                    \
        }                                                                                         \
    }

MMSTATS_GAUGE_TYPE_(MMSTATS_INTEGER_, i8, int8_t, 8)
MMSTATS_GAUGE_TYPE_(MMSTATS_INTEGER_, u8, uint8_t, 8)
MMSTATS_GAUGE_TYPE_(MMSTATS_INTEGER_, i16, int16_t, 16)
MMSTATS_GAUGE_TYPE_(MMSTATS_INTEGER_, u16, uint16_t, 16)
MMSTATS_GAUGE_TYPE_(MMSTATS_INTEGER_, i32, int32_t, 32)
MMSTATS_GAUGE_TYPE_(MMSTATS_INTEGER_, u32, uint32_t, 32)
MMSTATS_GAUGE_TYPE_(MMSTATS_INTEGER_, i64, int64_t, 64)
MMSTATS_GAUGE_TYPE_(MMSTATS_INTEGER_, u64, uint64_t, 64)
MMSTATS_GAUGE_TYPE_(MMSTATS_FLOAT_, f32, float, 32)
MMSTATS_GAUGE_TYPE_(MMSTATS_FLOAT_, f64, double, 64)

/* Any number of contexts may set a flag. */
typedef struct {
    mmstats_cell8_ cell;
} mmstats_flag;

static inline bool mmstats_flag_get(const mmstats_flag *field)
{
    return mmstats_load8_(&field->cell) != 0;
}

static inline void mmstats_flag_set(mmstats_flag *field, bool x)
{
    mmstats_store8_(&field->cell, x);
}

/* ---- Text ---- */

/* Returns the bytes of a text to store: as many whole UTF-8 characters as fit into `size`. */
static inline size_t mmstats_cut_(const char *text, size_t size)
{
    size_t length = 0;
    while (length < size && text[length] != 0)
        length++;
    while (length > 0 && ((unsigned char)text[length] & 0xc0u) == 0x80)
        length--;
    return length;
}

static inline void mmstats_text_store_(void *field, size_t words, size_t size, const char *text)
{
    mmstats_word_ *buffers = (mmstats_word_ *)field;
    uint32_t *sequence = (uint32_t *)(void *)(buffers + 2 * words);
    const uint32_t next = MMSTATS_LOAD(uint32_t, sequence) + 1;
    const size_t length = mmstats_cut_(text, size);
    MMSTATS_FENCE(); /* as in a latched number */
    for (size_t i = 0; i < words; i++) {
        union {
            char bytes[sizeof(mmstats_word_)];
            mmstats_word_ whole;
        } word;
        for (size_t j = 0; j < sizeof word; j++)
            word.bytes[j] = i * sizeof word + j < length ? text[i * sizeof word + j] : '\0';
        MMSTATS_STORE(mmstats_word_, buffers + (next & 1) * words + i, word.whole);
    }
    MMSTATS_FENCE();
    MMSTATS_STORE(uint32_t, sequence, next);
}

static inline void mmstats_shared_text_store_(void *field, size_t words, size_t size,
                                              const char *text)
{
    const unsigned long before = MMSTATS_ENTER_CRITICAL();
    mmstats_text_store_(field, words, size, text);
    MMSTATS_EXIT_CRITICAL(before);
}

/* The type carries the size N, and that of a histogram P and N, as the sizes of arrays that are
 * never accessed and no larger than what they overlay. The name `member` distinguishes shared
 * fields from others. */
#define MMSTATS_TEXT_TYPE_(member, N)                                         \
    struct {                                                                  \
        union {                                                               \
            mmstats_word_ member[2][((N) + MMSTATS_WORD - 1) / MMSTATS_WORD]; \
            char size[N];                                                     \
        } buffers;                                                            \
        uint32_t sequence;                                                    \
    }

#define mmstats_text_set(field, text)                                            \
    mmstats_text_store_(field, sizeof((field)->buffers.owned[0]) / MMSTATS_WORD, \
                        sizeof((field)->buffers.size), text)
#define mmstats_shared_text_set(field, text)                                             \
    mmstats_shared_text_store_(field, sizeof((field)->buffers.shared[0]) / MMSTATS_WORD, \
                               sizeof((field)->buffers.size), text)
/* ---- Histograms ---- */

#define MMSTATS_BUCKETS_(P, N) ((size_t)((N) - (P) + 1) << (P))

#define MMSTATS_HISTOGRAM_TYPE_(member, P, N, bits)               \
    struct {                                                      \
        mmstats_cell64_ sum;                                      \
        union {                                                   \
            mmstats_cell##bits##_ member[MMSTATS_BUCKETS_(P, N)]; \
            char p[(P) + 1];                                      \
            char n[N];                                            \
        } buckets;                                                \
    }

static inline unsigned mmstats_log2_(uint32_t x)
{
#ifdef __GNUC__
    return 31u - (unsigned)__builtin_clz(x);
#else
    unsigned power = 0;
    while (x >>= 1)
        power++;
    return power;
#endif
}

/* Returns the index of a value's bucket. */
static inline size_t mmstats_bucket_(uint64_t x, unsigned p, unsigned n)
{
    if (n < 64 && x >> n != 0)
        return MMSTATS_BUCKETS_(p, n) - 1;
    /* If n is at most 32, as it usually is on a device, there is no arithmetic of 64 bits. */
    const uint32_t high = n > 32 ? (uint32_t)(x >> 32) : 0;
    const unsigned power = high != 0 ? 32 + mmstats_log2_(high) : mmstats_log2_((uint32_t)x | 1);
    if (power <= p)
        return (size_t)x;
    const unsigned shift = power - p;
    return ((size_t)shift << p) + (size_t)(n > 32 ? x >> shift : (uint32_t)x >> shift);
}

/* The bucket comes first, as readers take the count from the buckets. */
static inline void mmstats_record_(void *field, size_t bucket_size, unsigned p, unsigned n,
                                   uint64_t x)
{
    mmstats_cell64_ *sum = (mmstats_cell64_ *)field;
    void *buckets = sum + 1;
    const size_t i = mmstats_bucket_(x, p, n);
    if (bucket_size == 8) {
        mmstats_cell64_ *bucket = (mmstats_cell64_ *)buckets + i;
        mmstats_store64_(bucket, mmstats_load64_(bucket) + 1);
    } else {
        mmstats_cell32_ *bucket = (mmstats_cell32_ *)buckets + i;
        mmstats_store32_(bucket, mmstats_load32_(bucket) + 1);
    }
    mmstats_store64_(sum, mmstats_load64_(sum) + x);
}

static inline void mmstats_shared_record_(void *field, size_t bucket_size, unsigned p, unsigned n,
                                          uint64_t x)
{
    mmstats_cell64_ *sum = (mmstats_cell64_ *)field;
    void *buckets = sum + 1;
    const size_t i = mmstats_bucket_(x, p, n);
    if (bucket_size == 8)
        mmstats_shared_add64_((mmstats_cell64_ *)buckets + i, 1);
    else
        mmstats_shared_add32_((mmstats_cell32_ *)buckets + i, 1);
    mmstats_shared_add64_(sum, x);
}

#define mmstats_histogram_record(field, x)                                                    \
    mmstats_record_(field, sizeof((field)->buckets.owned[0]), sizeof((field)->buckets.p) - 1, \
                    sizeof((field)->buckets.n), x)
#define mmstats_shared_histogram_record(field, x)                     \
    mmstats_shared_record_(field, sizeof((field)->buckets.shared[0]), \
                           sizeof((field)->buckets.p) - 1, sizeof((field)->buckets.n), x)

/* ---- Publishing ---- */

/* Returns the CRC-32 of bytes that follow others with this CRC. */
MMSTATS_ONCE_ uint32_t mmstats_crc32_(uint32_t crc, const void *bytes, uint32_t length)
{
    const uint8_t *at = (const uint8_t *)bytes;
    crc = ~crc;
    while (length--) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static inline uint32_t *mmstats_words_(const mmstats_descriptor *descriptor)
{
    return ((mmstats_header *)descriptor->region)->words;
}

/* Fills in the header that the published region has, except its magic: a complete header left on
 * the stack would look like a region to a scan of memory. */
static inline void mmstats_header_(const mmstats_descriptor *descriptor, uint32_t *words)
{
    const bool external = descriptor->flags & MMSTATS_EXTERNAL_;
    const uint32_t *region = mmstats_words_(descriptor);
    const void *directory = external ? descriptor->directory : region + MMSTATS_HEADER_WORDS_;
    const uint64_t place = external ? (uintptr_t)directory : sizeof(mmstats_header);
    words[MMSTATS_WIDTH_] = MMSTATS_BIG_ENDIAN_
        ? 0x01020000u | (uint32_t)MMSTATS_WORD << 8 | descriptor->flags
        : 0x0102u | (uint32_t)MMSTATS_WORD << 16 | (uint32_t)descriptor->flags << 24;
    words[MMSTATS_LENGTH_] = descriptor->length;
    words[MMSTATS_DIRECTORY_ + MMSTATS_BIG_ENDIAN_] = (uint32_t)place;
    words[MMSTATS_DIRECTORY_ + !MMSTATS_BIG_ENDIAN_] = (uint32_t)(place >> 32);
    words[MMSTATS_CHECK_] = mmstats_crc32_(MMSTATS_MAGIC_CRC_, words + MMSTATS_WIDTH_,
                                           4 * (MMSTATS_CHECK_ - MMSTATS_WIDTH_));
    words[MMSTATS_LAYOUT_] = mmstats_crc32_(0, directory, descriptor->published);
    words[MMSTATS_GENERATION_] = region[MMSTATS_GENERATION_];
    words[MMSTATS_PUBLISHED_] = descriptor->published;
}

/* Returns the bits of a field's initial value: 0, or "no value yet". */
static inline uint64_t mmstats_initial_(const mmstats_entry *entry)
{
    const bool min = (entry->options & 7) == MMSTATS_MIN;
    uint64_t bits; /* on the left; of a minimum: infinity, or the greatest number */
    if (!min && (entry->options & 7) != MMSTATS_MAX)
        return 0;
    if (entry->type == 'f' || entry->type == 'd')
        bits = (entry->type == 'f' ? (uint64_t)0x7f8 : 0x7ff) << 52 | (uint64_t)!min << 63;
    else if (entry->type >= 'a') /* signed */
        bits = UINT64_MAX >> 1 ^ (min ? 0 : UINT64_MAX);
    else
        bits = min ? UINT64_MAX : 0;
    return bits >> (64 - 8 * entry->size);
}

/* Gives fields their initial value by ordinary updates: those that have another than zero, or all
 * that do not outlive their writer. */
static inline void mmstats_reset_(const mmstats_descriptor *descriptor, bool all)
{
    const uint8_t *at = (const uint8_t *)descriptor->directory, *end = at + descriptor->published;
    const mmstats_entry *entry;
    for (; at < end; at += entry->length) {
        entry = (const mmstats_entry *)(const void *)at;
        void *value = (uint8_t *)descriptor->region + entry->value;
        if (entry->access == MMSTATS_IS_CONSTANT_ || entry->kind == MMSTATS_COUNTER_ ||
            entry->kind == MMSTATS_HISTOGRAM_ || (all && (entry->options & MMSTATS_KEPT)))
            continue;
        if (entry->type == 's') {
            if (all)
                mmstats_text_store_(value, (entry->size + MMSTATS_WORD - 1) / MMSTATS_WORD,
                                    entry->size, "");
            continue;
        }
        const uint64_t x = descriptor->has_bounds ? mmstats_initial_(entry) : 0;
        if (!all && x == 0)
            continue;
        if (entry->size == 1)
            mmstats_store8_((mmstats_cell8_ *)value, (uint8_t)x);
        else if (entry->size == 2)
            mmstats_store16_((mmstats_cell16_ *)value, (uint16_t)x);
        else if (entry->size == 4)
            mmstats_store32_((mmstats_cell32_ *)value, (uint32_t)x);
        else
            mmstats_store64_((mmstats_cell64_ *)value, x);
    }
}

/* Invalidates the region, and gives everything from this offset on its initial value. */
static inline void mmstats_clear_(const mmstats_descriptor *descriptor, uint32_t from)
{
    uint32_t *words = mmstats_words_(descriptor);
    uint8_t *bytes = (uint8_t *)descriptor->region;
    MMSTATS_STORE(uint32_t, &words[0], 0);
    MMSTATS_FENCE(); /* a reader that sees the new generation does not see the old magic */
    MMSTATS_STORE(uint32_t, &words[MMSTATS_GENERATION_], words[MMSTATS_GENERATION_] + 1);
    MMSTATS_FENCE(); /* one that sees anything written from here on sees the new generation */
    for (; from < descriptor->length; from++)
        MMSTATS_STORE(uint8_t, bytes + from, 0);
    if (descriptor->has_bounds)
        mmstats_reset_(descriptor, false);
}

/* Begins to initialise a region: readers see none, and every field gets its initial value. */
static inline void mmstats_begin(const mmstats_descriptor *descriptor)
{
    mmstats_clear_(descriptor, sizeof(mmstats_header));
    if (!(descriptor->flags & MMSTATS_EXTERNAL_)) {
        const uint8_t *from = (const uint8_t *)descriptor->directory;
        uint8_t *to = (uint8_t *)descriptor->region + sizeof(mmstats_header);
        for (uint32_t i = 0; i < descriptor->published; i++)
            MMSTATS_STORE(uint8_t, to + i, from[i]);
    }
}

/* Makes the region valid for readers, after constants and initial values have been set. */
static inline void mmstats_publish(const mmstats_descriptor *descriptor)
{
    uint32_t ours[MMSTATS_HEADER_WORDS_], *words = mmstats_words_(descriptor);
    mmstats_header_(descriptor, ours);
    for (int i = MMSTATS_WIDTH_; i < MMSTATS_HEADER_WORDS_; i++)
        MMSTATS_STORE(uint32_t, &words[i], ours[i]);
    MMSTATS_FENCE(); /* a reader that sees the magic sees all the rest */
    MMSTATS_STORE(uint32_t, &words[1], MMSTATS_MAGIC_1_);
    MMSTATS_FENCE();
    MMSTATS_STORE(uint32_t, &words[0], MMSTATS_MAGIC_0_);
}

/* Returns true if the directory in the region is this program's, constants aside. */
static inline bool mmstats_same_directory_(const mmstats_descriptor *descriptor)
{
    const uint8_t *ours = (const uint8_t *)descriptor->directory;
    const uint8_t *theirs = (const uint8_t *)descriptor->region + sizeof(mmstats_header);
    const mmstats_entry *entry;
    for (uint32_t at = 0; at < descriptor->published; at += entry->length) {
        entry = (const mmstats_entry *)(const void *)(ours + at);
        uint32_t end = entry->access == MMSTATS_IS_CONSTANT_ ? entry->value : entry->length;
        for (uint32_t i = at; i < at + end; i++)
            if (ours[i] != theirs[i])
                return false;
    }
    return true;
}

/* Takes over the stats that a region has from before a reset, if it is exactly one of this program:
 * counters, histograms and kept fields go on, all others begin again. Otherwise returns false; then
 * begin. Set constants and initial values, and publish, in both cases. */
static inline bool mmstats_resume(const mmstats_descriptor *descriptor)
{
    uint32_t ours[MMSTATS_HEADER_WORDS_];
    const uint32_t *words = mmstats_words_(descriptor);
    if (!(descriptor->flags & MMSTATS_EXTERNAL_) && !mmstats_same_directory_(descriptor))
        return false;
    mmstats_header_(descriptor, ours);
    if (words[0] != MMSTATS_MAGIC_0_ || words[1] != MMSTATS_MAGIC_1_)
        return false;
    for (int i = MMSTATS_WIDTH_; i < MMSTATS_HEADER_WORDS_; i++)
        if (words[i] != ours[i])
            return false;
    mmstats_reset_(descriptor, true);
    return true;
}

/* ---- Constants ---- */

/* Stores a constant. If it differs in a region that was resumed, this is another program or
 * device, and everything begins again; but a file never does, and its constants stay. */
static inline void mmstats_constant_store_(const mmstats_descriptor *descriptor, void *constant,
                                           const void *x, size_t size)
{
    uint8_t *to = (uint8_t *)constant;
    const uint8_t *from = (const uint8_t *)x;
    for (size_t i = 0; i < size; i++) {
        if (to[i] == from[i])
            continue;
        if (mmstats_words_(descriptor)[0] != 0) {
            if (descriptor->flags & MMSTATS_IMMUTABLE_)
                return;
            mmstats_clear_(descriptor, descriptor->variables);
        }
        MMSTATS_STORE(uint8_t, to + i, from[i]);
    }
}

/* A constant is bytes, in whole words so that entries end at multiples of 4. */
#define MMSTATS_CONSTANT_TYPE_(name, T)                                                      \
    typedef struct {                                                                         \
        uint32_t bytes[(sizeof(T) + 3) / 4];                                                 \
    } mmstats_constant_##name;                                                               \
    static inline void mmstats_constant_##name##_set(const mmstats_descriptor *descriptor,   \
                                                     mmstats_constant_##name *constant, T x) \
    {                                                                                        \
        mmstats_constant_store_(descriptor, constant->bytes, &x, sizeof x);                  \
    }

MMSTATS_CONSTANT_TYPE_(flag, bool)
MMSTATS_CONSTANT_TYPE_(i8, int8_t)
MMSTATS_CONSTANT_TYPE_(u8, uint8_t)
MMSTATS_CONSTANT_TYPE_(i16, int16_t)
MMSTATS_CONSTANT_TYPE_(u16, uint16_t)
MMSTATS_CONSTANT_TYPE_(i32, int32_t)
MMSTATS_CONSTANT_TYPE_(u32, uint32_t)
MMSTATS_CONSTANT_TYPE_(i64, int64_t)
MMSTATS_CONSTANT_TYPE_(u64, uint64_t)
MMSTATS_CONSTANT_TYPE_(f32, float)
MMSTATS_CONSTANT_TYPE_(f64, double)

static inline void mmstats_constant_text_store_(const mmstats_descriptor *descriptor,
                                                char *constant, size_t size, const char *text)
{
    const size_t length = mmstats_cut_(text, size);
    const char zero = 0;
    for (size_t i = 0; i < size; i++)
        mmstats_constant_store_(descriptor, constant + i, i < length ? text + i : &zero, 1);
}

#define MMSTATS_CONSTANT_TEXT_TYPE_(N) \
    union {                            \
        uint32_t words[((N) + 3) / 4]; \
        char text[N];                  \
    }

#define mmstats_constant_text_set(descriptor, constant, x) \
    mmstats_constant_text_store_(descriptor, (constant)->text, sizeof((constant)->text), x)

/* ---- Rows of a model ---- */

/* A unit: a base unit's name in plural (seconds, bytes, volts, celsius, ratio), unixtime, or any
 * other name. The number to show is the value times 10^scale; or the value divided by divisor. */
#define MMSTATS_NO_UNIT ("", 0, 0)
#define MMSTATS_UNIT(name, scale) (name, scale, 0)
#define MMSTATS_UNIT_OVER(name, divisor) (name, 0, divisor)
#define MMSTATS_NAME_OF_(name, scale, divisor) name
#define MMSTATS_SCALE_OF_(name, scale, divisor) scale
#define MMSTATS_DIVISOR_OF_(name, scale, divisor) divisor

/* The kind, type, access and size of each type. */
#define MMSTATS_AS_counter32 MMSTATS_COUNTER_, 'I', MMSTATS_IS_WORD_, 4
#define MMSTATS_AS_counter64 MMSTATS_COUNTER_, 'Q', MMSTATS_ACCESS_64_, 8
#define MMSTATS_AS_flag MMSTATS_GAUGE_, '?', MMSTATS_IS_WORD_, 1
#define MMSTATS_AS_gauge_i8 MMSTATS_GAUGE_, 'b', MMSTATS_IS_WORD_, 1
#define MMSTATS_AS_gauge_u8 MMSTATS_GAUGE_, 'B', MMSTATS_IS_WORD_, 1
#define MMSTATS_AS_gauge_i16 MMSTATS_GAUGE_, 'h', MMSTATS_IS_WORD_, 2
#define MMSTATS_AS_gauge_u16 MMSTATS_GAUGE_, 'H', MMSTATS_IS_WORD_, 2
#define MMSTATS_AS_gauge_i32 MMSTATS_GAUGE_, 'i', MMSTATS_IS_WORD_, 4
#define MMSTATS_AS_gauge_u32 MMSTATS_GAUGE_, 'I', MMSTATS_IS_WORD_, 4
#define MMSTATS_AS_gauge_i64 MMSTATS_GAUGE_, 'q', MMSTATS_ACCESS_64_, 8
#define MMSTATS_AS_gauge_u64 MMSTATS_GAUGE_, 'Q', MMSTATS_ACCESS_64_, 8
#define MMSTATS_AS_gauge_f32 MMSTATS_GAUGE_, 'f', MMSTATS_IS_WORD_, 4
#define MMSTATS_AS_gauge_f64 MMSTATS_GAUGE_, 'd', MMSTATS_ACCESS_64_, 8
#define MMSTATS_AS_shared_counter32 MMSTATS_AS_counter32
#define MMSTATS_AS_shared_counter64 MMSTATS_AS_counter64
#define MMSTATS_AS_shared_gauge_i8 MMSTATS_AS_gauge_i8
#define MMSTATS_AS_shared_gauge_u8 MMSTATS_AS_gauge_u8
#define MMSTATS_AS_shared_gauge_i16 MMSTATS_AS_gauge_i16
#define MMSTATS_AS_shared_gauge_u16 MMSTATS_AS_gauge_u16
#define MMSTATS_AS_shared_gauge_i32 MMSTATS_AS_gauge_i32
#define MMSTATS_AS_shared_gauge_u32 MMSTATS_AS_gauge_u32
#define MMSTATS_AS_shared_gauge_i64 MMSTATS_AS_gauge_i64
#define MMSTATS_AS_shared_gauge_u64 MMSTATS_AS_gauge_u64
#define MMSTATS_AS_shared_gauge_f32 MMSTATS_AS_gauge_f32
#define MMSTATS_AS_shared_gauge_f64 MMSTATS_AS_gauge_f64
#define MMSTATS_AS_constant_flag '?', 1
#define MMSTATS_AS_constant_i8 'b', 1
#define MMSTATS_AS_constant_u8 'B', 1
#define MMSTATS_AS_constant_i16 'h', 2
#define MMSTATS_AS_constant_u16 'H', 2
#define MMSTATS_AS_constant_i32 'i', 4
#define MMSTATS_AS_constant_u32 'I', 4
#define MMSTATS_AS_constant_i64 'q', 8
#define MMSTATS_AS_constant_u64 'Q', 8
#define MMSTATS_AS_constant_f32 'f', 4
#define MMSTATS_AS_constant_f64 'd', 8

/* Calls F after its arguments have been expanded: some of them become several. */
#define MMSTATS_CALL_(F, ...) F(__VA_ARGS__)

#define MMSTATS_FIELD(F, M, type, name, label, unit, options, help)                        \
    MMSTATS_CALL_(F##FIELD, M, mmstats_##type, name, MMSTATS_AS_##type, 0, 0, label, unit, \
                  options, help)

#define MMSTATS_TEXT_(F, M, member, N, name, label, options, help)                      \
    MMSTATS_CALL_(F##FIELD, M, MMSTATS_TEXT_TYPE_(member, N), name, MMSTATS_INFO_, 's', \
                  MMSTATS_IS_LATCHED_, N, 0, 0, label, MMSTATS_NO_UNIT, options, help)
#define MMSTATS_TEXT(F, M, N, name, label, options, help) \
    MMSTATS_TEXT_(F, M, owned, N, name, label, options, help)
#define MMSTATS_SHARED_TEXT(F, M, N, name, label, options, help) \
    MMSTATS_TEXT_(F, M, shared, N, name, label, options, help)

/* 2^P buckets for each power of two, so values are within 2^-P of themselves, up to 2^N. The
 * buckets have 32 bits, or 64 by MMSTATS_HISTOGRAM64 if MMSTATS_WORD is 8. */
#define MMSTATS_HISTOGRAM_ROW_(F, M, member, bits, letter, P, N, name, ...)            \
    MMSTATS_CALL_(F##FIELD, M, MMSTATS_HISTOGRAM_TYPE_(member, P, N, bits), name,      \
                  MMSTATS_HISTOGRAM_, letter, MMSTATS_IS_WORD_,                        \
                  sizeof(mmstats_cell64_) + (bits) / 8 * MMSTATS_BUCKETS_(P, N), P, N, \
                  __VA_ARGS__)
#define MMSTATS_HISTOGRAM(F, M, P, N, name, label, unit, options, help) \
    MMSTATS_HISTOGRAM_ROW_(F, M, owned, 32, 'I', P, N, name, label, unit, options, help)
#define MMSTATS_SHARED_HISTOGRAM(F, M, P, N, name, label, unit, options, help) \
    MMSTATS_HISTOGRAM_ROW_(F, M, shared, 32, 'I', P, N, name, label, unit, options, help)
#if MMSTATS_WORD == 8
#define MMSTATS_HISTOGRAM64(F, M, P, N, name, label, unit, options, help) \
    MMSTATS_HISTOGRAM_ROW_(F, M, owned, 64, 'Q', P, N, name, label, unit, options, help)
#define MMSTATS_SHARED_HISTOGRAM64(F, M, P, N, name, label, unit, options, help) \
    MMSTATS_HISTOGRAM_ROW_(F, M, shared, 64, 'Q', P, N, name, label, unit, options, help)
#endif

#define MMSTATS_CONSTANT(F, M, type, name, label, unit, help)                                \
    MMSTATS_CALL_(F##CONSTANT, M, mmstats_constant_##type, name, MMSTATS_AS_constant_##type, \
                  label, unit, help)
#define MMSTATS_CONSTANT_TEXT(F, M, N, name, label, help)                              \
    MMSTATS_CALL_(F##CONSTANT, M, MMSTATS_CONSTANT_TEXT_TYPE_(N), name, 's', N, label, \
                  MMSTATS_NO_UNIT, help)

/* ---- The expansions of a row ---- */

/* Members of the region: constants first, so that the rest can be zeroed without them. */
#define MMSTATS_PLACE_FIELD(M, T, name, ...)
#define MMSTATS_PLACE_CONSTANT(M, T, name, ...) T name;
#define MMSTATS_MEMBER_FIELD(M, T, name, ...) T name;
#define MMSTATS_MEMBER_CONSTANT(M, T, name, ...)

/* Entries of the directory. The texts end with a NUL, which C++ insists on. */
#define MMSTATS_TEXTS_(label, unit, help) \
    ((sizeof(label) + sizeof(MMSTATS_NAME_OF_ unit) + sizeof(help) - 2 + 3) / 4 * 4)

#define MMSTATS_ENTRY_FIELD(M, T, name, kind, type, access, size, p, n, label, unit, options, \
                            help)                                                             \
    struct {                                                                                  \
        mmstats_entry entry;                                                                  \
        char texts[MMSTATS_TEXTS_(label, unit, help)];                                        \
    } name;
#define MMSTATS_ENTRY_CONSTANT(M, T, name, type, size, label, unit, help) \
    MMSTATS_ENTRY_FIELD(M, T, name, , , , , , , label, unit, , help)
#define MMSTATS_ENTRY_IN_RAM_FIELD MMSTATS_ENTRY_FIELD
#define MMSTATS_ENTRY_IN_RAM_CONSTANT(M, T, name, type, size, label, unit, help) \
    struct {                                                                     \
        mmstats_entry entry;                                                     \
        char texts[MMSTATS_TEXTS_(label, unit, help)];                           \
        T constant;                                                              \
    } name;

#define MMSTATS_INIT_(M, name, value, kind, type, access, size, p, n, label, unit, options, help) \
    {sizeof(((struct M##_directory *)0)->name), value, size, kind, type, access,                  \
     MMSTATS_SCALE_OF_ unit, MMSTATS_DIVISOR_OF_ unit, sizeof(label) - 1, sizeof(help) - 1,       \
     sizeof(MMSTATS_NAME_OF_ unit) - 1, p, n, options},                                           \
        label MMSTATS_NAME_OF_ unit help
#define MMSTATS_INIT_FIELD(M, T, name, kind, type, access, size, p, n, label, unit, options, help) \
    {MMSTATS_INIT_(M, name, offsetof(struct M, name), kind, type, access, size, p, n, label, unit, \
                   options, help)},
#define MMSTATS_INIT_CONSTANT(M, T, name, type, size, label, unit, help)   \
    {MMSTATS_INIT_(M, name, offsetof(struct M, name), MMSTATS_INFO_, type, \
                   MMSTATS_IS_CONSTANT_, size, 0, 0, label, unit, 0, help)},
#define MMSTATS_INIT_IN_RAM_FIELD MMSTATS_INIT_FIELD
#define MMSTATS_INIT_IN_RAM_CONSTANT(M, T, name, type, size, label, unit, help)        \
    {MMSTATS_INIT_(M, name, sizeof(mmstats_entry) + MMSTATS_TEXTS_(label, unit, help), \
                   MMSTATS_INFO_, type, MMSTATS_IS_CONSTANT_, size, 0, 0, label, unit, \
                   0, help),                                                           \
     {{0}}},

#define MMSTATS_CHECK_(label, unit, help)                                                  \
    MMSTATS_ASSERT_(sizeof(label) > 1, "a label has at least one byte");                   \
    MMSTATS_ASSERT_(sizeof(label) <= 65536, "a label has at most 65535 bytes");            \
    MMSTATS_ASSERT_(sizeof(MMSTATS_NAME_OF_ unit) <= 256, "a unit has at most 255 bytes"); \
    MMSTATS_ASSERT_(sizeof(help) <= 65536, "a help text has at most 65535 bytes");         \
    MMSTATS_ASSERT_((MMSTATS_SCALE_OF_ unit) >= -128 && (MMSTATS_SCALE_OF_ unit) <= 127,   \
                    "a scale is from -128 to 127");
#define MMSTATS_CHECK_FIELD(M, T, name, kind, type, access, size, p, n, label, unit, options,  \
                            help)                                                              \
    MMSTATS_CHECK_(label, unit, help)                                                          \
    MMSTATS_ASSERT_((n) == 0 || ((p) < (n) && (n) <= 64 && (p) <= 24),                         \
                    "a histogram has P below N, P up to 24 and N up to 64");                   \
    MMSTATS_ASSERT_(((options) & ~(MMSTATS_KEPT | 7)) == 0 && ((options) & 7) <= MMSTATS_LAST, \
                    "options are one aggregation, and MMSTATS_KEPT or not");
#define MMSTATS_CHECK_CONSTANT(M, T, name, type, size, label, unit, help)                 \
    MMSTATS_CHECK_(label, unit, help)                                                     \
    MMSTATS_ASSERT_(sizeof(mmstats_entry) + MMSTATS_TEXTS_(label, unit, help) + (size) <= \
                    262144, "an entry has at most 262144 bytes");

/* Whether any field has MMSTATS_MIN or MMSTATS_MAX; then publishing takes some more code. */
#define MMSTATS_BOUND_FIELD(M, T, name, kind, type, access, size, p, n, label, unit, options, \
                            help)                                                             \
    ((options) & 7) == MMSTATS_MIN || ((options) & 7) == MMSTATS_MAX ||
#define MMSTATS_BOUND_CONSTANT(M, T, name, ...)
#define MMSTATS_HAS_BOUNDS_(FIELDS, model) (FIELDS(MMSTATS_BOUND_, model) false)

/* ---- Models and regions ---- */

/* Declares struct model, a region of it with the directory elsewhere. */
#define MMSTATS_MODEL(model, FIELDS)                                 \
    struct model##_constants_ {                                      \
        mmstats_header header;                                       \
        FIELDS(MMSTATS_PLACE_, model) uint8_t end;                   \
    };                                                               \
    struct model {                                                   \
        mmstats_header header;                                       \
        FIELDS(MMSTATS_PLACE_, model) FIELDS(MMSTATS_MEMBER_, model) \
    } MMSTATS_ALIGNED_;                                              \
    struct model##_directory {                                       \
        FIELDS(MMSTATS_ENTRY_, model)                                \
    };                                                               \
    FIELDS(MMSTATS_CHECK_, model)                                    \
    MMSTATS_ASSERT_(sizeof(struct model) <= UINT32_MAX, "a region has less than 4 GiB")

/* The same with the directory inside. */
#define MMSTATS_MODEL_IN_RAM(model, FIELDS)  \
    struct model##_directory {               \
        FIELDS(MMSTATS_ENTRY_IN_RAM_, model) \
    };                                       \
    struct model {                           \
        mmstats_header header;               \
        struct model##_directory directory;  \
        FIELDS(MMSTATS_MEMBER_, model)       \
    } MMSTATS_ALIGNED_;                      \
    FIELDS(MMSTATS_CHECK_, model)            \
    MMSTATS_ASSERT_(sizeof(struct model) <= UINT32_MAX, "a region has less than 4 GiB")

#define MMSTATS_DEFINE_(model, FIELDS, INIT, region, variables, flags)                     \
    struct model region MMSTATS_SECTION;                                                   \
    static const struct model##_directory region##_directory MMSTATS_DIRECTORY_SECTION = { \
        FIELDS(INIT, model)};                                                              \
    MMSTATS_ASSERT_(sizeof(struct model) <= MMSTATS_MAX_BYTES, "the region is too small"); \
    static const mmstats_descriptor region##_descriptor MMSTATS_USED_ = {                  \
        {2, 'M', 'M', 'S', 'T', 'A', 'T', 'D'}, &region, sizeof(struct model),             \
        sizeof(struct model##_directory), &region##_directory, variables, flags,           \
        MMSTATS_HAS_BOUNDS_(FIELDS, model)}

/* Defines the region, its directory and its descriptor, in one source file. Others can declare
 * extern struct model region. */
#define MMSTATS_REGION(model, FIELDS, region)             \
    MMSTATS_DEFINE_(model, FIELDS, MMSTATS_INIT_, region, \
                    offsetof(struct model##_constants_, end), MMSTATS_EXTERNAL_)
#define MMSTATS_REGION_IN_RAM(model, FIELDS, region)             \
    MMSTATS_DEFINE_(model, FIELDS, MMSTATS_INIT_IN_RAM_, region, \
                    sizeof(mmstats_header) + sizeof(struct model##_directory), 0)

#endif
