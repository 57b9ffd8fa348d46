#include "step/log.h"

#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "step/bytes.h"
#include "step/log_format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_READ_BYTES = 1 << 16 };

struct step_log_reader {
    FILE *file;
    char *path;
    struct step_log_head head;
    char isa[STEP_LOG_MAX_ISA + 1];
    struct text settings;
    struct step_plan plan;
    struct step_result result;
    uint64_t at;    /* bytes read */
    uint8_t *bytes; /* (capacity + 1) those of one record; one more for a 0 */
    size_t capacity;
    bool is_over;                /* last or failure is what next gives from now on */
    struct step_log_record last; /* STEP_LOG_END or STEP_LOG_CUT */
    struct shoal_error failure;
    struct step_log_counts counts;
};

/* How a read went. */
enum got { GOT_ALL, GOT_PART, GOT_FAILURE, GOT_NO_MEMORY };

static enum got get(struct step_log_reader *r, void *out, size_t n, size_t *n_got)
{
    errno = 0;
    *n_got = fread(out, 1, n, r->file);
    r->at += *n_got;
    if (*n_got == n)
        return GOT_ALL;
    return ferror(r->file) ? GOT_FAILURE : GOT_PART;
}

/* The next n bytes into r->bytes. Memory grows with what comes, not with what a length claims. */
static enum got get_bytes(struct step_log_reader *r, size_t n)
{
    size_t have = 0;

    while (have < n || !r->bytes) {
        if (have == r->capacity || !r->bytes) {
            size_t capacity = r->capacity ? 2 * r->capacity : FIRST_READ_BYTES;
            uint8_t *grown = mem_resize(r->bytes, capacity + 1, 1);
            if (!grown)
                return GOT_NO_MEMORY;
            r->bytes = grown;
            r->capacity = capacity;
        }
        const size_t want = n < r->capacity ? n : r->capacity;
        size_t n_got;
        const enum got got = get(r, r->bytes + have, want - have, &n_got);
        if (got != GOT_ALL)
            return got;
        have = want;
    }
    r->bytes[n] = 0;
    return GOT_ALL;
}

static enum shoal_status fail_read(struct step_log_reader *r, enum got got, struct shoal_error *err)
{
    if (got == GOT_NO_MEMORY)
        return shoal_fail_memory(err, "a record of the step log", 2 * r->capacity);
    return shoal_fail(err, SHOAL_E_IO, "step log %s: cannot read at byte %llu: %s", r->path,
                      (unsigned long long)r->at, strerror(errno ? errno : EIO));
}

static enum shoal_status fail_head(struct step_log_reader *r, enum got got, struct shoal_error *err)
{
    if (got != GOT_PART)
        return fail_read(r, got, err);
    return shoal_fail(err, SHOAL_E_IO, "step log %s: cut short at byte %llu, inside its head",
                      r->path, (unsigned long long)r->at);
}

/* n bytes of text without a 0. */
static bool is_text(const void *bytes, size_t n)
{
    return !memchr(bytes, 0, n) && utf8_valid(bytes, n);
}

/* What the head says of the texts behind it. */
struct head_texts {
    size_t n_isa, n_settings;
    uint32_t before, check; /* of the head; of the texts, chained to it */
};

static enum shoal_status read_fixed_head(struct step_log_reader *r, struct head_texts *texts,
                                         struct shoal_error *err)
{
    uint8_t fixed[LOG_HEAD_BYTES] = {0};
    struct byte_reader in = {.bytes = fixed, .n = sizeof fixed};
    struct step_log_head *head = &r->head;
    enum shoal_status status;
    size_t n_got;
    const enum got got = get(r, fixed, sizeof fixed, &n_got);

