#include "tokenizer/bpe.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tokenizer/byte_map.h"
#include "tokenizer/merge.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/symbols.h"

#include <string.h>

struct pair {
    int32_t left, right; /* symbols; left is -1 in a free slot */
    int32_t rank, merged;
};

struct bpe {
    struct pretokenizer *pretokenizer;
    struct symbols symbols; /* every string that merging can come to */
    int32_t *token_of;      /* (symbols.n) id, or -1 for a step on the way to one */
    int32_t byte_symbol[256];
    struct pair *pairs; /* (n_pairs) open addressing, a power of two */
    size_t n_pairs;
};

static struct pair *slot_of(const struct bpe *b, int32_t left, int32_t right)
{
    const uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t i = (size_t)rng_mix(key) & (b->n_pairs - 1);

    while (b->pairs[i].left >= 0 && (b->pairs[i].left != left || b->pairs[i].right != right))
        i = (i + 1) & (b->n_pairs - 1);
    return &b->pairs[i];
}

static bool add_tokens(struct bpe *b, const struct vocab *v)
{
    for (int32_t id = 0; id < v->n; id++) {
        size_t n;
        const char *bytes = vocab_bytes(v, id, &n);
        int32_t symbol;
        if ((v->kinds[id] != TOKEN_NORMAL && v->kinds[id] != TOKEN_BYTE) || n == 0)
            continue;
        if (!symbols_add(&b->symbols, bytes, n, &symbol))
            return false;
    }
    for (int i = 0; i < 256; i++)
        if (!symbols_add(&b->symbols, &(uint8_t){(uint8_t)i}, 1, &b->byte_symbol[i]))
            return false;
    return true;
}

/* One line of the merge list: both halves, end to end in scratch, which holds s.n bytes. False when
 * the line is not of the alphabet, so that no text can come to it. */
static bool split_merge(const struct byte_map *map, struct gguf_string s, size_t blank,
                        char *scratch, size_t *n_left, size_t *n_right)
{
    return byte_map_decode(map, s.bytes, blank, scratch, n_left) && *n_left > 0 &&
           byte_map_decode(map, s.bytes + blank + 1, s.n - blank - 1, scratch + *n_left, n_right) &&
           *n_right > 0;
}

static enum shoal_status add_merge(struct bpe *b, const struct gguf *g, const struct byte_map *map,
                                   struct gguf_string s, int32_t rank, struct text *scratch,
                                   struct shoal_error *err)
{
    const char *blank = s.n > 1 ? memchr(s.bytes + 1, ' ', s.n - 1) : NULL;
    size_t n_left, n_right;
    int32_t left, right, merged;
    struct pair *slot;

    if (!blank)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "%s: merge %d is not two symbols with a blank between", gguf_name(g),
                          (int)rank);
    if (!text_reserve(scratch, s.n))
        return shoal_fail_memory(err, "merges", s.n);
    if (!split_merge(map, s, (size_t)(blank - s.bytes), scratch->bytes, &n_left, &n_right))
        return SHOAL_OK;
    if (!symbols_add(&b->symbols, scratch->bytes, n_left, &left) ||
        !symbols_add(&b->symbols, scratch->bytes + n_left, n_right, &right) ||
        !symbols_add(&b->symbols, scratch->bytes, n_left + n_right, &merged))
        return shoal_fail_memory(err, "merges", b->symbols.n_bytes);
    slot = slot_of(b, left, right);
    if (slot->left < 0)
        *slot = (struct pair){left, right, rank, merged};
    return SHOAL_OK;
}

static enum shoal_status add_merges(struct bpe *b, const struct gguf *g, struct shoal_error *err)
{
    const struct gguf_kv *kv = gguf_find(g, "tokenizer.ggml.merges");
    enum shoal_status status = SHOAL_OK;
    struct text scratch = {0};
    struct byte_map map;
    const uint8_t *cursor;

    if (!kv || kv->type != GGUF_ARRAY || kv->element_type != GGUF_STRING || kv->n >= INT32_MAX)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "%s: the byte-level BPE vocabulary has no tokenizer.ggml.merges, an "
                          "array of strings",
                          gguf_name(g));
    b->n_pairs = 64;
    while (b->n_pairs < kv->n * 2)
        b->n_pairs *= 2;
    b->pairs = mem_new(b->n_pairs, sizeof *b->pairs);
    if (!b->pairs)
        return shoal_fail_memory(err, "merges", b->n_pairs * sizeof *b->pairs);
    for (size_t i = 0; i < b->n_pairs; i++)
        b->pairs[i].left = -1;
    byte_map_init(&map);
    cursor = kv->value;
    for (uint64_t i = 0; status == SHOAL_OK && i < kv->n; i++)
        status = add_merge(b, g, &map, gguf_next_string(&cursor), (int32_t)i, &scratch, err);
    text_fini(&scratch);
    return status;
}

