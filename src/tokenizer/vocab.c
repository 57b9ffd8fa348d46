#include "tokenizer/vocab.h"

#include "base/log.h"
#include "base/mem.h"
#include "tokenizer/byte_map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* SentencePiece writes a blank as U+2581 in its pieces. */
static const char spm_blank[] = "\xe2\x96\x81";
enum { SPM_BLANK_BYTES = 3 };

static const char *const end_texts[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>",   "<|endoftext|>",
    "</s>",       "<|eom_id|>", "<EOT>",   "<|end_of_text|>",
};
static const char *const mark_texts[] = {"<start_of_turn>", "[INST]", "[/INST]"};

static bool equals(const char *bytes, size_t n, const char *text)
{
    return strlen(text) == n && memcmp(bytes, text, n) == 0;
}

static bool is_one_of(const char *bytes, size_t n, const char *const texts[], size_t n_texts)
{
    for (size_t i = 0; i < n_texts; i++)
        if (equals(bytes, n, texts[i]))
            return true;
    return false;
}

static bool ends_generation(const struct vocab *v, int32_t id)
{
    size_t n;
    const char *bytes = vocab_bytes(v, id, &n);

    return is_one_of(bytes, n, end_texts, sizeof end_texts / sizeof *end_texts);
}

bool vocab_is_mark(const struct vocab *v, int32_t id)
{
    const enum token_kind kind = (enum token_kind)v->kinds[id];
    size_t n;
    const char *bytes = vocab_bytes(v, id, &n);

    if (kind == TOKEN_CONTROL || kind == TOKEN_UNKNOWN)
        return true;
    if (kind != TOKEN_USER_DEFINED)
        return false;
    if (n > 4 && memcmp(bytes, "<|", 2) == 0 && memcmp(bytes + n - 2, "|>", 2) == 0)
        return true;
    return is_one_of(bytes, n, mark_texts, sizeof mark_texts / sizeof *mark_texts);
}

static enum shoal_status read_model(struct vocab *v, const struct gguf *g, struct shoal_error *err)
{
    struct gguf_string name;
    enum shoal_status status = gguf_get_string(g, "tokenizer.ggml.model", &name, err);

    if (status != SHOAL_OK)
        return status;
    if (name.n == 0)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "%s: no tokenizer: the key tokenizer.ggml.model is absent; use a file "
                          "that holds its vocabulary",
                          gguf_name(g));
    if (equals(name.bytes, name.n, "gpt2"))
        v->model = VOCAB_BPE;
    else if (equals(name.bytes, name.n, "llama"))
        v->model = VOCAB_SPM;
    else if (equals(name.bytes, name.n, "bytes"))
        v->model = VOCAB_BYTES;
    else
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "%s: tokenizer model \"%.*s\": shoal has gpt2 (byte-level BPE), llama "
                          "(SentencePiece) and bytes",
                          gguf_name(g), (int)(name.n < 64 ? name.n : 64), name.bytes);
    return SHOAL_OK;
}

/* The array at key, NULL where it is absent; n elements of a kind that is_wanted takes. */
static enum shoal_status find_array(const struct gguf *g, const char *key, int64_t n,
                                    bool (*is_wanted)(enum gguf_value_type),
                                    const struct gguf_kv **out, struct shoal_error *err)
{
    const struct gguf_kv *kv = gguf_find(g, key);

    *out = NULL;
    if (!kv)
        return SHOAL_OK;
    if (kv->type != GGUF_ARRAY || !is_wanted(kv->element_type))
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: %s is not an array of the type it should have",
                          gguf_name(g), key);
    if (n >= 0 && kv->n != (uint64_t)n)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "%s: %s has %llu elements, but the vocabulary has %lld tokens",
                          gguf_name(g), key, (unsigned long long)kv->n, (long long)n);
    *out = kv;
    return SHOAL_OK;
}

static bool is_string(enum gguf_value_type type)
{
    return type == GGUF_STRING;
}

static bool is_float(enum gguf_value_type type)
{
    return type == GGUF_F32 || type == GGUF_F64;
}

static bool is_integer(enum gguf_value_type type)
{
    return type != GGUF_STRING && type != GGUF_ARRAY && type != GGUF_BOOL && !is_float(type);
}

