/* What plugins of attention see and replace in the forward pass. */
#include "model/trial.h"
#include "support/plugin_user.h"
#include "support/suite.h"

#include "base/mem.h"
#include "base/status.h"

#include <math.h>
#include <string.h>

/* What a plugin of this test was told, and what it is to do. */
struct watcher {
    uint64_t request;           /* that it wants; 0: all */
    int32_t layer, head;        /* -1: all */
    int64_t n_rows[TRIAL_SEQS]; /* seen: tokens times layers times heads */
    int64_t n_replaced;
    double worst_sum, worst_weight, worst_out;
    float scale;                         /* of what the replacer writes */
    float kept[ATTENTION_MAX_ROWS * 32]; /* what it wrote last, for the one behind it */
    int64_t n_equal;                     /* rows seen whose out was what had been replaced */
    enum kv_dtype kv_dtype;              /* of the engine: with q8_0 q is rounded, and e */
};

static bool is_wanted(const struct watcher *w, uint64_t request, int32_t layer, int32_t head)
{
    return (w->request == 0 || w->request == request) && (w->layer < 0 || w->layer == layer) &&
           (w->head < 0 || w->head == head);
}

static enum shoal_attention_want want_see(void *state, uint64_t request, int32_t choice,
                                          int32_t layer, int32_t head)
{
    ck_assert(request >= 1 && request <= TRIAL_SEQS && choice == 0);
    return is_wanted(state, request, layer, head) ? SHOAL_ATTENTION_SEE : SHOAL_ATTENTION_LEAVE;
}

static enum shoal_attention_want want_replace(void *state, uint64_t request, int32_t choice,
                                              int32_t layer, int32_t head)
{
    (void)choice;
    return is_wanted(state, request, layer, head) ? SHOAL_ATTENTION_REPLACE : SHOAL_ATTENTION_LEAVE;
}

static double worse(double worst, double a, double b)
{
    const double d = fabs(a - b);

    return d > worst || d != d ? d : worst;
}

/* Row i of q as attention multiplies it: with q8_0 in steps of its groups' largest / 127. */
static void rounded_query(const struct watcher *w, const struct shoal_attention_view *v, int32_t i,
                          double *q)
{
    for (int32_t d = 0; d < v->head_dim; d++)
        q[d] = (double)v->q[i * v->head_dim + d];
    for (int32_t g = 0; w->kv_dtype == KV_Q8_0 && g < v->head_dim; g += 32) {
        double largest = 0;
        for (int32_t d = g; d < g + 32; d++)
            largest = fmax(largest, fabs(q[d]));
        for (int32_t d = g; d < g + 32; d++)
            q[d] = rint(q[d] * 127 / largest) * largest / 127;
    }
}

/* Softmax in double precision, of row i. */
static void softmax(const struct watcher *w, const struct shoal_attention_view *v, int32_t i,
                    double *weights)
{
    const int32_t n = v->first_position + i + 1;
    double most = -INFINITY, sum = 0, q[32];

    ck_assert_int_le(v->head_dim, 32);
    rounded_query(w, v, i, q);
    for (int32_t t = 0; t < n; t++) {
        weights[t] = 0;
        for (int32_t d = 0; d < v->head_dim; d++)
            weights[t] += q[d] * (double)v->k[t * v->head_dim + d];
        weights[t] *= (double)v->scale;
        most = fmax(most, weights[t]);
    }
    for (int32_t t = 0; t < n; t++)
        sum += weights[t] = exp(weights[t] - most);
    for (int32_t t = 0; t < n; t++)
        weights[t] /= sum;
}

static void check_row(struct watcher *w, const struct shoal_attention_view *v, int32_t i)
{
    const float *weights = v->weights + (size_t)i * (size_t)v->n_keys;
    const bool *mask = v->mask + (size_t)i * (size_t)v->n_keys;
    double expected[TRIAL_LONGEST], sum = 0;

    softmax(w, v, i, expected);
    for (int32_t t = 0; t < v->n_keys; t++) {
        ck_assert(mask[t] == (t <= v->first_position + i));
        if (!mask[t])
            ck_assert(weights[t] == 0);
        else
            w->worst_weight = worse(w->worst_weight, (double)weights[t], expected[t]);
        sum += (double)weights[t];
    }
    w->worst_sum = worse(w->worst_sum, sum, 1);
    for (int32_t d = 0; d < v->head_dim; d++) {
        double out = 0;
        for (int32_t t = 0; t <= v->first_position + i; t++)
            out += (double)weights[t] * (double)v->v[t * v->head_dim + d];
        w->worst_out = worse(w->worst_out, out, (double)v->out[i * v->head_dim + d]);
    }
}

