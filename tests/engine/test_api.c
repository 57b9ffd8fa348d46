/* The public API as a program uses it: submit, poll or callback, cancel, stop, interrupt, close;
 * and what it refuses. Linked with a guard: an allocation in a step, by anyone, ends the program.
 */
#include "support/no_malloc.h"
#include "support/suite.h"

#include "base/rng.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/open_engine.h"
#include "shoal/observe.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_TEXT = 2048, MAX_SEEN = 128 };

static const char romeo[] = "ROMEO:\nBut soft, what light";

static struct shoal_options default_options(const char *model)
{
    struct shoal_options options;

    shoal_options_default(&options);
    options.model = model;
    options.threads = 2;
    options.num_kv_blocks = 256;
    return options;
}

static struct shoal_engine *open_model(const char *model)
{
    const struct shoal_options options = default_options(model);

    return open_engine(&options);
}

static void close_engine(struct shoal_engine *engine)
{
    ck_assert(shoal_engine_close(engine) == SHOAL_OK);
}

static void check_idle(const struct shoal_engine *engine)
{
    const struct sched_group_counts counts = sched_count(engine->sched, 0);

    ck_assert(shoal_is_idle(engine));
    ck_assert(sched_check(engine->sched));
    ck_assert_int_eq(counts.n_running, 0);
    ck_assert_int_eq(counts.blocks.n_held, 0);
    ck_assert_int_eq(counts.blocks.n_free + counts.blocks.n_cached, engine->limits.n_blocks);
    ck_assert_uint_eq(engine->requests.n, 0);
}

/* Greedy, with text. */
static struct shoal_request greedy(const char *prompt, int32_t max_tokens)
{
    struct shoal_request request;

    shoal_request_default(&request);
    request.prompt = prompt;
    request.n_prompt = strlen(prompt);
    request.max_tokens = max_tokens;
    request.temperature = 0;
    return request;
}

/* Everything that one choice said. */
struct seen {
    enum shoal_finish finish;
    int32_t n_events, n_ends, n_tokens, n_generated;
    int32_t tokens[MAX_SEEN];
    size_t ends[MAX_SEEN]; /* bytes of text after each event */
    char text[MAX_TEXT];   /* (n_text) may hold zeros */
    size_t n_text;
    char error[256];
};

static void see(struct seen *s, const struct shoal_event *event)
{
    ck_assert_msg(s->n_ends == 0, "an event after the last one");
    ck_assert(utf8_valid(event->text, event->n_text));
    ck_assert_int_eq(event->text[event->n_text], '\0');
    ck_assert(s->n_text + event->n_text < sizeof s->text && s->n_events < MAX_SEEN);
    memcpy(s->text + s->n_text, event->text, event->n_text + 1);
    s->n_text += event->n_text;
    s->ends[s->n_events++] = s->n_text;
    if (event->has_token)
        s->tokens[s->n_tokens++] = event->token;
    s->n_generated = event->n_generated;
    ck_assert_int_eq(s->n_generated, s->n_tokens);
    s->finish = event->finish;
    s->n_ends += event->finish != SHOAL_RUNNING;
    if (event->error)
        snprintf(s->error, sizeof s->error, "%s", event->error);
}

static uint64_t submit(struct shoal_engine *engine, struct shoal_request request,
                       struct seen choices[])
{
    struct shoal_error err;
    uint64_t id;

    memset(choices, 0, (size_t)request.n * sizeof *choices);
    request.user = choices;
    ck_assert_msg(shoal_submit(engine, &request, &id, &err) == SHOAL_OK, "%s", err.text);
    return id;
}

/* Fetch what there is; returns how many. */
static int32_t fetch(struct shoal_engine *engine)
{
    struct shoal_event event;
    int32_t n = 0;

    for (; shoal_next_event(engine, &event); n++)
        see((struct seen *)event.user + event.choice, &event);
    return n;
}

static void run_all(struct shoal_engine *engine)
{
    struct shoal_error err;

    while (!shoal_is_idle(engine)) {
        ck_assert_msg(shoal_run(engine, -1, &err) == SHOAL_OK, "%s", err.text);
        ck_assert_int_gt(fetch(engine), 0);
    }
}

START_TEST(the_guard_bites)
{
    if (!no_malloc_is_on()) {
        printf("skipped: under a sanitizer nothing watches for allocations in a step\n");
        return;
    }
    ck_assert(no_malloc_bites());
    ck_assert_uint_gt(no_malloc_count(), 0);
}
END_TEST

