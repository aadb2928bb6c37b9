/* mmstats_file.h: publishes the stats of a process on Linux in files, as mmstats-std does.
 *
 *     #include "mmstats_file.h"    // before other headers, or with -D_GNU_SOURCE
 *
 *     #define WEB(F, M)                                                                       \
 *         MMSTATS_FIELD(F, M, counter64, ok, "web.status.2XX", MMSTATS_NO_UNIT, 0,            \
 *                       "Responses with a 2xx status.")                                       \
 *         MMSTATS_TEXT(F, M, 32, worker, "web.worker", 0, "Its activity.")                    \
 *         MMSTATS_IDENTITY(F, M, "web.")
 *
 *     MMSTATS_MODEL_IN_RAM(web, WEB);
 *
 *     // Sets constants and initial values of a thread; everything else is zero.
 *     static void begin(const mmstats_descriptor *descriptor, struct web *web)
 *     {
 *         (void)descriptor;
 *         mmstats_text_set(&web->worker, "idle");
 *     }
 *
 *     MMSTATS_PER_THREAD(web, WEB, stats, begin);    // defines struct web *stats(void)
 *
 *     int main(void)
 *     {
 *         mmstats_counter64_incr(&stats()->ok);      // the first use creates the thread's file
 *         return 0;
 *     }
 *
 * MMSTATS_PER_THREAD: each thread has a file of its own. When it ends, the next new thread takes
 * the file over: counters, histograms and kept fields go on, everything else begins again.
 * MMSTATS_PER_PROCESS: all threads use one file, so its fields have to be shared ones, or belong to
 * one of the threads each. Both define a function for all source files; in others, declare it.
 * The last argument is the function that sets initial values, or NULL. That function must not use
 * the stats of this file.
 *
 * MMSTATS_IDENTITY has to be a row: tools know a process by these fields. Its prefix is that of the
 * other labels, or "".
 *
 * Files are created in the directory MMSTATS_PATH, or not at all if that is "none"; without it, in
 * /dev/shm if that is a writable tmpfs, or else in TMPDIR or /tmp. Their name is MMSTATS_FILES,
 * {CMD}-{PID}-{TID}.mmstats without it; both may have {CMD}, {PID}, {TID} and {MODEL}. Programs
 * with privileges (setuid) ignore the environment. Files are removed when the process exits; a
 * forked child gets its own.
 *
 * If a file cannot be created, as on a full disk, the stats count in private memory, and one line
 * on standard error says why. mmstats_file_retry() tries again for the calling thread: call it once
 * a second, for instance. The next thread that takes these stats over tries again by itself.
 *
 * A signal handler must not call stats(), as it may interrupt the first use: pass it the pointer.
 * Code with these files must not be unloaded (dlclose). Link with -pthread.
 */
#ifndef MMSTATS_FILE_H
#define MMSTATS_FILE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "mmstats.h"

#if defined(__GLIBC__) && !defined(__USE_GNU)
#error "include mmstats_file.h before other headers, or define _GNU_SOURCE"
#endif

/* Define MMSTATS_FILE_MODE to set the permissions of files, regardless of the umask. The default is
 * 0444 within the umask: nobody needs to write to a file, as its process has it mapped. */

/* Rows with the identity of the process. All but tid and created are constants, so that the files
 * of a process have one directory. */
#define MMSTATS_IDENTITY(F, M, prefix)                                                            \
    MMSTATS_CONSTANT(F, M, u32, sys_pid, prefix "sys.pid", MMSTATS_NO_UNIT, "Process ID.")        \
    MMSTATS_FIELD(F, M, gauge_i64, sys_tid, prefix "sys.tid", MMSTATS_NO_UNIT, 0,                 \
                  "Thread ID; 0 while no thread owns these stats.")                               \
    MMSTATS_CONSTANT(F, M, u64, sys_uid, prefix "sys.uid", MMSTATS_NO_UNIT, "User ID.")           \
    MMSTATS_CONSTANT(F, M, u64, sys_gid, prefix "sys.gid", MMSTATS_NO_UNIT, "Group ID.")          \
    MMSTATS_FIELD(F, M, gauge_f64, sys_created, prefix "sys.created",                             \
                  MMSTATS_UNIT("unixtime", 0), MMSTATS_KEPT, "When the file was created.")        \
    MMSTATS_CONSTANT(F, M, u64, sys_start, prefix "sys.start", MMSTATS_NO_UNIT,                   \
                     "When the process started, in clock ticks since boot.")                      \
    MMSTATS_CONSTANT_TEXT(F, M, 36, sys_boot_id, prefix "sys.boot_id", "Boot ID of the machine.") \
    MMSTATS_CONSTANT(F, M, u64, sys_pid_namespace, prefix "sys.pid_namespace", MMSTATS_NO_UNIT,   \
                     "Inode number of the PID namespace.")

