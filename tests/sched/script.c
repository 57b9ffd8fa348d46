#include "sched/script.h"

#include "base/text.h"
#include "sched/world.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum { MAX_PROMPT = 256, LETTERS = 128 };

struct player {
    struct world world;
    struct text out; /* what the line gave */
    int32_t prompts[LETTERS][MAX_PROMPT];
    int32_t n_prompts[LETTERS];
};

static void fill_defaults(struct sched_options *o)
{
    o->limits.max_seqs = o->limits.max_seqs ? o->limits.max_seqs : 4;
    o->limits.max_tokens = o->limits.max_tokens ? o->limits.max_tokens : 16;
    o->limits.max_model_len = o->limits.max_model_len ? o->limits.max_model_len : 128;
    o->limits.block_size = o->limits.block_size ? o->limits.block_size : 8;
    o->limits.n_blocks = o->limits.n_blocks ? o->limits.n_blocks : 32;
    o->limits.n_vocab = o->limits.n_vocab ? o->limits.n_vocab : 1 << 20;
    o->n_groups = o->n_groups ? o->n_groups : 1;
}

static void play_add(struct player *p, const char *arguments)
{
    struct sched_sequence q = {.sampling = {.n_logprobs = -1, .n_prompt_logprobs = -1}};
    char name, word[32], other;
    int32_t *prompt, n_used, n;
    int32_t stop_id;
    struct shoal_error err;

    ck_assert_int_eq(sscanf(arguments, " %c %d %d%n", &name, &q.n_prompt, &q.max_tokens, &n_used),
                     3);
    ck_assert_int_le(q.n_prompt, MAX_PROMPT);
    q.id = q.first_choice = (uint64_t)name;
    q.prompt = prompt = p->prompts[(int)name];
    p->n_prompts[(int)name] = q.n_prompt;
    for (int32_t i = 0; i < q.n_prompt; i++)
        prompt[i] = name * 1000 + i;
    for (arguments += n_used; sscanf(arguments, "%31s%n", word, &n_used) == 1;
         arguments += n_used) {
        if (sscanf(word, "like=%c:%d", &other, &n) == 2) {
            memcpy(prompt, p->prompts[(int)other], (size_t)n * sizeof *prompt);
        } else if (sscanf(word, "of=%c", &other) == 1) {
            q.first_choice = (uint64_t)other;
            memcpy(prompt, p->prompts[(int)other], (size_t)q.n_prompt * sizeof *prompt);
        } else if (sscanf(word, "stop=%d", &n) == 1) {
            stop_id = world_token(&p->world, q.id, q.n_prompt + n - 1);
            q.stop_ids = &stop_id;
            q.n_stop = 1;
        } else if (sscanf(word, "bad=%d", &n) == 1) {
            p->world.bad_id = q.id;
            p->world.bad_position = n;
        } else if (strcmp(word, "skip") == 0) {
            q.skips_prefix_cache = true;
        } else {
            ck_assert_msg(sscanf(word, "priority=%d", &q.priority) == 1 ||
                              sscanf(word, "min=%d", &q.sampling.min_tokens) == 1,
                          "unknown word '%s'", word);
        }
    }
    q.sampling.repetition_penalty = 1;
    ck_assert_msg(sched_add(p->world.sched, &q, &err) == SHOAL_OK, "%s", err.text);
}

static void print_plan(struct player *p, const struct world_group *x)
{
    const struct step_plan *plan = &x->told;

    for (int32_t i = 0; i < plan->n_seqs; i++)
        text_printf(&p->out, " %c[%d,%d)", (char)x->slots.slots[plan->slots[i]].request,
                    plan->n_computed[i], plan->n_computed[i] + plan->n_scheduled[i]);
    for (int32_t i = 0; i < plan->n_copies; i++)
        text_printf(&p->out, " copy %d>%d", plan->copies[i].from, plan->copies[i].to);
    for (int32_t i = 0; i < plan->n_fetches; i++)
        text_printf(&p->out, " fetch %d:%d>%d", plan->fetches[i].group, plan->fetches[i].from,
                    plan->fetches[i].to);
    for (int32_t i = 0; i < plan->n_ended; i++)
        text_printf(&p->out, " ended %d", plan->ended[i]);
}

