/* engine/plugin_host.h - the plugins of an engine, and what it does for them */
#ifndef ENGINE_PLUGIN_HOST_H
#define ENGINE_PLUGIN_HOST_H

#include "engine/engine.h"
#include "plugin/plugins.h"

/* Makes e->plugins from the options, the same on every rank; NULL where there are none. Collective.
 * The model is open; the sizes are chosen afterwards, since a plugin may store rows its own way. */
enum shoal_status engine_create_plugins(struct shoal_engine *e, struct shoal_error *err);

/* What plugins are told of whoever has this model and these sizes: an engine, or a replay. It can
 * log and tell the time; engine and compare are the caller's to set. */
struct shoal_plugin_host engine_plugin_host(const struct model *m, const struct step_limits *limits,
                                            enum kv_dtype kv_dtype, int32_t rank, int32_t n_ranks);

#endif
