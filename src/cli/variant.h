/* cli/variant.h - one of several sets of engine options that are compared: "NAME: --option value"
 */
#ifndef CLI_VARIANT_H
#define CLI_VARIANT_H

#include "base/settings.h"
#include "shoal/shoal.h"

struct variant {
    char *text;       /* what was given, cut into words; options point into it */
    const char *name; /* points into text */
    char *given;      /* the options as they were given */
    struct shoal_options options;
};

/* spec changes a copy of base. Without "NAME:" the options are the name. Options are those of the
 * engine, spelled as on the command line; a value with blanks stands in single or double quotes. */
enum shoal_status variant_init(struct variant *v, const char *spec,
                               const struct shoal_options *base, struct shoal_error *err);
void variant_fini(struct variant *v); /* zeroed is fine */

#endif
