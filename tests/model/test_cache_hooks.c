/* Rows of K and V as plugins see, change and store them; and who may share them. */
#include "model/trial.h"
#include "support/plugin_user.h"
#include "support/suite.h"

#include "base/half.h"
#include "base/mem.h"
#include "base/status.h"
#include "model/hooks.h"
#include "plugin/built_ins.h"

#include <math.h>
#include <string.h>

enum { LAYERS = 4, HEADS = 2, HEAD_DIM = 32 }; /* KV heads of embedded */

struct keeper {
    uint64_t request; /* whose rows are changed; 0: nobody's */
    enum kv_dtype kv_dtype;
    int32_t n_before, n_after; /* of each position, layer, head: at most once */
    uint8_t seen[TRIAL_SEQS][LAYERS][HEADS][TRIAL_LONGEST];
    float k[HEAD_DIM], v[HEAD_DIM]; /* of the row that is being appended */
    size_t row_bytes;
    int32_t fail_after; /* rows; 0: never */
};

/* Turns the row of the request it changes upside down. */
static enum shoal_status before(void *state, struct shoal_cache_row *row, struct shoal_error *err)
{
    struct keeper *s = state;
    uint8_t *seen = &s->seen[row->request - 1][row->layer][row->kv_head][row->position];

    ck_assert(*seen == 0 && row->choice == 0 && row->head_dim == HEAD_DIM);
    *seen = 1;
    s->n_before++;
    if (row->request == s->request)
        for (int32_t d = 0; d < HEAD_DIM; d++) {
            row->k[d] = -row->k[d];
            row->v[d] *= 0.5f;
        }
    memcpy(s->k, row->k, sizeof s->k);
    memcpy(s->v, row->v, sizeof s->v);
    if (s->n_before == s->fail_after)
        return shoal_fail(err, SHOAL_E_IO, "no more of them");
    return SHOAL_OK;
}

static float rounded(float x, enum kv_dtype dtype)
{
    return dtype == KV_F16    ? half_to_float(float_to_half(x))
           : dtype == KV_BF16 ? bf16_to_float(float_to_bf16(x))
                              : x;
}

static enum shoal_status after(void *state, const struct shoal_cache_row *row,
                               struct shoal_error *err)
{
    struct keeper *s = state;
    uint8_t *seen = &s->seen[row->request - 1][row->layer][row->kv_head][row->position];

    (void)err;
    ck_assert(*seen == 1);
    *seen = 2;
    s->n_after++;
    for (int32_t d = 0; d < HEAD_DIM; d++) {
        ck_assert(row->k[d] == rounded(s->k[d], s->kv_dtype));
        ck_assert(row->v[d] == rounded(s->v[d], s->kv_dtype));
    }
    return SHOAL_OK;
}

static enum shoal_status after_only(void *state, const struct shoal_cache_row *row,
                                    struct shoal_error *err)
{
    struct keeper *s = state;

    (void)row;
    s->n_after++;
    return shoal_fail(err, SHOAL_E_IO, "no more of them");
}

static size_t row_bytes(void *state, int32_t head_dim)
{
    const struct keeper *s = state;

    (void)head_dim;
    return s->row_bytes;
}

static void encode(void *state, const float *row, int32_t head_dim, uint8_t *bytes)
{
    (void)state;
    memcpy(bytes, row, (size_t)head_dim * sizeof *row);
}

static void decode(void *state, const uint8_t *bytes, int32_t head_dim, float *row)
{
    (void)state;
    memcpy(row, bytes, (size_t)head_dim * sizeof *row);
}

static const struct shoal_cache_plugin append_table = {.before_append = before,
                                                       .after_append = after},
                                       after_table = {.after_append = after_only},
                                       codec_table = {.row_bytes = row_bytes,
                                                      .encode = encode,
                                                      .decode = decode};

static const struct shoal_plugin appending = {.version = SHOAL_PLUGIN_VERSION,
                                              .name = "appending",
                                              .about = "before and after",
                                              .changes_numbers = true,
                                              .create = plugin_user_create,
                                              .cache = &append_table},
                                 watching = {.version = SHOAL_PLUGIN_VERSION,
                                             .name = "watching",
                                             .about = "after, and fails",
                                             .create = plugin_user_create,
                                             .cache = &after_table},
                                 storing = {.version = SHOAL_PLUGIN_VERSION,
                                            .name = "storing",
                                            .about = "rows as they are",
                                            .changes_numbers = true,
                                            .create = plugin_user_create,
                                            .cache = &codec_table};

static void check_all_seen(const struct keeper *s)
{
    ck_assert_int_eq(s->n_before, trial_rows() * LAYERS * HEADS);
    ck_assert_int_eq(s->n_after, s->n_before);
}

