/* study/scaling_options.h - the command line of `shoal study scaling` */
#ifndef STUDY_SCALING_OPTIONS_H
#define STUDY_SCALING_OPTIONS_H

#include "base/command_line.h"

struct scaling_options {
    const char *out, *model, *threads;
    bool quick, oversubscribe, dry_run;
    int32_t repeat, max_ranks; /* 0: the default */
    struct setting_list only;
    uint64_t seed;
};

extern const struct command scaling_command;
/* Sets the options to their defaults. */
struct setting_table scaling_options_table(struct scaling_options *options);

/* "1,2,8": ascending numbers from 1 to 4096, at most capacity. -1: it is something else. */
int32_t scaling_read_threads(const char *text, int32_t out[], int32_t capacity);

#endif
