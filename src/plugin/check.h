/* plugin/check.h - whether a plugin can be taken at all */
#ifndef PLUGIN_CHECK_H
#define PLUGIN_CHECK_H

#include "plugin/manager.h"

/* Its version first, which says how much of the struct is there; then name, options and functions.
 * given: how it was asked for, for the sentence. */
enum shoal_status plugin_check(const struct shoal_plugin *plugin, const char *given,
                               struct shoal_error *err);
/* Whether it can stand beside those that are registered. */
enum shoal_status plugin_check_beside(const struct plugins *p, const struct shoal_plugin *plugin,
                                      struct shoal_error *err);

#endif
