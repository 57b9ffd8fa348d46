/* plugin/built_ins.h - the plugins that come with shoal, each in a file of its name */
#ifndef PLUGIN_BUILT_INS_H
#define PLUGIN_BUILT_INS_H

#include "shoal/plugin.h"

extern const struct shoal_plugin plugin_logging;
extern const struct shoal_plugin plugin_metrics;
extern const struct shoal_plugin plugin_adaptive_scheduling;
extern const struct shoal_plugin plugin_cache_compression;
extern const struct shoal_plugin plugin_attention_visualization;

#endif
