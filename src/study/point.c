#include "study/point.h"

#include "base/status.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static const struct {
    const char *name, *unit, *label;
} metrics[METRIC_COUNT] = {
    [METRIC_SECONDS] = {"seconds", "s", "Time"},
    [METRIC_OUTPUT_RATE] = {"output_throughput", "tok/s", "Output tokens"},
    [METRIC_TOTAL_RATE] = {"total_token_throughput", "tok/s", "All tokens"},
    [METRIC_PREFILL_RATE] = {"prefill_throughput", "tok/s", "Prefill"},
    [METRIC_DECODE_RATE] = {"decode_throughput", "tok/s", "Decode"},
    [METRIC_TTFT] = {"median_ttft_ms", "ms", "TTFT, median"},
    [METRIC_TTFT_P99] = {"p99_ttft_ms", "ms", "TTFT, P99"},
    [METRIC_ITL] = {"median_itl_ms", "ms", "ITL, median"},
    [METRIC_ITL_P99] = {"p99_itl_ms", "ms", "ITL, P99"},
    [METRIC_SCHEDULER_US] = {"scheduler_us", "us/step", "Scheduler"},
    [METRIC_LEADER_US] = {"leader_us", "us/step", "All of the leader"},
    [METRIC_STEPS] = {"steps", "steps", "Steps"},
    [METRIC_PREEMPTIONS] = {"preemptions", "", "Preemptions"},
    [METRIC_KV_TOKENS] = {"kv_tokens_peak", "tokens", "KV pool, most held"},
    [METRIC_NS_A_KEY] = {"ns_per_key", "ns", "Attention a row and key"},
};

const char *metric_name(enum study_metric m)
{
    return metrics[m].name;
}

const char *metric_unit(enum study_metric m)
{
    return metrics[m].unit;
}

const char *metric_label(enum study_metric m)
{
    return metrics[m].label;
}

/* The member as a number that is finite and not negative. */
static bool read_number(const json_t *object, const char *name, double *out)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_number(value))
        return false;
    *out = json_number_value(value);
    return isfinite(*out) && *out >= 0;
}

static enum shoal_status read_ranks(struct study_run *run, const struct study_point *p,
                                    const json_t *root, struct shoal_error *err)
{
    const json_t *ranks = json_object_get(root, "ranks");
    const size_t n = json_array_size(ranks);

    if (p->task == STUDY_ATTENTION)
        return SHOAL_OK;
    if (n != (size_t)p->ranks || n > STUDY_MAX_RANKS)
        return shoal_fail(err, SHOAL_E_FORMAT, "it tells of %zu ranks, not of %d", n, p->ranks);
    for (size_t i = 0; i < n; i++) {
        const json_t *object = json_array_get(ranks, i);
        struct study_rank *r = &run->ranks[i];
        if (!read_number(object, "compute_seconds", &r->compute) ||
            !read_number(object, "communicate_seconds", &r->communicate) ||
            !read_number(object, "wait_seconds", &r->wait) ||
            !read_number(object, "bytes_sent", &r->bytes_sent) ||
            !read_number(object, "bytes_received", &r->bytes_received))
            return shoal_fail(err, SHOAL_E_FORMAT, "what it tells of rank %zu is not whole", i);
    }
    run->n_ranks = (int32_t)n;
    return SHOAL_OK;
}

static enum shoal_status read_root(struct study_run *run, const struct study_point *p,
                                   const json_t *root, struct shoal_error *err)
{
    const enum study_metric needed =
        p->task == STUDY_ATTENTION ? METRIC_NS_A_KEY : METRIC_TOTAL_RATE;

    for (int m = 0; m < METRIC_COUNT; m++) {
        const json_t *value = json_object_get(root, metrics[m].name);
        if (!value || json_is_null(value))
            continue;
        if (!read_number(root, metrics[m].name, &run->values[m]))
            return shoal_fail(err, SHOAL_E_FORMAT, "its %s is not a number that can be right",
                              metrics[m].name);
    }
    if (!(run->values[needed] > 0))
        return shoal_fail(err, SHOAL_E_FORMAT, "it has no %s", metrics[needed].name);
    return read_ranks(run, p, root, err);
}

enum shoal_status study_run_parse(struct study_run *run, const struct study_point *p,
                                  const char *json, size_t n, struct shoal_error *err)
{
    json_error_t json_err;
    json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES, &json_err);
    enum shoal_status status;

    *run = (struct study_run){0};
    for (int m = 0; m < METRIC_COUNT; m++)
        run->values[m] = NAN;
    if (!root)
        return shoal_fail(err, SHOAL_E_FORMAT, "it is not one line of JSON: %s", json_err.text);
    if (json_is_object(root))
        status = read_root(run, p, root, err);
    else
        status = shoal_fail(err, SHOAL_E_FORMAT, "it is not a JSON object");
    json_decref(root);
    return status;
}

void study_point_key(const struct study_point *p, struct text *out)
{
    text_printf(out, "%s/%s/x=%g/%dx%d", p->experiment, p->series, p->x, p->ranks, p->threads);
    if (p->task == STUDY_ATTENTION)
        text_printf(out, "/%s/%d", p->path, p->context);
    else
        text_printf(out, "/%s/b%d/p%d/o%d/r%d/budget%d/chunk%d/block%d/pool%d/%s",
                    p->model ? p->model : "-", p->batch, p->prompt, p->output, p->reserve,
                    p->budget, p->chunk, p->block_size, p->kv_blocks,
                    p->layout ? p->layout : "paged");
}
