#include "cli/summary.h"

static double milliseconds(int64_t from_ns, int64_t to_ns)
{
    return (double)(to_ns - from_ns) * 1e-6;
}

void summary_add_job(struct summary *s, const struct job *j)
{
    const enum shoal_finish finish = job_finish(j);
    const int64_t n_generated = job_n_generated(j);
    int64_t last_ns = 0;

    s->n_input_tokens += j->n_prompt;
    s->n_output_tokens += n_generated;
    if (finish == SHOAL_FINISH_ERROR)
        s->n_failed++;
    else if (finish == SHOAL_FINISH_ABORT)
        s->n_aborted++;
    else
        s->n_completed++;
    if (finish == SHOAL_FINISH_ERROR || finish == SHOAL_FINISH_ABORT || n_generated == 0)
        return;
    for (int32_t i = 0; i < j->n_choices; i++) {
        const struct job_choice *c = &j->choices[i];
        if (!c->first_token_ns)
            continue;
        samples_add(&s->ttft, milliseconds(j->submitted_ns, c->first_token_ns));
        if (c->n_generated > 1)
            samples_add(&s->tpot,
                        milliseconds(c->first_token_ns, c->last_token_ns) / (c->n_generated - 1));
        if (c->last_token_ns > last_ns)
            last_ns = c->last_token_ns;
    }
    if (last_ns)
        samples_add(&s->e2el, milliseconds(j->submitted_ns, last_ns));
}

void summary_fini(struct summary *s)
{
    samples_fini(&s->ttft);
    samples_fini(&s->tpot);
    samples_fini(&s->itl);
    samples_fini(&s->e2el);
}

static double rate(const struct summary *s, int64_t n)
{
    return s->duration > 0 ? (double)n / s->duration : 0;
}

static void heading(FILE *out, const char *title, char fill)
{
    enum { WIDTH = 50 };
    int n = 0;

    for (const char *p = title; *p; p++)
        n++;
    const int left = (WIDTH - n) / 2;
    for (int i = 0; i < left; i++)
        fputc(fill, out);
    fputs(title, out);
    for (int i = left + n; i < WIDTH; i++)
        fputc(fill, out);
    fputc('\n', out);
}

static void count(FILE *out, const char *label, int64_t n)
{
    fprintf(out, "%-40s %-10lld\n", label, (long long)n);
}

static void number(FILE *out, const char *label, double x)
{
    fprintf(out, "%-40s %-10.2f\n", label, x);
}

static void latency(FILE *out, const char *title, const char *name, struct samples *samples)
{
    const struct statistics v = samples_statistics(samples);
    char label[64];

    heading(out, title, '-');
    snprintf(label, sizeof label, "Mean %s (ms):", name);
    number(out, label, v.mean);
    snprintf(label, sizeof label, "Median %s (ms):", name);
    number(out, label, v.median);
    snprintf(label, sizeof label, "P99 %s (ms):", name);
    number(out, label, v.p99);
}

static int32_t n_ranks(const struct shoal_engine *engine)
{
    struct shoal_info info;

    shoal_engine_info(engine, &info);
    return info.n_ranks;
}

void summary_print(struct summary *s, const struct shoal_engine *engine, FILE *out)
{
    const int32_t n = n_ranks(engine);

    heading(out, " Batch Result ", '=');
    count(out, "Successful requests:", s->n_completed);
    count(out, "Failed requests:", s->n_failed);
    if (s->n_aborted)
        count(out, "Interrupted requests:", s->n_aborted);
    number(out, "Benchmark duration (s):", s->duration);
    count(out, "Total input tokens:", s->n_input_tokens);
    count(out, "Total generated tokens:", s->n_output_tokens);
    number(out, "Request throughput (req/s):", rate(s, s->n_completed));
    number(out, "Output token throughput (tok/s):", rate(s, s->n_output_tokens));
    number(out, "Total token throughput (tok/s):", rate(s, s->n_input_tokens + s->n_output_tokens));
    latency(out, "Time to First Token", "TTFT", &s->ttft);
    latency(out, "Time per Output Token (excl. 1st token)", "TPOT", &s->tpot);
    latency(out, "Inter-token Latency", "ITL", &s->itl);
    heading(out, "Ranks", '-');
    fprintf(out, "%4s %10s %8s %10s %12s %8s %12s\n", "rank", "tokens", "steps", "compute s",
            "communicate", "wait s", "KV peak");
    for (int32_t i = 0; i < n; i++) {
        struct shoal_rank_counts c = {0};
        shoal_rank_info(engine, i, &c);
        fprintf(out, "%4d %10lld %8lld %10.2f %12.2f %8.2f %7d/%d\n", i, (long long)c.n_tokens,
                (long long)c.n_steps, c.compute_seconds, c.communicate_seconds, c.wait_seconds,
                c.kv_blocks_peak, c.kv_blocks);
    }
    heading(out, "", '=');
}

static void json_latency(const char *name, struct samples *samples, struct text *out)
{
    const struct statistics v = samples_statistics(samples);

    text_printf(out,
                ",\"mean_%s_ms\":%.6g,\"median_%s_ms\":%.6g,\"std_%s_ms\":%.6g,\"p99_%s_ms\":%.6g",
                name, v.mean, name, v.median, name, v.std, name, v.p99);
}

void summary_print_json(struct summary *s, const struct shoal_engine *engine, struct text *out)
{
    const int32_t n = n_ranks(engine);

    text_printf(out,
                "{\"duration\":%.6f,\"completed\":%lld,\"failed\":%lld,\"aborted\":%lld,"
                "\"total_input_tokens\":%lld,\"total_output_tokens\":%lld,"
                "\"request_throughput\":%.9g,\"output_throughput\":%.9g,"
                "\"total_token_throughput\":%.9g",
                s->duration, (long long)s->n_completed, (long long)s->n_failed,
                (long long)s->n_aborted, (long long)s->n_input_tokens,
                (long long)s->n_output_tokens, rate(s, s->n_completed), rate(s, s->n_output_tokens),
                rate(s, s->n_input_tokens + s->n_output_tokens));
    json_latency("ttft", &s->ttft, out);
    json_latency("tpot", &s->tpot, out);
    json_latency("itl", &s->itl, out);
    json_latency("e2el", &s->e2el, out);
    text_add_str(out, ",\"ranks\":[");
    for (int32_t i = 0; i < n; i++) {
        struct shoal_rank_counts c = {0};
        shoal_rank_info(engine, i, &c);
        text_printf(out,
                    "%s{\"rank\":%d,\"tokens\":%lld,\"steps\":%lld,\"compute_seconds\":%.6f,"
                    "\"communicate_seconds\":%.6f,\"wait_seconds\":%.6f,\"kv_blocks\":%d,"
                    "\"kv_blocks_peak\":%d,\"bytes_sent\":%lld,\"bytes_received\":%lld}",
                    i ? "," : "", i, (long long)c.n_tokens, (long long)c.n_steps, c.compute_seconds,
                    c.communicate_seconds, c.wait_seconds, c.kv_blocks, c.kv_blocks_peak,
                    (long long)c.bytes_sent, (long long)c.bytes_received);
    }
    text_add_str(out, "]}\n");
}
