#include "cli/job.h"

#include "base/mem.h"

#include <string.h>

struct job *job_create(struct batch_request *b)
{
    struct job *j = mem_new(1, sizeof *j);

    if (!j)
        return NULL;
    j->n_choices = b->request.n;
    j->choices = mem_new((size_t)j->n_choices, sizeof *j->choices);
    if (!j->choices) {
        mem_free(j);
        return NULL;
    }
    j->custom_id = b->custom_id;
    b->custom_id = NULL;
    b->request.id = j->custom_id;
    j->line = b->line;
    j->is_chat = b->is_chat;
    j->return_token_ids = b->return_token_ids;
    j->wants_logprobs = b->request.logprobs >= 0;
    j->wants_prompt_logprobs = b->request.prompt_logprobs >= 0;
    return j;
}

void job_destroy(struct job *j)
{
    if (!j)
        return;
    for (int32_t i = 0; i < j->n_choices; i++) {
        text_fini(&j->choices[i].text);
        mem_free(j->choices[i].tokens);
        mem_free(j->choices[i].entries);
    }
    mem_free(j->choices);
    mem_free(j->custom_id);
    mem_free(j->error);
    mem_free(j->prompt_ids);
    mem_free(j->prompt_logprobs);
    mem_free(j);
}

/* Room for n more items of an array that has n_items; returns the array, or NULL. */
static void *grow(void *items, size_t n_items, size_t n, size_t *capacity, size_t size)
{
    size_t larger = *capacity ? *capacity : 16;

    if (n_items + n <= *capacity)
        return items;
    while (larger < n_items + n)
        larger *= 2;
    items = mem_resize(items, larger, size);
    if (items)
        *capacity = larger;
    return items;
}

static bool keep_token(struct job_choice *c, const struct shoal_event *event)
{
    struct job_token *tokens = grow(c->tokens, c->n_tokens, 1, &c->tokens_capacity, sizeof *tokens);

    if (!tokens)
        return false;
    c->tokens = tokens;
    tokens[c->n_tokens++] = (struct job_token){event->token, event->n_logprobs, c->n_entries};
    if (event->n_logprobs == 0)
        return true;

    struct shoal_logprob *entries = grow(c->entries, c->n_entries, (size_t)event->n_logprobs,
                                         &c->entries_capacity, sizeof *entries);
    if (!entries) {
        tokens[c->n_tokens - 1].n_entries = 0;
        return false;
    }
    c->entries = entries;
    memcpy(entries + c->n_entries, event->logprobs, (size_t)event->n_logprobs * sizeof *entries);
    c->n_entries += (size_t)event->n_logprobs;
    return true;
}

/* A copy of n items, or NULL. */
static void *copy_of(const void *items, int32_t n, size_t size)
{
    void *copy = mem_new((size_t)n, size);

    if (copy && n > 0)
        memcpy(copy, items, (size_t)n * size);
    return copy;
}

static void keep_prompt(struct job *j, const struct shoal_event *event)
{
    j->n_prompt = event->n_prompt;
    if (event->n_cached > j->n_cached)
        j->n_cached = event->n_cached;
    j->submitted_ns = event->submitted_ns;
    if (!j->prompt_ids && event->prompt_ids && (j->return_token_ids || j->wants_prompt_logprobs)) {
        j->prompt_ids = copy_of(event->prompt_ids, event->n_prompt, sizeof *j->prompt_ids);
        j->has_failed |= !j->prompt_ids;
    }
    if (!j->prompt_logprobs && event->n_prompt_logprobs > 0) {
        j->prompt_logprobs =
            copy_of(event->prompt_logprobs, event->n_prompt_logprobs, sizeof *j->prompt_logprobs);
        j->has_failed |= !j->prompt_logprobs;
        if (j->prompt_logprobs) {
            j->n_prompt_logprobs = event->n_prompt_logprobs;
            j->prompt_logprobs_width = event->prompt_logprobs_width;
        }
    }
}

static void keep_error(struct job *j, const char *error)
{
    if (!j->error && error)
        j->error = mem_strdup(error);
}

bool job_take_event(struct job *j, const struct shoal_event *event)
{
    struct job_choice *c = &j->choices[event->choice];

    /* choice 0 is the one whose prompt may be cached; the others share its blocks */
    if (event->choice == 0 || !j->submitted_ns)
        keep_prompt(j, event);
    c->n_generated = event->n_generated;
    if (event->has_token) {
        if (!c->first_token_ns)
            c->first_token_ns = event->now_ns;
        c->last_token_ns = event->now_ns;
        if ((j->return_token_ids || j->wants_logprobs) && !keep_token(c, event))
            j->has_failed = true;
    }
    if (event->n_text > 0)
        text_add(&c->text, event->text, event->n_text);
    j->has_failed |= c->text.failed;
    if (event->finish == SHOAL_RUNNING)
        return false;
    c->finish = event->finish;
    keep_error(j, event->error);
    j->n_ended++;
    j->ended_ns = event->now_ns;
    return j->n_ended == j->n_choices;
}

void job_end(struct job *j, enum shoal_finish finish, const char *error)
{
    for (int32_t i = 0; i < j->n_choices; i++)
        if (j->choices[i].finish == SHOAL_RUNNING)
            j->choices[i].finish = finish;
    j->n_ended = j->n_choices;
    keep_error(j, error);
}

enum shoal_finish job_finish(const struct job *j)
{
    enum shoal_finish worst = SHOAL_FINISH_STOP;

    for (int32_t i = 0; i < j->n_choices; i++)
        if (j->choices[i].finish > worst)
            worst = j->choices[i].finish;
    return worst;
}

int64_t job_n_generated(const struct job *j)
{
    int64_t n = 0;

    for (int32_t i = 0; i < j->n_choices; i++)
        n += j->choices[i].n_generated;
    return n;
}
