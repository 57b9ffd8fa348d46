#include "tokenizer/tokenizer.h"

#include "base/log.h"
#include "base/mem.h"
#include "tokenizer/bpe.h"
#include "tokenizer/literals.h"
#include "tokenizer/piece.h"
#include "tokenizer/spm.h"
#include "tokenizer/vocab.h"

struct tokenizer {
    struct vocab vocab;
    struct bpe *bpe;            /* of a VOCAB_BPE */
    struct spm *spm;            /* of a VOCAB_SPM */
    struct literals text_only;  /* user-defined tokens that are plain text */
    struct literals with_marks; /* those and the marks */
};

static enum shoal_status add_literals(struct tokenizer *t, struct shoal_error *err)
{
    const struct vocab *v = &t->vocab;

    for (int32_t id = 0; id < v->n; id++) {
        const bool is_mark = vocab_is_mark(v, id);
        size_t n;
        const char *bytes = vocab_bytes(v, id, &n);
        if (!is_mark && v->kinds[id] != TOKEN_USER_DEFINED)
            continue;
        if (!literals_add(&t->with_marks, bytes, n, id) ||
            (!is_mark && !literals_add(&t->text_only, bytes, n, id)))
            return shoal_fail_memory(err, "special tokens", (size_t)v->n * sizeof(struct literal));
    }
    literals_sort(&t->with_marks);
    literals_sort(&t->text_only);
    return SHOAL_OK;
}

enum shoal_status tokenizer_create(struct tokenizer **out, const struct gguf *g,
                                   struct shoal_error *err)
{
    struct tokenizer *t = mem_new(1, sizeof *t);
    enum shoal_status status;

    *out = NULL;
    if (!t)
        return shoal_fail_memory(err, "tokenizer", sizeof *t);
    status = vocab_init(&t->vocab, g, err);
    if (status == SHOAL_OK && t->vocab.model == VOCAB_BPE)
        status = bpe_create(&t->bpe, g, &t->vocab, err);
    if (status == SHOAL_OK && t->vocab.model == VOCAB_SPM) {
        if (gguf_find(g, "tokenizer.ggml.precompiled_charsmap"))
            log_warn("%s: the file's character map (tokenizer.ggml.precompiled_charsmap) is not "
                     "applied: ids of unusual characters may differ",
                     gguf_name(g));
        status = spm_create(&t->spm, &t->vocab, err);
    }
    if (status == SHOAL_OK)
        status = add_literals(t, err);
    if (status != SHOAL_OK) {
        tokenizer_destroy(t);
        return status;
    }
    *out = t;
    return SHOAL_OK;
}

void tokenizer_destroy(struct tokenizer *t)
{
    if (!t)
        return;
    literals_fini(&t->with_marks);
    literals_fini(&t->text_only);
    spm_destroy(t->spm);
    bpe_destroy(t->bpe);
    vocab_fini(&t->vocab);
    mem_free(t);
}

int32_t tokenizer_n_vocab(const struct tokenizer *t)
{
    return t->vocab.n;
}

const struct tokenizer_special *tokenizer_special(const struct tokenizer *t)
{
    return &t->vocab.special;
}

bool tokenizer_is_end(const struct tokenizer *t, int32_t id)
{
    for (int32_t i = 0; i < t->vocab.n_ends; i++)
        if (t->vocab.ends[i] == id)
            return true;
    return false;
}

const int32_t *tokenizer_ends(const struct tokenizer *t, int32_t *n)
{
    *n = t->vocab.n_ends;
    return t->vocab.ends;
}

bool tokenizer_is_control(const struct tokenizer *t, int32_t id)
{
    if (id < 0 || id >= t->vocab.n)
        return false;
    return t->vocab.kinds[id] == TOKEN_CONTROL || t->vocab.kinds[id] == TOKEN_UNKNOWN;
}

int32_t tokenizer_find_special(const struct tokenizer *t, const char *text, size_t n)
{
    return literals_exact(&t->with_marks, text, n);
}