static enum shoal_status see(void *state, const struct shoal_attention_view *v,
                             struct shoal_error *err)
{
    struct watcher *w = state;

    (void)err;
    ck_assert(v->n_tokens >= 1 && v->n_tokens <= ATTENTION_MAX_ROWS);
    ck_assert_int_eq(v->n_keys, v->first_position + v->n_tokens);
    ck_assert_int_le(v->n_keys, trial_lengths[v->request - 1]);
    ck_assert_int_eq(v->kv_head, v->head / 3); /* embedded: 6 heads share 2 */
    for (int32_t i = 0; i < v->n_tokens; i++)
        check_row(w, v, i);
    w->n_rows[v->request - 1] += v->n_tokens;
    return SHOAL_OK;
}

/* The engine's own formula, by its own kernels, from what the view gives: float32, but with q8_0,
 * where storing again what was read gives the same bytes. */
static enum shoal_status replace(void *state, const struct shoal_attention_view *v, float *out,
                                 struct shoal_error *err)
{
    enum { BLOCK = 128 };
    struct watcher *w = state;
    const enum kv_dtype dtype = w->kv_dtype == KV_Q8_0 ? KV_Q8_0 : KV_F32;
    const size_t head_bytes = kv_head_bytes(dtype, BLOCK, v->head_dim);
    const int32_t n_blocks = v->n_keys / BLOCK + 1;
    const size_t n_part = (size_t)attention_part_floats(v->head_dim);
    int32_t table[TRIAL_LONGEST / BLOCK + 1];
    uint8_t *tiles = mem_new((size_t)n_blocks, head_bytes);
    float *scratch = mem_new(ATTENTION_SCRATCH_FLOATS, sizeof *scratch);
    float *into = mem_new(2 * ATTENTION_MAX_ROWS, n_part * sizeof *into);
    float *next = into + ATTENTION_MAX_ROWS * n_part;
    struct kernels k;

    (void)err;
    ck_assert(tiles && scratch && into && !v->weights && !v->out);
    kernels_init(&k, cpu_isa_best());
    for (int32_t t = 0; t < v->n_keys; t++) {
        table[t / BLOCK] = t / BLOCK;
        k.attention.store(tiles + (size_t)(t / BLOCK) * head_bytes, dtype, BLOCK, v->head_dim,
                          t % BLOCK, v->k + t * v->head_dim, v->v + t * v->head_dim);
    }
    const struct attention_args args = {.layer = tiles,
                                        .block_stride = head_bytes,
                                        .block_table = table,
                                        .block_size = BLOCK,
                                        .head_dim = v->head_dim,
                                        .dtype = dtype,
                                        .scale = v->scale,
                                        .q = v->q,
                                        .ld_q = v->head_dim,
                                        .n_tokens = v->n_tokens,
                                        .n_group = 1,
                                        .first_position = v->first_position};
    k.attention.split(&args, 0, into, scratch);
    for (int32_t s = 1; s <= (v->n_keys - 1) / KV_SPLIT_TOKENS; s++) {
        k.attention.split(&args, s, next, scratch);
        k.attention.merge(into, next, v->n_tokens, v->head_dim);
    }
    for (int32_t i = 0; i < v->n_tokens; i++)
        k.attention.finish(into + (size_t)i * n_part, v->head_dim, out + i * v->head_dim);
    for (int32_t i = 0; i < v->n_tokens * v->head_dim; i++)
        out[i] *= w->scale;
    memcpy(w->kept, out, (size_t)(v->n_tokens * v->head_dim) * sizeof *out);
    w->n_replaced += v->n_tokens;
    mem_free(tiles);
    mem_free(scratch);
    mem_free(into);
    return SHOAL_OK;
}

