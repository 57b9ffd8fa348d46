/* sched/script.h - small schedules as text: what is done, and what comes of it
 *
 *     {"add a 6 3", ""},              sequence a: 6 prompt tokens, 3 to generate
 *     {"step", "a[0,4)"},             the plan runs its positions 0 .. 3
 *     {"step", "a[4,6)"},
 *     {"end a", ""},
 *
 * Words after the numbers of "add": like=b:16 (its first 16 prompt tokens are b's), of=b (a choice
 * of the same request, whose first is b), priority=-1, skip (no prefix cache), stop=2 (its second
 * token is a stop id), min=2 (min_tokens), bad=5 (a NaN at position 5).
 *
 * Lines, G being a group, 0 unless it is given:
 *     step G   plan, compute and apply. Answers the sequences with the positions that they run,
 *              "copy 3>7" for each block copy, "ended 0" for each slot that ended, and after a
 *              semicolon whoever finished: "; a=length". "-": there is nothing to run.
 *     plan G   the first half of that; apply G: the second
 *     end a    sched_end
 *     waiting  the waiting sequences in order, each with its reason
 *     pool G   free, cached and held blocks
 *     table a  its block table
 *     budget N G, chunk N G */
#ifndef TESTS_SCHED_SCRIPT_H
#define TESTS_SCHED_SCRIPT_H

#include "sched/sched.h"

struct script_line {
    const char *when, *then;
};

struct script {
    const char *name;
    struct sched_options options; /* what is 0 gets a default */
    struct script_line lines[40]; /* up to the first without `when` */
};

void script_run(const struct script *script);

#endif
