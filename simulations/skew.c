/* A wall clock that is ahead, for the process it is preloaded into: by AEGIS_SKEW_SECONDS, or by the
 * 8 bytes (an integer as this machine has it) of the file AEGIS_SKEW_FILE, which may change. Timers
 * go on as ever: they are of the monotonic clocks, which stay as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t fixed;
static const volatile int64_t *seconds = &fixed;

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("AEGIS_SKEW_SECONDS"), *path = getenv("AEGIS_SKEW_FILE");
    if (text) fixed = atoll(text);
    if (!path) return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    void *map = mmap(NULL, sizeof *seconds, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) {
        perror(path);
        _exit(1);
    }
    close(file);
    seconds = map;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *seconds;
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec time;
    int status = clock_gettime(CLOCK_REALTIME, &time);
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return status;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
