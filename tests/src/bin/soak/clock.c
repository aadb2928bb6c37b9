// The wall clock of programs that preload this: the kernel's clock plus the offset of its last
// step. The steps are in a file that all programs map, so the clock is set for them alone.
//
// The kernel's times of files get the offset of their time, as if they had been written by this
// clock. Not all programs read them with libc, so a seccomp filter traps the system calls. It
// survives `exec`, at the start of which nothing handles the trap: WALL_CLOCK_OF_FILES says that a
// program makes none.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __x86_64__
#error "a processor of another kind (x86-64 expected)"
#endif

#define SECOND 1000000000

// In nanoseconds; `start` by the kernel's clock.
struct step {
    int64_t start, offset;
};

struct steps {
    uint64_t count;
    struct step all[];
};

static const struct steps *steps;

static void shift(int64_t *seconds, int64_t *nanoseconds) {
    int64_t now = *seconds * SECOND + *nanoseconds;
    for (uint64_t i = __atomic_load_n(&steps->count, __ATOMIC_ACQUIRE); i-- > 0;) {
        if (steps->all[i].start <= now) {
            now += steps->all[i].offset;
            break;
        }
    }
    *seconds = now / SECOND;
    *nanoseconds = now % SECOND;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && steps && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        shift(&time->tv_sec, &time->tv_nsec);
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (seconds)
        *seconds = now.tv_sec;
    return now.tv_sec;
}

static void shift_stat(struct stat *stat) {
    struct timespec *times[] = {&stat->st_atim, &stat->st_mtim, &stat->st_ctim};
    for (int i = 0; i < 3; i++)
        shift(&times[i]->tv_sec, &times[i]->tv_nsec);
}

static void shift_statx(struct statx *stat) {
    struct statx_timestamp *times[] = {&stat->stx_atime, &stat->stx_btime, &stat->stx_mtime,
                                       &stat->stx_ctime};
    for (int i = 0; i < 4; i++) {
        int64_t seconds = times[i]->tv_sec, nanoseconds = times[i]->tv_nsec;
        shift(&seconds, &nanoseconds);
        times[i]->tv_sec = seconds;
        times[i]->tv_nsec = nanoseconds;
    }
}

// The sixth argument of system calls that the filter lets pass; none of these has so many.
#define PASS 0x736f616b636c6f63

static void on_trap(int signal, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    int error = errno;
    (void)signal;
    long result = syscall(info->si_syscall, registers[REG_RDI], registers[REG_RSI],
                          registers[REG_RDX], registers[REG_R10], registers[REG_R8], PASS);
    registers[REG_RAX] = result == 0 ? 0 : -errno;
    errno = error;
    if (result != 0)
        return;
    if (info->si_syscall == SYS_statx)
        shift_statx((struct statx *)registers[REG_R8]);
    else if (info->si_syscall == SYS_newfstatat)
        shift_stat((struct stat *)registers[REG_RDX]);
    else
        shift_stat((struct stat *)registers[REG_RSI]);
}

static void trap(void) {
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define JUMP(value, equal, other) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, equal, other)
    enum { SIXTH = offsetof(struct seccomp_data, args[5]) };
    struct sock_filter filter[] = {
        LOAD(offsetof(struct seccomp_data, arch)),
        JUMP(AUDIT_ARCH_X86_64, 0, 10),
        LOAD(offsetof(struct seccomp_data, nr)),
        JUMP(SYS_stat, 4, 0),
        JUMP(SYS_fstat, 3, 0),
        JUMP(SYS_lstat, 2, 0),
        JUMP(SYS_newfstatat, 1, 0),
        JUMP(SYS_statx, 0, 4),
        LOAD(SIXTH),
        JUMP((uint32_t)PASS, 0, 3),
        LOAD(SIXTH + 4),
        JUMP(PASS >> 32, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_RESTART};
    if (sigaction(SIGSYS, &action, NULL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        abort();
}

__attribute__((constructor)) static void start(void) {
    struct stat stat;
    const char *path = getenv("WALL_CLOCK");
    int file = open(path ? path : "", O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &stat))
        abort();
    steps = mmap(NULL, stat.st_size, PROT_READ, MAP_SHARED, file, 0);
    if (steps == MAP_FAILED)
        abort();
    close(file);
    if (getenv("WALL_CLOCK_OF_FILES"))
        trap();
}