START_TEST(events_say_what_happened)
{
    struct shoal_engine *engine = open_model("embedded");
    struct shoal_request request = greedy(romeo, 5);
    struct shoal_event event;
    struct shoal_counts counts;
    struct shoal_error err;
    int user = 0, n = 0;
    uint64_t first, id;

    request.user = &user;
    request.logprobs = 3;
    request.prompt_logprobs = 1;
    ck_assert(shoal_is_idle(engine) && !shoal_next_event(engine, &event));
    ck_assert(shoal_run(engine, -1, &err) == SHOAL_OK); /* nothing to do: no wait */
    ck_assert(shoal_submit(engine, &request, &first, &err) == SHOAL_OK);
    ck_assert(shoal_submit(engine, &request, &id, &err) == SHOAL_OK);
    ck_assert_uint_ne(first, id);
    ck_assert(shoal_cancel(engine, first));
    ck_assert(!shoal_is_idle(engine));
    ck_assert(shoal_next_event(engine, &event));
    ck_assert(event.request == first && event.finish == SHOAL_FINISH_ABORT && !event.has_token);
    while (!shoal_is_idle(engine)) {
        ck_assert(shoal_run(engine, -1, &err) == SHOAL_OK);
        for (; shoal_next_event(engine, &event); n++) {
            ck_assert_uint_eq(event.request, id);
            ck_assert_ptr_eq(event.user, &user);
            ck_assert(event.choice == 0 && event.has_token && event.rank == 0);
            ck_assert_int_eq(event.n_generated, n + 1);
            ck_assert_int_eq(event.n_logprobs, 4);
            ck_assert_int_eq(event.logprobs[0].token, event.token);
            ck_assert_int_eq(event.logprobs[1].token, event.token); /* greedy: the best */
            ck_assert_int_eq(event.logprobs[0].rank, 1);
            ck_assert(event.finish == (n < 4 ? SHOAL_RUNNING : SHOAL_FINISH_LENGTH));
            ck_assert_int_eq(event.n_prompt_logprobs, n == 0 ? 2 * (event.n_prompt - 1) : 0);
            ck_assert((event.prompt_logprobs != NULL) == (n == 0));
            for (int32_t j = 1; n == 0 && j < event.n_prompt; j++)
                ck_assert_int_eq(event.prompt_logprobs[(j - 1) * event.prompt_logprobs_width].token,
                                 event.prompt_ids[j]);
            ck_assert(event.submitted_ns > 0 && event.first_token_ns > event.submitted_ns &&
                      event.now_ns >= event.first_token_ns);
        }
    }
    ck_assert_int_eq(n, 5);
    shoal_engine_counts(engine, &counts);
    ck_assert_int_eq(counts.n_finished, 2);
    ck_assert_int_eq(counts.generated_tokens, 5);
    check_idle(engine);
    close_engine(engine);
}
END_TEST

static void on_event(void *user, const struct shoal_event *event)
{
    see((struct seen *)user + event->choice, event);
}

START_TEST(a_callback_gets_what_polling_gets)
{
    struct shoal_engine *engine = open_model("embedded");
    struct seen polled[2], called[2];
    struct shoal_request request = greedy(romeo, 12);
    struct shoal_error err;

    request.temperature = 1;
    request.has_seed = true;
    request.n = 2;
    submit(engine, request, polled);
    request.on_event = on_event;
    submit(engine, request, called);
    while (!shoal_is_idle(engine)) {
        ck_assert(shoal_run(engine, 0, &err) == SHOAL_OK); /* one round at a time */
        fetch(engine);
    }
    ck_assert(memcmp(polled, called, sizeof polled) == 0);
    ck_assert(polled[0].n_tokens == 12 && polled[0].finish == SHOAL_FINISH_LENGTH);
    ck_assert_str_ne(polled[0].text, polled[1].text);
    check_idle(engine);
    close_engine(engine);
}
END_TEST

/* Choice c of n is what it would be among fewer choices. */
START_TEST(choices_do_not_depend_on_their_number)
{
    struct shoal_engine *engine = open_model("embedded");
    struct seen five[5], one[1];
    struct shoal_request request = greedy(romeo, 10);

    request.temperature = 1;
    request.has_seed = true;
    request.seed = 11;
    request.n = 5;
    submit(engine, request, five);
    request.n = 1;
    submit(engine, request, one);
    run_all(engine);
    ck_assert(memcmp(&five[0], &one[0], sizeof *one) == 0);
    for (int32_t i = 0; i < 5; i++)
        for (int32_t j = 0; j < i; j++)
            ck_assert_str_ne(five[i].text, five[j].text);
    check_idle(engine);
    close_engine(engine);
}
END_TEST

START_TEST(cancel_before_while_and_after)
{
    struct shoal_options options = default_options("embedded");
    struct shoal_request request = greedy(romeo, 20);
    struct seen alone, others[2], before, during[2];
    struct shoal_engine *engine;
    struct shoal_error err;
    uint64_t id;

    options.max_num_seqs = 4;
    engine = open_engine(&options);
    submit(engine, request, &alone);
    run_all(engine);

    submit(engine, request, &others[0]);
    id = submit(engine, request, &before);
    ck_assert(shoal_cancel(engine, id));
    ck_assert(!shoal_cancel(engine, id));
    ck_assert_int_eq(fetch(engine), 1);
    ck_assert(before.finish == SHOAL_FINISH_ABORT && before.n_tokens == 0);

    request.n = 2;
    id = submit(engine, request, during);
    request.n = 1;
    submit(engine, request, &others[1]);
    while (during[1].n_tokens < 3) {
        ck_assert(shoal_run(engine, -1, &err) == SHOAL_OK);
        fetch(engine);
    }
    ck_assert(shoal_cancel(engine, id));
    ck_assert(!shoal_cancel(engine, id));
    ck_assert_int_eq(fetch(engine), 2);
    for (int32_t i = 0; i < 2; i++) {
        ck_assert(during[i].finish == SHOAL_FINISH_ABORT && during[i].n_tokens >= 3);
        ck_assert(memcmp(during[i].tokens, alone.tokens,
                         (size_t)during[i].n_tokens * sizeof *alone.tokens) == 0);
    }
    run_all(engine);
    for (int32_t i = 0; i < 2; i++)
        ck_assert(memcmp(&others[i], &alone, sizeof alone) == 0);
    ck_assert(!shoal_cancel(engine, id));
    ck_assert(!shoal_cancel(engine, 12345));
    ck_assert(!shoal_cancel(engine, 0));
    check_idle(engine);
    close_engine(engine);
}
END_TEST

