/* From what a step did to the events of a request: text, log-probabilities, ends. */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/observe.h"
#include "engine/plugin_views.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert(sizeof(struct shoal_logprob) == sizeof(struct step_logprob), "the same three fields");

static enum shoal_finish finish_of(enum sched_finish reason)
{
    static const enum shoal_finish table[SCHED_FINISH_COUNT] = {
        [SCHED_STOP] = SHOAL_FINISH_STOP,
        [SCHED_LENGTH] = SHOAL_FINISH_LENGTH,
        [SCHED_ABORT] = SHOAL_FINISH_ABORT,
        [SCHED_ERROR] = SHOAL_FINISH_ERROR,
    };

    return table[reason];
}

const char *shoal_finish_name(enum shoal_finish finish)
{
    static const char *const names[] = {
        [SHOAL_RUNNING] = "running",      [SHOAL_FINISH_STOP] = "stop",
        [SHOAL_FINISH_LENGTH] = "length", [SHOAL_FINISH_ABORT] = "abort",
        [SHOAL_FINISH_ERROR] = "error",
    };

    return finish <= SHOAL_FINISH_ERROR ? names[finish] : "unknown";
}

/* What a choice's last event needs, and its request's. error: a sentence, or NULL. */
static void close_choice(struct shoal_engine *e, struct request *request, struct queued_event *q,
                         enum shoal_finish finish, const char *error)
{
    request->choices[q->event.choice].finish = finish;
    q->event.finish = finish;
    engine_observe_end(e, request, q->event.choice, q->event.now_ns);
    if (plugin_views_are_on(e))
        plugin_views_finished(e->views, request, q->event.choice, finish, error);
    if (--request->n_left == 0) {
        q->is_last = true;
        e->counts.n_finished++;
    }
}

void engine_keep_prompt_logprobs(struct shoal_engine *e, const struct step_plan *plan,
                                 const struct step_result *result)
{
    for (int32_t i = 0; i < plan->n_seqs; i++) {
        const int32_t n = result->n_prompt_entries[i];
        struct sched_view view;
        if (n == 0 || !sched_at_slot(e->sched, plan->group, plan->slots[i], &view))
            continue;
        const struct request *request = requests_find(&e->requests, request_of(view.id));
        if (!request || !request->prompt_logprobs)
            continue;
        const size_t first = (size_t)plan->n_computed[i] * (size_t)request->prompt_logprobs_width;
        memcpy(request->prompt_logprobs + first, result->logprobs + result->logprob_indptr[i],
               (size_t)n * sizeof *result->logprobs);
    }
}

static void set_logprobs(struct shoal_engine *e, struct request *request, struct queued_event *q,
                         const struct sched_event *event, const struct step_result *result)
{
    struct choice *c = &request->choices[q->event.choice];
    const int32_t begin =
        result->logprob_indptr[event->index] + result->n_prompt_entries[event->index];
    const int32_t n = result->logprob_indptr[event->index + 1] - begin;

    if (n > 0 && !events_set_logprobs(
                     &e->events, q,
                     (const struct shoal_logprob *)(const void *)(result->logprobs + begin), n))
        log_error("out of memory: the log-probabilities of %s are lost", request->name);
    if (request->prompt_logprobs && q->event.choice == 0 && !c->has_prompt_logprobs) {
        c->has_prompt_logprobs = true;
        q->event.prompt_logprobs = request->prompt_logprobs;
        q->event.prompt_logprobs_width = request->prompt_logprobs_width;
        q->event.n_prompt_logprobs = (request->n_prompt - 1) * request->prompt_logprobs_width;
    }
}

