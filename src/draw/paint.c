#include "draw/paint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LANES = 6 };

bool paint_wanted(int fd)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return isatty(fd) && !(no_colour && *no_colour) && terminal && *terminal &&
           strcmp(terminal, "dumb") != 0;
}

const char *paint_code(bool wanted, enum paint paint)
{
    static const char *const codes[PAINT_LANE + LANES] = {
        [PAINT_PLAIN] = "\033[0m",     [PAINT_BOLD] = "\033[1m",
        [PAINT_DIM] = "\033[2m",       [PAINT_PREFILL] = "\033[34m",
        [PAINT_DECODE] = "\033[33m",   [PAINT_PREEMPTED] = "\033[31m",
        [PAINT_LANE] = "\033[34m",     [PAINT_LANE + 1] = "\033[33m",
        [PAINT_LANE + 2] = "\033[32m", [PAINT_LANE + 3] = "\033[35m",
        [PAINT_LANE + 4] = "\033[36m", [PAINT_LANE + 5] = "\033[31m",
    };

    return wanted ? codes[paint] : "";
}

const char *paint_lane(bool wanted, int32_t lane)
{
    return paint_code(wanted, (enum paint)(PAINT_LANE + (uint32_t)lane % LANES));
}
