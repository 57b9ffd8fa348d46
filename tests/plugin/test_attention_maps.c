/* attention-visualization: maps that fold as a sequence grows, its options, its files. */
#include "support/suite.h"

#include "base/mem.h"
#include "plugin/attention_maps.h"
#include "plugin/built_ins.h"
#include "plugin/plugins.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONG = 300, HEADS = 2 };

/* The weight that a query gives a key: halves backwards, so that a row sums to 1. */
static float weight(int32_t query, int32_t key)
{
    return key == 0 ? ldexpf(1, -query) : ldexpf(1, key - query - 1);
}

/* Show rows [first, first + n) of a head to whatever takes views. */
static struct shoal_attention_view make_view(uint64_t request, int32_t head, int32_t first,
                                             int32_t n, float *weights)
{
    const int32_t n_keys = first + n;

    for (int32_t i = 0; i < n; i++)
        for (int32_t key = 0; key < n_keys; key++)
            weights[i * n_keys + key] = key <= first + i ? weight(first + i, key) : 0;
    return (struct shoal_attention_view){.request = request,
                                         .head = head,
                                         .first_position = first,
                                         .n_tokens = n,
                                         .n_keys = n_keys,
                                         .weights = weights};
}

static void show(struct attention_maps *maps, int32_t n_tokens, int32_t chunk)
{
    float *weights = mem_new((size_t)chunk * (size_t)n_tokens, sizeof *weights);

    for (int32_t first = 0; first < n_tokens; first += chunk) {
        const int32_t n = n_tokens - first < chunk ? n_tokens - first : chunk;
        const struct shoal_attention_view view = make_view(1, 0, first, n, weights);
        ck_assert(attention_maps_add(maps, &view));
    }
    mem_free(weights);
}

START_TEST(figures_of_a_head)
{
    struct attention_maps maps = {.most = 1};
    const struct attention_map *m;
    int64_t n_small = 0;

    show(&maps, 20, 20);
    m = maps.list[0];
    for (int32_t query = 0; query < 20; query++)
        for (int32_t key = 0; key <= query; key++)
            n_small += weight(query, key) < 1.0f / (10.0f * (float)(query + 1));
    ck_assert(n_small > 50);
    ck_assert_int_eq(m->n_small, n_small);
    ck_assert_int_eq(m->n_rows, 20);
    ck_assert_int_eq(m->n_weights, 20 * 21 / 2);
    ck_assert(m->largest == 1);
    ck_assert_double_eq_tol(m->sum, 20, 1e-9);
    ck_assert_int_eq(m->per_cell, 1);
    attention_maps_fini(&maps);
}
END_TEST

START_TEST(chunks_and_repeats_change_nothing)
{
    static const int32_t chunks[] = {1, 7, 32, LONG};
    struct attention_maps expected = {.most = 1};

    show(&expected, LONG, 64);
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct attention_maps maps = {.most = 1};
        show(&maps, LONG / 2, chunks[i]);
        show(&maps, LONG, chunks[i]); /* from the start again, as after a preemption */
        ck_assert(memcmp(maps.list[0], expected.list[0], sizeof *maps.list[0]) == 0);
        attention_maps_fini(&maps);
    }
    attention_maps_fini(&expected);
}
END_TEST

START_TEST(a_long_sequence_is_folded)
{
    static const struct {
        int32_t n_tokens, per_cell, n_cells;
    } table[] = {{1, 1, 1}, {64, 1, 64}, {65, 2, 33}, {128, 2, 64}, {129, 4, 33}, {LONG, 8, 38}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct attention_maps maps = {.most = 1};
        float cells[MAP_CELLS * MAP_CELLS];
        show(&maps, table[i].n_tokens, 64);
        const struct heatmap h = attention_map_picture(maps.list[0], "t", cells);
        ck_assert_int_eq(h.per_cell, table[i].per_cell);
        ck_assert(h.n_rows == table[i].n_cells && h.n_columns == table[i].n_cells);
        for (int32_t row = 0; row < h.n_rows; row++) {
            double sum = 0;
            for (int32_t column = 0; column < h.n_columns; column++) {
                const float cell = cells[row * h.n_columns + column];
                ck_assert(isnan(cell) == (column > row));
                sum += isnan(cell) ? 0 : (double)cell;
            }
            ck_assert_double_eq_tol(sum, 1, 1e-5);
        }
        attention_maps_fini(&maps);
    }
}
END_TEST

START_TEST(more_heads_than_fit_are_not_begun)
{
    struct attention_maps maps = {.most = 2};
    float weights[1];

    for (int32_t head = 2; head >= 0; head--) {
        const struct shoal_attention_view view = make_view(1, head, 0, 1, weights);
        ck_assert(!maps.is_full);
        ck_assert(attention_maps_add(&maps, &view));
    }
    ck_assert(maps.is_full && maps.n == 2);
    attention_maps_sort(&maps);
    ck_assert(maps.list[0]->head == 1 && maps.list[1]->head == 2);
    attention_maps_fini(&maps);
}
END_TEST

