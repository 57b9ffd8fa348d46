/* base/option_subset.h - some of the engine's options, for a command that has no use for the others
 */
#ifndef BASE_OPTION_SUBSET_H
#define BASE_OPTION_SUBSET_H

#include "base/settings.h"

/* The settings of `all` with these names (n), which must exist, in this order; into out (n), which
 * the table borrows. They stand under the heading `group` in --help. */
struct setting_table option_subset(const struct setting_table *all, const char *const names[],
                                   size_t n, const char *group, struct setting out[]);

#endif
