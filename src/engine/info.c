/* What the engine is and how it fares, for programs and for a person with a debugger. */
#include "engine/engine.h"

#include "model/hooks.h"

#include <stdio.h>

#ifndef SHOAL_VERSION
#define SHOAL_VERSION "unknown"
#endif

const char *shoal_version(void)
{
    return SHOAL_VERSION;
}

void shoal_engine_info(const struct shoal_engine *e, struct shoal_info *info)
{
    const struct model_hparams *hp = &e->model->hp;
    const struct model_run_options run = {.model = e->model,
                                          .kernels = &e->kernels,
                                          .n_threads = e->n_threads,
                                          .limits = e->limits,
                                          .plugins = e->plugins};
    struct kv_store_options one = {0}; /* refused at open, if at all */
    const struct tokenizer_special *special = e->tokenizer ? tokenizer_special(e->tokenizer) : NULL;

    (void)model_kv_options(e->model, e->plugins, e->kv_dtype, e->limits.block_size, 1, &one, NULL);
    *info = (struct shoal_info){.model_name = e->model->name,
                                .arch = e->model->arch,
                                .n_ranks = comm_size(e->comm),
                                .n_threads = e->n_threads,
                                .n_vocab = hp->n_vocab,
                                .n_ctx = hp->n_ctx,
                                .max_model_len = e->limits.max_model_len,
                                .n_kv_blocks = e->limits.n_blocks,
                                .block_size = e->limits.block_size,
                                .kv_block_bytes = kv_store_block_bytes(&one),
                                .weight_bytes = e->image.n,
                                .step_bytes = model_run_bytes(&run),
                                .bos = special ? special->bos : -1,
                                .eos = special ? special->eos : -1};
}

void shoal_engine_counts(const struct shoal_engine *e, struct shoal_counts *counts)
{
    *counts = e->counts;
    counts->n_waiting = sched_n_waiting(e->sched);
    counts->n_preemptions = sched_n_preemptions(e->sched);
    counts->n_moves = sched_n_moves(e->sched);
    counts->leader_seconds = (double)e->leader_ns * 1e-9;
    counts->scheduler_seconds = (double)e->scheduler_ns * 1e-9;
    for (int32_t g = 0; g < e->n_groups; g++) {
        const struct sched_group_counts group = sched_count(e->sched, g);
        const double usage = (double)group.blocks.n_held / e->limits.n_blocks;
        counts->n_running += group.n_running;
        counts->kv_usage = usage > counts->kv_usage ? usage : counts->kv_usage;
    }
}

void shoal_rank_info(const struct shoal_engine *e, int32_t rank, struct shoal_rank_counts *counts)
{
    const struct lane *lane = &e->lanes[rank];

    *counts = (struct shoal_rank_counts){.n_steps = lane->n_steps,
                                         .n_tokens = lane->n_tokens,
                                         .compute_seconds = (double)lane->compute_ns * 1e-9,
                                         .communicate_seconds = (double)lane->communicate_ns * 1e-9,
                                         .wait_seconds = (double)lane->wait_ns * 1e-9,
                                         .kv_blocks = e->limits.n_blocks,
                                         .kv_blocks_peak = lane->blocks_peak};
    /* What the leader sent a rank, that rank received. */
    counts->bytes_sent = lane->executor->bytes_in;
    counts->bytes_received = lane->executor->bytes_out;
    for (int32_t g = 0; rank == 0 && g < e->n_groups; g++) {
        counts->bytes_sent += e->lanes[g].executor->bytes_out;
        counts->bytes_received += e->lanes[g].executor->bytes_in;
    }
}

static void dump_choice(const struct shoal_engine *e, const struct request *request, int32_t choice)
{
    const struct choice *c = &request->choices[choice];
    struct sched_view view;

    fprintf(stderr, "  choice %d: %s, %d tokens generated", choice, shoal_finish_name(c->finish),
            c->n_generated);
    if (!sched_find(e->sched, sequence_id(request->id, choice), &view)) {
        fputc('\n', stderr);
        return;
    }
    if (view.slot < 0)
        fprintf(stderr, ", waits: %s", sched_wait_name(view.wait));
    else
        fprintf(stderr, ", runs on rank %d in slot %d", view.group, view.slot);
    fprintf(stderr, "; %d tokens known, %d computed, %d of them found cached, preempted %d times\n",
            view.n_tokens, view.n_computed, view.n_cached, view.n_preempted);
    fprintf(stderr, "    blocks:");
    for (int32_t i = 0; i < view.n_blocks; i++)
        fprintf(stderr, " %d", view.block_table[i]);
    fprintf(stderr, "\n    last tokens:");
    for (int32_t i = view.n_tokens > 16 ? view.n_tokens - 16 : 0; i < view.n_tokens; i++)
        fprintf(stderr, " %d", view.tokens[i]);
    fputc('\n', stderr);
}

void shoal_dump_request(const struct shoal_engine *e, uint64_t id)
{
    const struct request *request = e ? requests_find(&e->requests, id) : NULL;

    if (!request) {
        fprintf(stderr, "no request %llu waits or runs\n", (unsigned long long)id);
        return;
    }
    fprintf(stderr, "request %llu (%s): prompt of %d tokens, %d of %d choices left\n",
            (unsigned long long)id, request->name, request->n_prompt, request->n_left,
            request->n_choices);
    for (int32_t c = 0; c < request->n_choices; c++)
        dump_choice(e, request, c);
}