static void log_line(void *engine, const char *level, const char *text)
{
    (void)engine;
    (void)level;
    (void)text;
}

static const struct shoal_plugin_host host = {.version = SHOAL_PLUGIN_VERSION,
                                              .n_ranks = 1,
                                              .model = "none",
                                              .n_layer = 2,
                                              .n_head = HEADS,
                                              .n_head_kv = 1,
                                              .head_dim = 8,
                                              .log = log_line};

START_TEST(bad_options)
{
    static const struct {
        const char *spec, *words;
        enum shoal_status status;
    } table[] = {
        {"requests=none", "requests: 'none'", SHOAL_E_INVALID},
        {"requests=3-1", "requests: '3-1'", SHOAL_E_INVALID},
        {"requests=", "requests: ''", SHOAL_E_INVALID},
        {"requests=1-", "two as in 0-7", SHOAL_E_INVALID},
        {"requests=123456789012345678901234567890", "two as in 0-7", SHOAL_E_INVALID},
        {"layers=2", "this model has 2", SHOAL_E_INVALID},
        {"heads=x", "heads: 'x'", SHOAL_E_INVALID},
        {"format=png", "not one of svg, text", SHOAL_E_INVALID},
        {"out=/dev/null/no", "the folder /dev/null/no", SHOAL_E_IO},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct plugins *p;
        struct shoal_error err;
        char spec[128];
        snprintf(spec, sizeof spec, "attention-visualization,%s", table[i].spec);
        ck_assert(plugins_create(&p, &host, false, NULL) == SHOAL_OK);
        ck_assert_int_eq(plugins_add(p, spec, &err), table[i].status);
        ck_assert_msg(strstr(err.text, table[i].words), "%s", err.text);
        plugins_destroy(p);
    }
}
END_TEST

START_TEST(wants_what_it_was_asked_for)
{
    static const struct {
        const char *spec;
        uint64_t request;
        int32_t layer, head;
        bool is_wanted;
    } table[] = {
        {"", 1, 0, 1, true},
        {"", 2, 0, 0, false},
        {"", 1, 1, 0, false},
        {"requests=2-3,layers=all,heads=1", 2, 1, 1, true},
        {"requests=2-3,layers=all,heads=1", 3, 0, 1, true},
        {"requests=2-3,layers=all,heads=1", 4, 0, 1, false},
        {"requests=2-3,layers=all,heads=1", 3, 0, 0, false},
        {"requests=all", 900, 0, 0, true},
        {"requests=all", 0, 0, 0, false}, /* a comparison's */
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct plugins *p;
        char spec[128];
        snprintf(spec, sizeof spec, "attention-visualization%s%s", table[i].spec[0] ? "," : "",
                 table[i].spec);
        ck_assert(plugins_create(&p, &host, false, NULL) == SHOAL_OK);
        ck_assert(plugins_add(p, spec, NULL) == SHOAL_OK);
        ck_assert_msg((plugins_wants(p, table[i].request, 0, table[i].layer, table[i].head) ==
                       SHOAL_ATTENTION_SEE) == table[i].is_wanted,
                      "row %zu", i);
        plugins_destroy(p);
    }
}
END_TEST

static bool begins_with(const char *path, const char *begin)
{
    char bytes[64] = "";
    FILE *file = fopen(path, "rb");

    if (!file)
        return false;
    const size_t n = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    return n > 0 && strncmp(bytes, begin, strlen(begin)) == 0;
}

START_TEST(a_file_a_head)
{
    static const struct {
        const char *format, *end, *begin;
    } table[] = {{"svg", "svg", "<svg "}, {"text", "txt", "attention of request 1"}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char folder[] = "/tmp/shoal-maps-XXXXXX", spec[128], path[128];
        float weights[9];
        struct plugins *p;

        ck_assert(mkdtemp(folder));
        snprintf(spec, sizeof spec, "attention-visualization,out=%s,format=%s", folder,
                 table[i].format);
        ck_assert(plugins_create(&p, &host, true, NULL) == SHOAL_OK);
        ck_assert(plugins_add(p, spec, NULL) == SHOAL_OK);
        for (int32_t head = 0; head < HEADS; head++) {
            const struct shoal_attention_view view = make_view(1, head, 0, 3, weights);
            ck_assert(plugins_see_attention(p, &view, NULL) == SHOAL_OK);
        }
        ck_assert(plugins_finish(p, NULL) == SHOAL_OK);
        plugins_destroy(p);
        for (int32_t head = 0; head < HEADS; head++) {
            snprintf(path, sizeof path, "%s/attention-1-0-layer-0-head-%d.%s", folder, head,
                     table[i].end);
            ck_assert_msg(begins_with(path, table[i].begin), "%s", path);
            unlink(path);
        }
        ck_assert_int_eq(rmdir(folder), 0); /* nothing else was there */
    }
}
END_TEST

SUITE("plugin/attention_maps", figures_of_a_head, chunks_and_repeats_change_nothing,
      a_long_sequence_is_folded, more_heads_than_fit_are_not_begun, bad_options,
      wants_what_it_was_asked_for, a_file_a_head)
