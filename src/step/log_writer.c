#include "step/log.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "step/bytes.h"
#include "step/log_format.h"
#include "step/numerics.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LOG_BUFFER_BYTES = 1 << 18 };

struct step_log_writer {
    FILE *file;
    char *path;
    struct step_limits limits;
    int32_t n_groups;
    bool flushes_results;
    char *buffer;     /* (LOG_BUFFER_BYTES) of file: stdio would allocate at the first write */
    uint8_t *scratch; /* (max_bytes) one record */
    size_t max_bytes;
    uint64_t at; /* bytes written */
    struct step_log_counts counts;
    struct shoal_error failure; /* the first */
};

static void fail_once(struct step_log_writer *w, int error)
{
    if (w->failure.status)
        return;
    shoal_fail(&w->failure, SHOAL_E_IO,
               "step log %s: cannot write after %llu bytes: %s; the log is not complete", w->path,
               (unsigned long long)w->at, strerror(error));
    log_error("%s", w->failure.text);
}

static void put(struct step_log_writer *w, const void *bytes, size_t n)
{
    if (w->failure.status || n == 0)
        return;
    errno = 0;
    if (fwrite(bytes, 1, n, w->file) == n)
        w->at += n;
    else
        fail_once(w, errno ? errno : EIO);
}

static void flush(struct step_log_writer *w)
{
    if (!w->failure.status && fflush(w->file))
        fail_once(w, errno);
}

/* A record of the n bytes in scratch. */
static void put_record(struct step_log_writer *w, uint32_t tag, int32_t group, size_t n)
{
    uint8_t head[LOG_RECORD_BYTES];
    struct byte_writer out = {.bytes = head, .n = sizeof head};

    write_u32(&out, tag);
    write_i32(&out, group);
    write_u64(&out, n);
    const uint32_t check = log_check(head, out.at, 0);
    write_u32(&out, check);
    write_u32(&out, log_check(w->scratch, n, check));
    put(w, head, sizeof head);
    put(w, w->scratch, n);
}

static void put_head(struct step_log_writer *w, const struct step_log_head *head)
{
    uint8_t fixed[LOG_HEAD_BYTES];
    struct byte_writer out = {.bytes = fixed, .n = sizeof fixed};
    const size_t n_isa = strlen(head->isa), n_settings = strlen(head->settings);
    uint32_t check;

    write_u32(&out, LOG_MAGIC);
    write_u32(&out, STEP_LOG_VERSION);
    write_u32(&out, SHOAL_NUMERICS_VERSION);
    write_i32(&out, head->n_groups);
    write_u64(&out, head->model_hash);
    write_i32(&out, head->limits.max_seqs);
    write_i32(&out, head->limits.max_tokens);
    write_i32(&out, head->limits.max_model_len);
    write_i32(&out, head->limits.block_size);
    write_i32(&out, head->limits.n_blocks);
    write_i32(&out, head->limits.n_vocab);
    write_u32(&out, (uint32_t)n_isa);
    write_u32(&out, (uint32_t)n_settings);
    check = log_check(fixed, out.at, 0);
    write_u32(&out, check);
    check = log_check(head->isa, n_isa, check);
    write_u32(&out, log_check(head->settings, n_settings, check));
    assert(out.at == LOG_HEAD_BYTES && !out.is_short);
    put(w, fixed, sizeof fixed);
    put(w, head->isa, n_isa);
    put(w, head->settings, n_settings);
}

static size_t max_record_bytes(const struct step_limits *limits)
{
    const size_t plan = step_plan_max_bytes(limits), result = step_result_max_bytes(limits);
    const size_t request = LOG_REQUEST_BYTES + 4 * (size_t)limits->max_model_len + STEP_LOG_MAX_ID;
    const size_t most = plan > result ? plan : result;

    return most > request ? most : request;
}

static void destroy(struct step_log_writer *w)
{
    mem_free(w->path);
    mem_free(w->buffer);
    mem_free(w->scratch);
    mem_free(w);
}

enum shoal_status step_log_writer_open(struct step_log_writer **out, const char *path,
                                       const struct step_log_head *head, bool flushes_results,
                                       struct shoal_error *err)
{
    const size_t n_isa = strlen(head->isa), n_settings = strlen(head->settings);
    struct step_log_writer *w;
    enum shoal_status status;

