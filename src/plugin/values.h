/* plugin/values.h - what an option of a built-in plugin was set to; errors name it and what it
 * takes
 */
#ifndef PLUGIN_VALUES_H
#define PLUGIN_VALUES_H

#include "shoal/plugin.h"

enum shoal_status plugin_value_int(const struct shoal_plugin_value *v, int32_t low, int32_t high,
                                   int32_t *out, struct shoal_error *err);
enum shoal_status plugin_value_double(const struct shoal_plugin_value *v, double low, double high,
                                      double *out, struct shoal_error *err);
/* One of names (n): *out is its index. */
enum shoal_status plugin_value_choice(const struct shoal_plugin_value *v, const char *const names[],
                                      int32_t n, int *out, struct shoal_error *err);

#endif