static enum shoal_status take_arrays(struct vocab *v, struct shoal_error *err)
{
    const size_t n = (size_t)v->n;

    v->starts = mem_new(n + 1, sizeof *v->starts);
    v->kinds = mem_new(n, sizeof *v->kinds);
    v->scores = v->model == VOCAB_SPM ? mem_new(n, sizeof *v->scores) : NULL;
    if (!v->starts || !v->kinds || (v->model == VOCAB_SPM && !v->scores))
        return shoal_fail_memory(err, "vocabulary", n * (sizeof *v->starts + 5));
    return SHOAL_OK;
}

static enum shoal_status fill_bytes_model(struct vocab *v, struct shoal_error *err)
{
    v->n = 256;
    const enum shoal_status status = take_arrays(v, err);
    if (status != SHOAL_OK)
        return status;
    for (int i = 0; i < 256; i++) {
        const uint8_t byte = (uint8_t)i;
        text_add(&v->bytes, &byte, 1);
        v->starts[i + 1] = v->bytes.n;
        v->kinds[i] = TOKEN_BYTE;
    }
    return v->bytes.failed ? shoal_fail_memory(err, "vocabulary", 256) : SHOAL_OK;
}

/* "<0x0A>": its byte, or -1. */
static int byte_of_name(struct gguf_string s)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *high, *low;

    if (s.n != 6 || memcmp(s.bytes, "<0x", 3) != 0 || s.bytes[5] != '>' || !s.bytes[3] ||
        !s.bytes[4])
        return -1;
    high = strchr(digits, s.bytes[3]);
    low = strchr(digits, s.bytes[4]);
    return high && low ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

static void add_with_blanks(struct text *out, struct gguf_string s)
{
    for (size_t i = 0; i < s.n;) {
        if (s.n - i >= SPM_BLANK_BYTES && memcmp(s.bytes + i, spm_blank, SPM_BLANK_BYTES) == 0) {
            text_add(out, " ", 1);
            i += SPM_BLANK_BYTES;
        } else {
            text_add(out, s.bytes + i++, 1);
        }
    }
}

static enum shoal_status add_spm_token(struct vocab *v, const struct gguf *g, int32_t id,
                                       struct gguf_string s, bool has_kinds,
                                       struct shoal_error *err)
{
    const int byte = byte_of_name(s);

    if (!has_kinds && byte >= 0)
        v->kinds[id] = TOKEN_BYTE;
    if (v->kinds[id] != TOKEN_BYTE) {
        add_with_blanks(&v->bytes, s);
        return SHOAL_OK;
    }
    if (byte < 0)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "%s: token %d is a byte token but is not spelled <0xHH>", gguf_name(g),
                          (int)id);
    text_add(&v->bytes, &(uint8_t){(uint8_t)byte}, 1);
    return SHOAL_OK;
}

static void add_bpe_token(struct vocab *v, const struct byte_map *map, int32_t id,
                          struct gguf_string s)
{
    size_t n;

    if (v->kinds[id] == TOKEN_CONTROL || v->kinds[id] == TOKEN_USER_DEFINED ||
        v->kinds[id] == TOKEN_UNKNOWN) {
        text_add(&v->bytes, s.bytes, s.n);
        return;
    }
    if (!text_reserve(&v->bytes, v->bytes.n + s.n))
        return;
    if (byte_map_decode(map, s.bytes, s.n, v->bytes.bytes + v->bytes.n, &n)) {
        v->bytes.n += n;
        v->bytes.bytes[v->bytes.n] = '\0';
        return;
    }
    /* not of the byte alphabet: no merge can make it, but the model might emit it */
    v->kinds[id] = TOKEN_UNUSED;
    text_add(&v->bytes, s.bytes, s.n);
}

static enum shoal_status read_kinds(struct vocab *v, const struct gguf *g, bool *has_kinds,
                                    struct shoal_error *err)
{
    const struct gguf_kv *kv;
    const enum shoal_status status =
        find_array(g, "tokenizer.ggml.token_type", v->n, is_integer, &kv, err);

