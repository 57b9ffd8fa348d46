/* The profiler's timeline as text. */
#include "observe/profiler.h"

#include "base/json_out.h"

#include <inttypes.h>

/* A label in quotes, those in it doubled (RFC 4180). */
static void put_csv_label(struct text *out, const char *label)
{
    text_add_str(out, "\"");
    for (; *label; label++) {
        if (*label == '"')
            text_add_str(out, "\"");
        text_add(out, label, 1);
    }
    text_add_str(out, "\"");
}

void profiler_print_csv(const struct profiler *p, struct text *out)
{
    struct memory_snapshot s;

    text_add_str(out, "seconds,label,resident,proportional,anonymous,huge,swapped,heap");
    for (int32_t i = 0; i < MEMORY_PART_COUNT; i++)
        text_printf(out, ",%s", memory_part_name((enum memory_part)i));
    text_add_str(out, ",kv_pool_reserved\n");
    for (int32_t i = 0; profiler_get(p, i, &s); i++) {
        const struct memory_process *m = &s.process;
        text_printf(out, "%.6f,", (double)s.ns * 1e-9);
        put_csv_label(out, s.label);
        text_printf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64,
                    m->resident, m->proportional, m->anonymous, m->huge, m->swapped, m->heap);
        for (int32_t part = 0; part < MEMORY_PART_COUNT; part++)
            text_printf(out, ",%" PRIu64, s.resident[part]);
        text_printf(out, ",%" PRIu64 "\n", s.held[MEMORY_KV_POOL]);
    }
}

static void put_json_snapshot(struct text *out, const struct memory_snapshot *s)
{
    const struct memory_process *m = &s->process;

    text_printf(out, "{\"seconds\": %.6f, \"label\": ", (double)s->ns * 1e-9);
    json_put_words(out, s->label);
    text_printf(out,
                ", \"resident\": %" PRIu64 ", \"proportional\": %" PRIu64
                ", \"anonymous\": %" PRIu64 ", \"huge\": %" PRIu64 ", \"swapped\": %" PRIu64
                ", \"heap\": %" PRIu64 ", \"parts\": {",
                m->resident, m->proportional, m->anonymous, m->huge, m->swapped, m->heap);
    for (int32_t i = 0; i < MEMORY_PART_COUNT; i++)
        text_printf(out, "%s\"%s\": {\"resident\": %" PRIu64 ", \"held\": %" PRIu64 "}",
                    i ? ", " : "", memory_part_name((enum memory_part)i), s->resident[i],
                    s->held[i]);
    text_add_str(out, "}}");
}

void profiler_print_json(const struct profiler *p, struct text *out)
{
    struct memory_snapshot s;

    text_printf(out, "{\"growth\": %" PRId64 ", \"peak\": ", profiler_growth(p));
    if (profiler_peak(p, &s))
        put_json_snapshot(out, &s);
    else
        text_add_str(out, "null");
    text_add_str(out, ", \"snapshots\": [");
    for (int32_t i = 0; profiler_get(p, i, &s); i++) {
        text_add_str(out, i ? ",\n  " : "\n  ");
        put_json_snapshot(out, &s);
    }
    text_add_str(out, "\n]}\n");
}