START_TEST(each_row_is_seen_once_before_and_once_after)
{
    static const enum kv_dtype dtypes[] = {KV_F32, KV_F16, KV_BF16};

    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        struct keeper s = {.kv_dtype = dtypes[i]};
        struct trial plain = trial_plain();
        plain.kv_dtype = dtypes[i];
        struct trial t = plain;
        t.plugins[0] = &appending;
        t.user = &s;
        struct outcome a = trial_good(&plain), b = trial_good(&t);
        ck_assert_uint_eq(outcome_differs(&a, &b), 0);
        check_all_seen(&s);
        outcome_fini(&a);
        outcome_fini(&b);
    }
}
END_TEST

START_TEST(a_changed_request_leaves_the_others_alone)
{
    const struct trial plain = trial_plain();
    struct outcome untouched = trial_good(&plain), first = {0};

    for (int32_t way = 0; way < TRIAL_WAYS; way++) {
        struct keeper s = {.request = 1, .kv_dtype = KV_F16};
        struct trial t = trial_way(plain, way);
        t.plugins[0] = &appending;
        t.user = &s;
        struct outcome o = trial_good(&t);
        ck_assert_msg(outcome_differs(&untouched, &o) == 1, "way %d", way);
        check_all_seen(&s);
        trial_same_in_all_ways(&first, &o, way);
    }
    outcome_fini(&first);
    outcome_fini(&untouched);
}
END_TEST

/* A codec that keeps floats is a pool of float32, bit for bit, with rows as wide as it likes. */
START_TEST(rows_of_floats_are_a_pool_of_floats)
{
    static const size_t widths[] = {HEAD_DIM * sizeof(float), HEAD_DIM * sizeof(float) + 3};
    struct trial plain = trial_plain();

    plain.kv_dtype = KV_F32;
    struct outcome expected = trial_good(&plain);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (int32_t way = 0; way < TRIAL_WAYS; way++) {
            struct keeper s = {.row_bytes = widths[i]};
            struct trial t = trial_way(plain, way);
            t.plugins[0] = &storing;
            t.user = &s;
            struct outcome o = trial_good(&t);
            ck_assert_msg(outcome_differs(&expected, &o) == 0, "rows of %zu bytes, way %d",
                          widths[i], way);
            outcome_fini(&o);
        }
    outcome_fini(&expected);
}
END_TEST

/* What is stored is what attention and after_append see, and what an attention plugin is shown. */
START_TEST(appending_and_storing_go_together)
{
    struct keeper s = {.request = 2, .kv_dtype = KV_F32, .row_bytes = HEAD_DIM * sizeof(float)};
    struct trial t = trial_plain();

    t.kv_dtype = KV_F32;
    t.plugins[0] = &appending;
    t.user = &s;
    struct outcome a = trial_good(&t);
    memset(s.seen, 0, sizeof s.seen);
    s.n_before = s.n_after = 0;
    t.plugins[1] = &storing;
    struct outcome b = trial_good(&t);
    ck_assert_uint_eq(outcome_differs(&a, &b), 0);
    check_all_seen(&s);
    outcome_fini(&a);
    outcome_fini(&b);
}
END_TEST

START_TEST(q8_0_is_near_f16_however_the_work_is_cut)
{
    const struct trial plain = trial_plain();
    struct outcome f16 = trial_good(&plain), first = {0};

    for (int32_t way = 0; way < TRIAL_WAYS; way++) {
        struct trial t = trial_way(plain, way);
        t.plugins[0] = &plugin_cache_compression;
        struct outcome o = trial_good(&t);
        trial_same_in_all_ways(&first, &o, way);
    }
    for (int32_t i = 0; i < TRIAL_SEQS; i++) {
        const double distance = outcome_distance(&f16, &first, i);
        ck_assert_msg(distance > 1e-4 && distance < 0.5, "sequence %d: %g", i, distance);
    }
    outcome_fini(&first);
    outcome_fini(&f16);
}
END_TEST

