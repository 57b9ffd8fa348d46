#include "plugin/built_ins.h"

#include "plugin/plugins.h"

#include <stddef.h>

const struct shoal_plugin *const plugin_built_ins[] = {
    &plugin_logging,
    &plugin_metrics,
    &plugin_adaptive_scheduling,
    &plugin_cache_compression,
    &plugin_attention_visualization,
    NULL,
};
