#include "base/clock.h"

#include <time.h>

int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void clock_sleep_ns(int64_t n)
{
    const struct timespec t = {.tv_sec = n / 1000000000, .tv_nsec = n % 1000000000};

    nanosleep(&t, NULL);
}