START_TEST(failures)
{
    static const struct {
        const struct shoal_plugin *plugin;
        struct keeper keeper;
        bool is_fatal;
        enum shoal_status status;
        const char *words;
    } table[] = {
        {&appending, {.fail_after = 1}, false, SHOAL_E_IO, "appending"},
        {&appending, {.fail_after = 1000}, false, SHOAL_E_IO, "no more of them"},
        {&watching, {.fail_after = 0}, true, SHOAL_E_IO, "watching"},
        {&storing, {.row_bytes = 0}, false, SHOAL_E_UNSUPPORTED, "heads of 32"},
        {&storing, {.row_bytes = SIZE_MAX / 8}, false, SHOAL_E_INVALID, "KV pool"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int32_t threads = 1; threads <= 2; threads++) {
            struct keeper s = table[i].keeper;
            struct trial t = trial_plain();
            struct shoal_error err = {0};
            struct outcome o;

            s.kv_dtype = KV_F16;
            t.plugins[0] = table[i].plugin;
            t.user = &s;
            t.threads = threads;
            t.errors_are_fatal = table[i].is_fatal;
            ck_assert_int_eq(trial_run(&t, &o, &err), table[i].status);
            ck_assert_msg(strstr(err.text, table[i].words), "%s", err.text);
        }
}
END_TEST

START_TEST(one_that_only_watches_is_switched_off)
{
    struct keeper s = {.row_bytes = 0};
    struct trial plain = trial_plain(), t = plain;

    t.plugins[0] = &watching;
    t.user = &s;
    struct outcome a = trial_good(&plain), b = trial_good(&t);
    ck_assert_uint_eq(outcome_differs(&a, &b), 0);
    ck_assert_int_eq(s.n_after, 1);
    outcome_fini(&a);
    outcome_fini(&b);
}
END_TEST

/* Replaces head 0 of layer 0 of odd requests, and sees all others. */
static enum shoal_attention_want want_odd(void *state, uint64_t request, int32_t choice,
                                          int32_t layer, int32_t head)
{
    (void)state;
    (void)choice;
    return request % 2 == 1 && layer == 0 && head == 0 ? SHOAL_ATTENTION_REPLACE
                                                       : SHOAL_ATTENTION_SEE;
}

/* As above, but head 1 of choice 1 too. */
static enum shoal_attention_want want_choice(void *state, uint64_t request, int32_t choice,
                                             int32_t layer, int32_t head)
{
    return choice == 1 && layer == 1 && head == 1 ? SHOAL_ATTENTION_REPLACE
                                                  : want_odd(state, request, choice, layer, head);
}

static enum shoal_status see(void *state, const struct shoal_attention_view *view,
                             struct shoal_error *err)
{
    (void)state;
    (void)view;
    (void)err;
    return SHOAL_OK;
}

static enum shoal_status replace(void *state, const struct shoal_attention_view *view, float *out,
                                 struct shoal_error *err)
{
    (void)state;
    (void)view;
    (void)out;
    (void)err;
    return SHOAL_OK;
}

/* Salts of (request, choice): 1 0, 3 0, 2 0, 1 1. Equal letters: equal salts; '-': 0. */
START_TEST(sequences_share_what_is_treated_alike)
{
    static const struct shoal_attention_plugin odd = {want_odd, see, replace},
                                               seeing = {want_odd, see, NULL},
                                               choosy = {want_choice, see, replace};
    const struct shoal_plugin odd_plugin = {.version = SHOAL_PLUGIN_VERSION,
                                            .name = "odd",
                                            .about = "a",
                                            .changes_numbers = true,
                                            .create = plugin_user_create,
                                            .attention = &odd};
    struct shoal_plugin second = odd_plugin, seer = odd_plugin, choices = odd_plugin;
    second.name = "second";
    seer.name = "seer";
    seer.attention = &seeing;
    seer.changes_numbers = false;
    choices.name = "choices";
    choices.attention = &choosy;
    const struct {
        const struct shoal_plugin *plugins[2];
        const char *salts;
    } table[] = {
        {{&seer, NULL}, "----"},          {{&odd_plugin, NULL}, "aa-a"},
        {{&odd_plugin, &seer}, "aa-a"},   {{&choices, NULL}, "aa-b"},
        {{&odd_plugin, &second}, "ab-c"}, {{&appending, NULL}, "abcd"},
        {{&storing, NULL}, "----"},       {{&odd_plugin, &appending}, "abcd"},
        {{&watching, NULL}, "----"},
    };
    static const struct {
        uint64_t request;
        int32_t choice;
    } asked[4] = {{1, 0}, {3, 0}, {2, 0}, {1, 1}};
    const struct model_hparams hp = {.n_layer = 2, .n_head = 2};
    const struct shoal_plugin_host host = {.version = SHOAL_PLUGIN_VERSION};
    struct keeper s = {.row_bytes = 1};

    ck_assert_uint_eq(model_salt(NULL, &hp, 1, 0), 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct plugins *plugins;
        uint64_t salts[4];
        ck_assert(plugins_create(&plugins, &host, false, NULL) == SHOAL_OK);
        for (int32_t j = 0; j < 2 && table[i].plugins[j]; j++)
            ck_assert(plugins_add_own(
                          plugins,
                          &(struct shoal_plugin_use){.plugin = table[i].plugins[j], .user = &s},
                          NULL) == SHOAL_OK);
        for (int32_t a = 0; a < 4; a++) {
            salts[a] = model_salt(plugins, &hp, asked[a].request, asked[a].choice);
            ck_assert_msg((salts[a] == 0) == (table[i].salts[a] == '-'), "row %zu, %d", i, a);
            for (int32_t b = 0; b < a; b++)
                ck_assert_msg((salts[a] == salts[b]) == (table[i].salts[a] == table[i].salts[b]),
                              "row %zu, %d and %d", i, b, a);
        }
        plugins_destroy(plugins);
    }
}
END_TEST

SUITE("model/cache_hooks", each_row_is_seen_once_before_and_once_after,
      a_changed_request_leaves_the_others_alone, rows_of_floats_are_a_pool_of_floats,
      appending_and_storing_go_together, q8_0_is_near_f16_however_the_work_is_cut, failures,
      one_that_only_watches_is_switched_off, sequences_share_what_is_treated_alike)
