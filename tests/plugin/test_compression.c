/* The cache-compression plugin by itself: its options, its rows, its report. */
#include "support/suite.h"

#include "base/rng.h"
#include "gguf/quantize.h"
#include "plugin/built_ins.h"
#include "plugin/plugins.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_DIM = 64 };

static void log_line(void *engine, const char *level, const char *text)
{
    (void)engine;
    (void)level;
    (void)text;
}

static struct shoal_plugin_host make_host(int32_t head_dim)
{
    return (struct shoal_plugin_host){.version = SHOAL_PLUGIN_VERSION,
                                      .n_ranks = 1,
                                      .model = "none",
                                      .n_layer = 3,
                                      .n_head = 4,
                                      .n_head_kv = 2,
                                      .head_dim = head_dim,
                                      .n_vocab = 100,
                                      .block_size = 16,
                                      .n_kv_blocks = 10,
                                      .kv_row_bytes = (size_t)head_dim * 2,
                                      .log = log_line};
}

static struct plugins *open_plugin(const char *spec, int32_t head_dim)
{
    const struct shoal_plugin_host host = make_host(head_dim);
    struct plugins *p;
    struct shoal_error err;

    ck_assert(plugins_create(&p, &host, false, NULL) == SHOAL_OK);
    ck_assert_msg(plugins_add(p, spec, &err) == SHOAL_OK, "%s", err.text);
    return p;
}

START_TEST(bad_options)
{
    static const struct {
        const char *spec;
        int32_t head_dim;
        enum shoal_status status;
        const char *words;
    } table[] = {
        {"cache-compression,type=q5_0", 64, SHOAL_E_INVALID, "type: 'q5_0'"},
        {"cache-compression,type=", 64, SHOAL_E_INVALID, "q8_0, q4_0"},
        {"cache-compression,compare=-1", 64, SHOAL_E_INVALID, "compare: '-1'"},
        {"cache-compression,compare=some", 64, SHOAL_E_INVALID, "from 0 to 4096"},
        {"cache-compression,compare=4097", 64, SHOAL_E_INVALID, "from 0 to 4096"},
        {"cache-compression", 48, SHOAL_E_UNSUPPORTED, "48 elements"},
        {"cache-compression,type=q4_0", 16, SHOAL_E_UNSUPPORTED, "16 elements"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct shoal_plugin_host host = make_host(table[i].head_dim);
        struct plugins *p;
        struct shoal_error err;
        ck_assert(plugins_create(&p, &host, false, NULL) == SHOAL_OK);
        ck_assert_int_eq(plugins_add(p, table[i].spec, &err), table[i].status);
        ck_assert_msg(strstr(err.text, table[i].words), "%s", err.text);
        plugins_destroy(p);
    }
}
END_TEST

/* Rows as GGUF's own blocks, within half a step of the values. */
START_TEST(rows_are_blocks_of_gguf)
{
    static const struct {
        const char *spec;
        enum gguf_type type;
        size_t row_bytes;
        float steps; /* from 0 to the largest value */
    } table[] = {
        {"cache-compression", GGUF_TYPE_Q8_0, 2 * 34, 127},
        {"cache-compression,type=q4_0", GGUF_TYPE_Q4_0, 2 * 18, 8},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct plugins *p = open_plugin(table[i].spec, HEAD_DIM);
        float row[HEAD_DIM], back[HEAD_DIM];
        uint8_t bytes[256], expected[256];
        void *state;
        const struct shoal_cache_plugin *c = plugins_codec(p, &state);

        ck_assert(c);
        ck_assert_uint_eq(c->row_bytes(state, HEAD_DIM), table[i].row_bytes);
        ck_assert_uint_eq(c->row_bytes(state, 40), 0);
        for (int32_t trial = 0; trial < 100; trial++) {
            for (int32_t d = 0; d < HEAD_DIM; d++)
                row[d] = 8 * rng_unit(rng_at(1, (uint64_t)trial, (uint64_t)d)) - 4;
            memset(bytes, 0xaa, sizeof bytes);
            c->encode(state, row, HEAD_DIM, bytes);
            ck_assert_ptr_null(gguf_quantize(table[i].type, row, HEAD_DIM, expected));
            ck_assert(memcmp(bytes, expected, table[i].row_bytes) == 0);
            ck_assert(bytes[table[i].row_bytes] == 0xaa);
            c->decode(state, bytes, HEAD_DIM, back);
            for (int32_t d = 0; d < HEAD_DIM; d++)
                ck_assert_msg(fabsf(back[d] - row[d]) <= 4 / table[i].steps * 1.01f, "%g is %g",
                              (double)row[d], (double)back[d]);
        }
        plugins_destroy(p);
    }
}
END_TEST

START_TEST(what_it_cannot_hold_becomes_nan)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, 1e30f};
    static const char *const specs[] = {"cache-compression", "cache-compression,type=q4_0"};

    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++)
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            struct plugins *p = open_plugin(specs[s], HEAD_DIM);
            float row[HEAD_DIM] = {0}, back[HEAD_DIM];
            uint8_t bytes[256];
            void *state;
            const struct shoal_cache_plugin *c = plugins_codec(p, &state);
            row[40] = values[i];
            c->encode(state, row, HEAD_DIM, bytes);
            c->decode(state, bytes, HEAD_DIM, back);
            ck_assert(isnan(back[40]));
            plugins_destroy(p);
        }
}
END_TEST