/* A region and its file. Never freed, as somebody may still hold a pointer into it. */
typedef struct mmstats_file {
    struct mmstats_file *next;
    struct mmstats_files *files;
    mmstats_descriptor descriptor;
    bool owned;     /* by a thread, or by the process */
    bool inherited; /* from the process that forked this one: no longer used */
    char *path;     /* NULL in private memory */
    dev_t device;
    ino_t inode;
} mmstats_file;

/* The files of one MMSTATS_PER_THREAD or MMSTATS_PER_PROCESS. */
typedef struct mmstats_files {
    const char *model;
    mmstats_descriptor descriptor; /* without a region */
    bool per_process;
    void (*identify)(const mmstats_descriptor *descriptor);
    void (*set_tid)(void *region, int64_t tid);
    void (*begin)(const mmstats_descriptor *descriptor);
    void (*forget)(void); /* this thread's pointer */
    mmstats_file *first;
    struct mmstats_files *next;
    pthread_key_t key;
    bool warned;
} mmstats_files;

/* All files that this source file publishes, guarded by one lock. */
static struct {
    pthread_mutex_t lock;
    mmstats_files *first;
    bool is_set_up, is_exiting;
    unsigned temporary_files;
} mmstats_process_ = {PTHREAD_MUTEX_INITIALIZER, NULL, false, false, 0};

/* ---- Identity ---- */

/* Reads a small file; the result ends with a NUL, and is empty if it cannot be read. */
MMSTATS_ONCE_ void mmstats_read_(const char *path, char *to, size_t size)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = 0;
    if (file >= 0) {
        length = read(file, to, size - 1);
        close(file);
    }
    to[length > 0 ? length : 0] = 0;
}

