/* support/plugin_user.h - a create for plugins of tests: their state is what the test passed */
#ifndef SUPPORT_PLUGIN_USER_H
#define SUPPORT_PLUGIN_USER_H

#include "shoal/plugin.h"

static inline enum shoal_status plugin_user_create(void **state,
                                                   const struct shoal_plugin_host *host,
                                                   const struct shoal_plugin_value values[],
                                                   int32_t n_values, void *user,
                                                   struct shoal_error *err)
{
    (void)host;
    (void)values;
    (void)n_values;
    (void)err;
    *state = user;
    return SHOAL_OK;
}

#endif