    if (status != SHOAL_OK)
        return status;
    *has_kinds = kv != NULL;
    for (int32_t i = 0; i < v->n; i++) {
        const int64_t kind = kv ? gguf_array_i64(kv, (uint64_t)i) : TOKEN_NORMAL;
        v->kinds[i] = kind >= TOKEN_NORMAL && kind <= TOKEN_BYTE ? (uint8_t)kind : TOKEN_NORMAL;
    }
    return SHOAL_OK;
}

static enum shoal_status read_scores(struct vocab *v, const struct gguf *g, struct shoal_error *err)
{
    const struct gguf_kv *kv;
    const enum shoal_status status =
        find_array(g, "tokenizer.ggml.scores", v->n, is_float, &kv, err);

    if (status != SHOAL_OK)
        return status;
    if (!kv)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "%s: the SentencePiece vocabulary has no tokenizer.ggml.scores",
                          gguf_name(g));
    for (int32_t i = 0; i < v->n; i++) {
        v->scores[i] = gguf_array_float(kv, (uint64_t)i);
        if (isnan(v->scores[i]))
            return shoal_fail(err, SHOAL_E_FORMAT, "%s: the score of token %d is not a number",
                              gguf_name(g), (int)i);
    }
    return SHOAL_OK;
}

static enum shoal_status read_tokens(struct vocab *v, const struct gguf *g, bool *has_kinds,
                                     struct shoal_error *err)
{
    const struct gguf_kv *kv;
    const uint8_t *cursor;
    struct byte_map map;
    enum shoal_status status = find_array(g, "tokenizer.ggml.tokens", -1, is_string, &kv, err);

    if (status != SHOAL_OK)
        return status;
    if (!kv || kv->n == 0 || kv->n >= INT32_MAX)
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: tokenizer.ggml.tokens holds %llu tokens",
                          gguf_name(g), kv ? (unsigned long long)kv->n : 0);
    v->n = (int32_t)kv->n;
    status = take_arrays(v, err);
    if (status == SHOAL_OK)
        status = read_kinds(v, g, has_kinds, err);
    if (status == SHOAL_OK && v->model == VOCAB_SPM)
        status = read_scores(v, g, err);
    byte_map_init(&map);
    cursor = kv->value;
    for (int32_t i = 0; status == SHOAL_OK && i < v->n; i++) {
        const struct gguf_string s = gguf_next_string(&cursor);
        if (v->model == VOCAB_SPM)
            status = add_spm_token(v, g, i, s, *has_kinds, err);
        else
            add_bpe_token(v, &map, i, s);
        v->starts[i + 1] = v->bytes.n;
    }
    if (status == SHOAL_OK && v->bytes.failed)
        status = shoal_fail_memory(err, "vocabulary", v->bytes.n);
    return status;
}

/* The id at key; fallback when the key is absent; -1, with a warning, when there is no such token.
 */
static enum shoal_status read_id(const struct vocab *v, const struct gguf *g, const char *key,
                                 int32_t fallback, int32_t *out, struct shoal_error *err)
{
    int64_t id;
    const enum shoal_status status = gguf_get_i64(g, key, fallback, INT64_MIN, INT64_MAX, &id, err);

    if (status != SHOAL_OK)
        return status;
    if (id < 0 || id >= v->n) {
        if (gguf_find(g, key))
            log_warn("%s: %s is %lld, but there are %d tokens: taken as none", gguf_name(g), key,
                     (long long)id, (int)v->n);
        id = -1;
    }
    *out = (int32_t)id;
    return SHOAL_OK;
}

/* What the format gives to a file that does not name the token. Ordinary text is never taken for a
 * begin or end token. */
static int32_t fallback_id(const struct vocab *v, int32_t id, bool has_kinds)
{
    if (id >= v->n)
        return -1;
    if (v->kinds[id] == TOKEN_CONTROL || v->kinds[id] == TOKEN_UNKNOWN || ends_generation(v, id))
        return id;
    return v->model == VOCAB_SPM && !has_kinds ? id : -1;
}

