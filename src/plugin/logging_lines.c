#include "plugin/logging_lines.h"

#include "base/json_out.h"

#include <inttypes.h>

static const char *const end_names[] = {[SHOAL_PLUGIN_STOP] = "stop",
                                        [SHOAL_PLUGIN_LENGTH] = "length",
                                        [SHOAL_PLUGIN_ABORT] = "abort",
                                        [SHOAL_PLUGIN_ERROR] = "error"};

struct logging_request logging_request(const struct shoal_plugin_request *r)
{
    const int32_t n = r->sequence.n_tokens - r->sequence.n_prompt;
    const bool has_first = r->first_token_ns > 0;

    return (struct logging_request){
        .end = end_names[r->end],
        .n_generated = n,
        .ttft_s = has_first ? (double)(r->first_token_ns - r->submitted_ns) * 1e-9 : -1,
        .itl_s = has_first && n > 1 ? (double)(r->now_ns - r->first_token_ns) * 1e-9 / (n - 1) : -1,
        .e2e_s = (double)(r->now_ns - r->submitted_ns) * 1e-9,
    };
}

/* "chat-7", or "chat-7 #2" for its third choice. */
static void put_name(struct text *out, const struct shoal_plugin_sequence *s)
{
    text_add_str(out, s->name);
    if (s->choice > 0)
        text_printf(out, " #%d", s->choice);
}

static void put_id(struct text *out, const char *event, const struct shoal_plugin_sequence *s)
{
    text_printf(out, "{\"event\":\"%s\",\"id\":", event);
    json_put_words(out, s->name);
    text_printf(out, ",\"request\":%" PRIu64 ",\"choice\":%d", s->request, s->choice);
}

void logging_step(struct text *out, bool is_json, const struct shoal_plugin_step *s)
{
    const char *format =
        is_json ? "{\"event\":\"step\",\"step\":%" PRIu64
                  ",\"rank\":%d,\"seqs\":%d,\"tokens\":%d,\"decode_tokens\":%d,\"budget\":%d,"
                  "\"chunk\":%d,\"waiting\":%d,\"blocks_free\":%d,\"blocks_cached\":%d,"
                  "\"blocks_held\":%d,\"step_ms\":%.3f,\"compute_ms\":%.3f}\n"
                : "logging: step %" PRIu64
                  ", rank %d: %d sequences, %d tokens (%d decode) of a budget of "
                  "%d, chunk %d; %d wait; blocks %d free, %d cached, %d held; %.3f ms (%.3f "
                  "computing)\n";

    text_printf(out, format, s->step, s->rank, s->n_running, s->n_tokens, s->n_decode_tokens,
                s->budget, s->chunk, s->n_waiting, s->blocks_free, s->blocks_cached, s->blocks_held,
                (double)s->step_ns * 1e-6, (double)s->compute_ns * 1e-6);
}

void logging_added(struct text *out, bool is_json, const struct shoal_plugin_request *r)
{
    const struct shoal_plugin_sequence *s = &r->sequence;

    if (is_json) {
        put_id(out, "added", s);
        text_printf(out, ",\"prompt_tokens\":%d,\"max_tokens\":%d,\"priority\":%d}\n", s->n_prompt,
                    s->max_tokens, s->priority);
        return;
    }
    text_add_str(out, "logging: ");
    put_name(out, s);
    text_printf(out, " added: %d prompt tokens, at most %d to generate\n", s->n_prompt,
                s->max_tokens);
}

void logging_preempted(struct text *out, bool is_json, const struct shoal_plugin_request *r)
{
    const struct shoal_plugin_sequence *s = &r->sequence;

    if (is_json) {
        put_id(out, "preempted", s);
        text_printf(out, ",\"tokens\":%d,\"times\":%d}\n", s->n_tokens, s->n_preempted);
        return;
    }
    text_add_str(out, "logging: ");
    put_name(out, s);
    text_printf(out, " preempted: %d tokens will be computed again (time %d)\n", s->n_tokens,
                s->n_preempted);
}