/* A callback that cancels: its own request, or one that comes after it. */
struct canceller {
    struct shoal_engine *engine;
    uint64_t victim;
    int32_t after; /* tokens */
    struct seen seen;
};

static void cancel_in_callback(void *user, const struct shoal_event *event)
{
    struct canceller *c = user;

    see(&c->seen, event);
    if (event->has_token && c->seen.n_tokens == c->after)
        ck_assert(shoal_cancel(c->engine, c->victim));
}

START_TEST(cancel_in_a_callback)
{
    struct shoal_engine *engine = open_model("embedded");
    struct shoal_request request = greedy(romeo, 20);
    struct canceller self = {.engine = engine, .after = 2};
    struct canceller other = {.engine = engine, .after = 4};
    struct seen victim, bystander;
    struct shoal_error err;

    submit(engine, request, &bystander);
    request.on_event = cancel_in_callback;
    request.user = &self;
    ck_assert(shoal_submit(engine, &request, &self.victim, &err) == SHOAL_OK);
    request.user = &other;
    ck_assert(shoal_submit(engine, &request, &(uint64_t){0}, &err) == SHOAL_OK);
    request.on_event = NULL;
    other.victim = submit(engine, request, &victim);
    while (!shoal_is_idle(engine)) {
        ck_assert(shoal_run(engine, -1, &err) == SHOAL_OK);
        fetch(engine);
    }
    ck_assert(self.seen.finish == SHOAL_FINISH_ABORT && self.seen.n_tokens == 2);
    ck_assert(victim.finish == SHOAL_FINISH_ABORT && victim.n_tokens == 3);
    ck_assert(other.seen.finish == SHOAL_FINISH_LENGTH && other.seen.n_tokens == 20);
    ck_assert(memcmp(&bystander, &other.seen, sizeof bystander) == 0);
    check_idle(engine);
    close_engine(engine);
}
END_TEST

/* A callback that answers the end of its request with another request. */
struct chain {
    struct shoal_engine *engine;
    int32_t left;
    struct seen seen;
};

static void submit_in_callback(void *user, const struct shoal_event *event)
{
    struct chain *c = user;
    struct shoal_request request = greedy(romeo, 3);
    uint64_t id;

    see(&c->seen, event);
    if (event->finish == SHOAL_RUNNING || c->left-- == 0)
        return;
    memset(&c->seen, 0, sizeof c->seen);
    request.user = c;
    request.on_event = submit_in_callback;
    ck_assert(shoal_submit(c->engine, &request, &id, NULL) == SHOAL_OK);
}

START_TEST(submit_in_a_callback)
{
    struct shoal_engine *engine = open_model("embedded");
    struct chain chain = {.engine = engine, .left = 5};
    struct shoal_request request = greedy(romeo, 3);
    struct shoal_counts counts;
    uint64_t id;

    request.user = &chain;
    request.on_event = submit_in_callback;
    ck_assert(shoal_submit(engine, &request, &id, NULL) == SHOAL_OK);
    while (!shoal_is_idle(engine))
        ck_assert(shoal_run(engine, -1, NULL) == SHOAL_OK);
    shoal_engine_counts(engine, &counts);
    ck_assert_int_eq(counts.n_finished, 6);
    ck_assert_int_eq(chain.seen.n_tokens, 3);
    check_idle(engine);
    close_engine(engine);
}
END_TEST

/* Where the text must end: after the first token with which any of the stop texts is complete, at
 * the leftmost of them; *n_tokens: with that token. NULL stops: nowhere. */
static size_t expected_end(const struct seen *full, const char *const stops[], int32_t n_stops,
                           int32_t *n_tokens)
{
    char text[MAX_TEXT];

    for (*n_tokens = 1; *n_tokens <= full->n_tokens; ++*n_tokens) {
        const size_t n = full->ends[*n_tokens - 1];
        size_t best = SIZE_MAX;
        memcpy(text, full->text, n);
        text[n] = '\0';
        for (int32_t i = 0; i < n_stops; i++) {
            const char *at = strstr(text, stops[i]);
            if (at && (size_t)(at - text) < best)
                best = (size_t)(at - text);
        }
        if (best != SIZE_MAX)
            return best;
    }
    --*n_tokens;
    return strlen(full->text);
}