    if (n_got >= 4 && read_u32(&in) != LOG_MAGIC)
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: not a step log: it does not begin with SHLG",
                          r->path);
    if (got != GOT_ALL)
        return fail_head(r, got, err);
    const uint32_t version = read_u32(&in);
    if (version != STEP_LOG_VERSION)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "step log %s: version %u; this shoal has version %d", r->path, version,
                          STEP_LOG_VERSION);
    head->numerics_version = read_u32(&in);
    head->n_groups = read_i32(&in);
    head->model_hash = read_u64(&in);
    head->limits.max_seqs = read_i32(&in);
    head->limits.max_tokens = read_i32(&in);
    head->limits.max_model_len = read_i32(&in);
    head->limits.block_size = read_i32(&in);
    head->limits.n_blocks = read_i32(&in);
    head->limits.n_vocab = read_i32(&in);
    texts->n_isa = read_u32(&in);
    texts->n_settings = read_u32(&in);
    texts->before = log_check(fixed, in.at, 0);
    if (read_u32(&in) != texts->before)
        return shoal_fail(err, SHOAL_E_FORMAT, "step log %s: its head was changed", r->path);
    texts->check = read_u32(&in);
    status = step_limits_check(&head->limits, err);
    if (status) {
        shoal_error_prefix(err, "step log %s", r->path);
        return status;
    }
    if (head->n_groups < 1 || head->n_groups > STEP_LOG_MAX_GROUPS || texts->n_isa < 1 ||
        texts->n_isa > STEP_LOG_MAX_ISA || texts->n_settings > STEP_LOG_MAX_SETTINGS)
        return shoal_fail(
            err, SHOAL_E_FORMAT,
            "step log %s: %d shard groups, a kernel set's name of %zu bytes, settings "
            "of %zu bytes; at most %d, %d and %d",
            r->path, head->n_groups, texts->n_isa, texts->n_settings, STEP_LOG_MAX_GROUPS,
            STEP_LOG_MAX_ISA, STEP_LOG_MAX_SETTINGS);
    return SHOAL_OK;
}

static enum shoal_status read_head(struct step_log_reader *r, struct shoal_error *err)
{
    struct head_texts texts = {0};
    enum shoal_status status = read_fixed_head(r, &texts, err);
    enum got got;

    if (status)
        return status;
    got = get_bytes(r, texts.n_isa + texts.n_settings);
    if (got != GOT_ALL)
        return fail_head(r, got, err);

    const uint8_t *settings = r->bytes + texts.n_isa;
    const uint32_t check =
        log_check(settings, texts.n_settings, log_check(r->bytes, texts.n_isa, texts.before));
    if (check != texts.check || !is_text(r->bytes, texts.n_isa) ||
        !is_text(settings, texts.n_settings))
        return shoal_fail(err, SHOAL_E_FORMAT, "step log %s: its settings were changed", r->path);
    memcpy(r->isa, r->bytes, texts.n_isa);
    text_add(&r->settings, settings, texts.n_settings);
    if (r->settings.failed)
        return shoal_fail_memory(err, "settings of a step log", texts.n_settings);
    r->head.isa = r->isa;
    r->head.settings = r->settings.bytes;
    return SHOAL_OK;
}

enum shoal_status step_log_reader_open(struct step_log_reader **out, const char *path,
                                       struct shoal_error *err)
{
    struct step_log_reader *r = mem_new(1, sizeof *r);
    enum shoal_status status;

    if (!r)
        return shoal_fail_memory(err, "step log", sizeof *r);
    r->path = mem_strdup(path);
    if (!r->path) {
        status = shoal_fail_memory(err, "step log", strlen(path));
        goto fail;
    }
    r->file = fopen(path, "rbe");
    if (!r->file) {
        status =
            shoal_fail(err, SHOAL_E_IO, "step log %s: cannot open it: %s", path, strerror(errno));
        goto fail;
    }
    if ((status = read_head(r, err)) || (status = step_plan_init(&r->plan, &r->head.limits, err)) ||
        (status = step_result_init(&r->result, &r->head.limits, err)))
        goto fail;
    *out = r;
    return SHOAL_OK;
fail:
    step_log_reader_close(r);
    return status;
}

void step_log_reader_close(struct step_log_reader *r)
{
    if (!r)
        return;
    if (r->file)
        fclose(r->file);
    step_plan_fini(&r->plan);
    step_result_fini(&r->result);
    text_fini(&r->settings);
    mem_free(r->bytes);
    mem_free(r->path);
    mem_free(r);
}

const struct step_log_head *step_log_reader_head(const struct step_log_reader *r)
{
    return &r->head;
}

struct record_head {
    uint32_t tag;
    int32_t group;
    uint64_t n_bytes;
    uint32_t check;
};

