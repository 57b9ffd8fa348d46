#include <shoal/plugin.h>

const struct shoal_plugin *shoal_plugin_entry(void)
{
    return NULL;
}