/* Pieces of the text that the model gives, cut anywhere: most are split over tokens. */
START_TEST(stop_texts_are_caught_and_not_shown)
{
    enum { N_TRIES = 200, N_AT_ONCE = 40 };
    struct shoal_engine *engine = open_model("embedded");
    struct seen full, *stopped = calloc(N_AT_ONCE, sizeof *stopped);
    char stops[N_AT_ONCE][2][16];
    int32_t n_split = 0;
    struct rng rng = {4};

    ck_assert_ptr_nonnull(stopped);
    submit(engine, greedy(romeo, 48), &full);
    run_all(engine);
    for (int32_t tries = 0; tries < N_TRIES; tries += N_AT_ONCE) {
        for (int32_t i = 0; i < N_AT_ONCE; i++) {
            struct shoal_request request = greedy(romeo, 48);
            const char *list[2] = {stops[i][0], stops[i][1]};
            for (int32_t k = 0; k < 2; k++) {
                const size_t n = 1 + rng_below(&rng, 15);
                const size_t at = rng_below(&rng, (uint32_t)(strlen(full.text) - n));
                memcpy(stops[i][k], full.text + at, n);
                stops[i][k][n] = '\0';
            }
            request.stop = list;
            request.n_stop = 1 + (int32_t)rng_below(&rng, 2);
            if (request.n_stop == 1)
                strcpy(stops[i][1], stops[i][0]);
            request.no_text = rng_below(&rng, 4) == 0; /* stop texts need it all the same */
            submit(engine, request, &stopped[i]);
        }
        run_all(engine);
        for (int32_t i = 0; i < N_AT_ONCE; i++) {
            const char *list[2] = {stops[i][0], stops[i][1]};
            int32_t n_tokens;
            const size_t end = expected_end(&full, list, 2, &n_tokens);
            ck_assert_msg(strlen(stopped[i].text) == end &&
                              memcmp(stopped[i].text, full.text, end) == 0,
                          "stop \"%s\" or \"%s\": \"%s\" was shown, of \"%s\"", list[0], list[1],
                          stopped[i].text, full.text);
            ck_assert_int_eq(stopped[i].n_tokens, n_tokens);
            ck_assert_int_eq(stopped[i].finish, SHOAL_FINISH_STOP);
            n_split += n_tokens > 1 && end < full.ends[n_tokens - 2];
        }
    }
    ck_assert_msg(n_split > N_TRIES / 10, "only %d of the stop texts were split over tokens",
                  n_split);
    check_idle(engine);
    close_engine(engine);
    free(stopped);
}
END_TEST

/* What might become a stop text is held back, and shown when it does not. */
START_TEST(text_is_held_back_no_longer_than_needed)
{
    static const char *const never[] = {"\x01never"};
    struct shoal_engine *engine = open_model("embedded");
    struct shoal_request request = greedy(romeo, 24);
    struct seen full, same, held;
    char stop[MAX_TEXT + 2];
    const char *const list[] = {stop};

    submit(engine, request, &full);
    request.stop = never;
    request.n_stop = 1;
    submit(engine, request, &same);
    run_all(engine);
    ck_assert(memcmp(&full, &same, sizeof full) == 0);

    /* The whole text and one character more: everything is held to the end. */
    snprintf(stop, sizeof stop, "%s\x01", full.text);
    request.stop = list;
    submit(engine, request, &held);
    run_all(engine);
    ck_assert_str_eq(held.text, full.text);
    ck_assert_uint_eq(held.ends[held.n_events - 2], 0);
    ck_assert_int_eq(held.finish, SHOAL_FINISH_LENGTH);
    close_engine(engine);
}
END_TEST

START_TEST(stop_ids_and_min_tokens)
{
    struct shoal_engine *engine = open_model("embedded");
    struct shoal_request request = greedy(romeo, 24);
    struct seen full, stopped, later, text_later;
    int32_t at = 6;
    const char *text[1];
    char piece[64];

    submit(engine, request, &full);
    run_all(engine);
    for (int32_t i = 0; i < at; i++)
        if (full.tokens[i] == full.tokens[at]) /* its first occurrence */
            at = i;
    request.stop_token_ids = &full.tokens[at];
    request.n_stop_token_ids = 1;
    submit(engine, request, &stopped);
    request.min_tokens = at + 3;
    submit(engine, request, &later);
    request.n_stop_token_ids = 0;
    const size_t n = shoal_token_piece(engine, full.tokens[at], piece, sizeof piece - 1);
    piece[n] = '\0';
    text[0] = piece;
    request.stop = text;
    request.n_stop = 1;
    submit(engine, request, &text_later);
    run_all(engine);
    ck_assert_int_eq(stopped.finish, SHOAL_FINISH_STOP);
    ck_assert_int_eq(stopped.n_tokens, at + 1);
    ck_assert(memcmp(stopped.tokens, full.tokens, (size_t)(at + 1) * sizeof *full.tokens) == 0);
    /* Held back for so long, the id is not even chosen. */
    ck_assert_int_gt(later.n_tokens, at + 3);
    for (int32_t i = 0; i < at + 3; i++)
        ck_assert_int_ne(later.tokens[i], full.tokens[at]);
    ck_assert_int_ge(text_later.n_tokens, at + 3);
    ck_assert(memcmp(text_later.tokens, full.tokens,
                     (size_t)text_later.n_tokens * sizeof *full.tokens) == 0);
    close_engine(engine);
}
END_TEST

START_TEST(nothing_to_generate)
{
    struct shoal_engine *engine = open_model("embedded");
    struct shoal_request request = greedy(romeo, 0);
    struct seen polled[2], called[2];

    request.n = 2;
    submit(engine, request, polled);
    ck_assert(!shoal_is_idle(engine));
    ck_assert(shoal_run(engine, -1, NULL) == SHOAL_OK);
    ck_assert_int_eq(fetch(engine), 2);
    request.on_event = on_event;
    submit(engine, request, called);
    ck_assert(memcmp(polled, called, sizeof polled) == 0);
    for (int32_t i = 0; i < 2; i++)
        ck_assert(polled[i].finish == SHOAL_FINISH_LENGTH && polled[i].n_tokens == 0);
    check_idle(engine);
    close_engine(engine);
}
END_TEST