static const struct shoal_attention_plugin seeing = {.wants = want_see, .see = see};
static const struct shoal_plugin watching = {.version = SHOAL_PLUGIN_VERSION,
                                             .name = "watching",
                                             .about = "sees",
                                             .create = plugin_user_create,
                                             .attention = &seeing};
static const struct shoal_attention_plugin replacement = {.wants = want_replace,
                                                          .replace = replace};
static const struct shoal_plugin replacing = {.version = SHOAL_PLUGIN_VERSION,
                                              .name = "replacing",
                                              .about = "replaces",
                                              .changes_numbers = true,
                                              .create = plugin_user_create,
                                              .attention = &replacement};

static struct watcher everything(void)
{
    return (struct watcher){.layer = -1, .head = -1, .scale = 1};
}

static void check_view(const struct trial *t, int32_t layer)
{
    struct watcher w = {.layer = layer, .head = -1, .kv_dtype = t->kv_dtype};
    struct trial plain = *t, watched = *t;

    watched.plugins[0] = &watching;
    watched.user = &w;
    struct outcome a = trial_good(&plain), b = trial_good(&watched);
    ck_assert_uint_eq(outcome_differs(&a, &b), 0);
    for (int32_t i = 0; i < TRIAL_SEQS; i++)
        ck_assert_int_eq(w.n_rows[i], (int64_t)trial_lengths[i] * a.n_head);
    ck_assert_msg(w.worst_sum < 1e-5, "weights of a row sum to 1 but for %g", w.worst_sum);
    ck_assert_msg(w.worst_weight < 1e-5, "a weight is off by %g", w.worst_weight);
    /* with q8_0 each of hundreds of e is rounded to a 32767th of the largest, and v is up to 10 */
    ck_assert_msg(w.worst_out < (t->kv_dtype == KV_Q8_0 ? 2e-3 : 1e-5),
                  "weights times v are off by %g", w.worst_out);
    outcome_fini(&a);
    outcome_fini(&b);
}

START_TEST(a_view_says_what_the_engine_computes)
{
    struct trial t = trial_plain();

    for (int dtype = 0; dtype < KV_DTYPE_COUNT; dtype++) {
        t.kv_dtype = (enum kv_dtype)dtype;
        check_view(&t, dtype);
    }
    t.model = "tiny";
    check_view(&t, 0);
}
END_TEST

START_TEST(seeing_changes_nothing_however_the_work_is_cut)
{
    struct trial plain = trial_plain();
    struct outcome expected = trial_good(&plain);

    for (int32_t way = 0; way < TRIAL_WAYS; way++) {
        struct watcher w = everything();
        struct trial t = trial_way(plain, way);
        w.layer = way % 4; /* for time */
        w.head = way % 6;
        t.plugins[0] = &watching;
        t.user = &w;
        struct outcome seen = trial_good(&t);
        ck_assert_msg(outcome_differs(&expected, &seen) == 0, "way %d", way);
        for (int32_t i = 0; i < TRIAL_SEQS; i++)
            ck_assert_int_eq(w.n_rows[i], trial_lengths[i]);
        outcome_fini(&seen);
    }
    outcome_fini(&expected);
}
END_TEST

/* Rows of the last layer whose hidden state nobody else wants. */
START_TEST(every_row_is_shown)
{
    struct watcher w = everything();
    struct trial t = trial_plain();

    w.layer = 3;
    t.wants_last = true;
    t.plugins[0] = &watching;
    t.user = &w;
    struct outcome o = trial_good(&t);
    for (int32_t i = 0; i < TRIAL_SEQS; i++)
        ck_assert_int_eq(w.n_rows[i], (int64_t)trial_lengths[i] * o.n_head);
    ck_assert_msg(w.worst_out < 1e-5, "weights times v are off by %g", w.worst_out);
    outcome_fini(&o);
}
END_TEST

START_TEST(only_what_is_wanted_is_shown)
{
    static const struct {
        uint64_t request;
        int32_t layer, head;
        int32_t n_layers, n_heads;
    } table[] = {{2, 1, 3, 1, 1}, {3, -1, 0, 4, 1}, {1, 0, -1, 1, 6}, {9, -1, -1, 4, 6}};

    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        struct watcher w = {
            .request = table[k].request, .layer = table[k].layer, .head = table[k].head};
        struct trial t = trial_plain();
        t.plugins[0] = &watching;
        t.user = &w;
        struct outcome o = trial_good(&t);
        for (int32_t i = 0; i < TRIAL_SEQS; i++)
            ck_assert_int_eq(w.n_rows[i],
                             (uint64_t)i + 1 == table[k].request
                                 ? (int64_t)trial_lengths[i] * table[k].n_layers * table[k].n_heads
                                 : 0);
        outcome_fini(&o);
    }
}
END_TEST