    status = step_limits_check(&head->limits, err);
    if (status)
        return status;
    if (head->n_groups < 1 || head->n_groups > STEP_LOG_MAX_GROUPS || n_isa < 1 ||
        n_isa > STEP_LOG_MAX_ISA || n_settings > STEP_LOG_MAX_SETTINGS)
        return shoal_fail(
            err, SHOAL_E_INVALID,
            "step log %s: %d shard groups, a kernel set's name of %zu bytes, settings "
            "of %zu bytes; at most %d, %d and %d",
            path, head->n_groups, n_isa, n_settings, STEP_LOG_MAX_GROUPS, STEP_LOG_MAX_ISA,
            STEP_LOG_MAX_SETTINGS);

    w = mem_new(1, sizeof *w);
    if (!w)
        return shoal_fail_memory(err, "step log", sizeof *w);
    w->limits = head->limits;
    w->n_groups = head->n_groups;
    w->flushes_results = flushes_results;
    w->max_bytes = max_record_bytes(&head->limits);
    w->path = mem_strdup(path);
    w->buffer = mem_new(LOG_BUFFER_BYTES, 1);
    w->scratch = mem_new(w->max_bytes, 1);
    if (!w->path || !w->buffer || !w->scratch) {
        destroy(w);
        return shoal_fail_memory(err, "step log", max_record_bytes(&head->limits));
    }
    w->file = fopen(path, "wbe");
    if (!w->file) {
        status =
            shoal_fail(err, SHOAL_E_IO, "step log %s: cannot create it: %s", path, strerror(errno));
        destroy(w);
        return status;
    }
    setvbuf(w->file, w->buffer, _IOFBF, LOG_BUFFER_BYTES);
    put_head(w, head);
    *out = w;
    return SHOAL_OK;
}

void step_log_writer_request(struct step_log_writer *w, const struct step_log_request *request)
{
    const size_t n_id = strnlen(request->custom_id, STEP_LOG_MAX_ID);
    struct byte_writer out = {.bytes = w->scratch, .n = w->max_bytes};

    assert(request->n_prompt >= 0 && request->n_prompt <= w->limits.max_model_len);
    write_u64(&out, request->request);
    write_u32(&out, (uint32_t)n_id);
    write_i32(&out, request->n_prompt);
    write_words(&out, request->prompt, (size_t)request->n_prompt, 4);
    write_bytes(&out, request->custom_id, n_id);
    assert(!out.is_short);
    put_record(w, LOG_TAG_REQUEST, -1, out.at);
    w->counts.n_requests++;
}

void step_log_writer_plan(struct step_log_writer *w, const struct step_plan *p)
{
    const size_t n = step_plan_packed_bytes(p);

    assert(p->group < w->n_groups && n <= w->max_bytes);
    step_plan_pack(p, w->scratch);
    put_record(w, LOG_TAG_PLAN, p->group, n);
    w->counts.n_plans++;
}

void step_log_writer_result(struct step_log_writer *w, const struct step_result *r)
{
    const size_t n = step_result_packed_bytes(r);

    assert(r->group < w->n_groups && n <= w->max_bytes);
    step_result_pack(r, w->scratch);
    put_record(w, LOG_TAG_RESULT, r->group, n);
    w->counts.n_results++;
    if (w->flushes_results)
        flush(w);
}

enum shoal_status step_log_writer_close(struct step_log_writer *w, bool is_clean,
                                        struct shoal_error *err)
{
    enum shoal_status status;

    if (!w)
        return SHOAL_OK;
    if (is_clean) {
        struct byte_writer out = {.bytes = w->scratch, .n = w->max_bytes};
        write_u64(&out, w->counts.n_requests);
        write_u64(&out, w->counts.n_plans);
        write_u64(&out, w->counts.n_results);
        put_record(w, LOG_TAG_END, -1, out.at);
    }
    flush(w);
    if (fclose(w->file))
        fail_once(w, errno);
    status = w->failure.status;
    if (status && err)
        *err = w->failure;
    destroy(w);
    return status;
}
