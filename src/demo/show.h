/* demo/show.h - how the demos print: words, tables and strips, coloured where that is wanted
 *
 * What a demo prints is gathered as text and written when it is whole. */
#ifndef DEMO_SHOW_H
#define DEMO_SHOW_H

#include "demo/run.h"
#include "draw/table.h"

struct show {
    struct text out;
    bool has_colour;
};

void show_begin(struct show *s);
/* Write what is gathered to stdout. False: out of memory, or it cannot be written. */
bool show_flush(struct show *s);
void show_end(struct show *s);

void show_heading(struct show *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A paragraph, broken into lines. */
void show_words(struct show *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void show_table(struct show *s, struct table *t); /* frees it */
/* A table of so many columns; right: a character a column, 'r' or 'l'. */
struct table show_new_table(const struct show *s, const char *right);

/* What the demo runs with: model, budget, chunk, blocks. */
void show_setup(struct show *s, const struct demo_run *r, const struct demo_options *o);
void show_requests(struct show *s, const struct workload *w);
/* Of each request: steps, first token, what it generated. */
void show_results(struct show *s, const struct demo_run *r);
/* The batch of a step as a strip as wide as the budget: a letter a token. */
void show_strip(struct show *s, const struct watched_step *step, struct text *out);
void show_strip_legend(struct show *s);
/* "A 12  B 0-7": what each request of a step computes. */
void show_batch(const struct demo_run *r, const struct watched_step *step, struct text *out);
/* "C: budget used up": who waits, and what for. */
void show_waiting(const struct demo_run *r, const struct watched_step *step, struct text *out);
/* The end of each demo: commands, a line each with what they show. */
void show_try_next(struct show *s, const char *const lines[][2], size_t n);

#endif
