/* Publishes in files. At each line it prints, it waits for a byte from the test.
 *
 * files threads: threads that count, end and are followed by others
 * files fork: a child that goes on with its parent's pointers and publishes, too
 * files once: one counter
 * files retry: one counter, with another attempt to create its file after each line */
#include "mmstats_file.h"

#include <sys/wait.h>

enum { THREADS = 3, ADDITIONS = 10000 };

#define WEB(F, M)                                                                       \
    MMSTATS_FIELD(F, M, counter64, steps, "web.steps", MMSTATS_NO_UNIT, 0, "Steps.")    \
    MMSTATS_FIELD(F, M, gauge_u32, open, "web.open", MMSTATS_NO_UNIT, 0, "")            \
    MMSTATS_FIELD(F, M, gauge_u32, limit, "web.limit", MMSTATS_NO_UNIT, 0, "")          \
    MMSTATS_FIELD(F, M, gauge_i64, kept, "web.kept", MMSTATS_NO_UNIT, MMSTATS_KEPT, "") \
    MMSTATS_CONSTANT(F, M, u16, port, "web.port", MMSTATS_NO_UNIT, "")                  \
    MMSTATS_TEXT(F, M, 20, worker, "web.worker", 0, "Its activity.")                    \
    MMSTATS_IDENTITY(F, M, "web.")

#define COMMON(F, M)                                                                            \
    MMSTATS_FIELD(F, M, shared_counter32, narrow, "narrow", MMSTATS_NO_UNIT, 0, "")             \
    MMSTATS_FIELD(F, M, shared_counter64, wide, "wide", MMSTATS_NO_UNIT, 0, "")                 \
    MMSTATS_FIELD(F, M, shared_gauge_i8, balance, "balance", MMSTATS_NO_UNIT, 0, "")            \
    MMSTATS_FIELD(F, M, shared_gauge_f64, sum, "sum", MMSTATS_NO_UNIT, 0, "")                   \
    MMSTATS_FIELD(F, M, shared_gauge_i64, highest, "highest", MMSTATS_NO_UNIT, MMSTATS_MAX, "") \
    MMSTATS_FIELD(F, M, shared_gauge_i64, lowest, "lowest", MMSTATS_NO_UNIT, MMSTATS_MIN, "")   \
    MMSTATS_SHARED_TEXT(F, M, 20, last, "last", 0, "")                                          \
    MMSTATS_SHARED_HISTOGRAM(F, M, 2, 20, sizes, "sizes", MMSTATS_UNIT("bytes", 0), 0, "")      \
    MMSTATS_IDENTITY(F, M, "")

MMSTATS_MODEL_IN_RAM(web, WEB);
MMSTATS_MODEL_IN_RAM(common, COMMON);

static void begin_web(const mmstats_descriptor *descriptor, struct web *web)
{
    mmstats_constant_u16_set(descriptor, &web->directory.port.constant, 8080);
    mmstats_gauge_u32_set(&web->limit, 100);
    mmstats_text_set(&web->worker, "idle");
}

MMSTATS_PER_THREAD(web, WEB, stats, begin_web);
MMSTATS_PER_PROCESS(common, COMMON, shared, NULL);

/* Says something, and waits until the test has looked. */
static void say(const char *what)
{
    char byte;
    dprintf(STDOUT_FILENO, "%s\n", what);
    if (read(STDIN_FILENO, &byte, 1) != 1)
        exit(1);
}

static pthread_barrier_t counted, seen;

static void count(void)
{
    mmstats_gauge_u32_set(&stats()->open, 5);
    mmstats_gauge_i64_set(&stats()->kept, 7);
    mmstats_text_set(&stats()->worker, "counting");
    for (int i = 0; i < ADDITIONS; i++) {
        mmstats_counter64_incr(&stats()->steps);
        mmstats_shared_counter32_incr(&shared()->narrow);
        mmstats_shared_counter64_add(&shared()->wide, UINT64_C(1) << 20);
        mmstats_shared_gauge_i8_add(&shared()->balance, i % 2 == 0 ? 3 : -3);
        mmstats_shared_gauge_f64_add(&shared()->sum, 0.5);
        mmstats_shared_gauge_i64_raise(&shared()->highest, i);
        mmstats_shared_gauge_i64_lower(&shared()->lowest, -i);
        mmstats_shared_histogram_record(&shared()->sizes, (uint64_t)i);
        mmstats_shared_text_set(&shared()->last, i % 2 == 0 ? "even" : "odd, and longer");
    }
}

static void *run(void *unused)
{
    count();
    pthread_barrier_wait(&counted);
    pthread_barrier_wait(&seen);
    return unused;
}

static void *count_once(void *unused)
{
    mmstats_counter64_incr(&stats()->steps);
    return unused;
}

static void with_threads(void)
{
    pthread_t threads[THREADS], last;
    pthread_barrier_init(&counted, NULL, THREADS + 1);
    pthread_barrier_init(&seen, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, NULL);
    pthread_barrier_wait(&counted);
    say("counted");
    pthread_barrier_wait(&seen);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    say("ended");
    pthread_create(&last, NULL, count_once, NULL);
    pthread_join(last, NULL);
    say("followed");
}

static void with_fork(void)
{
    struct web *const parents = stats();
    mmstats_counter64_add(&parents->steps, 3);
    mmstats_shared_counter32_add(&shared()->narrow, 3);
    say("forking");
    const pid_t child = fork();
    if (child == 0) {
        mmstats_counter64_add(&parents->steps, 1000); /* seen by nobody */
        mmstats_counter64_add(&stats()->steps, 4);
        mmstats_shared_counter32_add(&shared()->narrow, 4);
        mmstats_shared_text_set(&shared()->last, "child");
        say("child");
        exit(0);
    }
    int status = 1;
    if (waitpid(child, &status, 0) != child || status != 0)
        exit(1);
    mmstats_counter64_add(&stats()->steps, 3);
    say("parent");
}

static void with_retries(void)
{
    for (int i = 0; i < 4; i++) {
        mmstats_counter64_incr(&stats()->steps);
        say(mmstats_file_retry() ? "published" : "private");
    }
}

int main(int argc, char **argv)
{
    const char *scene = argc == 2 ? argv[1] : "";
    if (strcmp(scene, "threads") == 0) {
        with_threads();
    } else if (strcmp(scene, "fork") == 0) {
        with_fork();
    } else if (strcmp(scene, "retry") == 0) {
        with_retries();
    } else {
        mmstats_counter64_incr(&stats()->steps);
        say("once");
    }
    return 0;
}