static enum shoal_status read_special(struct vocab *v, const struct gguf *g, bool has_kinds,
                                      int32_t turn_ends[2], struct shoal_error *err)
{
    const bool is_spm = v->model == VOCAB_SPM;
    struct gguf_string pre;
    const struct {
        const char *key;
        int32_t fallback;
        int32_t *out;
    } ids[] = {
        {"tokenizer.ggml.bos_token_id", fallback_id(v, is_spm ? 1 : 11, has_kinds),
         &v->special.bos},
        {"tokenizer.ggml.eos_token_id", fallback_id(v, is_spm ? 2 : 11, has_kinds),
         &v->special.eos},
        {"tokenizer.ggml.unknown_token_id", is_spm ? fallback_id(v, 0, has_kinds) : -1,
         &v->special.unknown},
        {"tokenizer.ggml.padding_token_id", -1, &v->special.padding},
        {"tokenizer.ggml.eot_token_id", -1, &turn_ends[0]},
        {"tokenizer.ggml.eom_token_id", -1, &turn_ends[1]},
    };
    enum shoal_status status = gguf_get_string(g, "tokenizer.ggml.pre", &pre, err);

    for (size_t i = 0; status == SHOAL_OK && i < sizeof ids / sizeof *ids; i++)
        status = read_id(v, g, ids[i].key, ids[i].fallback, ids[i].out, err);
    if (status != SHOAL_OK)
        return status;
    const bool begins = is_spm || (pre.bytes && equals(pre.bytes, pre.n, "llama-bpe"));
    status = gguf_get_bool(g, "tokenizer.ggml.add_bos_token", begins, &v->special.add_bos, err);
    if (status == SHOAL_OK)
        status = gguf_get_bool(g, "tokenizer.ggml.add_eos_token", false, &v->special.add_eos, err);
    if (status == SHOAL_OK && is_spm)
        status =
            gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", true, &v->add_space_prefix, err);
    if (status == SHOAL_OK && is_spm)
        status = gguf_get_bool(g, "tokenizer.ggml.remove_extra_whitespaces", false,
                               &v->remove_extra_whitespaces, err);
    return status;
}

/* The tokens that end a generation; they are control tokens whatever the file calls them, and so is
 * the begin token of a file that gives no kinds. */
static enum shoal_status collect_ends(struct vocab *v, const int32_t turn_ends[2], bool has_kinds,
                                      struct shoal_error *err)
{
    const int32_t named[] = {v->special.eos, turn_ends[0], turn_ends[1]};

    for (int32_t pass = 0; pass < 2; pass++) {
        v->n_ends = 0;
        for (int32_t id = 0; id < v->n; id++) {
            bool ends = ends_generation(v, id);
            for (size_t i = 0; i < sizeof named / sizeof *named; i++)
                ends = ends || named[i] == id;
            if (!ends)
                continue;
            if (v->ends) {
                v->ends[v->n_ends] = id;
                v->kinds[id] = TOKEN_CONTROL;
            }
            v->n_ends++;
        }
        if (!v->ends)
            v->ends = mem_new((size_t)v->n_ends, sizeof *v->ends);
        if (!v->ends)
            return shoal_fail_memory(err, "end tokens", (size_t)v->n_ends * sizeof *v->ends);
    }
    if (v->special.bos >= 0 && !has_kinds)
        v->kinds[v->special.bos] = TOKEN_CONTROL;
    return SHOAL_OK;
}

enum shoal_status vocab_init(struct vocab *v, const struct gguf *g, struct shoal_error *err)
{
    int32_t turn_ends[2] = {-1, -1};
    bool has_kinds = false;
    enum shoal_status status;

    *v = (struct vocab){.special = {-1, -1, -1, -1, false, false}};
    status = read_model(v, g, err);
    if (status != SHOAL_OK)
        return status;
    if (v->model == VOCAB_BYTES)
        return fill_bytes_model(v, err);
    status = read_tokens(v, g, &has_kinds, err);
    if (status == SHOAL_OK)
        status = read_special(v, g, has_kinds, turn_ends, err);
    return status == SHOAL_OK ? collect_ends(v, turn_ends, has_kinds, err) : status;
}

void vocab_fini(struct vocab *v)
{
    text_fini(&v->bytes);
    mem_free(v->starts);
    mem_free(v->kinds);
    mem_free(v->scores);
    mem_free(v->ends);
    *v = (struct vocab){0};
}
