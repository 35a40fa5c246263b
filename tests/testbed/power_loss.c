/* Logs what a process does to the files below a folder, in one order, so that a test can lose the power in between.
 *
 * To be preloaded. POWER_LOSS_BASE is the folder, POWER_LOSS_TRACE the file that the log is appended to, by all
 * processes in one order; POWER_LOSS_DIE_AT makes the process kill itself before its so-manieth event. Killing it from
 * outside could fall between an operation and its entry.
 *
 * An event is, little-endian: u32 length of what follows | u8 kind | u32 process | u64 inode | u64 a | u64 b |
 * u32 length of the text | text | data. The kinds:
 *
 *   C file made (text: path)          M folder made (text: path)     U name removed (text: path)
 *   R renamed (text: old, data: new)  L linked (text: old, data: new)
 *   W written (a: offset, data)       T length set (a)               A room made (a: offset, b: length)
 *   B sync begins (a: its number)     E sync ends (a: its number)    S and F: the same, of the whole file system
 *   K written to standard output (data), logged before it is done
 *   ! something that is not understood (text): the test fails
 *
 * Files whose name ends with -shm are left out, but for their names: they are shared memory.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char base[PATH_MAX];
static size_t base_length;
static int trace = -1;
static long die_at = -1, events;
static uint64_t syncs;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        fprintf(stderr, "power_loss: there is no %s\n", name);
        _exit(99);
    }
    return found;
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("POWER_LOSS_BASE"), *file = getenv("POWER_LOSS_TRACE");
    const char *die = getenv("POWER_LOSS_DIE_AT");
    if (!folder || !file) return;
    snprintf(base, sizeof base, "%s/", folder);
    base_length = strlen(base);
    if (die) die_at = atol(die);
    int fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* Out of the way of low numbers. */
    trace = fcntl(fd, F_DUPFD_CLOEXEC, 300);
    syscall(SYS_close, fd);
    if (trace < 0) _exit(99);
}

/* One process and one thread at a time: an operation and its entry are one step. */
static void enter(void) {
    pthread_mutex_lock(&mutex);
    if (trace >= 0) flock(trace, LOCK_EX);
}

static void leave(void) {
    int kept = errno;
    if (trace >= 0) flock(trace, LOCK_UN);
    pthread_mutex_unlock(&mutex);
    errno = kept;
}

static void die_if_due(void) {
    if (die_at >= 0 && events >= die_at) kill(getpid(), SIGKILL);
}

static void put(char kind, uint64_t inode, uint64_t a, uint64_t b, const char *text, const void *data, size_t size) {
    int kept = errno;
    struct __attribute__((packed)) {
        uint32_t length;
        char kind;
        uint32_t process;
        uint64_t inode, a, b;
        uint32_t text;
    } head = {0, kind, (uint32_t)getpid(), inode, a, b, text ? (uint32_t)strlen(text) : 0};
    head.length = sizeof head - sizeof head.length + head.text + size;
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)text, head.text}, {(void *)data, size}};
    ssize_t written = syscall(SYS_writev, trace, parts, 3);
    if (written != (ssize_t)(head.length + sizeof head.length)) _exit(99);
    events++;
    errno = kept;
}

/* Whether the descriptor is of something below the folder; then which, and its path. */
static int traced(int fd, struct stat *status, char *path) {
    char link[64];
    if (trace < 0) return 0;
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    int found = length > 0 && fstat(fd, status) == 0;
    if (found) {
        path[length] = 0;
        /* The folder itself counts as well. */
        found = !strncmp(path, base, base_length) || ((size_t)length == base_length - 1 && !strncmp(path, base, length));
    }
    errno = kept;
    return found;
}

static int is_shared_memory(const char *path) {
    size_t length = strlen(path);
    return length > 4 && !strcmp(path + length - 4, "-shm");
}

static int has_data(int fd, struct stat *status) {
    char path[PATH_MAX];
    return traced(fd, status, path) && S_ISREG(status->st_mode) && !is_shared_memory(path);
}

/* The path below the folder that these name, or nothing. */
static int below(int folder, const char *path, char *out) {
    if (trace < 0) return 0;
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
    } else {
        char link[64], start[PATH_MAX / 2];
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, start, sizeof start - 1);
        if (length < 0) return 0;
        start[length] = 0;
        snprintf(out, PATH_MAX, "%s/%s", start, path);
    }
    return !strncmp(out, base, base_length);
}

static int strange(const char *what) {
    put('!', 0, 0, 0, what, 0, 0);
    return 0;
}

/* Names */

