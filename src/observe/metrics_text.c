/* Metrics as text: Prometheus's exposition format, JSON, and CSV a step. */
#include "observe/metrics_state.h"

#include "base/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

void metrics_print_number(double x, struct text *out)
{
    if (fabs(x) < 9e15 && x == floor(x))
        text_printf(out, "%.0f", x);
    else
        text_printf(out, "%.9g", x);
}

/* A visitor that writes; the first member, so that one is the other. */
struct printer {
    struct metrics_visitor visitor;
    struct text *out;
    const char *name; /* of the family */
    bool is_first_family, is_first_sample;
};

static void put_label_value(struct text *out, const char *s)
{
    for (; *s; s++)
        if (*s == '\\' || *s == '"')
            text_printf(out, "\\%c", *s);
        else if (*s == '\n')
            text_add_str(out, "\\n");
        else
            text_add(out, s, 1);
}

/* The labels in braces; le: one more, of a histogram's bucket. */
static void put_labels(struct text *out, const struct metrics_label labels[], int32_t n,
                       const char *le)
{
    text_add_str(out, "{");
    for (int32_t i = 0; i < n; i++) {
        text_printf(out, "%s%s=\"", i ? "," : "", labels[i].name);
        put_label_value(out, labels[i].value);
        text_add_str(out, "\"");
    }
    if (le)
        text_printf(out, "%sle=\"%s\"", n ? "," : "", le);
    text_add_str(out, "} ");
}

static void prometheus_family(struct metrics_visitor *v, const char *name, enum metrics_kind kind,
                              const char *help)
{
    struct printer *p = (struct printer *)v;

    p->name = name;
    text_printf(p->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, metrics_kind_name(kind));
}

static void prometheus_value(struct metrics_visitor *v, const struct metrics_label labels[],
                             int32_t n, double x)
{
    struct printer *p = (struct printer *)v;

    text_add_str(p->out, p->name);
    put_labels(p->out, labels, n, NULL);
    metrics_print_number(x, p->out);
    text_add_str(p->out, "\n");
}

static void prometheus_histogram(struct metrics_visitor *v, const struct metrics_label labels[],
                                 int32_t n, const struct histogram *h)
{
    struct printer *p = (struct printer *)v;
    int64_t below = 0;

    for (int32_t i = 0; i <= h->n_bounds; i++) {
        char le[32] = "+Inf";
        if (i < h->n_bounds)
            snprintf(le, sizeof le, "%g", h->bounds[i]);
        below += h->counts[i];
        text_printf(p->out, "%s_bucket", p->name);
        put_labels(p->out, labels, n, le);
        text_printf(p->out, "%" PRId64 "\n", below);
    }
    text_printf(p->out, "%s_sum", p->name);
    put_labels(p->out, labels, n, NULL);
    metrics_print_number(h->sum, p->out);
    text_printf(p->out, "\n%s_count", p->name);
    put_labels(p->out, labels, n, NULL);
    text_printf(p->out, "%" PRId64 "\n", below);
}

void metrics_print_prometheus(const struct metrics *m, struct text *out)
{
    struct printer p = {.visitor = {prometheus_family, prometheus_value, prometheus_histogram},
                        .out = out};

    metrics_walk(m, &p.visitor);
}

static void json_family(struct metrics_visitor *v, const char *name, enum metrics_kind kind,
                        const char *help)
{
    struct printer *p = (struct printer *)v;

    text_add_str(p->out, p->is_first_family ? "{\n" : "\n]},\n");
    p->is_first_family = false;
    p->is_first_sample = true;
    json_put_words(p->out, name);
    text_printf(p->out, ": {\"type\": \"%s\", \"help\": ", metrics_kind_name(kind));
    json_put_words(p->out, help);
    text_add_str(p->out, ", \"samples\": [");
}

static void json_begin_sample(struct printer *p, const struct metrics_label labels[], int32_t n)
{
    text_add_str(p->out, p->is_first_sample ? "\n  {\"labels\": {" : ",\n  {\"labels\": {");
    p->is_first_sample = false;
    for (int32_t i = 0; i < n; i++) {
        if (i)
            text_add_str(p->out, ", ");
        json_put_words(p->out, labels[i].name);
        text_add_str(p->out, ": ");
        json_put_words(p->out, labels[i].value);
    }
    text_add_str(p->out, "}, ");
}

static void json_value(struct metrics_visitor *v, const struct metrics_label labels[], int32_t n,
                       double x)
{
    struct printer *p = (struct printer *)v;

    json_begin_sample(p, labels, n);
    text_add_str(p->out, "\"value\": ");
    metrics_print_number(x, p->out);
    text_add_str(p->out, "}");
}

/* Buckets as Prometheus counts them: all at or below the bound. */
static void json_histogram(struct metrics_visitor *v, const struct metrics_label labels[],
                           int32_t n, const struct histogram *h)
{
    struct printer *p = (struct printer *)v;
    int64_t below = 0;

    json_begin_sample(p, labels, n);
    text_printf(p->out, "\"count\": %" PRId64 ", \"sum\": ", histogram_count(h));
    metrics_print_number(h->sum, p->out);
    text_add_str(p->out, ", \"buckets\": [");
    for (int32_t i = 0; i < h->n_bounds; i++) {
        below += h->counts[i];
        text_printf(p->out, "%s[%g, %" PRId64 "]", i ? ", " : "", h->bounds[i], below);
    }
    text_add_str(p->out, "]}");
}

void metrics_print_json(const struct metrics *m, struct text *out)
{
    struct printer p = {
        .visitor = {json_family, json_value, json_histogram}, .out = out, .is_first_family = true};

    metrics_walk(m, &p.visitor);
    text_add_str(out, "\n]}\n}\n");
}

void metrics_print_csv_head(struct text *out)
{
    text_add_str(out,
                 "seconds,step,rank,budget,sequences,tokens,prefill_tokens,decode_tokens,running,"
                 "waiting,kv_blocks_free,kv_blocks_cached,kv_blocks_held,step_seconds,"
                 "compute_seconds,communicate_seconds,wait_seconds,scheduler_seconds,plan_bytes,"
                 "result_bytes,preemptions\n");
}

void metrics_print_csv_row(const struct metrics_step *s, int64_t start_ns, struct text *out)
{
    text_printf(out,
                "%.6f,%" PRIu64 ",%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%.9f,%.9f,%.9f,%.9f,%.9f,"
                "%" PRId64 ",%" PRId64 ",%" PRId64 "\n",
                (double)(s->now_ns - start_ns) * 1e-9, s->step, s->rank, s->budget, s->n_seqs,
                s->n_tokens, s->n_tokens - s->n_decode_tokens, s->n_decode_tokens, s->n_running,
                s->n_waiting, s->blocks_free, s->blocks_cached, s->blocks_held,
                (double)s->step_ns * 1e-9, (double)s->compute_ns * 1e-9,
                (double)s->communicate_ns * 1e-9, (double)s->wait_ns * 1e-9,
                (double)s->scheduler_ns * 1e-9, s->plan_bytes, s->result_bytes, s->n_preemptions);
}
