/* A disk that is full for a while: no file below a folder can grow as long as another file exists.
 *
 * To be preloaded. FULL_DISK_BASE is what the paths begin with, FULL_DISK_WHILE the file. What a file has already can
 * be written over, as on a real disk. Files whose name ends with -shm are left out: they are shared memory.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Whether a file that would reach up to `end` finds no room; -1: as far as its own offset plus `length`. */
static int is_full(int file, off_t end, size_t length) {
    const char *base = getenv("FULL_DISK_BASE"), *while_there = getenv("FULL_DISK_WHILE");
    char link[64], path[PATH_MAX];
    struct stat status;
    if (!base || !while_there || access(while_there, F_OK)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 4 || fstat(file, &status) || !S_ISREG(status.st_mode)) return 0;
    path[n] = 0;
    if (strncmp(path, base, strlen(base)) || !strcmp(path + n - 4, "-shm")) return 0;
    if (end < 0) {
        int appends = fcntl(file, F_GETFL) & O_APPEND;
        end = (appends ? status.st_size : lseek(file, 0, SEEK_CUR)) + (off_t)length;
    }
    if (end <= status.st_size) return 0;
    errno = ENOSPC;
    return 1;
}

static size_t length_of(const struct iovec *parts, int count) {
    size_t length = 0;
    for (int i = 0; i < count; i++) length += parts[i].iov_len;
    return length;
}

ssize_t write(int file, const void *data, size_t length) {
    return is_full(file, -1, length) ? -1 : REAL(write)(file, data, length);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    return is_full(file, -1, length_of(parts, count)) ? -1 : REAL(writev)(file, parts, count);
}

ssize_t pwrite(int file, const void *data, size_t length, off_t at) {
    return is_full(file, at + (off_t)length, 0) ? -1 : REAL(pwrite)(file, data, length, at);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t at) {
    return is_full(file, at + (off_t)length, 0) ? -1 : REAL(pwrite64)(file, data, length, at);
}

int ftruncate(int file, off_t length) {
    return is_full(file, length, 0) ? -1 : REAL(ftruncate)(file, length);
}

int ftruncate64(int file, off64_t length) {
    return is_full(file, length, 0) ? -1 : REAL(ftruncate64)(file, length);
}

int posix_fallocate(int file, off_t at, off_t length) {
    return is_full(file, at + length, 0) ? ENOSPC : REAL(posix_fallocate)(file, at, length);
}

int fallocate(int file, int mode, off_t at, off_t length) {
    return is_full(file, at + length, 0) ? -1 : REAL(fallocate)(file, mode, at, length);
}
