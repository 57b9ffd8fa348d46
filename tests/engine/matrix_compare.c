/* Recordings: in files, and against each other. */
#include "engine/matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 5 };

bool matrix_write(const char *path, const struct matrix_recording *r)
{
    char made[512];
    FILE *f;

    snprintf(made, sizeof made, "%s.part", path);
    f = fopen(made, "wb");
    if (!f) {
        perror(made);
        return false;
    }
    const size_t n = fwrite(r->answers, sizeof *r->answers, (size_t)r->n_answers, f);
    if (fclose(f) != 0 || n != (size_t)r->n_answers || rename(made, path) != 0) {
        perror(made);
        return false;
    }
    return true;
}

bool matrix_read(const char *path, struct matrix_recording *r)
{
    FILE *f = fopen(path, "rb");

    if (!f) {
        perror(path);
        return false;
    }
    const size_t n = fread(r->answers, sizeof *r->answers, (size_t)r->n_answers, f);
    const bool is_whole = n == (size_t)r->n_answers && fgetc(f) == EOF;
    fclose(f);
    if (!is_whole)
        fprintf(stderr, "%s is not a recording of %d answers\n", path, r->n_answers);
    return is_whole;
}

static uint32_t bits(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

/* The first of n entries that differs, in words; false: none. */
static bool differs(const struct shoal_logprob expected[], const struct shoal_logprob seen[],
                    int32_t n, char out[static 256])
{
    for (int32_t i = 0; i < n; i++) {
        const struct shoal_logprob *e = &expected[i], *s = &seen[i];
        if (memcmp(e, s, sizeof *e) == 0)
            continue;
        snprintf(out, 256,
                 "entry %d is token %d, %.9g (%08x), rank %d; expected token %d, %.9g (%08x), rank "
                 "%d",
                 i, s->token, (double)s->logprob, bits(s->logprob), s->rank, e->token,
                 (double)e->logprob, bits(e->logprob), e->rank);
        return true;
    }
    return false;
}

static bool differs_at(const struct matrix_answer *e, const struct matrix_answer *s, int32_t t,
                       char out[static 512])
{
    char entry[256] = "the log-probabilities are equal";

    if (t >= s->n_tokens || t >= e->n_tokens)
        snprintf(out, 512, "%d tokens; expected %d", s->n_tokens, e->n_tokens);
    else if (s->tokens[t] != e->tokens[t])
        snprintf(out, 512, "it is %d; expected %d%s", s->tokens[t], e->tokens[t],
                 s->hashes[t] == e->hashes[t] ? " (of the same logits)" : " (of other logits)");
    else if (s->hashes[t] != e->hashes[t]) {
        differs(e->logprobs[t], s->logprobs[t], e->n_logprobs[t], entry);
        snprintf(out, 512, "its logits hash to %016llx; expected %016llx; %s",
                 (unsigned long long)s->hashes[t], (unsigned long long)e->hashes[t], entry);
    } else if (s->n_logprobs[t] != e->n_logprobs[t])
        snprintf(out, 512, "%d log-probabilities; expected %d", s->n_logprobs[t], e->n_logprobs[t]);
    else if (differs(e->logprobs[t], s->logprobs[t], e->n_logprobs[t], entry))
        snprintf(out, 512, "%s", entry);
    else
        return false;
    return true;
}

/* What is different between two answers, and where first. */
static void explain(const struct matrix_answer *e, const struct matrix_answer *s)
{
    char what[512];

    if (s->n_prompt != e->n_prompt) {
        fprintf(stderr, "a prompt of %d tokens; expected %d\n", s->n_prompt, e->n_prompt);
        return;
    }
    if (s->n_prompt_logprobs != e->n_prompt_logprobs) {
        fprintf(stderr, "%d log-probabilities of the prompt; expected %d\n", s->n_prompt_logprobs,
                e->n_prompt_logprobs);
        return;
    }
    if (differs(e->prompt_logprobs, s->prompt_logprobs, e->n_prompt_logprobs, what)) {
        fprintf(stderr, "of the prompt's log-probabilities, %s\n", what);
        return;
    }
    for (int32_t t = 0; t < e->n_tokens || t < s->n_tokens; t++)
        if (differs_at(e, s, t, what)) {
            fprintf(stderr, "token %d: %s\n", t, what);
            return;
        }
    if (s->finish != e->finish)
        fprintf(stderr, "it ends with %s; expected %s\n",
                shoal_finish_name((enum shoal_finish)s->finish),
                shoal_finish_name((enum shoal_finish)e->finish));
    else
        fprintf(stderr, "the text is \"%s\"; expected \"%s\"\n", s->text, e->text);
}

int32_t matrix_compare(const struct matrix_recording *expected, const struct matrix_recording *seen,
                       const char *label)
{
    int32_t n = 0;

    for (int32_t i = 0; i < expected->n_answers; i++) {
        if (memcmp(&expected->answers[i], &seen->answers[i], sizeof *seen->answers) == 0)
            continue;
        if (n == 0)
            fprintf(stderr, "NOT EXACT: %s\n", label);
        if (n++ < SHOWN) {
            fprintf(stderr, "    request %d, choice %d: ", i / MATRIX_CHOICES, i % MATRIX_CHOICES);
            explain(&expected->answers[i], &seen->answers[i]);
        }
    }
    if (n > SHOWN)
        fprintf(stderr, "    ... and %d answers more\n", n - SHOWN);
    return n;
}