static void answer_token(struct shoal_engine *e, struct request *request, struct queued_event *q,
                         const struct sched_event *event, enum shoal_finish *finish)
{
    struct choice *c = &request->choices[q->event.choice];

    q->event.has_token = true;
    q->event.token = event->token;
    q->event.n_generated = ++c->n_generated;
    e->counts.generated_tokens++;
    engine_observe_token(e, request, q->event.choice, q->event.now_ns);
    if (c->first_token_ns == 0)
        c->first_token_ns = q->event.now_ns;
    q->event.first_token_ns = c->first_token_ns;
    if (request->no_text)
        return;
    const bool checks_stops = c->n_generated >= request->min_tokens;
    if (output_push(&c->output, event->token, checks_stops, &e->events.text)) {
        if (*finish == SHOAL_RUNNING)
            sched_end(e->sched, event->id, SCHED_STOP);
        *finish = SHOAL_FINISH_STOP;
    } else if (*finish != SHOAL_RUNNING) {
        output_finish(&c->output, &e->events.text);
    }
}

void engine_answer(struct shoal_engine *e, const struct sched_event *event,
                   const struct step_result *result)
{
    const int32_t choice = choice_of(event->id);
    struct request *request = requests_find(&e->requests, request_of(event->id));

    if (!request || request->choices[choice].finish != SHOAL_RUNNING)
        return;
    if (!event->has_token && !event->is_finished)
        return;
    enum shoal_finish finish = event->is_finished ? finish_of(event->reason) : SHOAL_RUNNING;
    struct queued_event *q = events_add(&e->events, request, choice);
    if (!q) {
        log_error("out of memory: an event of %s is lost", request->name);
        return;
    }
    if (event->has_token) {
        answer_token(e, request, q, event, &finish);
        set_logprobs(e, request, q, event, result);
    }
    events_end_text(&e->events, q);
    char sentence[160] = "";
    if (finish == SHOAL_FINISH_ERROR) {
        const int32_t n_layer = e->model->hp.n_layer;
        if (event->layer >= n_layer)
            snprintf(sentence, sizeof sentence, "a value in the output layer is not finite");
        else
            snprintf(sentence, sizeof sentence, "a value in layer %d (of %d, from 0) is not finite",
                     event->layer, n_layer);
        events_set_error(&e->events, q, sentence);
    }
    if (finish != SHOAL_RUNNING)
        close_choice(e, request, q, finish, finish == SHOAL_FINISH_ERROR ? sentence : NULL);
    if (request->on_event)
        events_deliver(&e->events, &e->requests);
}

void engine_end_choice(struct shoal_engine *e, struct request *request, int32_t choice,
                       enum shoal_finish reason, const char *sentence)
{
    struct choice *c = &request->choices[choice];
    struct queued_event *q;

    if (c->finish != SHOAL_RUNNING)
        return;
    sched_end(e->sched, sequence_id(request->id, choice), SCHED_ABORT);
    q = events_add(&e->events, request, choice);
    if (!q) {
        log_error("out of memory: the end of %s is lost", request->name);
        return;
    }
    if (!request->no_text)
        output_finish(&c->output, &e->events.text);
    events_end_text(&e->events, q);
    if (sentence)
        events_set_error(&e->events, q, sentence);
    close_choice(e, request, q, reason, sentence);
    if (request->on_event)
        events_deliver(&e->events, &e->requests);
}

void engine_end_all(struct shoal_engine *e, enum shoal_finish reason, const char *sentence)
{
    for (size_t i = 0; i < e->requests.n_buckets; i++) {
        struct request *next;
        for (struct request *request = e->requests.buckets[i]; request; request = next) {
            const int32_t n_choices = request->n_choices;
            next = request->next;
            for (int32_t c = 0, n_left = request->n_left; c < n_choices && n_left > 0; c++) {
                if (request->choices[c].finish != SHOAL_RUNNING)
                    continue;
                n_left--;
                engine_end_choice(e, request, c, reason, sentence);
            }
        }
    }
}

bool shoal_cancel(struct shoal_engine *e, uint64_t id)
{
    struct request *request = requests_find(&e->requests, id);

    if (!request || request->n_left == 0)
        return false;
    for (int32_t c = 0, n_left = request->n_left; n_left > 0; c++) {
        if (request->choices[c].finish != SHOAL_RUNNING)
            continue;
        n_left--;
        engine_end_choice(e, request, c, SHOAL_FINISH_ABORT, NULL);
    }
    return true;
}