const char *tokenizer_piece_bytes(const struct tokenizer *t, int32_t id, size_t *n)
{
    if (id < 0 || id >= t->vocab.n) {
        *n = 0;
        return "";
    }
    return vocab_bytes(&t->vocab, id, n);
}

bool tokenizer_adds_space_prefix(const struct tokenizer *t)
{
    return t->vocab.add_space_prefix;
}

void tokenizer_piece(const struct tokenizer *t, int32_t id, bool with_control, struct text *out)
{
    size_t n;
    const char *bytes = tokenizer_piece_bytes(t, id, &n);

    if (with_control || !tokenizer_is_control(t, id))
        text_add(out, bytes, n);
}

bool token_list_add(struct token_list *list, int32_t id)
{
    if (list->n == list->capacity) {
        const size_t capacity = list->capacity ? list->capacity * 2 : 64;
        int32_t *ids = mem_resize(list->ids, capacity, sizeof *ids);
        if (!ids)
            return false;
        list->ids = ids;
        list->capacity = capacity;
    }
    list->ids[list->n++] = id;
    return true;
}

void token_list_fini(struct token_list *list)
{
    mem_free(list->ids);
    *list = (struct token_list){0};
}

static enum shoal_status add(struct token_list *out, int32_t id, struct shoal_error *err)
{
    return token_list_add(out, id) ? SHOAL_OK
                                   : shoal_fail_memory(err, "tokens of a text", out->n * 8);
}

static enum shoal_status encode_plain(const struct tokenizer *t, const char *text, size_t n,
                                      struct spm_stretch stretch, struct token_list *out,
                                      struct shoal_error *err)
{
    if (t->bpe)
        return bpe_encode(t->bpe, text, n, out, err);
    if (t->spm)
        return spm_encode(t->spm, text, n, stretch, out, err);
    for (size_t i = 0; i < n; i++)
        if (!token_list_add(out, (uint8_t)text[i]))
            return shoal_fail_memory(err, "tokens of a text", n * sizeof(int32_t));
    return SHOAL_OK;
}

/* Text between literals is plain. A mark ends a run of text; a user-defined token is part of it. */
static enum shoal_status encode_text(const struct tokenizer *t, const char *text, size_t n,
                                     bool parse_marks, struct token_list *out,
                                     struct shoal_error *err)
{
    const struct literals *literals = parse_marks ? &t->with_marks : &t->text_only;
    struct spm_stretch stretch = {.opens = true};
    enum shoal_status status = SHOAL_OK;

    for (size_t at = 0; status == SHOAL_OK && at < n;) {
        size_t start = n, length = 0;
        const int32_t id = literals_find(literals, text, n, at, &start, &length);
        const bool is_mark = id >= 0 && vocab_is_mark(&t->vocab, id);

        stretch.closes = id < 0 || is_mark;
        /* a user-defined token that opens a run still has the prefix blank before it */
        if (start > at || (stretch.opens && !stretch.closes)) {
            status = encode_plain(t, text + at, start - at, stretch, out, err);
            stretch.opens = false;
        }
        if (status == SHOAL_OK && id >= 0)
            status = add(out, id, err);
        if (is_mark)
            stretch.opens = true;
        at = start + length;
    }
    return status;
}

enum shoal_status tokenizer_encode(const struct tokenizer *t, const char *text, size_t n,
                                   unsigned flags, struct token_list *out, struct shoal_error *err)
{
    const struct tokenizer_special *special = &t->vocab.special;
    const size_t n_before = out->n;
    enum shoal_status status = SHOAL_OK;

    if ((flags & TOKENIZE_ADD_BOS_EOS) && special->add_bos && special->bos >= 0)
        status = add(out, special->bos, err);
    if (status == SHOAL_OK)
        status = encode_text(t, text, n, flags & TOKENIZE_SPECIAL, out, err);
    if (status == SHOAL_OK && (flags & TOKENIZE_ADD_BOS_EOS) && special->add_eos &&
        special->eos >= 0)
        status = add(out, special->eos, err);
    if (status != SHOAL_OK)
        out->n = n_before;
    return status;
}