static uint64_t max_bytes(const struct step_log_reader *r, uint32_t tag)
{
    switch (tag) {
    case LOG_TAG_REQUEST:
        return LOG_REQUEST_BYTES + 4 * (uint64_t)r->head.limits.max_model_len + STEP_LOG_MAX_ID;
    case LOG_TAG_PLAN:
        return step_plan_max_bytes(&r->head.limits);
    case LOG_TAG_RESULT:
        return step_result_max_bytes(&r->head.limits);
    case LOG_TAG_END:
        return LOG_END_BYTES;
    default:
        return 0;
    }
}

static enum shoal_status read_request(struct step_log_reader *r, size_t n,
                                      struct step_log_record *out, struct shoal_error *err)
{
    struct byte_reader in = {.bytes = r->bytes, .n = n};
    struct step_log_request *q = &out->request;

    q->request = read_u64(&in);
    const uint32_t n_id = read_u32(&in);
    q->n_prompt = read_i32(&in);
    if (in.is_short || n_id > STEP_LOG_MAX_ID || q->n_prompt < 0 ||
        q->n_prompt > r->head.limits.max_model_len ||
        LOG_REQUEST_BYTES + 4 * (uint64_t)q->n_prompt + n_id != n)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "a request of %zu bytes has %d tokens and an id of %u", n, q->n_prompt,
                          n_id);
    /* Tokens come before the id, so that they are aligned. */
    q->prompt = (const int32_t *)(const void *)read_bytes(&in, 4 * (size_t)q->n_prompt);
    q->custom_id = (const char *)read_bytes(&in, n_id);
    if (memchr(q->custom_id, 0, n_id))
        return shoal_fail(err, SHOAL_E_FORMAT, "a request's id has a 0 in it");
    for (int32_t i = 0; i < q->n_prompt; i++)
        if (q->prompt[i] < 0 || q->prompt[i] >= r->head.limits.n_vocab)
            return shoal_fail(
                err, SHOAL_E_FORMAT, "request %llu: token %d is %d; the vocabulary has %d",
                (unsigned long long)q->request, i, q->prompt[i], r->head.limits.n_vocab);
    out->kind = STEP_LOG_REQUEST;
    r->counts.n_requests++;
    return SHOAL_OK;
}

static enum shoal_status read_end(struct step_log_reader *r, size_t n, struct step_log_record *out,
                                  struct shoal_error *err)
{
    struct byte_reader in = {.bytes = r->bytes, .n = n};
    const struct step_log_counts counts = {
        .n_requests = read_u64(&in), .n_plans = read_u64(&in), .n_results = read_u64(&in)};

    if (in.is_short || in.at != n || counts.n_requests != r->counts.n_requests ||
        counts.n_plans != r->counts.n_plans || counts.n_results != r->counts.n_results)
        return shoal_fail(
            err, SHOAL_E_FORMAT,
            "the end counts %llu requests, %llu plans and %llu results; there are "
            "%llu, %llu and %llu",
            (unsigned long long)counts.n_requests, (unsigned long long)counts.n_plans,
            (unsigned long long)counts.n_results, (unsigned long long)r->counts.n_requests,
            (unsigned long long)r->counts.n_plans, (unsigned long long)r->counts.n_results);
    if (fgetc(r->file) != EOF)
        return shoal_fail(err, SHOAL_E_FORMAT, "there are bytes after the end");
    out->kind = STEP_LOG_END;
    r->is_over = true;
    return SHOAL_OK;
}

static enum shoal_status read_content(struct step_log_reader *r, const struct record_head *head,
                                      struct step_log_record *out, struct shoal_error *err)
{
    const size_t n = (size_t)head->n_bytes;
    enum shoal_status status;

    switch (head->tag) {
    case LOG_TAG_REQUEST:
        return read_request(r, n, out, err);
    case LOG_TAG_PLAN:
        status = step_plan_unpack(&r->plan, r->bytes, n, err);
        if (status)
            return status;
        if (r->plan.group != head->group)
            break;
        out->kind = STEP_LOG_PLAN;
        out->plan = &r->plan;
        r->counts.n_plans++;
        return SHOAL_OK;
    case LOG_TAG_RESULT:
        status = step_result_unpack(&r->result, &r->head.limits, r->bytes, n, err);
        if (status)
            return status;
        if (r->result.group != head->group)
            break;
        out->kind = STEP_LOG_RESULT;
        out->result = &r->result;
        r->counts.n_results++;
        return SHOAL_OK;
    default:
        return read_end(r, n, out, err);
    }
    return shoal_fail(err, SHOAL_E_FORMAT, "a record of group %d is inside one of group %d",
                      head->tag == LOG_TAG_PLAN ? r->plan.group : r->result.group, head->group);
}