static void print_events(struct player *p)
{
    bool is_first = true;

    for (int32_t i = 0; i < p->world.n_events; i++) {
        const struct sched_event *e = &p->world.events[i];

        if (!e->is_finished)
            continue;
        text_printf(&p->out, "%s %c=%s", is_first ? ";" : "", (char)e->id,
                    sched_finish_name(e->reason));
        is_first = false;
    }
}

static void play_waiting(struct player *p)
{
    struct sched_view v;
    int64_t cursor = 0;

    while (sched_next_waiting(p->world.sched, &cursor, &v))
        text_printf(&p->out, "%s %c: %s", p->out.n ? "," : "", (char)v.id, sched_wait_name(v.wait));
}

static void play_table(struct player *p, uint64_t id)
{
    struct sched_view v;

    ck_assert(sched_find(p->world.sched, id, &v));
    for (int32_t i = 0; i < v.n_blocks; i++)
        text_printf(&p->out, " %d", v.block_table[i]);
}

static void play(struct player *p, const char *line)
{
    const struct sched *s = p->world.sched;
    struct kv_pool_counts blocks;
    int32_t group = 0, n;
    char name;

    if (strncmp(line, "add ", 4) == 0) {
        play_add(p, line + 4);
    } else if (sscanf(line, "end %c", &name) == 1) {
        ck_assert(sched_end(p->world.sched, (uint64_t)name, SCHED_ABORT));
        ck_assert(sched_check(s));
    } else if (strncmp(line, "step", 4) == 0) {
        sscanf(line, "step %d", &group);
        if (world_plan(&p->world, group)) {
            print_plan(p, &p->world.groups[group]);
            world_apply(&p->world, group);
            print_events(p);
        } else {
            text_add_str(&p->out, " -");
        }
    } else if (strncmp(line, "plan", 4) == 0) {
        sscanf(line, "plan %d", &group);
        if (world_plan(&p->world, group))
            print_plan(p, &p->world.groups[group]);
        else
            text_add_str(&p->out, " -");
    } else if (strncmp(line, "apply", 5) == 0) {
        sscanf(line, "apply %d", &group);
        world_apply(&p->world, group);
        print_events(p);
    } else if (strcmp(line, "waiting") == 0) {
        play_waiting(p);
    } else if (strncmp(line, "pool", 4) == 0) {
        sscanf(line, "pool %d", &group);
        blocks = sched_count(s, group).blocks;
        text_printf(&p->out, " free %d cached %d held %d", blocks.n_free, blocks.n_cached,
                    blocks.n_held);
    } else if (sscanf(line, "table %c", &name) == 1) {
        play_table(p, (uint64_t)name);
    } else if (sscanf(line, "budget %d %d", &n, &group) >= 1) {
        sched_set_budget(p->world.sched, group, n);
    } else if (sscanf(line, "chunk %d %d", &n, &group) >= 1) {
        sched_set_chunk(p->world.sched, group, n);
    } else {
        ck_abort_msg("unknown line '%s'", line);
    }
}

void script_run(const struct script *script)
{
    static struct player p;
    struct sched_options options = script->options;

    memset(&p, 0, sizeof p);
    fill_defaults(&options);
    world_open(&p.world, &options, 1);
    for (const struct script_line *line = script->lines; line->when; line++) {
        text_clear(&p.out);
        play(&p, line->when);
        const char *out = p.out.n ? p.out.bytes + 1 : ""; /* each word came with a space before */
        ck_assert_msg(strcmp(out, line->then) == 0, "%s, line %d: %s\n  gave   %s\n  wanted %s",
                      script->name, (int)(line - script->lines) + 1, line->when, out, line->then);
    }
    text_fini(&p.out);
    world_close(&p.world);
}