/* What was asked to be compared. */
static struct {
    int32_t n, lengths[8], first_tokens[8];
    enum shoal_status status;
} compared;

static enum shoal_status compare(void *engine, struct plugins *alone, const int32_t *tokens,
                                 int32_t n, double *max_error, double *rms_error, double *mean_kl,
                                 struct shoal_error *err)
{
    void *state;

    (void)engine;
    (void)err;
    ck_assert(plugins_codec(alone, &state));
    compared.lengths[compared.n] = n;
    compared.first_tokens[compared.n++] = tokens[0];
    *max_error = 0.5;
    *rms_error = 0.25;
    *mean_kl = 0.125;
    return compared.status;
}

/* Four requests end: one is aborted, one fails. */
static void finish_requests(struct plugins *p)
{
    static const struct {
        const char *name;
        int32_t n_tokens;
        enum shoal_plugin_end end;
    } requests[] = {{"one", 5, SHOAL_PLUGIN_ABORT},
                    {"two", 6, SHOAL_PLUGIN_STOP},
                    {"three", 7, SHOAL_PLUGIN_ERROR},
                    {"four", 8, SHOAL_PLUGIN_LENGTH}};

    for (int32_t i = 0; i < 4; i++) {
        int32_t tokens[8];
        for (int32_t t = 0; t < 8; t++)
            tokens[t] = 10 * i + t;
        const struct shoal_plugin_request request = {.sequence = {.request = (uint64_t)i + 1,
                                                                  .name = requests[i].name,
                                                                  .n_tokens = requests[i].n_tokens,
                                                                  .tokens = tokens},
                                                     .end = requests[i].end};
        ck_assert(plugins_on_request(p, PLUGIN_FINISHED, &request, NULL) == SHOAL_OK);
        memset(tokens, 0xff, sizeof tokens); /* borrowed for the call only */
    }
}

/* What plugins_finish writes to stderr. */
static enum shoal_status finish(struct plugins *p, char *report, size_t size)
{
    FILE *file = tmpfile();
    const int before = dup(STDERR_FILENO);
    struct shoal_error err;

    ck_assert(file && before >= 0);
    fflush(stderr);
    ck_assert(dup2(fileno(file), STDERR_FILENO) >= 0);
    const enum shoal_status status = plugins_finish(p, &err);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    report[fread(report, 1, size - 1, file)] = '\0';
    fclose(file);
    return status;
}

START_TEST(the_report_counts_bytes_and_compares)
{
    static const struct {
        const char *spec;
        int32_t n_compared;
        const char *words[4];
    } table[] = {
        /* 3 layers, 2 heads, K and V: 12 rows a token, of 128 bytes in f16 */
        {"cache-compression",
         1,
         {"q8_0 stores a token in 816 bytes instead of 1536 (46.9 % less)",
          "112.5 KiB in the pool of 160 tokens", "9.8 KiB for the 14 tokens of 2 finished", "two"}},
        {"cache-compression,type=q4_0,compare=5", 2, {"432 bytes", "71.9 %", "four", "0.125"}},
        {"cache-compression,compare=0", 0, {"816 bytes", "", "", ""}},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct plugins *p = open_plugin(table[i].spec, HEAD_DIM);
        char report[2048];

        memset(&compared, 0, sizeof compared);
        plugins_set_compare(p, compare);
        finish_requests(p);
        ck_assert_int_eq(finish(p, report, sizeof report), SHOAL_OK);
        ck_assert_int_eq(compared.n, table[i].n_compared);
        for (int32_t k = 0; k < compared.n; k++) {
            ck_assert_int_eq(compared.lengths[k], k == 0 ? 6 : 8);
            ck_assert_int_eq(compared.first_tokens[k], k == 0 ? 10 : 30);
        }
        for (int32_t k = 0; k < 4; k++)
            ck_assert_msg(strstr(report, table[i].words[k]), "%s is not in:\n%s", table[i].words[k],
                          report);
        ck_assert_msg((strstr(report, "mean KL") != NULL) == (compared.n > 0), "%s", report);
        plugins_destroy(p);
    }
}
END_TEST

START_TEST(a_comparison_that_fails_is_passed_on)
{
    struct plugins *p = open_plugin("cache-compression", HEAD_DIM);
    char report[2048];

    memset(&compared, 0, sizeof compared);
    compared.status = SHOAL_E_NO_MEMORY;
    plugins_set_compare(p, compare);
    finish_requests(p);
    ck_assert_int_eq(finish(p, report, sizeof report), SHOAL_E_NO_MEMORY);
    ck_assert_msg(strstr(report, "816 bytes"), "%s", report);
    plugins_destroy(p);
}
END_TEST

SUITE("plugin/compression", bad_options, rows_are_blocks_of_gguf, what_it_cannot_hold_becomes_nan,
      the_report_counts_bytes_and_compares, a_comparison_that_fails_is_passed_on)
