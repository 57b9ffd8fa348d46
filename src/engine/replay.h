/* engine/replay.h - a recorded run, run again and compared step by step
 *
 * Runs the plans of a step log, not the scheduler: one worker for each shard group, all in this
 * process and one after the other, however many ranks wrote the log. Every result must be the same
 * bits: outcomes, tokens, hashes of logits, log-probabilities. */
#ifndef ENGINE_REPLAY_H
#define ENGINE_REPLAY_H

#include "shoal/shoal.h"

struct replay_counts {
    int32_t n_groups;
    uint64_t n_steps;  /* whose results are the same */
    uint64_t n_tokens; /* that they sampled */
    uint64_t n_bytes;  /* of the log, read so far */
    bool is_cut;       /* the log was cut short: this is up to there */
};

struct replay_options {
    const char *path;  /* of the log */
    const char *model; /* NULL: the one that the log names */
    const char *isa;
    int32_t threads; /* 0: the cores this process may use */
    void (*progress)(void *user, const struct replay_counts *counts); /* a step is done; or NULL */
    void *user;
};

/* *counts says how far it came, also on failure. SHOAL_E_MISMATCH: another numerics version,
 * another model, or the first step that differs, in a sentence. A log that was cut short is a
 * warning. */
enum shoal_status engine_replay(const struct replay_options *options, struct replay_counts *counts,
                                struct shoal_error *err);

#endif
