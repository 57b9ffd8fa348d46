#include <shoal/plugin.h>

static const struct shoal_plugin plugin = {.version = SHOAL_PLUGIN_VERSION + 1, .name = "newer"};

const struct shoal_plugin *shoal_plugin_entry(void)
{
    return &plugin;
}