START_TEST(the_engines_own_formula_gives_its_own_bits)
{
    struct trial plain = trial_plain();

    for (int dtype = 0; dtype < KV_DTYPE_COUNT; dtype++) {
        struct watcher w = everything();
        plain.kv_dtype = w.kv_dtype = (enum kv_dtype)dtype;
        struct trial t = plain;
        t.plugins[0] = &replacing;
        t.user = &w;
        struct outcome a = trial_good(&plain), b = trial_good(&t);
        ck_assert_uint_eq(outcome_differs(&a, &b), 0);
        ck_assert_int_eq(w.n_replaced, (int64_t)trial_rows() * a.n_layer * a.n_head);
        outcome_fini(&a);
        outcome_fini(&b);
    }
}
END_TEST

/* Request 2 has other numbers, the same however the work is cut; the others keep theirs. */
START_TEST(a_replaced_request_leaves_the_others_alone)
{
    const struct trial plain = trial_plain();
    struct outcome untouched = trial_good(&plain), first = {0};

    for (int32_t way = 0; way < TRIAL_WAYS; way++) {
        struct watcher w = {.request = 2, .layer = 1, .head = -1, .scale = 0.75f};
        struct trial t = trial_way(plain, way);
        t.plugins[0] = &replacing;
        t.user = &w;
        struct outcome o = trial_good(&t);
        ck_assert_msg(outcome_differs(&untouched, &o) == 2, "way %d", way);
        trial_same_in_all_ways(&first, &o, way);
    }
    outcome_fini(&first);
    outcome_fini(&untouched);
}
END_TEST

static enum shoal_status see_replaced(void *state, const struct shoal_attention_view *v,
                                      struct shoal_error *err)
{
    struct watcher *w = state;

    (void)err;
    ck_assert(v->weights && v->out);
    if (memcmp(v->out, w->kept, (size_t)(v->n_tokens * v->head_dim) * sizeof *v->out) == 0)
        w->n_equal += v->n_tokens;
    w->n_rows[v->request - 1] += v->n_tokens;
    return SHOAL_OK;
}

START_TEST(one_plugin_sees_what_another_replaced)
{
    static const struct shoal_attention_plugin behind = {.wants = want_see, .see = see_replaced};
    static const struct shoal_plugin second = {.version = SHOAL_PLUGIN_VERSION,
                                               .name = "second",
                                               .about = "sees what goes on",
                                               .create = plugin_user_create,
                                               .attention = &behind};
    struct watcher w = {.request = 1, .layer = -1, .head = -1, .scale = 0.5f};
    struct trial t = trial_plain();

    t.plugins[0] = &replacing;
    t.plugins[1] = &second;
    t.user = &w;
    struct outcome o = trial_good(&t);
    ck_assert_int_eq(w.n_rows[0], (int64_t)trial_lengths[0] * o.n_layer * o.n_head);
    ck_assert_int_eq(w.n_equal, w.n_rows[0]);
    ck_assert_int_eq(w.n_replaced, w.n_rows[0]);
    outcome_fini(&o);
}
END_TEST

static enum shoal_status fail_seeing(void *state, const struct shoal_attention_view *v,
                                     struct shoal_error *err)
{
    struct watcher *w = state;

    w->n_rows[v->request - 1] += v->n_tokens;
    return shoal_fail(err, SHOAL_E_LIMIT, "nothing more fits");
}

static enum shoal_status fail_replacing(void *state, const struct shoal_attention_view *v,
                                        float *out, struct shoal_error *err)
{
    (void)state;
    (void)v;
    (void)out;
    return shoal_fail(err, SHOAL_E_UNSUPPORTED, "not this one");
}

static enum shoal_status forget_one(void *state, const struct shoal_attention_view *v, float *out,
                                    struct shoal_error *err)
{
    (void)state;
    (void)err;
    for (int32_t i = 0; i < v->n_tokens * v->head_dim; i++)
        if (i != 5)
            out[i] = 0;
    return SHOAL_OK;
}