static bool link_tokens(struct bpe *b, const struct vocab *v)
{
    b->token_of = mem_new((size_t)b->symbols.n, sizeof *b->token_of);
    if (!b->token_of)
        return false;
    for (int32_t i = 0; i < b->symbols.n; i++)
        b->token_of[i] = -1;
    for (int32_t id = 0; id < v->n; id++) {
        size_t n;
        const char *bytes = vocab_bytes(v, id, &n);
        if ((v->kinds[id] != TOKEN_NORMAL && v->kinds[id] != TOKEN_BYTE) || n == 0)
            continue;
        const int32_t symbol = symbols_find(&b->symbols, bytes, n);
        if (b->token_of[symbol] < 0)
            b->token_of[symbol] = id;
    }
    return true;
}

static enum shoal_status create_pretokenizer(struct bpe *b, const struct gguf *g,
                                             struct shoal_error *err)
{
    struct gguf_string pre;
    enum shoal_status status = gguf_get_string(g, "tokenizer.ggml.pre", &pre, err);

    if (status != SHOAL_OK)
        return status;
    if (pre.n == 0 || (pre.n == 7 && memcmp(pre.bytes, "default", 7) == 0)) {
        log_warn("%s: the file does not name its pre-tokenizer (tokenizer.ggml.pre): gpt-2's is "
                 "used, and ids may differ from those the model was trained with",
                 gguf_name(g));
        pre = (struct gguf_string){"gpt-2", 5};
    }
    status = pretokenizer_create(&b->pretokenizer, pre.bytes, pre.n, err);
    if (status != SHOAL_OK)
        shoal_error_prefix(err, "%s", gguf_name(g));
    return status;
}

enum shoal_status bpe_create(struct bpe **out, const struct gguf *g, const struct vocab *v,
                             struct shoal_error *err)
{
    struct bpe *b = mem_new(1, sizeof *b);
    enum shoal_status status;

    *out = NULL;
    if (!b)
        return shoal_fail_memory(err, "tokenizer", sizeof *b);
    status = create_pretokenizer(b, g, err);
    if (status == SHOAL_OK && !add_tokens(b, v))
        status = shoal_fail_memory(err, "tokens", b->symbols.n_bytes);
    if (status == SHOAL_OK)
        status = add_merges(b, g, err);
    if (status == SHOAL_OK && !link_tokens(b, v))
        status = shoal_fail_memory(err, "tokens", (size_t)b->symbols.n * sizeof *b->token_of);
    if (status != SHOAL_OK) {
        bpe_destroy(b);
        return status;
    }
    *out = b;
    return SHOAL_OK;
}

void bpe_destroy(struct bpe *b)
{
    if (!b)
        return;
    pretokenizer_destroy(b->pretokenizer);
    symbols_fini(&b->symbols);
    mem_free(b->token_of);
    mem_free(b->pairs);
    mem_free(b);
}

static bool find_pair(const void *rules, const struct merge_symbol *left,
                      const struct merge_symbol *right, double *order, int32_t *id)
{
    const struct bpe *b = rules;
    const struct pair *pair = slot_of(b, left->id, right->id);

    if (pair->left < 0)
        return false;
    *order = pair->rank;
    *id = pair->merged;
    return true;
}

static bool add_id(struct token_list *out, int32_t id)
{
    return id < 0 || token_list_add(out, id);
}

/* A symbol that is no token falls back to the tokens of its bytes. */
static bool emit(const struct bpe *b, const char *piece, const struct merge_symbol *symbol,
                 struct token_list *out)
{
    if (b->token_of[symbol->id] >= 0)
        return token_list_add(out, b->token_of[symbol->id]);
    for (size_t i = symbol->start; i < symbol->start + symbol->n; i++)
        if (!add_id(out, b->token_of[b->byte_symbol[(uint8_t)piece[i]]]))
            return false;
    return true;
}

static bool encode_piece(const struct bpe *b, struct merger *m, const char *piece, size_t n,
                         struct token_list *out)
{
    if (n == 1)
        return add_id(out, b->token_of[b->byte_symbol[(uint8_t)piece[0]]]);
    if (pretokenizer_takes_whole_pieces(b->pretokenizer)) {
        const int32_t symbol = symbols_find(&b->symbols, piece, n);
        if (symbol >= 0 && b->token_of[symbol] >= 0)
            return token_list_add(out, b->token_of[symbol]);
    }
    merger_clear(m);
    for (size_t i = 0; i < n; i++)
        if (!merger_add(m, i, 1, b->byte_symbol[(uint8_t)piece[i]]))
            return false;
    if (!merger_run(m, find_pair, b))
        return false;
    for (size_t i = 0; i != MERGE_END; i = m->symbols[i].next)
        if (!emit(b, piece, &m->symbols[i], out))
            return false;
    return true;
}

enum shoal_status bpe_encode(const struct bpe *b, const char *text, size_t n,
                             struct token_list *out, struct shoal_error *err)
{
    struct pretoken_walk walk;
    struct merger merger = {0};
    size_t start, length;
    enum shoal_status status = pretoken_begin(&walk, b->pretokenizer, text, n, err);

    while (status == SHOAL_OK) {
        status = pretoken_next(&walk, &start, &length, err);
        if (status != SHOAL_OK || length == 0)
            break;
        if (!encode_piece(b, &merger, text + start, length, out))
            status = shoal_fail_memory(err, "tokens of a text", n);
    }
    pretoken_end(&walk);
    merger_fini(&merger);
    return status;
}
