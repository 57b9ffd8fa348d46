/* Building a ragged batch: chunks are checked and laid end to end, then keys and mask follow from
 * the counts of each request. */
#include "shoal/teach.h"

#include "base/mem.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>

/* Of a learner's batch; the bounds keep every size below far from overflow. */
enum { MAX_CHUNKS = 1 << 16, MAX_TOKENS = 1 << 24, MAX_MASK = 1 << 28 };

/* A batch and what its arrays are filled through. */
struct builder {
    struct shoal_teach_batch batch; /* first: the batch's pointer is the builder's */
    int32_t *q_indptr, *chunk_requests, *n_cached, *key_indptr, *tokens;
    int32_t *ends; /* (n_requests) position behind the last token of each */
    uint64_t *requests;
    struct shoal_teach_row *rows;
    struct shoal_teach_key *keys;
    bool *mask;
};

enum shoal_status shoal_teach_chunk_next(struct shoal_teach_chunk *out,
                                         const struct shoal_teach_request *request, int32_t n,
                                         struct shoal_error *err)
{
    const int32_t n_left = request->n_tokens - request->n_computed;

    if (n < 1 || n > n_left)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "request %" PRIu64 ": a chunk of %d tokens; %d known ones are left to "
                          "compute",
                          request->id, n, n_left);
    *out = (struct shoal_teach_chunk){.request = request->id,
                                      .n_cached = request->n_computed,
                                      .first_position = request->n_computed,
                                      .n_tokens = n,
                                      .tokens = request->tokens + request->n_computed};
    return SHOAL_OK;
}

static enum shoal_status check_chunk(const struct shoal_teach_chunk *c, int32_t i,
                                     struct shoal_error *err)
{
    if (c->n_tokens < 1 || !c->tokens)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "chunk %d, of request %" PRIu64 ", has %d tokens; it needs at least 1", i,
                          c->request, c->tokens ? c->n_tokens : 0);
    if (c->n_cached < 0 || c->first_position < 0)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "chunk %d, of request %" PRIu64 ": position %d behind %d cached tokens; "
                          "neither is negative",
                          i, c->request, c->first_position, c->n_cached);
    if (c->first_position > MAX_TOKENS || c->n_tokens > MAX_TOKENS - c->first_position)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "chunk %d, of request %" PRIu64 ": %d tokens from position %d on; a "
                          "request has at most %d",
                          i, c->request, c->n_tokens, c->first_position, MAX_TOKENS);
    for (int32_t t = 0; t < c->n_tokens; t++)
        if (c->tokens[t] < 0)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "chunk %d, of request %" PRIu64 ": token %d is %d; ids are not "
                              "negative",
                              i, c->request, t, c->tokens[t]);
    return SHOAL_OK;
}

static int32_t find_request(const struct builder *b, uint64_t id)
{
    for (int32_t i = 0; i < b->batch.n_requests; i++)
        if (b->requests[i] == id)
            return i;
    return -1;
}

/* Where the chunk begins is where its request ends so far: no token twice, none left out. */
static enum shoal_status check_place(const struct shoal_teach_chunk *c, int32_t i, int32_t n_cached,
                                     int32_t end, struct shoal_error *err)
{
    if (c->n_cached != n_cached)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "chunk %d says that request %" PRIu64 " has %d cached tokens; the chunk "
                          "before says %d",
                          i, c->request, c->n_cached, n_cached);
    if (c->first_position != end)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "chunk %d begins at position %d of request %" PRIu64 ", whose tokens "
                          "before end at %d: %s",
                          i, c->first_position, c->request, end,
                          c->first_position < end ? "the chunk overlaps them"
                                                  : "there is a gap between");
    return SHOAL_OK;
}

/* Requests, chunk_requests, q_indptr, ends; counts rows and keys. */
static enum shoal_status place_chunks(struct builder *b, const struct shoal_teach_chunk *chunks,
                                      struct shoal_error *err)
{
    int64_t n_rows = 0, n_keys = 0;
    enum shoal_status status;

    for (int32_t i = 0; i < b->batch.n_chunks; i++) {
        const struct shoal_teach_chunk *c = &chunks[i];
        int32_t request = find_request(b, c->request);

        if ((status = check_chunk(c, i, err)))
            return status;
        if (request < 0) {
            request = b->batch.n_requests++;
            b->requests[request] = c->request;
            b->n_cached[request] = b->ends[request] = c->n_cached;
            n_keys += c->n_cached;
        }
        if ((status = check_place(c, i, b->n_cached[request], b->ends[request], err)))
            return status;
        b->ends[request] += c->n_tokens;
        b->chunk_requests[i] = request;
        n_rows += c->n_tokens;
        n_keys += c->n_tokens;
        if (n_keys > MAX_TOKENS || n_rows * n_keys > MAX_MASK)
            return shoal_fail(err, SHOAL_E_LIMIT,
                              "a batch of %lld rows and %lld keys is too large to show its mask",
                              (long long)n_rows, (long long)n_keys);
        b->q_indptr[i + 1] = (int32_t)n_rows;
    }
    b->batch.n_rows = (int32_t)n_rows;
    b->batch.n_keys = (int32_t)n_keys;
    return SHOAL_OK;
}