static int opened(const char *name, int folder, const char *path, int flags, mode_t mode) {
    __typeof__(&openat64) open_it = (__typeof__(&openat64))real(name);
    char full[PATH_MAX];
    if (!(flags & (O_CREAT | O_TRUNC)) || !below(folder, path, full)) return open_it(folder, path, flags, mode);
    enter();
    die_if_due();
    struct stat before, after;
    int was_there = lstat(full, &before) == 0;
    int fd = open_it(folder, path, flags, mode);
    if (fd >= 0 && fstat(fd, &after) == 0) {
        if (!was_there) put('C', after.st_ino, 0, 0, full, 0, 0);
        else if (flags & O_TRUNC && !is_shared_memory(full)) put('T', after.st_ino, 0, 0, 0, 0, 0);
        if ((flags & O_TMPFILE) == O_TMPFILE) strange("O_TMPFILE");
    }
    leave();
    return fd;
}

#define MODE(flags)                                                                                                    \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                           \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode = va_arg(more, mode_t);                                                                                   \
        va_end(more);                                                                                                  \
    }

int open(const char *path, int flags, ...) { MODE(flags) return opened("openat", AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened("openat64", AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return opened("openat", folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags) return opened("openat64", folder, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened("openat", AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return opened("openat64", AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

static int made(int folder, const char *path, mode_t mode) {
    char full[PATH_MAX];
    if (!below(folder, path, full)) return REAL(mkdirat)(folder, path, mode);
    enter();
    die_if_due();
    int result = REAL(mkdirat)(folder, path, mode);
    struct stat status;
    if (!result && !lstat(full, &status)) put('M', status.st_ino, 0, 0, full, 0, 0);
    leave();
    return result;
}

int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) { return made(folder, path, mode); }

static int removed(int folder, const char *path, int flags) {
    char full[PATH_MAX];
    if (!below(folder, path, full)) return REAL(unlinkat)(folder, path, flags);
    enter();
    die_if_due();
    int result = REAL(unlinkat)(folder, path, flags);
    if (!result) put('U', 0, 0, 0, full, 0, 0);
    leave();
    return result;
}

int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return removed(folder, path, flags); }
int rmdir(const char *path) { return removed(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    struct stat status;
    return removed(AT_FDCWD, path, !lstat(path, &status) && S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0);
}

static int renamed(int from, const char *old, int to, const char *new, unsigned flags) {
    char full_old[PATH_MAX], full_new[PATH_MAX];
    int inside = below(from, old, full_old) + below(to, new, full_new);
    if (!inside) return REAL(renameat2)(from, old, to, new, flags);
    enter();
    die_if_due();
    int result = REAL(renameat2)(from, old, to, new, flags);
    if (!result) {
        if (inside == 1 || flags) strange("a rename into or out of the folder, or with flags");
        put('R', 0, 0, 0, full_old, full_new, strlen(full_new));
    }
    leave();
    return result;
}

int rename(const char *old, const char *new) { return renamed(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int from, const char *old, int to, const char *new) { return renamed(from, old, to, new, 0); }
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    return renamed(from, old, to, new, flags);
}

static int linked(int from, const char *old, int to, const char *new, int flags) {
    char full_old[PATH_MAX], full_new[PATH_MAX];
    int inside = below(from, old, full_old) + below(to, new, full_new);
    if (!inside) return REAL(linkat)(from, old, to, new, flags);
    enter();
    die_if_due();
    int result = REAL(linkat)(from, old, to, new, flags);
    if (!result) {
        if (inside == 1) strange("a link into or out of the folder");
        put('L', 0, 0, 0, full_old, full_new, strlen(full_new));
    }
    leave();
    return result;
}

int link(const char *old, const char *new) { return linked(AT_FDCWD, old, AT_FDCWD, new, 0); }
int linkat(int from, const char *old, int to, const char *new, int flags) { return linked(from, old, to, new, flags); }

int symlink(const char *target, const char *path) {
    char full[PATH_MAX];
    if (below(AT_FDCWD, path, full)) enter(), strange("symlink"), leave();
    return REAL(symlink)(target, path);
}

/* Data */

/* At `offset`, or where the descriptor stands. */
static ssize_t written(int fd, const struct iovec *parts, int count, off64_t offset, int at) {
    struct stat status;
    int output = fd == STDOUT_FILENO && trace >= 0;
    int data = !output && has_data(fd, &status);
    if (!output && !data) {
        if (!at) return count == 1 ? syscall(SYS_write, fd, parts->iov_base, parts->iov_len) : syscall(SYS_writev, fd, parts, count);
        return syscall(SYS_pwritev, fd, parts, count, offset, 0);
    }
    enter();
    die_if_due();
    size_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    char *all = malloc(size + 1), *end = all;
    for (int i = 0; i < count; i++) end = mempcpy(end, parts[i].iov_base, parts[i].iov_len);
    ssize_t result = 0;
    if (output) {
        /* Written in whole: what is logged is what is read. */
        put('K', 0, 0, 0, 0, all, size);
        size_t done = 0;
        while (done < size && (result = syscall(SYS_write, fd, all + done, size - done)) > 0) done += result;
        result = done ? (ssize_t)done : result;
    } else {
        if (!at) {
            fstat(fd, &status);
            offset = fcntl(fd, F_GETFL) & O_APPEND ? status.st_size : lseek64(fd, 0, SEEK_CUR);
        }
        result = at ? syscall(SYS_pwrite64, fd, all, size, offset) : syscall(SYS_write, fd, all, size);
        if (result > 0) put('W', status.st_ino, offset, 0, 0, all, result);
    }
    free(all);
    leave();
    return result;
}

ssize_t write(int fd, const void *data, size_t size) {
    struct iovec part = {(void *)data, size};
    return written(fd, &part, 1, 0, 0);
}
ssize_t writev(int fd, const struct iovec *parts, int count) { return written(fd, parts, count, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    struct iovec part = {(void *)data, size};
    return written(fd, &part, 1, offset, 1);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    struct iovec part = {(void *)data, size};
    return written(fd, &part, 1, offset, 1);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return written(fd, parts, count, offset, 1); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) { return written(fd, parts, count, offset, 1); }

static int cut(int fd, off64_t length) {
    struct stat status;
    if (!has_data(fd, &status)) return syscall(SYS_ftruncate, fd, length);
    enter();
    die_if_due();
    int result = syscall(SYS_ftruncate, fd, length);
    if (!result) put('T', status.st_ino, length, 0, 0, 0, 0);
    leave();
    return result;
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

static int room(int fd, int mode, off64_t offset, off64_t length) {
    struct stat status;
    if (!has_data(fd, &status)) return syscall(SYS_fallocate, fd, mode, offset, length);
    enter();
    die_if_due();
    int result = syscall(SYS_fallocate, fd, mode, offset, length);
    if (!result && mode) strange("fallocate with a mode");
    if (!result) put('A', status.st_ino, offset, length, 0, 0, 0);
    leave();
    return result;
}

int fallocate(int fd, int mode, off_t offset, off_t length) { return room(fd, mode, offset, length); }
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return room(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return room(fd, 0, offset, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return room(fd, 0, offset, length) ? errno : 0; }

/* Syncs: what was written before one began is durable once it has ended. */

static int synced(int fd, long call, char begins, char ends) {
    struct stat status;
    char path[PATH_MAX];
    if (!traced(fd, &status, path) || is_shared_memory(path)) return syscall(call, fd);
    enter();
    die_if_due();
    uint64_t number = (uint64_t)getpid() << 32 | ++syncs;
    put(begins, status.st_ino, number, 0, 0, 0, 0);
    leave();
    int result = syscall(call, fd);
    enter();
    if (!result) put(ends, status.st_ino, number, 0, 0, 0, 0);
    leave();
    return result;
}

int fsync(int fd) { return synced(fd, SYS_fsync, 'B', 'E'); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync, 'B', 'E'); }
int syncfs(int fd) { return synced(fd, SYS_syncfs, 'S', 'F'); }
/* It promises nothing of what makes the data reachable. */
int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) {
    return syscall(SYS_sync_file_range, fd, offset, length, flags);
}

/* What nobody here does. Whoever begins to is told to teach it to this file. */

static void *mapped(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    struct stat status;
    if (fd >= 0 && flags & MAP_SHARED && protection & PROT_WRITE && has_data(fd, &status)) {
        enter(), strange("a shared mapping that can be written"), leave();
    }
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    return mapped(at, length, protection, flags, fd, offset);
}
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    return mapped(at, length, protection, flags, fd, offset);
}

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *offset, size_t length, unsigned flags) {
    struct stat status;
    if (has_data(to, &status)) enter(), strange("copy_file_range"), leave();
    return syscall(SYS_copy_file_range, from, at, to, offset, length, flags);
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t length) {
    struct stat status;
    if (has_data(to, &status)) enter(), strange("sendfile"), leave();
    return syscall(SYS_sendfile, to, from, offset, length);
}

int truncate64(const char *path, off64_t length) {
    char full[PATH_MAX];
    if (below(AT_FDCWD, path, full)) enter(), strange("truncate"), leave();
    return syscall(SYS_truncate, path, length);
}
