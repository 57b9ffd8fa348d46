/* cache-compression: rows of K and V in the pool as GGUF blocks of 32, q8_0 or q4_0
 *
 * At the end it reports the bytes, and for the requests that finished first the error in the
 * logits: their tokens are run again, with it and without. */
#include "plugin/built_ins.h"

#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "draw/table.h"
#include "gguf/quantize.h"
#include "plugin/values.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 32, MAX_COMPARED = 4096 };

/* A finished request whose tokens are run again. */
struct kept {
    char *name;
    int32_t *tokens; /* (n) */
    int32_t n;
};

struct compression {
    const struct shoal_plugin_host *host;
    enum gguf_type type;
    const char *type_name;
    size_t row_bytes;
    struct kept *kept; /* (n_kept of n_compare) */
    int32_t n_kept, n_compare;
    int64_t n_finished, n_tokens; /* of finished requests */
};

static void destroy(void *state)
{
    struct compression *c = state;

    for (int32_t i = 0; i < c->n_kept; i++) {
        mem_free(c->kept[i].name);
        mem_free(c->kept[i].tokens);
    }
    mem_free(c->kept);
    mem_free(c);
}

static enum shoal_status read_values(struct compression *c, const struct shoal_plugin_value *values,
                                     struct shoal_error *err)
{
    static const char *const names[] = {"q8_0", "q4_0"};
    static const enum gguf_type types[] = {GGUF_TYPE_Q8_0, GGUF_TYPE_Q4_0};
    enum shoal_status status;
    int type;

    if ((status = plugin_value_choice(&values[0], names, 2, &type, err)) ||
        (status = plugin_value_int(&values[1], 0, MAX_COMPARED, &c->n_compare, err)))
        return status;
    c->type = types[type];
    c->type_name = names[type];
    if (c->host->head_dim % BLOCK != 0)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "heads of this model have %d elements, which blocks of %d do not divide: "
                          "leave cache-compression out",
                          c->host->head_dim, BLOCK);
    return SHOAL_OK;
}

static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    struct compression *c = mem_new(1, sizeof *c);
    enum shoal_status status;

    (void)n_values;
    (void)user;
    if (!c)
        return shoal_fail_memory(err, "cache-compression", sizeof *c);
    c->host = host;
    status = read_values(c, values, err);
    if (status == SHOAL_OK) {
        c->row_bytes = gguf_row_bytes(c->type, host->head_dim);
        c->kept = mem_new((size_t)c->n_compare, sizeof *c->kept);
        if (!c->kept)
            status =
                shoal_fail_memory(err, "cache-compression", (size_t)c->n_compare * sizeof *c->kept);
    }
    if (status != SHOAL_OK) {
        destroy(c);
        return status;
    }
    *state = c;
    return SHOAL_OK;
}

static size_t row_bytes(void *state, int32_t head_dim)
{
    const struct compression *c = state;

    return head_dim % BLOCK == 0 ? gguf_row_bytes(c->type, head_dim) : 0;
}

/* A row that the type cannot hold gets NaN for all its scales, so that the reader notices. */
static void encode(void *state, const float *row, int32_t head_dim, uint8_t *bytes)
{
    static const uint8_t nan_scale[2] = {0x00, 0x7e}; /* a half, little-endian */
    const struct compression *c = state;
    const size_t block_bytes = gguf_row_bytes(c->type, BLOCK);

    if (!gguf_quantize(c->type, row, head_dim, bytes))
        return;
    memset(bytes, 0, gguf_row_bytes(c->type, head_dim));
    for (int32_t i = 0; i < head_dim / BLOCK; i++)
        memcpy(bytes + (size_t)i * block_bytes, nan_scale, sizeof nan_scale);
}

static void decode(void *state, const uint8_t *bytes, int32_t head_dim, float *row)
{
    const struct compression *c = state;

    gguf_dequantize(c->type, bytes, head_dim, row);
}

static enum shoal_status keep(struct compression *c, const struct shoal_plugin_sequence *s,
                              struct shoal_error *err)
{
    struct kept *kept = &c->kept[c->n_kept];
    const size_t n_bytes = (size_t)s->n_tokens * sizeof *kept->tokens;

    kept->n = s->n_tokens;
    kept->name = mem_strdup(s->name);
    kept->tokens = mem_new((size_t)s->n_tokens, sizeof *kept->tokens);
    if (!kept->name || !kept->tokens) {
        mem_free(kept->name);
        mem_free(kept->tokens);
        return shoal_fail_memory(err, "a request's tokens", n_bytes);
    }
    memcpy(kept->tokens, s->tokens, n_bytes);
    c->n_kept++;
    return SHOAL_OK;
}