static void put_ms(struct text *out, double seconds)
{
    if (seconds < 0)
        text_add_str(out, "null");
    else
        text_printf(out, "%.3f", seconds * 1e3);
}

void logging_finished(struct text *out, bool is_json, const struct shoal_plugin_request *r)
{
    const struct shoal_plugin_sequence *s = &r->sequence;
    const struct logging_request t = logging_request(r);

    if (is_json) {
        put_id(out, "finished", s);
        text_printf(out,
                    ",\"reason\":\"%s\",\"rank\":%d,\"prompt_tokens\":%d,\"generated_tokens\":%d,"
                    "\"cached_tokens\":%d,\"preemptions\":%d,\"ttft_ms\":",
                    t.end, r->rank, s->n_prompt, t.n_generated, s->n_cached, s->n_preempted);
        put_ms(out, t.ttft_s);
        text_add_str(out, ",\"itl_ms\":");
        put_ms(out, t.itl_s);
        text_add_str(out, ",\"e2e_ms\":");
        put_ms(out, t.e2e_s);
        text_add_str(out, "}\n");
        return;
    }
    text_add_str(out, "logging: ");
    put_name(out, s);
    text_printf(out, " ended (%s", t.end);
    if (r->error)
        text_printf(out, ": %s", r->error);
    text_printf(out, "): %d prompt tokens (%d cached), %d generated, preempted %d times",
                s->n_prompt, s->n_cached, t.n_generated, s->n_preempted);
    if (t.ttft_s >= 0)
        text_printf(out, "; first token after %.3f ms", t.ttft_s * 1e3);
    if (t.itl_s >= 0)
        text_printf(out, ", %.3f ms between tokens", t.itl_s * 1e3);
    text_printf(out, "; %.3f ms in all\n", t.e2e_s * 1e3);
}

static double mean_ms(double sum_s, int64_t n)
{
    return n > 0 ? sum_s / (double)n * 1e3 : 0;
}

void logging_summary(struct text *out, bool is_json, const struct logging_totals *t)
{
    const int64_t *ends = t->n_ended;
    const int64_t n = ends[SHOAL_PLUGIN_STOP] + ends[SHOAL_PLUGIN_LENGTH] +
                      ends[SHOAL_PLUGIN_ABORT] + ends[SHOAL_PLUGIN_ERROR];
    const char *format =
        is_json
            ? "{\"event\":\"summary\",\"added\":%lld,\"ended\":%lld,\"stop\":%lld,\"length\":%lld,"
              "\"abort\":%lld,\"error\":%lld,\"preemptions\":%lld,\"steps\":%lld,\"tokens\":%lld,"
              "\"prompt_tokens\":%lld,\"cached_tokens\":%lld,\"generated_tokens\":%lld,"
              "\"mean_ttft_ms\":%.3f,\"mean_itl_ms\":%.3f,\"mean_e2e_ms\":%.3f}\n"
            : "logging: %lld sequences added, %lld ended (%lld stop, %lld length, %lld abort, %lld "
              "error), %lld preemptions; %lld steps of %lld tokens; %lld prompt tokens (%lld "
              "cached), %lld generated; means: first token after %.3f ms, %.3f ms between tokens, "
              "%.3f ms in all\n";

    text_printf(out, format, (long long)t->n_added, (long long)n,
                (long long)ends[SHOAL_PLUGIN_STOP], (long long)ends[SHOAL_PLUGIN_LENGTH],
                (long long)ends[SHOAL_PLUGIN_ABORT], (long long)ends[SHOAL_PLUGIN_ERROR],
                (long long)t->n_preempted, (long long)t->n_steps, (long long)t->n_tokens,
                (long long)t->n_prompt, (long long)t->n_cached, (long long)t->n_generated,
                mean_ms(t->ttft_s, t->n_first), mean_ms(t->itl_s, t->n_itl), mean_ms(t->e2e_s, n));
}
