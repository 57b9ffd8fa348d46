/* engine/plugin_views.h - what plugins of the scheduler are told, and what they change
 *
 * Leader. A view is made of what the scheduler knows, in memory that is taken at open and at
 * submit. A failure that has to end the run is kept, and ends it at the next call that can say so:
 * none of what is called here fails. */
#ifndef ENGINE_PLUGIN_VIEWS_H
#define ENGINE_PLUGIN_VIEWS_H

#include "engine/engine.h"
#include "plugin/plugins.h"

struct plugin_views;

/* False costs one branch. */
static inline bool plugin_views_are_on(const struct shoal_engine *e)
{
    return plugins_are_on(e->plugins) && e->views;
}

/* NULL in *out where no plugin is of that kind. e->sched and e->plugins are there. */
enum shoal_status plugin_views_create(struct plugin_views **out, struct shoal_engine *e,
                                      struct shoal_error *err);
void plugin_views_destroy(struct plugin_views *v); /* NULL is fine */

/* Room for as many waiting sequences as the scheduler has and n more. */
enum shoal_status plugin_views_reserve(struct plugin_views *v, int32_t n, struct shoal_error *err);

/* All choices of a request have been queued. */
void plugin_views_added(struct plugin_views *v, const struct request *request);
/* A choice has ended, with this as its last event. */
void plugin_views_finished(struct plugin_views *v, const struct request *request, int32_t choice,
                           enum shoal_finish finish, const char *error);
/* A plan was built and is not yet sent; and its result was applied. */
void plugin_views_before_step(struct plugin_views *v, const struct step_plan *plan);
void plugin_views_after_step(struct plugin_views *v, const struct step_plan *plan,
                             const struct step_result *result, int64_t step_ns);

/* What a plugin failed with so that the run has to end, or SHOAL_OK. */
enum shoal_status plugin_views_failure(const struct plugin_views *v, struct shoal_error *err);

#endif