/* Bytes that are no UTF-8, from the untrained model: the text is whole characters all the same. */
START_TEST(text_is_always_utf8)
{
    struct shoal_engine *engine = open_model("tiny");
    struct seen seen[8];
    struct shoal_request request = greedy("\xc3\xa4 \xff", 100);

    request.temperature = 2;
    request.n = 8;
    submit(engine, request, seen);
    run_all(engine);
    for (int32_t i = 0; i < 8; i++)
        ck_assert(seen[i].n_tokens == 100 && seen[i].n_text > 50);
    request.no_text = true;
    submit(engine, request, seen);
    run_all(engine);
    for (int32_t i = 0; i < 8; i++)
        ck_assert(seen[i].n_tokens == 100 && seen[i].n_text == 0);
    close_engine(engine);
}
END_TEST

START_TEST(a_model_that_never_ends)
{
    struct shoal_options options = default_options("embedded");
    struct shoal_engine *engine;
    struct seen seen;

    options.max_model_len = 64;
    engine = open_engine(&options);
    submit(engine, greedy("O", INT32_MAX), &seen);
    run_all(engine);
    ck_assert_int_eq(seen.finish, SHOAL_FINISH_LENGTH);
    ck_assert_int_eq(seen.n_tokens, 63);
    check_idle(engine);
    close_engine(engine);
}
END_TEST

/* A request that must be refused, and what the refusal has to mention. */
struct bad_request {
    const char *names;
    enum shoal_status status;
    struct shoal_request change; /* what is not zero is taken */
};

static void expect_refusal(struct shoal_engine *engine, const struct shoal_request *request,
                           enum shoal_status status, const char *mentions)
{
    struct shoal_error err = {0};
    uint64_t id = 77;

    ck_assert_msg(shoal_submit(engine, request, &id, &err) == status, "%s: status %d, %s", mentions,
                  (int)err.status, err.text);
    ck_assert_msg(strstr(err.text, mentions), "expected %s in: %s", mentions, err.text);
    ck_assert_uint_eq(id, 77);
    check_idle(engine);
}

START_TEST(values_out_of_range)
{
    static const int32_t beyond[] = {3, 1024}, negative[] = {-1};
    static const float values[] = {0, 0}, too_strong[] = {101}, no_number[] = {NAN};
    static const char *const empty_stop[] = {""};
    static const struct shoal_message message = {"user", "hello", 5};
    struct shoal_engine *engine = open_model("embedded");
    struct seen seen;
    const struct {
        const char *mentions;
        size_t at, n; /* field of the request */
        const void *value;
    } cases[] = {
#define FIELD(name, type, bad)                                                                     \
    {                                                                                              \
#name, offsetof(struct shoal_request, name), sizeof(type), &(const type)                   \
        {                                                                                          \
            bad                                                                                    \
        }                                                                                          \
    }
        FIELD(max_tokens, int32_t, -1),
        FIELD(min_tokens, int32_t, -1),
        FIELD(min_tokens, int32_t, 17),
        FIELD(temperature, float, -0.1f),
        FIELD(temperature, float, INFINITY),
        FIELD(temperature, float, NAN),
        FIELD(top_p, float, 0),
        FIELD(top_p, float, 1.01f),
        FIELD(top_p, float, NAN),
        FIELD(min_p, float, -0.1f),
        FIELD(min_p, float, 1.1f),
        FIELD(top_k, int32_t, -1),
        FIELD(repetition_penalty, float, 0),
        FIELD(repetition_penalty, float, -1),
        FIELD(repetition_penalty, float, NAN),
        FIELD(presence_penalty, float, 2.1f),
        FIELD(presence_penalty, float, -2.1f),
        FIELD(frequency_penalty, float, 2.1f),
        FIELD(frequency_penalty, float, -INFINITY),
        FIELD(n, int32_t, 0),
        FIELD(n, int32_t, -1),
        FIELD(n, int32_t, 1025),
        FIELD(logprobs, int32_t, -2),
        FIELD(logprobs, int32_t, 21),
        FIELD(prompt_logprobs, int32_t, 21),
#undef FIELD
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct shoal_request request = greedy(romeo, 16);
        memcpy((char *)&request + cases[i].at, cases[i].value, cases[i].n);
        expect_refusal(engine, &request, SHOAL_E_INVALID, cases[i].mentions);
    }

    struct shoal_request request = greedy(romeo, 16);
    request.bias_ids = beyond;
    request.bias_values = values;
    request.n_bias = 2;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "token id 1024");
    request.bias_values = too_strong;
    request.n_bias = 1;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "logit_bias 101");
    request.bias_values = no_number;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "logit_bias");
    request.n_bias = 1025;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "logit_bias");
    request.n_bias = -1;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "logit_bias");
    request = greedy(romeo, 16);
    request.stop_token_ids = negative;
    request.n_stop_token_ids = 1;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "token id -1");
    request.n_stop_token_ids = 33;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "stop_token_ids");
    request = greedy(romeo, 16);
    request.stop = empty_stop;
    request.n_stop = 1;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "stop text 0");
    request.n_stop = 65;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "stop texts");
    request = greedy(romeo, 16);
    request.prompt_ids = beyond;
    request.n_prompt_ids = 2;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "several");
    request.prompt = NULL;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "token id 1024");
    request.prompt_ids = NULL;
    expect_refusal(engine, &request, SHOAL_E_INVALID, "none");
    request.messages = &message; /* the embedded model has no chat template */
    request.n_messages = 1;
    expect_refusal(engine, &request, SHOAL_E_UNSUPPORTED, "chat template");

    submit(engine, greedy(romeo, 4), &seen);
    run_all(engine);
    ck_assert(seen.n_tokens == 4 && seen.finish == SHOAL_FINISH_LENGTH);
    check_idle(engine);
    close_engine(engine);
}
END_TEST

