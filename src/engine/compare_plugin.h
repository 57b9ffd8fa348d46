/* engine/compare_plugin.h - what plugins change in the logits of a sequence
 *
 * The tokens are run twice, in chunks, each time alone with a small pool of its own: once with the
 * plugins, which see it as choice 0 of request 0 (no request has that number), and once without
 * any. The logits of all positions are compared. Any thread of a rank, while no step runs. */
#ifndef ENGINE_COMPARE_PLUGIN_H
#define ENGINE_COMPARE_PLUGIN_H

#include "kv/store.h"
#include "model/model.h"

struct plugins;

struct compare_plugin_options {
    const struct model *model; /* attached; all are borrowed for the call */
    const struct kernels *kernels;
    struct plugins *plugins; /* of the run with them */
    enum kv_dtype kv_dtype;  /* of the run without; and of the other where none stores rows */
    int32_t n_threads, block_size;
    int32_t chunk; /* tokens run at once: the budget */
};

struct compare_plugin_result {
    double max_error, rms_error; /* of a logit */
    double mean_kl;              /* KL(without || with), nats a token */
};

/* Refuses a sequence that is empty or longer than the model's RoPE table, and tokens outside of the
 * vocabulary. */
enum shoal_status engine_compare_plugin(const struct compare_plugin_options *options,
                                        const int32_t tokens[], int32_t n,
                                        struct compare_plugin_result *result,
                                        struct shoal_error *err);

#endif