/* Returns field 22 of /proc/self/stat, the start in clock ticks since boot; 0 if it is unknown. */
MMSTATS_ONCE_ uint64_t mmstats_start_(void)
{
    char stat[1024];
    mmstats_read_("/proc/self/stat", stat, sizeof stat);
    /* Field 2 is the program's name in parentheses, which can hold anything. */
    const char *at = strrchr(stat, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

MMSTATS_ONCE_ const char *mmstats_boot_id_(char (*id)[37])
{
    mmstats_read_("/proc/sys/kernel/random/boot_id", *id, sizeof *id);
    return *id;
}

MMSTATS_ONCE_ uint64_t mmstats_pid_namespace_(void)
{
    struct stat found;
    return stat("/proc/self/ns/pid", &found) == 0 ? found.st_ino : 0;
}

MMSTATS_ONCE_ double mmstats_unix_time_(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- Paths ---- */

typedef struct {
    char text[4096];
    size_t length;
    const char *error; /* NULL, or why it is not a path */
} mmstats_path_;

static inline void mmstats_append_(mmstats_path_ *path, const char *text, size_t length)
{
    if (length >= sizeof path->text - path->length) {
        path->error = "its path is too long (at most 4095 bytes expected)";
        return;
    }
    memcpy(path->text + path->length, text, length);
    path->length += length;
    path->text[path->length] = 0;
}

/* Appends a name that must neither add a directory to the path nor hide the file. */
static inline void mmstats_append_name_(mmstats_path_ *path, const char *name)
{
    for (size_t i = 0; name[i] != 0; i++)
        mmstats_append_(path, name[i] == '/' || (i == 0 && name[i] == '.') ? "_" : name + i, 1);
}

static inline void mmstats_append_number_(mmstats_path_ *path, unsigned long long number)
{
    char text[24];
    mmstats_append_(path, text, (size_t)snprintf(text, sizeof text, "%llu", number));
}

/* Appends a template. */
MMSTATS_ONCE_ void mmstats_expand_(mmstats_path_ *path, const char *text, const char *model,
                                   pid_t tid)
{
    while (*text != 0) {
        size_t length = 1;
        if ((text[0] == '{' || text[0] == '}') && text[1] == text[0]) {
            mmstats_append_(path, text, 1);
            length = 2;
        } else if (strncmp(text, "{CMD}", 5) == 0) {
            mmstats_append_name_(path, program_invocation_short_name);
            length = 5;
        } else if (strncmp(text, "{PID}", 5) == 0) {
            mmstats_append_number_(path, (unsigned long long)getpid());
            length = 5;
        } else if (strncmp(text, "{TID}", 5) == 0) {
            mmstats_append_number_(path, (unsigned long long)tid);
            length = 5;
        } else if (strncmp(text, "{MODEL}", 7) == 0) {
            mmstats_append_name_(path, model);
            length = 7;
        } else if (text[0] == '{' || text[0] == '}') {
            path->error = "invalid template ({CMD}, {PID}, {TID}, {MODEL}, {{ or }} expected)";
            return;
        } else {
            mmstats_append_(path, text, 1);
        }
        text += length;
    }
}

/* Returns the value of a variable; NULL if it is empty, or this program has privileges (setuid). */
static inline const char *mmstats_variable_(const char *name)
{
    const char *value = secure_getenv(name);
    return value != NULL && value[0] != 0 ? value : NULL;
}

/* Whether the user wishes that programs count in private memory. */
static inline bool mmstats_is_switched_off_(void)
{
    const char *directory = mmstats_variable_("MMSTATS_PATH");
    return directory != NULL && strcmp(directory, "none") == 0;
}

MMSTATS_ONCE_ void mmstats_path_of_(mmstats_path_ *path, const char *model, pid_t tid)
{
    const char *directory = mmstats_variable_("MMSTATS_PATH");
    const char *files = mmstats_variable_("MMSTATS_FILES");
    struct statfs system;
    path->length = 0;
    path->text[0] = 0;
    path->error = NULL;
    if (directory != NULL && directory[0] != '/' && getcwd(path->text, sizeof path->text) != NULL) {
        path->length = strlen(path->text); /* a change of the working directory must not matter */
        mmstats_append_(path, "/", 1);
    }
    if (directory != NULL) {
        mmstats_expand_(path, directory, model, tid);
    } else {
        const char *temporary = mmstats_variable_("TMPDIR");
        /* On a disk, a store to a mapping can block. The number is TMPFS_MAGIC of statfs(2). */
        if (statfs("/dev/shm", &system) == 0 && (unsigned long)system.f_type == 0x01021994 &&
            access("/dev/shm", W_OK | X_OK) == 0)
            directory = "/dev/shm";
        else
            directory = temporary != NULL ? temporary : "/tmp";
        mmstats_append_(path, directory, strlen(directory));
    }
    mmstats_append_(path, "/", 1);
    mmstats_expand_(path, files != NULL ? files : "{CMD}-{PID}-{TID}.mmstats", model, tid);
}

/* ---- Files ---- */

/* How many names are tried, and how many of them have a number; the others are random, as other
 * users can take all names that they can predict. */
enum { MMSTATS_TRIES_ = 16, MMSTATS_NUMBERS_ = 8 };

static inline unsigned long long mmstats_random_(void)
{
    unsigned long long number = 0;
    if (syscall(SYS_getrandom, &number, sizeof number, 0) != (long)sizeof number)
        number = (unsigned long long)(mmstats_unix_time_() * 1e6);
    return number;
}

/* Returns the descriptor of a new file .mmstats-PID-NUMBER.tmp beside `path`, which has a form
 * that cleanstats knows, or -1. */
static inline int mmstats_create_temporary_(const mmstats_path_ *path, mmstats_path_ *temporary)
{
    const char *name = strrchr(path->text, '/') + 1;
    for (int i = 0; i < MMSTATS_TRIES_; i++) {
        temporary->length = 0;
        temporary->error = NULL;
        mmstats_append_(temporary, path->text, (size_t)(name - path->text));
        mmstats_append_(temporary, ".mmstats-", 9);
        mmstats_append_number_(temporary, (unsigned long long)getpid());
        mmstats_append_(temporary, "-", 1);
        mmstats_append_number_(temporary, i < MMSTATS_NUMBERS_
                                              ? mmstats_process_.temporary_files++
                                              : mmstats_random_());
        mmstats_append_(temporary, ".tmp", 4);
        if (temporary->error != NULL) {
            errno = ENAMETOOLONG;
            return -1;
        }
        const int file =
            open(temporary->text, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
        if (file >= 0 || errno != EEXIST)
            return file;
    }
    return -1;
}

/* Allocates blocks: a store to a page that the disk has no space for would kill the process. */
static inline int mmstats_allocate_(int file, uint32_t length)
{
    struct rlimit limit;
    /* Above this limit, the system sends SIGXFSZ. */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && length > limit.rlim_cur)
        return EFBIG;
    const int error = posix_fallocate(file, 0, length);
    /* Without support of the file system, glibc writes zeros; the content that follows does, too,
     * wherever the C library does not. */
    return error == EOPNOTSUPP || error == EINVAL ? 0 : error;
}

/* Gives the file its name, or returns -1; never replaces another file. */
static inline int mmstats_rename_(const char *from, const char *to)
{
#ifdef SYS_renameat2
    if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1 /* RENAME_NOREPLACE */) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
#endif
    /* Not every file system can do this. A hard link does not replace a file either. */
    if (link(from, to) != 0)
        return -1;
    unlink(from);
    return 0;
}

/* Renames the file to its path, or to one with a suffix before the extension if that is taken. */
MMSTATS_ONCE_ int mmstats_rename_into_place_(const mmstats_path_ *temporary, mmstats_path_ *path)
{
    const mmstats_path_ wanted = *path;
    const char *name = strrchr(wanted.text, '/') + 1;
    const char *dot = strrchr(name, '.');
    const size_t stem = dot != NULL && dot != name ? (size_t)(dot - wanted.text) : wanted.length;
    for (int i = 0; i < MMSTATS_TRIES_; i++) {
        if (i > 0) {
            path->length = 0;
            mmstats_append_(path, wanted.text, stem);
            mmstats_append_(path, ".", 1);
            mmstats_append_number_(path, i < MMSTATS_NUMBERS_ ? (unsigned long long)i
                                                              : mmstats_random_());
            mmstats_append_(path, wanted.text + stem, wanted.length - stem);
        }
        if (path->error != NULL) {
            errno = ENAMETOOLONG;
            return -1;
        }
        if (mmstats_rename_(temporary->text, path->text) == 0)
            return 0;
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

/* Moves the region's memory into an open file. Its addresses stay. */
static inline const char *mmstats_move_(mmstats_file *file, int to)
{
    const mmstats_descriptor *descriptor = &file->descriptor;
    void *region = descriptor->region;
    uint32_t *words = mmstats_words_(descriptor);
    const uint32_t magic = words[0];
    struct stat found;
    if ((errno = mmstats_allocate_(to, descriptor->length)) != 0)
        return "cannot be allocated";
    if (pwrite(to, region, descriptor->length, 0) != (ssize_t)descriptor->length ||
        fstat(to, &found) != 0)
        return "cannot be written";
#ifdef MMSTATS_FILE_MODE
    if (fchmod(to, MMSTATS_FILE_MODE) != 0)
        return "cannot set its permissions";
#endif
    /* An earlier file that was renamed would be counted beside the new one. */
    MMSTATS_STORE(uint32_t, &words[0], 0);
    if (mmap(region, descriptor->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, to, 0) ==
        MAP_FAILED) {
        MMSTATS_STORE(uint32_t, &words[0], magic);
        return "cannot be mapped";
    }
    file->device = found.st_dev;
    file->inode = found.st_ino;
    return NULL;
}

/* Creates the file of a region; returns NULL, or what failed, with errno. */
MMSTATS_ONCE_ const char *mmstats_attach_(mmstats_file *file, mmstats_path_ *path)
{
    mmstats_path_ temporary;
    const char *failed = NULL;
    const int to = mmstats_create_temporary_(path, &temporary);
    if (to < 0)
        return "cannot be created";
    failed = mmstats_move_(file, to);
    if (failed == NULL && mmstats_rename_into_place_(&temporary, path) != 0)
        failed = "cannot be renamed into place";
    const int error = errno;
    if (failed != NULL)
        unlink(temporary.text);
    else
        file->path = strdup(path->text);
    close(to);
    errno = error;
    return failed;
}

/* Returns true if the region's file still has its name, and stores the file's size. */
static inline bool mmstats_has_file_(const mmstats_file *file, off_t *size)
{
    struct stat found;
    if (file->path == NULL || file->inherited || lstat(file->path, &found) != 0 ||
        found.st_dev != file->device || found.st_ino != file->inode)
        return false;
    *size = found.st_size;
    return true;
}

static inline void mmstats_remove_(mmstats_file *file)
{
    off_t size;
    if (!mmstats_has_file_(file, &size))
        return;
    /* A store to a file that was truncated would kill the program. */
    if (size > 0)
        MMSTATS_STORE(uint32_t, mmstats_words_(&file->descriptor), 0);
    unlink(file->path);
}

/* ---- Process, threads and forks ---- */

static inline void mmstats_lock_(void)
{
    pthread_mutex_lock(&mmstats_process_.lock);
}

static inline void mmstats_unlock_(void)
{
    pthread_mutex_unlock(&mmstats_process_.lock);
}

/* Runs at exit. A signal handler that calls exit may have interrupted the owner of the lock. */
MMSTATS_ONCE_ void mmstats_remove_all_(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    if (pthread_mutex_timedlock(&mmstats_process_.lock, &until) != 0)
        return;
    mmstats_process_.is_exiting = true;
    for (mmstats_files *files = mmstats_process_.first; files != NULL; files = files->next)
        for (mmstats_file *file = files->first; file != NULL; file = file->next)
            mmstats_remove_(file);
    mmstats_unlock_();
}

/* The critical section of shared texts, and of shared numbers wider than a word: one for all source
 * files of the process. */
#ifdef __cplusplus
extern "C" {
#endif
__attribute__((weak)) pthread_mutex_t mmstats_critical_mutex = PTHREAD_MUTEX_INITIALIZER;

__attribute__((weak)) unsigned long mmstats_enter_critical(void)
{
    pthread_mutex_lock(&mmstats_critical_mutex);
    return 0;
}

__attribute__((weak)) void mmstats_exit_critical(unsigned long before)
{
    (void)before;
    pthread_mutex_unlock(&mmstats_critical_mutex);
}
#ifdef __cplusplus
}
#endif

static inline void *mmstats_map_(void *at, uint32_t length)
{
    return mmap(at, length, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | (at != NULL ? MAP_FIXED : 0), -1, 0);
}

/* Runs in a forked child: its parent's files are not its own. Pointers into them that it still has
 * lead to private memory. */
MMSTATS_ONCE_ void mmstats_after_fork_(void)
{
    for (mmstats_files *files = mmstats_process_.first; files != NULL; files = files->next) {
        for (mmstats_file *file = files->first; file != NULL; file = file->next) {
            mmstats_map_(file->descriptor.region, file->descriptor.length);
            file->inherited = true;
        }
        files->forget();
        if (!files->per_process)
            pthread_setspecific(files->key, NULL);
    }
    /* A thread that does not exist in the child may have locked it. */
    pthread_mutex_init(&mmstats_critical_mutex, NULL);
    mmstats_unlock_();
}

/* Runs at the end of a thread: the next new one takes the file over. */
MMSTATS_ONCE_ void mmstats_park_(void *owned)
{
    mmstats_file *file = (mmstats_file *)owned;
    file->files->forget();
    mmstats_reset_(&file->descriptor, true);
    mmstats_lock_();
    file->owned = false;
    mmstats_unlock_();
}

static inline bool mmstats_set_up_(mmstats_files *files)
{
    if (!mmstats_process_.is_set_up) {
        mmstats_process_.is_set_up = true;
        pthread_atfork(mmstats_lock_, mmstats_unlock_, mmstats_after_fork_);
        atexit(mmstats_remove_all_);
    }
    for (const mmstats_files *known = mmstats_process_.first; known != NULL; known = known->next)
        if (known == files)
            return true;
    if (!files->per_process && pthread_key_create(&files->key, mmstats_park_) != 0)
        return false;
    files->next = mmstats_process_.first;
    mmstats_process_.first = files;
    return true;
}

/* Returns a region that nobody owns, or a new one in private memory; NULL if there is no memory. */
static inline mmstats_file *mmstats_take_(mmstats_files *files)
{
    mmstats_file *file = files->first;
    while (file != NULL && (file->inherited || (file->owned && !files->per_process)))
        file = file->next;
    if (file != NULL)
        return file;
    file = (mmstats_file *)calloc(1, sizeof *file);
    void *region = mmstats_map_(NULL, files->descriptor.length);
    if (file == NULL || region == MAP_FAILED)
        return NULL;
    file->files = files;
    file->descriptor = files->descriptor;
    file->descriptor.region = region;
    mmstats_begin(&file->descriptor);
    files->identify(&file->descriptor);
    file->next = files->first;
    files->first = file;
    return file;
}

/* Creates the region's file if it has none, or somebody has removed it. */
MMSTATS_ONCE_ void mmstats_ensure_file_(mmstats_file *file, pid_t tid)
{
    mmstats_files *files = file->files;
    mmstats_path_ path;
    off_t size;
    if (mmstats_process_.is_exiting || mmstats_is_switched_off_() || mmstats_has_file_(file, &size))
        return;
    free(file->path);
    file->path = NULL;
    mmstats_path_of_(&path, files->model, tid);
    const char *failed = path.error;
    const char *reason = "";
    if (failed == NULL) {
        failed = mmstats_attach_(file, &path);
        reason = failed != NULL ? strerror(errno) : "";
    }
    if (failed == NULL || files->warned)
        return;
    files->warned = true;
    char line[4600];
    const int length = snprintf(line, sizeof line,
                                "mmstats: %s is not published: %s: %s%s%s; it is counted in "
                                "private memory\n",
                                files->model, path.text, failed, reason[0] != 0 ? ": " : "",
                                reason);
    if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0) {
        /* There is nowhere else to report it. */
    }
}

/* Returns this thread's region, or the process's; the first call creates it. */
MMSTATS_ONCE_ void *mmstats_open_(mmstats_files *files)
{
    const pid_t tid = files->per_process ? getpid() : (pid_t)syscall(SYS_gettid);
    mmstats_lock_();
    mmstats_file *file = mmstats_set_up_(files) ? mmstats_take_(files) : NULL;
    if (file == NULL)
        abort(); /* not even memory for counting */
    if (!file->owned) {
        file->owned = true;
        files->set_tid(file->descriptor.region, tid);
        files->begin(&file->descriptor);
        mmstats_publish(&file->descriptor);
        mmstats_ensure_file_(file, tid);
        if (!files->per_process)
            pthread_setspecific(files->key, file);
    }
    mmstats_unlock_();
    return file->descriptor.region;
}

/* Creates the files of the calling thread's stats that could not be created, or that somebody has
 * removed; the counts so far go on. Returns true if all of these stats are in files then.
 *
 * It applies to MMSTATS_PER_THREAD in this source file. (Other threads may be updating the stats of
 * MMSTATS_PER_PROCESS, and their updates would be lost while the memory moves into the file; so
 * would those of a signal handler.) */
MMSTATS_ONCE_ bool mmstats_file_retry(void)
{
    bool published = true;
    mmstats_lock_();
    for (mmstats_files *files = mmstats_process_.first; files != NULL; files = files->next) {
        mmstats_file *file =
            files->per_process ? NULL : (mmstats_file *)pthread_getspecific(files->key);
        off_t size;
        if (file == NULL)
            continue;
        mmstats_ensure_file_(file, (pid_t)syscall(SYS_gettid));
        published = mmstats_has_file_(file, &size) && published;
    }
    mmstats_unlock_();
    return published;
}

#define MMSTATS_FILES_(model_, FIELDS, function, start, is_per_process)                      \
    static const struct model_##_directory function##_directory_ = {                         \
        FIELDS(MMSTATS_INIT_IN_RAM_, model_)};                                               \
    static void function##_identify_(const mmstats_descriptor *descriptor)                   \
    {                                                                                        \
        struct model_ *region = (struct model_ *)descriptor->region;                         \
        struct model_##_directory *to = &region->directory;                                  \
        char boot_id[37];                                                                    \
        mmstats_constant_u32_set(descriptor, &to->sys_pid.constant, (uint32_t)getpid());     \
        mmstats_constant_u64_set(descriptor, &to->sys_uid.constant, getuid());               \
        mmstats_constant_u64_set(descriptor, &to->sys_gid.constant, getgid());               \
        mmstats_constant_u64_set(descriptor, &to->sys_start.constant, mmstats_start_());     \
        mmstats_constant_text_set(descriptor, &to->sys_boot_id.constant,                     \
                                  mmstats_boot_id_(&boot_id));                               \
        mmstats_constant_u64_set(descriptor, &to->sys_pid_namespace.constant,                \
                                 mmstats_pid_namespace_());                                  \
        mmstats_gauge_f64_set(&region->sys_created, mmstats_unix_time_());                   \
    }                                                                                        \
    static void function##_set_tid_(void *region, int64_t tid)                               \
    {                                                                                        \
        mmstats_gauge_i64_set(&((struct model_ *)region)->sys_tid, tid);                     \
    }                                                                                        \
    static void function##_begin_(const mmstats_descriptor *descriptor)                      \
    {                                                                                        \
        void (*const mmstats_start)(const mmstats_descriptor *, struct model_ *) = start;    \
        if (mmstats_start != NULL)                                                           \
            mmstats_start(descriptor, (struct model_ *)descriptor->region);                  \
    }                                                                                        \
    static void function##_forget_(void)                                                     \
    {                                                                                        \
        function##_current_ = NULL;                                                          \
    }                                                                                        \
    static mmstats_files function##_files_ = {                                               \
        #model_,                                                                             \
        {{0}, NULL, sizeof(struct model_), sizeof(struct model_##_directory),                \
         &function##_directory_, sizeof(mmstats_header) + sizeof(struct model_##_directory), \
         MMSTATS_IMMUTABLE_, MMSTATS_HAS_BOUNDS_(FIELDS, model_)},                           \
        is_per_process, function##_identify_, function##_set_tid_, function##_begin_,        \
        function##_forget_, NULL, NULL, 0, false};

#define MMSTATS_PER_THREAD(model, FIELDS, function, begin)                           \
    static __thread struct model *function##_current_;                               \
    MMSTATS_FILES_(model, FIELDS, function, begin, false)                            \
    struct model *function(void)                                                     \
    {                                                                                \
        if (function##_current_ == NULL)                                             \
            function##_current_ = (struct model *)mmstats_open_(&function##_files_); \
        return function##_current_;                                                  \
    }                                                                                \
    MMSTATS_ASSERT_(sizeof(struct model) <= MMSTATS_MAX_BYTES, "the region is too small")

#define MMSTATS_PER_PROCESS(model, FIELDS, function, begin)                             \
    static struct model *function##_current_;                                           \
    MMSTATS_FILES_(model, FIELDS, function, begin, true)                                \
    struct model *function(void)                                                        \
    {                                                                                   \
        struct model *region = __atomic_load_n(&function##_current_, __ATOMIC_ACQUIRE); \
        if (region == NULL) {                                                           \
            region = (struct model *)mmstats_open_(&function##_files_);                 \
            __atomic_store_n(&function##_current_, region, __ATOMIC_RELEASE);           \
        }                                                                               \
        return region;                                                                  \
    }                                                                                   \
    MMSTATS_ASSERT_(sizeof(struct model) <= MMSTATS_MAX_BYTES, "the region is too small")

#endif