static enum shoal_status check_record_head(struct step_log_reader *r, struct record_head *head,
                                           const uint8_t bytes[static LOG_RECORD_BYTES],
                                           struct shoal_error *err)
{
    struct byte_reader in = {.bytes = bytes, .n = LOG_RECORD_BYTES};

    head->tag = read_u32(&in);
    head->group = read_i32(&in);
    head->n_bytes = read_u64(&in);
    head->check = log_check(bytes, in.at, 0);
    if (read_u32(&in) != head->check)
        return shoal_fail(err, SHOAL_E_FORMAT, "the head of a record was changed");

    const uint64_t most = max_bytes(r, head->tag);
    const bool has_group = head->tag == LOG_TAG_PLAN || head->tag == LOG_TAG_RESULT;
    if (most == 0)
        return shoal_fail(err, SHOAL_E_FORMAT, "no record has the tag 0x%08x", head->tag);
    if (head->n_bytes > most)
        return shoal_fail(err, SHOAL_E_FORMAT, "a record of %llu bytes; the limits allow %llu",
                          (unsigned long long)head->n_bytes, (unsigned long long)most);
    if (has_group ? head->group < 0 || head->group >= r->head.n_groups : head->group != -1)
        return shoal_fail(err, SHOAL_E_FORMAT, "a record of shard group %d; there are %d",
                          head->group, r->head.n_groups);
    return SHOAL_OK;
}

/* SHOAL_OK with a record or STEP_LOG_CUT in out. */
static enum shoal_status read_record(struct step_log_reader *r, struct step_log_record *out,
                                     struct shoal_error *err)
{
    uint8_t bytes[LOG_RECORD_BYTES];
    struct record_head head;
    uint32_t check;
    size_t n_got;
    enum shoal_status status;
    enum got got = get(r, bytes, sizeof bytes, &n_got);

    if (got == GOT_ALL) {
        status = check_record_head(r, &head, bytes, err);
        if (status)
            return status;
        got = get_bytes(r, (size_t)head.n_bytes);
    }
    if (got == GOT_PART) {
        out->kind = STEP_LOG_CUT;
        out->at = r->at;
        r->is_over = true;
        return SHOAL_OK;
    }
    if (got != GOT_ALL)
        return fail_read(r, got, err);
    memcpy(&check, bytes + LOG_RECORD_BYTES - sizeof check, sizeof check);
    if (log_check(r->bytes, (size_t)head.n_bytes, head.check) != check)
        return shoal_fail(err, SHOAL_E_FORMAT, "the bytes of a record were changed");
    return read_content(r, &head, out, err);
}

enum shoal_status step_log_reader_next(struct step_log_reader *r, struct step_log_record *out,
                                       struct shoal_error *err)
{
    enum shoal_status status;

    if (!r->is_over) {
        memset(&r->last, 0, sizeof r->last);
        r->last.at = r->at;
        status = read_record(r, &r->last, &r->failure);
        if (status) {
            r->is_over = true;
            if (status != SHOAL_E_IO && status != SHOAL_E_NO_MEMORY)
                shoal_error_prefix(&r->failure, "step log %s: byte %llu", r->path,
                                   (unsigned long long)r->last.at);
        }
        r->last.counts = r->counts;
    }
    if (r->failure.status) {
        if (err)
            *err = r->failure;
        return r->failure.status;
    }
    *out = r->last;
    return SHOAL_OK;
}

enum shoal_status step_log_cut(const struct step_log_reader *r,
                               const struct step_log_record *record, struct shoal_error *err)
{
    return shoal_fail(err, SHOAL_E_INTERRUPTED,
                      "step log %s: cut short at byte %llu, after %llu plans and %llu results",
                      r->path, (unsigned long long)record->at,
                      (unsigned long long)record->counts.n_plans,
                      (unsigned long long)record->counts.n_results);
}