static struct shoal_plugin plugin_of(const char *name, const struct shoal_attention_plugin *a)
{
    return (struct shoal_plugin){.version = SHOAL_PLUGIN_VERSION,
                                 .name = name,
                                 .about = "fails",
                                 .changes_numbers = a->replace != NULL,
                                 .create = plugin_user_create,
                                 .attention = a};
}

START_TEST(failures_that_end_the_run)
{
    static const struct shoal_attention_plugin bad_see = {.wants = want_see, .see = fail_seeing},
                                               bad_replace = {.wants = want_replace,
                                                              .replace = fail_replacing};
    const struct shoal_plugin seer = plugin_of("bad-seer", &bad_see),
                              replacer = plugin_of("bad-replacer", &bad_replace),
                              other = plugin_of("other", &replacement);
    const struct {
        const struct shoal_plugin *plugins[2];
        bool errors_are_fatal;
        enum shoal_status status;
        const char *words[2];
    } table[] = {
        {{&seer, NULL}, true, SHOAL_E_LIMIT, {"bad-seer", "nothing more fits"}},
        {{&replacer, NULL}, true, SHOAL_E_UNSUPPORTED, {"bad-replacer", "not this one"}},
        {{&replacer, NULL}, false, SHOAL_E_UNSUPPORTED, {"bad-replacer", "not this one"}},
        {{&replacing, &other}, false, SHOAL_E_INVALID, {"replacing and other", "head"}},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int32_t threads = 1; threads <= 2; threads++) {
            struct watcher w = {.request = 2, .layer = 2, .head = 4, .scale = 1};
            struct trial t = trial_plain();
            struct shoal_error err = {0};
            struct outcome o;

            memcpy(t.plugins, table[i].plugins, sizeof table[i].plugins);
            t.user = &w;
            t.threads = threads;
            t.errors_are_fatal = table[i].errors_are_fatal;
            ck_assert_int_eq(trial_run(&t, &o, &err), table[i].status);
            ck_assert_int_eq(err.status, table[i].status);
            ck_assert_msg(strstr(err.text, table[i].words[0]) &&
                              strstr(err.text, table[i].words[1]),
                          "%s", err.text);
        }
}
END_TEST

START_TEST(one_that_only_sees_is_switched_off)
{
    static const struct shoal_attention_plugin bad_see = {.wants = want_see, .see = fail_seeing};
    const struct shoal_plugin seer = plugin_of("bad-seer", &bad_see);
    struct watcher w = everything();
    struct trial plain = trial_plain(), t = plain;

    t.plugins[0] = &seer;
    t.user = &w;
    struct outcome a = trial_good(&plain), b = trial_good(&t);
    ck_assert_uint_eq(outcome_differs(&a, &b), 0);
    ck_assert_int_eq(w.n_rows[0] + w.n_rows[1] + w.n_rows[2], ATTENTION_MAX_ROWS); /* once */
    outcome_fini(&a);
    outcome_fini(&b);
}
END_TEST

START_TEST(an_element_that_is_left_out_is_noticed)
{
    static const struct shoal_attention_plugin forgetful = {.wants = want_replace,
                                                            .replace = forget_one};
    const struct shoal_plugin plugin = plugin_of("forgetful", &forgetful);
    struct watcher w = {.request = 3, .layer = 2, .head = 1, .scale = 1};
    struct trial t = trial_plain();

    t.plugins[0] = &plugin;
    t.user = &w;
    struct outcome o = trial_good(&t);
    for (int32_t row = 0; row < trial_rows(); row++)
        ck_assert_int_eq(o.bad[row], row == trial_first_row(2) ? 2 : -1);
    outcome_fini(&o);
}
END_TEST

SUITE("model/attention_hooks", a_view_says_what_the_engine_computes,
      seeing_changes_nothing_however_the_work_is_cut, every_row_is_shown,
      only_what_is_wanted_is_shown, the_engines_own_formula_gives_its_own_bits,
      a_replaced_request_leaves_the_others_alone, one_plugin_sees_what_another_replaced,
      failures_that_end_the_run, one_that_only_sees_is_switched_off,
      an_element_that_is_left_out_is_noticed)
