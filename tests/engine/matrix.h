/* engine/matrix.h - the exactness matrix: one set of requests under many configurations
 *
 * A recording holds all that may be seen of the requests' answers: tokens, log-probabilities and
 * the hash of every row of logits, as bits. Whatever the configuration, two recordings of the same
 * target must be equal, byte for byte. */
#ifndef ENGINE_MATRIX_H
#define ENGINE_MATRIX_H

#include "base/cpu.h"
#include "base/status.h"
#include "shoal/shoal.h"

enum {
    MATRIX_REQUESTS = 32,
    MATRIX_CHOICES = 2,
    MATRIX_MAX_PROMPT = 300,
    MATRIX_MAX_OUTPUT = 24,
    MATRIX_MAX_LEN = 320,    /* --max-model-len */
    MATRIX_SMALL_POOL = 336, /* tokens: little more than one request */
    MATRIX_LOGPROBS = 20,
    MATRIX_PROMPT_LOGPROBS = 5,
    MATRIX_MAX_ROWS = 128
};

enum matrix_prefix { MATRIX_PREFIX_OFF, MATRIX_PREFIX_COLD, MATRIX_PREFIX_WARM };

/* One point of the matrix. */
struct matrix_config {
    int32_t batch; /* requests outstanding at most, and --max-num-seqs */
    int32_t budget, chunk, block_size;
    int32_t threads;
    int32_t n_ranks; /* 0: without mpirun */
    enum matrix_prefix prefix;
    enum cpu_isa isa;
    bool is_dense, is_small, is_priority;
};

/* batch 1, no prefix cache, a large pool, one thread, portable, no mpirun. */
struct matrix_config matrix_reference(void);
/* "batch 7, budget 16, ..." */
const char *matrix_describe(const struct matrix_config *c, char buffer[static 256]);

/* What the answers may depend on. */
struct matrix_target {
    const char *model, *weights, *kv_dtype;
    int32_t n_requests; /* the first of the set */
    const char *plugin; /* on every rank, or NULL */
    bool is_watched;    /* a plugin sees every head and every row of K and V, and changes nothing */
};

/* What was seen of one choice. Zeroed before it is filled, so that it compares as bytes. */
struct matrix_answer {
    int32_t finish; /* enum shoal_finish */
    int32_t n_prompt, n_tokens, n_hashes;
    int32_t tokens[MATRIX_MAX_OUTPUT];
    int32_t n_logprobs[MATRIX_MAX_OUTPUT];
    uint64_t hashes[MATRIX_MAX_OUTPUT]; /* of the row of logits that gave each token */
    struct shoal_logprob logprobs[MATRIX_MAX_OUTPUT][1 + MATRIX_LOGPROBS];
    int32_t n_prompt_logprobs;
    struct shoal_logprob prompt_logprobs[MATRIX_MAX_PROMPT * (1 + MATRIX_PROMPT_LOGPROBS)];
    char text[MATRIX_MAX_OUTPUT * 32];
};

struct matrix_recording {
    int32_t n_answers;
    struct matrix_answer *answers; /* (n_requests * MATRIX_CHOICES) */
};

bool matrix_recording_init(struct matrix_recording *r, const struct matrix_target *target);
void matrix_recording_fini(struct matrix_recording *r);

/* Request i of the set, whose prompt is cut from text (the target's tokens of matrix_text). Points
 * into static tables and into text. */
void matrix_request(int32_t i, const int32_t text[], int32_t n_text, struct shoal_request *out);
const char *matrix_text(void);

/* Run the set under a configuration, collective under mpirun: rank 0 records, the others serve.
 * False, with a sentence on stderr, when the run itself went wrong: an error, an engine that is not
 * idle afterwards, or a configuration that did not do what it is for (no preemption in a small
 * pool, no hit in a warm cache, a rank that had nothing to do). */
bool matrix_run(const struct matrix_target *target, const struct matrix_config *config,
                struct matrix_recording *out);

/* The number of answers that differ; the first difference of each of the first few on stderr. */
int32_t matrix_compare(const struct matrix_recording *expected, const struct matrix_recording *seen,
                       const char *label);

bool matrix_write(const char *path, const struct matrix_recording *r);
/* r was made for the same target. */
bool matrix_read(const char *path, struct matrix_recording *r);

/* Rows that cover every pair of values of two axes that makes sense on instruction sets of
 * this machine up to best; deterministic. Returns how many. */
int32_t matrix_cover(enum cpu_isa best, struct matrix_config rows[MATRIX_MAX_ROWS]);
/* The number of pairs that make sense but are in no row, counted independently; *n_pairs: of how
 * many. */
int32_t matrix_missing(enum cpu_isa best, const struct matrix_config rows[], int32_t n_rows,
                       int32_t *n_pairs);

#endif
