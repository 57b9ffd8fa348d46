#include "shoal/teach.h"

#include "teach/print.h"

#include <inttypes.h>

static void print_sequence(FILE *out, const struct shoal_teach_sequence *q)
{
    fprintf(out, "  %8" PRIu64 "  %-8s  %6d  %9d  %8d  ", q->id, shoal_teach_state_name(q->state),
            q->n_prompt, q->n_tokens - q->n_prompt, q->n_computed);
    if (q->state == SHOAL_TEACH_WAITING || q->state == SHOAL_TEACH_FINISHED)
        fputs(q->why, out);
    else {
        fputs("blocks ", out);
        print_ids(out, q->block_table, q->n_blocks);
    }
    if (q->n_cached > 0)
        fprintf(out, ", %d tokens from the prefix cache", q->n_cached);
    if (q->n_preempted > 0)
        fprintf(out, ", preempted %d time%s", q->n_preempted, plural(q->n_preempted));
    fputc('\n', out);
}

void shoal_teach_scheduler_print(FILE *out, const struct shoal_teach_scheduler *s)
{
    const struct shoal_teach_scheduler_counts c = shoal_teach_scheduler_count(s);
    struct shoal_teach_sequence q;

    fprintf(out,
            "after %" PRIu64 " step%s: %d waiting, %d running, %d finished; blocks: %d free, "
            "%d cached, %d held\n",
            c.n_steps, plural((int64_t)c.n_steps), c.n_waiting, c.n_running, c.n_finished,
            c.blocks_free, c.blocks_cached, c.blocks_held);
    if (shoal_teach_scheduler_n_sequences(s) == 0)
        return;
    fputs("   request  state     prompt  generated  computed  why it waits, or its blocks\n", out);
    for (int32_t i = 0; shoal_teach_scheduler_sequence(s, i, &q); i++)
        print_sequence(out, &q);
}

static void print_chunk(FILE *out, const struct shoal_teach_step *step, int32_t i)
{
    const struct shoal_teach_chunk *c = &step->chunks[i];

    fprintf(out, "  %s  request %-8" PRIu64, step->is_decode[i] ? "decode " : "prefill",
            c->request);
    fputs(c->n_tokens == 1 ? "  position  " : "  positions ", out);
    print_range(out, 11, c->first_position, c->n_tokens);
    if (!step->is_decode[i])
        fprintf(out, " of %d", step->n_prompt[i]);
    if (step->new_tokens[i] >= 0)
        fprintf(out, "  -> token %d", step->new_tokens[i]);
    fputc('\n', out);
}

static void print_requests(FILE *out, const char *what, const uint64_t ids[], int32_t n)
{
    if (n == 0)
        return;
    fprintf(out, "  %s:", what);
    for (int32_t i = 0; i < n; i++)
        fprintf(out, " %" PRIu64, ids[i]);
    fputc('\n', out);
}

void shoal_teach_step_print(FILE *out, const struct shoal_teach_step *step)
{
    fprintf(out, "step %" PRIu64 ": %d of %d tokens, %d decode and %d prefill\n", step->number,
            step->n_tokens, step->budget, step->n_decode, step->n_tokens - step->n_decode);
    for (int32_t i = 0; i < step->n_chunks; i++)
        print_chunk(out, step, i);
    print_requests(out, "admitted", step->admitted, step->n_admitted);
    print_requests(out, "preempted", step->preempted, step->n_preempted);
    print_requests(out, "finished", step->finished, step->n_finished);
}
