/* plugin/plugins.h - the plugins of one engine on one rank: registered, configured, called in order
 *
 * The engine owns one, made from the same settings on every rank. What a plugin fails is dealt with
 * here: named in the log and switched off, or an error of the call when failing is fatal or the
 * plugin changes numbers. The calls lift the guard against allocation in a step while they are in
 * a plugin. They may come from any thread of the rank (on rank 0 of several the leader steps beside
 * a thread that computes) and are handed on one at a time, except the codec's functions; the rest
 * is for one thread, while no step runs. */
#ifndef PLUGIN_PLUGINS_H
#define PLUGIN_PLUGINS_H

#include "base/text.h"
#include "shoal/plugin.h"

struct plugins;

/* False at once where there is none (NULL), or where the hooks are compiled out (SHOAL_HOOKS=OFF):
 * what stands behind it then costs nothing. */
static inline bool plugins_are_on(const struct plugins *p)
{
#ifdef SHOAL_NO_HOOKS
    (void)p;
    return false;
#else
    return p != NULL;
#endif
}

/* No plugin yet. host is copied; what it points to outlives the plugins. Its compare is not used:
 * see plugins_set_compare. On failure *out is NULL. */
enum shoal_status plugins_create(struct plugins **out, const struct shoal_plugin_host *host,
                                 bool errors_are_fatal, struct shoal_error *err);
/* What shoal_plugin_host.compare does: run the tokens with `alone`, which holds the plugin that
 * asks and no other, and with none. engine: the host's. */
typedef enum shoal_status (*plugins_compare_func_t)(void *engine, struct plugins *alone,
                                                    const int32_t *tokens, int32_t n,
                                                    double *max_error, double *rms_error,
                                                    double *mean_kl, struct shoal_error *err);
void plugins_set_compare(struct plugins *p, plugins_compare_func_t function);
/* What could not be known when the plugins were made, since they say how large a block is. */
void plugins_set_sizes(struct plugins *p, int32_t n_kv_blocks, int32_t max_model_len);
void plugins_destroy(struct plugins *p); /* NULL is fine */

/* Register, configure and enable one: "NAME[,key=value...]" of a built-in, or with a '/' in it the
 * path of a shared object ("./mine.so,key=value"). An unknown name suggests the nearest. */
enum shoal_status plugins_add(struct plugins *p, const char *spec, struct shoal_error *err);
enum shoal_status plugins_add_own(struct plugins *p, const struct shoal_plugin_use *use,
                                  struct shoal_error *err);
/* Let all write their reports, in order; the first failure is returned, the others are logged. */
enum shoal_status plugins_finish(struct plugins *p, struct shoal_error *err);

/* Switch one on or off between steps. False: there is none of that name. One that changes numbers
 * or stores rows its own way stays as it is: refused with false too. */
bool plugins_enable(struct plugins *p, const char *name, bool is_on);
int32_t plugins_count(const struct plugins *p);
const struct shoal_plugin *plugins_get(const struct plugins *p, int32_t i, bool *is_on);

/* What of them changes numbers, with its settings, as lines "plugin = NAME,key=value,..." in order,
 * and a hash of those lines; 0 when nothing does. Equal on all ranks, or the engine refuses. */
void plugins_print_numbers(const struct plugins *p, struct text *out);
/* The others, as lines that are comments of a settings file. */
void plugins_print_others(const struct plugins *p, struct text *out);
uint64_t plugins_numbers_hash(const struct plugins *p);

/* Scheduler: rank 0. */
bool plugins_has_scheduler(const struct plugins *p);
enum shoal_status plugins_before_step(struct plugins *p, const struct shoal_plugin_step *step,
                                      struct shoal_plugin_control *next, struct shoal_error *err);
enum shoal_status plugins_after_step(struct plugins *p, const struct shoal_plugin_step *step,
                                     struct shoal_plugin_control *next, struct shoal_error *err);
enum plugin_request_event { PLUGIN_ADDED, PLUGIN_FINISHED, PLUGIN_PREEMPTED };
enum shoal_status plugins_on_request(struct plugins *p, enum plugin_request_event what,
                                     const struct shoal_plugin_request *request,
                                     struct shoal_error *err);

/* Attention. */
bool plugins_has_attention(const struct plugins *p);
/* What they want together: REPLACE when one replaces (two that replace the same are an error at the
 * first such head), SEE when one sees. */
enum shoal_attention_want plugins_wants(const struct plugins *p, uint64_t request, int32_t choice,
                                        int32_t layer, int32_t head);
enum shoal_status plugins_replace_attention(struct plugins *p,
                                            const struct shoal_attention_view *view, float *out,
                                            struct shoal_error *err);
enum shoal_status plugins_see_attention(struct plugins *p, const struct shoal_attention_view *view,
                                        struct shoal_error *err);

/* Cache. */
bool plugins_has_append(const struct plugins *p);
enum shoal_status plugins_before_append(struct plugins *p, struct shoal_cache_row *row,
                                        struct shoal_error *err);
enum shoal_status plugins_after_append(struct plugins *p, const struct shoal_cache_row *row,
                                       struct shoal_error *err);
/* The one that stores rows its own way, or NULL; *state is for its functions. */
const struct shoal_cache_plugin *plugins_codec(const struct plugins *p, void **state);

/* The built-in plugins (NULL ends them). */
extern const struct shoal_plugin *const plugin_built_ins[];

#endif
