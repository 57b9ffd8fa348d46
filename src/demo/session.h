/* demo/session.h - the state of the interactive demo: settings, an engine that goes step by step
 *
 * Settings that the engine takes at its start hold from session_new on; budget and chunk from the
 * next step. */
#ifndef DEMO_SESSION_H
#define DEMO_SESSION_H

#include "demo/show.h"

struct session {
    struct demo_options options;
    struct demo_run *run;        /* NULL: none yet */
    struct demo_options started; /* what the engine was started with */
    struct show show;
};

/* The options are copied; what they point to, and `kept`, is borrowed. */
void session_open(struct session *s, const struct demo_options *o);
void session_close(struct session *s);

/* A new engine with the settings, and its requests. On failure the old one stays. */
enum shoal_status session_new(struct session *s, struct shoal_error *err);
/* One step; *ran is false when nothing was left to do. */
enum shoal_status session_step(struct session *s, bool *ran, struct shoal_error *err);
/* n more requests; n_prompt 0: a length from the range. */
enum shoal_status session_add(struct session *s, int32_t n, int32_t n_prompt, int32_t max_tokens,
                              struct shoal_error *err);
/* name: an option's, or budget, chunk, layout. *at_new: it holds from session_new on. */
enum shoal_status session_set(struct session *s, const char *name, const char *value, bool *at_new,
                              struct shoal_error *err);

/* The options that are settings of a session. The last, threads, is kept in files only. */
enum { SESSION_NAMES = 15, SESSION_NAMES_SHOWN = SESSION_NAMES - 1 };
extern const char *const session_names[SESSION_NAMES];

/* Whether a change of the option holds from the next step, or the next request, on. */
bool session_is_live(const char *name);

/* Print into s->show. */
void session_print_step(struct session *s, const struct watched_step *step);
void session_print_requests(struct session *s);
void session_print_settings(struct session *s);
void session_print_metrics(struct session *s);

/* session_file.c: options as JSON, {"max_num_batched_tokens": 16, "kv_layout": "paged", ...}.
 * Reading changes nothing on failure; strings that are read belong to o->kept. */
enum shoal_status session_save(const struct demo_options *o, const char *path,
                               struct shoal_error *err);
enum shoal_status session_load(struct demo_options *o, const char *path, struct shoal_error *err);
/* True when the file begins as a JSON object does. */
bool session_is_file(const char *path);

#endif
