/* study/launch.h - the command that measures a point */
#ifndef STUDY_LAUNCH_H
#define STUDY_LAUNCH_H

#include "study/machine.h"
#include "study/plan.h"

enum { LAUNCH_MAX_ARGUMENTS = 64 };

/* An argv; the words that had to be made are in text. Do not copy it. */
struct launch {
    const char *argv[LAUNCH_MAX_ARGUMENTS]; /* (n + 1) ends in NULL */
    int32_t n;
    char words[1024];
    size_t n_words;
};

struct launch_settings {
    const struct machine *machine;
    const char *model;
    uint64_t seed;
    double min_seconds;
};

/* mpirun is part of it for more than one rank: bound to cores where these are enough and all ours,
 * else unbound. */
void launch_point(struct launch *l, const struct launch_settings *s, const struct study_point *p);
/* As a person would type it: "mpirun -n 2 ... shoal study point ...". */
void launch_print(const struct launch *l, const struct machine *m, struct text *out);

/* What ranks on one machine need of Open MPI, where the user has not said it: root is allowed, no
 * network is looked for, nothing is copied between processes in ways that containers forbid.
 * Changes this process's environment. */
void launch_prepare(void);

#endif