static enum shoal_status on_request_finished(void *state,
                                             const struct shoal_plugin_request *request,
                                             struct shoal_error *err)
{
    struct compression *c = state;

    if (request->end != SHOAL_PLUGIN_STOP && request->end != SHOAL_PLUGIN_LENGTH)
        return SHOAL_OK;
    c->n_finished++;
    c->n_tokens += request->sequence.n_tokens;
    if (c->n_kept == c->n_compare || request->sequence.n_tokens < 1)
        return SHOAL_OK;
    return keep(c, &request->sequence, err);
}

static void report_bytes(const struct compression *c, struct text *out)
{
    const struct shoal_plugin_host *h = c->host;
    const uint64_t rows = (uint64_t)2 * (uint64_t)h->n_layer * (uint64_t)h->n_head_kv;
    const uint64_t stored = rows * c->row_bytes, plain = rows * h->kv_row_bytes;
    const uint64_t pool = (uint64_t)h->n_kv_blocks * (uint64_t)h->block_size;
    const double saved = (double)plain - (double)stored;
    char of_pool[32], of_requests[32];

    text_printf(out,
                "cache-compression: %s stores a token in %llu bytes instead of %llu (%.1f %% "
                "less)\n",
                c->type_name, (unsigned long long)stored, (unsigned long long)plain,
                100 * saved / (double)plain);
    text_printf(out,
                "  saved: %s in the pool of %llu tokens, %s for the %lld tokens of %lld "
                "finished sequences\n",
                format_bytes(saved > 0 ? (uint64_t)(saved * (double)pool) : 0, of_pool),
                (unsigned long long)pool,
                format_bytes(saved > 0 ? (uint64_t)(saved * (double)c->n_tokens) : 0, of_requests),
                (long long)c->n_tokens, (long long)c->n_finished);
}

static enum shoal_status report_errors(const struct compression *c, struct text *out,
                                       struct shoal_error *err)
{
    static const char *const headings[] = {"request", "tokens", "max error", "rms error",
                                           "mean KL (nats)"};
    struct table t = {.n_columns = 5, .is_right = {false, true, true, true, true}};
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; i < t.n_columns; i++)
        table_put(&t, PAINT_PLAIN, "%s", headings[i]);
    for (int32_t i = 0; i < c->n_kept && status == SHOAL_OK; i++) {
        const struct kept *k = &c->kept[i];
        double max_error, rms_error, mean_kl;
        status = c->host->compare(c->host->engine, k->tokens, k->n, &max_error, &rms_error,
                                  &mean_kl, err);
        if (status != SHOAL_OK)
            break;
        table_put(&t, PAINT_PLAIN, "%s", k->name);
        table_put(&t, PAINT_PLAIN, "%d", k->n);
        table_put(&t, PAINT_PLAIN, "%.4g", max_error);
        table_put(&t, PAINT_PLAIN, "%.4g", rms_error);
        table_put(&t, PAINT_PLAIN, "%.4g", mean_kl);
    }
    if (status == SHOAL_OK) {
        text_add_str(out, "  logits of requests that were run again, with it and without:\n");
        table_print(&t, 2, out);
    }
    out->failed = out->failed || t.failed;
    table_fini(&t);
    return status;
}

static enum shoal_status finish(void *state, struct shoal_error *err)
{
    const struct compression *c = state;
    struct text out = {0};
    enum shoal_status status = SHOAL_OK;

    if (c->host->rank != 0)
        return SHOAL_OK;
    report_bytes(c, &out);
    if (c->n_kept > 0)
        status = report_errors(c, &out, err);
    if (out.failed && status == SHOAL_OK)
        status = shoal_fail_memory(err, "cache-compression's report", out.capacity);
    if (!out.failed)
        fputs(out.bytes, stderr);
    text_fini(&out);
    return status;
}

static const struct shoal_plugin_option options[] = {
    {.name = "type", .value = "q8_0", .help = "q8_0 (34 bytes for 32 values) or q4_0 (18 bytes)"},
    {.name = "compare",
     .value = "1",
     .help = "finished requests whose logits are compared at the end; 0: none"},
};

static const struct shoal_scheduler_plugin scheduler = {.on_request_finished = on_request_finished};
static const struct shoal_cache_plugin cache = {
    .row_bytes = row_bytes, .encode = encode, .decode = decode};

const struct shoal_plugin plugin_cache_compression = {
    .version = SHOAL_PLUGIN_VERSION,
    .name = "cache-compression",
    .about = "stores K and V in 8 or 4 bits, and reports bytes saved and the error in the logits",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .changes_numbers = true,
    .create = create,
    .finish = finish,
    .destroy = destroy,
    .scheduler = &scheduler,
    .cache = &cache,
};
