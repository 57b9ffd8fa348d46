/* base/clock.h - monotonic time */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_ns(void);         /* nanoseconds since some fixed moment, never backwards */
void clock_sleep_ns(int64_t n); /* returns early on a signal */

#endif
