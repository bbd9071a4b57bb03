/* A disk of the tests' own, between a program and its files (LD_PRELOAD).

   FAULTY_DISK          the folder that it stands for
   FAULTY_DISK_DURABLE  where each file is copied to whenever the program has flushed it: what a power cut leaves
   FAULTY_DISK_FAILS    while this file exists every flush fails with EIO
   FAULTY_DISK_LIES     while this file exists a flush succeeds and nothing is kept */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t keeping = PTHREAD_MUTEX_INITIALIZER;

static int is_told(const char *name) {
    const char *path = getenv(name);
    return path != NULL && access(path, F_OK) == 0;
}

/* The name of an open file below the folder, or NULL. */
static const char *below(int fd, char *path) {
    const char *folder = getenv("FAULTY_DISK");
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (folder == NULL || length < 0) return NULL;
    path[length] = 0;
    size_t prefix = strlen(folder);
    if (strncmp(path, folder, prefix) != 0 || path[prefix] != '/') return NULL;
    return path + prefix + 1;
}

/* Reads through the program's own descriptor: closing another one would drop its locks on the file. */
static void keep(int fd, const char *name) {
    char part[PATH_MAX + 8], whole[PATH_MAX], block[65536];
    const char *durable = getenv("FAULTY_DISK_DURABLE");
    snprintf(whole, sizeof whole, "%s/%s", durable, name);
    snprintf(part, sizeof part, "%s.part", whole);
    int out = open(part, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (out < 0) abort();
    off_t at = 0;
    for (ssize_t got; (got = pread(fd, block, sizeof block, at)) > 0; at += got)
        if (write(out, block, got) != got) abort();
    close(out);
    if (rename(part, whole) != 0) abort();
}

static int flush(int fd, const char *function) {
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
    char path[PATH_MAX];
    const char *name = below(fd, path);
    if (name == NULL) return next(fd);
    if (is_told("FAULTY_DISK_FAILS")) {
        errno = EIO;
        return -1;
    }
    if (getenv("FAULTY_DISK_DURABLE") != NULL && !is_told("FAULTY_DISK_LIES")) {
        pthread_mutex_lock(&keeping);
        keep(fd, name);
        pthread_mutex_unlock(&keeping);
    }
    return 0;
}

int fsync(int fd) { return flush(fd, "fsync"); }
int fdatasync(int fd) { return flush(fd, "fdatasync"); }