static void fill_rows(struct builder *b, const struct shoal_teach_chunk *chunks)
{
    for (int32_t i = 0; i < b->batch.n_chunks; i++)
        for (int32_t t = 0; t < chunks[i].n_tokens; t++) {
            const int32_t row = b->q_indptr[i] + t;

            b->tokens[row] = chunks[i].tokens[t];
            b->rows[row] = (struct shoal_teach_row){.index = row,
                                                    .request = chunks[i].request,
                                                    .position = chunks[i].first_position + t,
                                                    .token = chunks[i].tokens[t]};
        }
}

/* All positions of each request; then each row says which key it is, and which it attends to. */
static void fill_keys(struct builder *b)
{
    const int32_t n_keys = b->batch.n_keys;

    for (int32_t r = 0; r < b->batch.n_requests; r++) {
        b->key_indptr[r + 1] = b->key_indptr[r] + b->ends[r];
        for (int32_t p = 0; p < b->ends[r]; p++) {
            const int32_t key = b->key_indptr[r] + p;
            b->keys[key] = (struct shoal_teach_key){
                .index = key, .request = b->requests[r], .position = p, .row = -1};
        }
    }
    for (int32_t i = 0; i < b->batch.n_chunks; i++) {
        const int32_t begin = b->key_indptr[b->chunk_requests[i]];
        for (int32_t row = b->q_indptr[i]; row < b->q_indptr[i + 1]; row++) {
            const int32_t position = b->rows[row].position;
            b->keys[begin + position].row = row;
            for (int32_t p = 0; p <= position; p++)
                b->mask[(size_t)row * (size_t)n_keys + (size_t)(begin + p)] = true;
        }
    }
}

static bool allocate_chunks(struct builder *b)
{
    const size_t n = (size_t)b->batch.n_chunks;

    b->q_indptr = mem_new(n + 1, sizeof *b->q_indptr);
    b->chunk_requests = mem_new(n, sizeof *b->chunk_requests);
    b->n_cached = mem_new(n, sizeof *b->n_cached);
    b->key_indptr = mem_new(n + 1, sizeof *b->key_indptr);
    b->ends = mem_new(n, sizeof *b->ends);
    b->requests = mem_new(n, sizeof *b->requests);
    return b->q_indptr && b->chunk_requests && b->n_cached && b->key_indptr && b->ends &&
           b->requests;
}

static bool allocate_rows(struct builder *b)
{
    const size_t n_rows = (size_t)b->batch.n_rows, n_keys = (size_t)b->batch.n_keys;

    b->tokens = mem_new(n_rows, sizeof *b->tokens);
    b->rows = mem_new(n_rows, sizeof *b->rows);
    b->keys = mem_new(n_keys, sizeof *b->keys);
    b->mask = mem_new(n_rows * n_keys, sizeof *b->mask);
    return b->tokens && b->rows && b->keys && b->mask;
}

static enum shoal_status build(struct builder *b, const struct shoal_teach_chunk *chunks,
                               struct shoal_error *err)
{
    enum shoal_status status;

    if (!allocate_chunks(b))
        return shoal_fail_memory(err, "a batch", (size_t)b->batch.n_chunks * sizeof *b->requests);
    if ((status = place_chunks(b, chunks, err)))
        return status;
    if (!allocate_rows(b))
        return shoal_fail_memory(err, "a batch's mask",
                                 (size_t)b->batch.n_rows * (size_t)b->batch.n_keys);
    fill_rows(b, chunks);
    fill_keys(b);
    b->batch.q_indptr = b->q_indptr;
    b->batch.chunk_requests = b->chunk_requests;
    b->batch.requests = b->requests;
    b->batch.n_cached = b->n_cached;
    b->batch.key_indptr = b->key_indptr;
    b->batch.tokens = b->tokens;
    b->batch.rows = b->rows;
    b->batch.keys = b->keys;
    b->batch.mask = b->mask;
    return SHOAL_OK;
}

enum shoal_status shoal_teach_batch_create(struct shoal_teach_batch **out,
                                           const struct shoal_teach_chunk *chunks, int32_t n_chunks,
                                           struct shoal_error *err)
{
    struct builder *b;
    enum shoal_status status;

    *out = NULL;
    if (!chunks || n_chunks < 1 || n_chunks > MAX_CHUNKS)
        return shoal_fail(err, SHOAL_E_INVALID, "a batch of %d chunks: it has 1 to %d",
                          chunks ? n_chunks : 0, MAX_CHUNKS);
    b = mem_new(1, sizeof *b);
    if (!b)
        return shoal_fail_memory(err, "a batch", sizeof *b);
    b->batch.n_chunks = n_chunks;
    status = build(b, chunks, err);
    if (status != SHOAL_OK) {
        shoal_teach_batch_destroy(&b->batch);
        return status;
    }
    *out = &b->batch;
    return SHOAL_OK;
}

void shoal_teach_batch_destroy(struct shoal_teach_batch *batch)
{
    struct builder *b = (struct builder *)batch;

    if (!b)
        return;
    mem_free(b->q_indptr);
    mem_free(b->chunk_requests);
    mem_free(b->n_cached);
    mem_free(b->key_indptr);
    mem_free(b->ends);
    mem_free(b->requests);
    mem_free(b->tokens);
    mem_free(b->rows);
    mem_free(b->keys);
    mem_free(b->mask);
    mem_free(b);
}
