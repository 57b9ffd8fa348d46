#include "base/option_subset.h"

#include <assert.h>

struct setting_table option_subset(const struct setting_table *all, const char *const names[],
                                   size_t n, const char *group, struct setting out[])
{
    for (size_t i = 0; i < n; i++) {
        const struct setting *s = setting_find(all, names[i]);
        assert(s);
        out[i] = *s;
        out[i].group = i == 0 ? group : NULL;
    }
    return (struct setting_table){out, n, all->fields};
}
