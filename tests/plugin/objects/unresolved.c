#include <shoal/plugin.h>

const struct shoal_plugin *nobody_has_this_function(void);

const struct shoal_plugin *shoal_plugin_entry(void)
{
    return nobody_has_this_function();
}
