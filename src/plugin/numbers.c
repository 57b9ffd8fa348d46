/* What changes numbers, in words and as a hash. */
#include "plugin/manager.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/settings.h"

struct lines {
    struct setting_list plugin;
};

static const struct setting setting = {.name = "plugin", .kind = SETTING_LIST};

/* As a settings file spells it, so that quotes and comment signs are read back as they are. */
static void print_one(const struct plugin *plugin, struct text *out)
{
    struct text spec = {0};

    plugin_spec_print(&plugin->spec, &spec);
    if (spec.failed) {
        out->failed = true;
    } else {
        const char *items[] = {spec.bytes};
        struct lines lines = {.plugin = {items, 1}};
        settings_print(&(struct setting_table){&setting, 1, &lines}, out);
    }
    text_fini(&spec);
}

void plugins_print_numbers(const struct plugins *p, struct text *out)
{
    for (int32_t i = 0; i < p->n; i++)
        if (p->list[i]->self->changes_numbers)
            print_one(p->list[i], out);
}

void plugins_print_others(const struct plugins *p, struct text *out)
{
    for (int32_t i = 0; i < p->n; i++) {
        if (p->list[i]->self->changes_numbers)
            continue;
        text_add_str(out, "# ");
        print_one(p->list[i], out);
    }
}

uint64_t plugins_numbers_hash(const struct plugins *p)
{
    struct text lines = {0};
    uint64_t hash = 0;

    plugins_print_numbers(p, &lines);
    if (lines.n > 0) {
        hash = hash64(lines.bytes, lines.n, 0);
        hash += hash == 0; /* 0 means that nothing changes numbers */
    }
    text_fini(&lines);
    return hash;
}