START_TEST(prompts_that_do_not_fit)
{
    struct shoal_options options = default_options("tiny");
    struct shoal_engine *engine;
    struct shoal_request request = greedy("", 4);
    char prompt[512 + 1] = "";
    struct seen seen;

    memset(prompt, 'a', sizeof prompt - 1);
    options.block_size = 8;
    options.num_kv_blocks = 5; /* 40 tokens, fewer than the context of 512 */
    engine = open_engine(&options);
    expect_refusal(engine, &request, SHOAL_E_INVALID, "empty");
    request.prompt = NULL;
    request.prompt_ids = (const int32_t[]){1};
    expect_refusal(engine, &request, SHOAL_E_INVALID, "empty");
    for (size_t n = 36; n <= 512; n++) {
        request = greedy(prompt, 4);
        request.n_prompt = n;
        if (n >= 40) {
            expect_refusal(engine, &request, SHOAL_E_LIMIT, "40");
            continue;
        }
        submit(engine, request, &seen);
        run_all(engine);
        ck_assert_int_eq(seen.n_tokens, n < 37 ? 4 : 40 - (int32_t)n);
        ck_assert_int_eq(seen.finish, SHOAL_FINISH_LENGTH);
    }
    check_idle(engine);
    close_engine(engine);
}
END_TEST

START_TEST(options_that_cannot_be)
{
    const struct {
        const char *mentions;
        enum shoal_status status;
        size_t at, n;
        const void *value;
    } cases[] = {
#define FIELD(name, type, bad, status, mentions)                                                   \
    {                                                                                              \
        mentions, status, offsetof(struct shoal_options, name), sizeof(type), &(const type)        \
        {                                                                                          \
            bad                                                                                    \
        }                                                                                          \
    }
        FIELD(max_num_batched_tokens, int32_t, 0, SHOAL_E_INVALID, "max-num-batched-tokens"),
        FIELD(max_num_batched_tokens, int32_t, -1, SHOAL_E_INVALID, "max-num-batched-tokens"),
        FIELD(max_num_seqs, int32_t, 0, SHOAL_E_INVALID, "max-num-seqs"),
        FIELD(threads, int32_t, -1, SHOAL_E_INVALID, "threads"),
        FIELD(max_model_len, int32_t, 513, SHOAL_E_INVALID, "context of 512"),
        FIELD(max_model_len, int32_t, 500, SHOAL_E_LIMIT, "does not fit the KV pool"),
        FIELD(block_size, int32_t, 12, SHOAL_E_INVALID, "block-size"),
        FIELD(num_kv_blocks, int32_t, -1, SHOAL_E_INVALID, "num-kv-blocks"),
        FIELD(kv_cache_memory, uint64_t, 1, SHOAL_E_INVALID, "kv-cache-memory"),
        FIELD(kv_cache_dtype, const char *, "f8", SHOAL_E_INVALID, "kv-cache-dtype"),
        FIELD(kv_layout, const char *, "round", SHOAL_E_INVALID, "kv-layout"),
        FIELD(weights, const char *, "q4", SHOAL_E_INVALID, "weights"),
        FIELD(scheduling_policy, const char *, "lifo", SHOAL_E_INVALID, "scheduling-policy"),
        FIELD(isa, const char *, "mmx", SHOAL_E_INVALID, "isa"),
        FIELD(trace_steps, const char *, "loudly", SHOAL_E_INVALID, "trace-steps"),
        FIELD(model, const char *, "", SHOAL_E_INVALID, "model"),
        FIELD(model, const char *, "/no/such/file.gguf", SHOAL_E_IO, "/no/such/file.gguf"),
        FIELD(step_log, const char *, "/no/such/folder/log", SHOAL_E_IO, "/no/such/folder/log"),
        FIELD(dp, int32_t, 2, SHOAL_E_INVALID, "--dp 2"),
        FIELD(tp, int32_t, 2, SHOAL_E_UNSUPPORTED, "--tp 2"),
        FIELD(cp, int32_t, 2, SHOAL_E_UNSUPPORTED, "--cp 2"),
        FIELD(pp, int32_t, 2, SHOAL_E_UNSUPPORTED, "--pp 2"),
#undef FIELD
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct shoal_options options = default_options("tiny");
        struct shoal_error err = {0};
        struct shoal_engine *engine = (struct shoal_engine *)&options;

        options.num_kv_blocks = 16;
        memcpy((char *)&options + cases[i].at, cases[i].value, cases[i].n);
        ck_assert_msg(shoal_engine_open(&engine, &options, &err) == cases[i].status,
                      "%s: status %d, %s", cases[i].mentions, (int)err.status, err.text);
        ck_assert_msg(strstr(err.text, cases[i].mentions), "expected %s in: %s", cases[i].mentions,
                      err.text);
        ck_assert_ptr_null(engine);
    }
    shoal_engine_close(NULL);
}
END_TEST

