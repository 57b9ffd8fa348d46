#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static _Atomic int log_level_now = LOG_WARN;
static _Atomic int log_rank = -1;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*log_before)(void *);
static void (*log_after)(void *);
static void *log_user;

static const char *const level_names[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
    atomic_store(&log_level_now, (int)level);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load(&log_level_now);
}

int log_level_parse(const char *name)
{
    for (int i = 0; i < LOG_LEVEL_COUNT; i++)
        if (strcmp(name, level_names[i]) == 0)
            return i;
    return -1;
}

void log_set_rank(int rank)
{
    atomic_store(&log_rank, rank);
}

void log_set_around(void (*before)(void *), void (*after)(void *), void *user)
{
    pthread_mutex_lock(&log_lock);
    log_before = before;
    log_after = after;
    log_user = user;
    pthread_mutex_unlock(&log_lock);
}

void log_message(enum log_level level, const char *format, ...)
{
    char line[1024];
    const int rank = atomic_load(&log_rank);
    const char *tag = level == LOG_ERROR ? "error: " : level == LOG_WARN ? "warning: " : "";
    va_list args;
    int n;

    if ((int)level > atomic_load(&log_level_now))
        return;
    n = rank < 0 ? snprintf(line, sizeof line, "shoal: %s", tag)
                 : snprintf(line, sizeof line, "shoal: rank %d: %s", rank, tag);
    va_start(args, format);
    n += vsnprintf(line + n, sizeof line - (size_t)n, format, args);
    va_end(args);
    if (n > (int)sizeof line - 2)
        n = (int)sizeof line - 2;
    line[n] = '\n';

    /* One write a line, so that lines of several ranks on one terminal do not mix. */
    pthread_mutex_lock(&log_lock);
    if (log_before)
        log_before(log_user);
    fwrite(line, 1, (size_t)n + 1, stderr);
    fflush(stderr);
    if (log_after)
        log_after(log_user);
    pthread_mutex_unlock(&log_lock);
}
