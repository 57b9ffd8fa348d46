/* plugin/spec.h - "NAME,key=value,key=value": what a plugin was asked for with */
#ifndef PLUGIN_SPEC_H
#define PLUGIN_SPEC_H

#include "base/text.h"
#include "shoal/plugin.h"

struct plugin_spec {
    char *name;                        /* as given: of a built-in, or a path */
    char *settings;                    /* cut at its commas and equal signs; NULL: none */
    struct shoal_plugin_value *values; /* (n_values) after plugin_spec_match */
    int32_t n_values;
};

/* Takes the name and the settings apart. On failure *s is empty. */
enum shoal_status plugin_spec_read(struct plugin_spec *s, const char *text,
                                   struct shoal_error *err);
/* The same for a name and settings ("key=value,...", or NULL) that come apart. */
enum shoal_status plugin_spec_make(struct plugin_spec *s, const char *name, const char *settings,
                                   struct shoal_error *err);
void plugin_spec_fini(struct plugin_spec *s); /* zeroed is fine */

/* One value for each option, in the order of the options: the one given or the default. An option
 * that the plugin does not have, one that is given twice, one that is missing: an error. Once. */
enum shoal_status plugin_spec_match(struct plugin_spec *s,
                                    const struct shoal_plugin_option *options, int32_t n_options,
                                    struct shoal_error *err);

/* "NAME,key=value,..." with every value. */
void plugin_spec_print(const struct plugin_spec *s, struct text *out);

#endif
