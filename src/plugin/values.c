#include "plugin/values.h"

#include "base/status.h"
#include "base/text.h"

#include <string.h>

enum shoal_status plugin_value_int(const struct shoal_plugin_value *v, int32_t low, int32_t high,
                                   int32_t *out, struct shoal_error *err)
{
    int64_t value;

    if (!parse_i64(v->text, low, high, &value))
        return shoal_fail(err, SHOAL_E_INVALID, "%s: '%.80s' is not a whole number from %d to %d",
                          v->name, v->text, low, high);
    *out = (int32_t)value;
    return SHOAL_OK;
}

enum shoal_status plugin_value_double(const struct shoal_plugin_value *v, double low, double high,
                                      double *out, struct shoal_error *err)
{
    double value;

    if (!parse_double(v->text, &value) || value < low || value > high)
        return shoal_fail(err, SHOAL_E_INVALID, "%s: '%.80s' is not a number from %g to %g",
                          v->name, v->text, low, high);
    *out = value;
    return SHOAL_OK;
}

enum shoal_status plugin_value_choice(const struct shoal_plugin_value *v, const char *const names[],
                                      int32_t n, int *out, struct shoal_error *err)
{
    struct text list = {0};
    enum shoal_status status;

    for (int32_t i = 0; i < n; i++)
        if (strcmp(v->text, names[i]) == 0) {
            *out = i;
            return SHOAL_OK;
        }
    for (int32_t i = 0; i < n; i++)
        text_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    status = shoal_fail(err, SHOAL_E_INVALID, "%s: '%.80s' is not one of %s", v->name, v->text,
                        list.failed ? "its choices" : list.bytes);
    text_fini(&list);
    return status;
}