/* A pool below one block, asked for in bytes. */
START_TEST(a_pool_without_a_block)
{
    struct shoal_options options = default_options("embedded");
    struct shoal_engine *engine;
    struct shoal_error err;

    options.num_kv_blocks = 0;
    options.kv_cache_memory = 1000;
    ck_assert(shoal_engine_open(&engine, &options, &err) == SHOAL_E_LIMIT);
    ck_assert_msg(strstr(err.text, "holds no block"), "%s", err.text);
}
END_TEST

/* A pool that is in memory before the first request, and one that comes with use: the same tokens.
 */
START_TEST(a_pool_taken_at_start)
{
    static struct seen seen[2];

    for (int i = 0; i < 2; i++) {
        struct shoal_options options = default_options("embedded");
        struct shoal_engine *engine;
        struct shoal_memory m;

        ck_assert(!options.populate_kv_cache);
        options.populate_kv_cache = i == 1;
        engine = open_engine(&options);
        shoal_memory_now(engine, &m);
        ck_assert_uint_gt(m.part_held[SHOAL_MEMORY_KV_POOL], 0);
        ck_assert_uint_eq(m.part_resident[SHOAL_MEMORY_KV_POOL],
                          i == 1 ? m.part_held[SHOAL_MEMORY_KV_POOL] : 0);
        submit(engine, greedy(romeo, 40), &seen[i]);
        run_all(engine);
        ck_assert_int_eq(seen[i].n_tokens, 40);
        check_idle(engine);
        close_engine(engine);
    }
    ck_assert(memcmp(&seen[0], &seen[1], sizeof seen[0]) == 0);
}
END_TEST

static void *interrupt_soon(void *user)
{
    usleep(20000);
    shoal_interrupt(user);
    return NULL;
}

START_TEST(an_interrupt_from_another_thread)
{
    struct shoal_options options = default_options("embedded");
    struct shoal_engine *engine;
    struct seen *seen = calloc(70, sizeof *seen);
    enum shoal_status status = SHOAL_OK;
    int32_t n_waited = 0;
    struct shoal_error err;
    pthread_t thread;

    ck_assert_ptr_nonnull(seen);
    options.max_num_seqs = 8;
    options.num_kv_blocks = 1024;
    engine = open_engine(&options);
    for (int32_t i = 0; i < 70; i++)
        submit(engine, greedy(romeo, 100), &seen[i]);
    ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_soon, engine), 0);
    while (status == SHOAL_OK && !shoal_is_idle(engine)) {
        status = shoal_run(engine, -1, &err);
        fetch(engine);
    }
    pthread_join(thread, NULL);
    ck_assert_int_eq(status, SHOAL_E_INTERRUPTED);
    for (int32_t i = 0; i < 70; i++) {
        ck_assert_int_eq(seen[i].n_ends, 1);
        ck_assert(seen[i].finish == SHOAL_FINISH_ABORT || seen[i].finish == SHOAL_FINISH_LENGTH);
        n_waited += seen[i].finish == SHOAL_FINISH_ABORT && seen[i].n_tokens == 0;
    }
    ck_assert_int_gt(n_waited, 0);
    ck_assert(shoal_run(engine, -1, &err) == SHOAL_E_INTERRUPTED);
    close_engine(engine);
    free(seen);
}
END_TEST

START_TEST(an_interrupt_before_the_run)
{
    struct shoal_engine *engine = open_model("embedded");
    struct seen seen;
    struct shoal_error err;

    submit(engine, greedy(romeo, 5), &seen);
    shoal_interrupt(engine);
    ck_assert(shoal_run(engine, -1, &err) == SHOAL_E_INTERRUPTED);
    ck_assert_int_eq(fetch(engine), 1);
    ck_assert(seen.finish == SHOAL_FINISH_ABORT && seen.n_tokens == 0);
    close_engine(engine);
}
END_TEST

START_TEST(engines_one_after_the_other_and_beside_each_other)
{
    struct seen first, second, third;
    struct shoal_engine *engine = open_model("embedded"), *beside;

    submit(engine, greedy(romeo, 10), &first);
    run_all(engine);
    close_engine(engine);
    engine = open_model("embedded");
    beside = open_model("embedded");
    submit(engine, greedy(romeo, 10), &second);
    submit(beside, greedy(romeo, 10), &third);
    while (!shoal_is_idle(engine) || !shoal_is_idle(beside)) {
        ck_assert(shoal_run(engine, 0, NULL) == SHOAL_OK);
        ck_assert(shoal_run(beside, 0, NULL) == SHOAL_OK);
        fetch(engine);
        fetch(beside);
    }
    ck_assert(memcmp(&first, &second, sizeof first) == 0);
    ck_assert(memcmp(&first, &third, sizeof first) == 0);
    close_engine(engine);
    close_engine(beside);
}
END_TEST

