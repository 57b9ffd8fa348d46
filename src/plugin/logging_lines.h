/* plugin/logging_lines.h - what the logging plugin writes, as text or JSON, a line each */
#ifndef PLUGIN_LOGGING_LINES_H
#define PLUGIN_LOGGING_LINES_H

#include "base/text.h"
#include "shoal/plugin.h"

/* What all requests that ended were like. */
struct logging_totals {
    int64_t n_steps, n_tokens; /* steps and the tokens run in them */
    int64_t n_added, n_ended[SHOAL_PLUGIN_ERROR + 1], n_preempted;
    int64_t n_prompt, n_generated, n_cached;
    int64_t n_first;             /* that had a first token */
    double ttft_s, itl_s, e2e_s; /* sums over requests; itl_s over n_itl */
    int64_t n_itl;
};

/* What one request that ended was like. */
struct logging_request {
    const char *end; /* "stop" */
    int32_t n_generated;
    double ttft_s, itl_s, e2e_s; /* from submit; itl_s: mean time between tokens. -1: none */
};
struct logging_request logging_request(const struct shoal_plugin_request *r);

void logging_step(struct text *out, bool is_json, const struct shoal_plugin_step *step);
void logging_added(struct text *out, bool is_json, const struct shoal_plugin_request *r);
void logging_preempted(struct text *out, bool is_json, const struct shoal_plugin_request *r);
void logging_finished(struct text *out, bool is_json, const struct shoal_plugin_request *r);
void logging_summary(struct text *out, bool is_json, const struct logging_totals *t);

#endif
