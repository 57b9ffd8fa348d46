#include "model/profile.h"

#include "base/mem.h"
#include "model/run.h"

#include <string.h>

const char *profile_stage_name(enum profile_stage stage)
{
    static const char *const names[PROFILE_STAGE_COUNT] = {
        [PROFILE_ROWS] = "rows",
        [PROFILE_STORE] = "KV store",
        [PROFILE_LINEAR] = "linear layers",
        [PROFILE_ATTENTION] = "attention",
        [PROFILE_OUTPUT] = "output matrix",
        [PROFILE_SAMPLING] = "sampling",
        [PROFILE_BARRIER] = "barriers",
    };

    return names[stage];
}

bool model_profile_begin(struct model_run *r)
{
    const size_t n = (size_t)r->team.n_threads;

    if (!r->profile)
        r->profile = mem_new_aligned(n, sizeof *r->profile);
    if (!r->profile)
        return false;
    memset(r->profile, 0, n * sizeof *r->profile);
    memset(&r->counted, 0, sizeof r->counted);
    return true;
}

void model_profile_end(struct model_run *r)
{
    mem_free(r->profile);
    r->profile = NULL;
}

struct profile_thread *model_profile_thread(struct model_run *r, int32_t t)
{
    return model_profile_of(r, t);
}

void model_profile_sum(const struct model_run *r, struct profile *sum)
{
    *sum = r->counted;
    for (int32_t t = 0; r->profile && t < r->team.n_threads; t++)
        for (int32_t s = 0; s < PROFILE_STAGE_COUNT; s++)
            sum->ns[s] += r->profile[t].ns[s];
}

static void count_linear(struct profile *p, const struct model_linear *l, enum profile_stage stage,
                         int32_t n_rows)
{
    const double n_weights = (double)l->n_in * l->n_out;

    p->bytes[stage] +=
        l->rows ? n_weights * sizeof *l->rows : (double)l->n_panels * (double)l->panel_bytes;
    p->ops[stage] += 2 * n_weights * n_rows;
}

/* Keys that the last n tokens of a context attend to, together. */
static double keys_of(double context, double n)
{
    return n * (context - (n - 1) / 2);
}

void profile_count_step(struct model_run *r, const struct step_batch *batch,
                        const struct kv_store *kv)
{
    const struct model_hparams *hp = &r->model->hp;
    struct profile *p = &r->counted;
    double keys_read = 0, keys_seen = 0; /* of all layers */

    p->n_steps++;
    p->n_tokens += batch->n_tokens;
    for (int32_t il = 0; il < hp->n_layer; il++) {
        const struct model_layer *l = &r->model->layers[il];
        const struct model_linear *const all[] = {&l->q,    &l->k,  &l->v,   &l->attn_out,
                                                  &l->gate, &l->up, &l->down};
        const bool is_last = il == hp->n_layer - 1;
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            count_linear(p, all[i], PROFILE_LINEAR, is_last && i > 2 ? r->n_kept : batch->n_tokens);
    }
    for (int32_t i = 0; i < batch->n_seqs; i++) {
        const int32_t n = batch->q_indptr[i + 1] - batch->q_indptr[i];
        const int32_t n_last = attend_wanted(r, batch, i), context = batch->n_computed[i] + n;
        keys_read += (double)context * (hp->n_layer - (n_last == 0));
        keys_seen += (hp->n_layer - 1) * keys_of(context, n) + keys_of(context, n_last);
    }
    p->bytes[PROFILE_ATTENTION] +=
        keys_read * hp->n_head_kv * (double)kv->head_bytes / kv->options.block_size;
    p->ops[PROFILE_ATTENTION] += 4 * keys_seen * hp->n_head * hp->head_dim;
}

void profile_count_logits(struct model_run *r, int32_t n)
{
    count_linear(&r->counted, &r->model->output, PROFILE_OUTPUT, n);
}