/* Requests that run, that wait and whose events nobody fetched: callbacks hear of the end. */
START_TEST(close_while_requests_run)
{
    struct shoal_options options = default_options("embedded");
    struct shoal_engine *engine;
    struct seen polled[4], called[4][2];
    struct shoal_request request = greedy(romeo, 50);

    options.max_num_seqs = 4;
    engine = open_engine(&options);
    for (int32_t i = 0; i < 4; i++) {
        request.on_event = NULL;
        request.n = 1;
        submit(engine, request, &polled[i]);
        request.on_event = on_event;
        request.n = 2;
        submit(engine, request, called[i]);
    }
    for (int32_t i = 0; i < 5; i++)
        ck_assert(shoal_run(engine, 0, NULL) == SHOAL_OK);
    close_engine(engine);
    for (int32_t i = 0; i < 4; i++)
        for (int32_t c = 0; c < 2; c++)
            ck_assert(called[i][c].n_ends == 1 && called[i][c].finish == SHOAL_FINISH_ABORT);
    ck_assert_int_gt(called[0][0].n_tokens, 0);
    ck_assert_int_eq(called[3][1].n_tokens, 0);
}
END_TEST

static void cancel_at_the_end(void *user, const struct shoal_event *event)
{
    struct canceller *c = user;

    see(&c->seen, event);
    if (event->finish != SHOAL_RUNNING)
        shoal_cancel(c->engine, c->victim);
}

/* At the end each callback cancels the next request, which is about to be ended too. */
START_TEST(close_with_callbacks_that_cancel)
{
    enum { N = 600 };
    struct shoal_engine *engine = open_model("tiny");
    struct canceller *all = calloc(N, sizeof *all);
    struct shoal_request request = greedy("a", 5);
    uint64_t ids[N];

    ck_assert_ptr_nonnull(all);
    request.on_event = cancel_at_the_end;
    for (int32_t i = 0; i < N; i++) {
        all[i].engine = engine;
        request.user = &all[i];
        ck_assert(shoal_submit(engine, &request, &ids[i], NULL) == SHOAL_OK);
    }
    for (int32_t i = 0; i < N; i++) /* those that share a bucket of any table by turns */
        all[i].victim = ids[(i * 7 + 256) % N];
    close_engine(engine);
    for (int32_t i = 0; i < N; i++)
        ck_assert(all[i].seen.n_ends == 1 && all[i].seen.finish == SHOAL_FINISH_ABORT);
    free(all);
}
END_TEST

/* Random submits, cancels and rounds: every request ends once, nothing is left behind. */
START_TEST(a_random_walk)
{
    enum { N = 300 };
    struct shoal_options options = default_options("tiny");
    struct seen *seen = calloc(N * 2, sizeof *seen);
    uint64_t ids[N];
    struct shoal_engine *engine;
    struct shoal_counts counts;
    struct rng rng = {99};

    ck_assert_ptr_nonnull(seen);
    options.block_size = 8;
    options.num_kv_blocks = 24;
    options.max_num_batched_tokens = 24;
    options.max_num_seqs = 8;
    engine = open_engine(&options);
    for (int32_t i = 0; i < N; i++) {
        char prompt[64];
        const int32_t n_prompt = 1 + (int32_t)rng_below(&rng, 60);
        struct shoal_request request;
        memset(prompt, 'a' + (int)rng_below(&rng, 3), sizeof prompt);
        prompt[n_prompt] = '\0';
        request = greedy(prompt, (int32_t)rng_below(&rng, 30));
        request.n = 1 + (int32_t)rng_below(&rng, 2);
        request.temperature = (float)rng_below(&rng, 3);
        request.on_event = rng_below(&rng, 2) ? on_event : NULL;
        ids[i] = submit(engine, request, &seen[2 * i]);
        if (rng_below(&rng, 3) == 0)
            shoal_cancel(engine, ids[rng_below(&rng, (uint32_t)i + 1)]);
        for (uint32_t k = rng_below(&rng, 6); k > 0; k--)
            ck_assert(shoal_run(engine, 0, NULL) == SHOAL_OK);
        ck_assert(sched_check(engine->sched));
        fetch(engine);
    }
    while (!shoal_is_idle(engine)) {
        ck_assert(shoal_run(engine, -1, NULL) == SHOAL_OK);
        fetch(engine);
    }
    check_idle(engine);
    shoal_engine_counts(engine, &counts);
    ck_assert_int_eq(counts.n_finished, N);
    ck_assert_int_gt(counts.n_preemptions, 0);
    for (int32_t i = 0; i < 2 * N; i++)
        ck_assert(seen[i].n_ends == (i % 2 == 0 || seen[i].n_events > 0));
    close_engine(engine);
    free(seen);
}
END_TEST

SUITE("api", the_guard_bites, events_say_what_happened, a_callback_gets_what_polling_gets,
      choices_do_not_depend_on_their_number, cancel_before_while_and_after, cancel_in_a_callback,
      submit_in_a_callback, stop_texts_are_caught_and_not_shown,
      text_is_held_back_no_longer_than_needed, stop_ids_and_min_tokens, nothing_to_generate,
      text_is_always_utf8, a_model_that_never_ends, values_out_of_range, prompts_that_do_not_fit,
      options_that_cannot_be, a_pool_without_a_block, a_pool_taken_at_start,
      an_interrupt_from_another_thread, an_interrupt_before_the_run,
      engines_one_after_the_other_and_beside_each_other, close_while_requests_run,
      close_with_callbacks_that_cancel, a_random_walk)
