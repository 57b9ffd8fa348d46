#include "cli/inspection.h"

#include "base/json_out.h"

#include <stdio.h>

static void line(struct text *out, const char *label, const char *value)
{
    text_printf(out, "  %-22s %s\n", label, value);
}

static void number(struct text *out, const char *label, double value)
{
    text_printf(out, "  %-22s %.10g\n", label, value);
}

static void bytes(struct text *out, const char *label, uint64_t n)
{
    char shown[32];

    text_printf(out, "  %-22s %s\n", label, format_bytes(n, shown));
}

static void string_of(const struct gguf *g, const char *key, struct text *out)
{
    struct gguf_string value = {0};

    text_clear(out);
    text_add_str(out, "");
    if (gguf_get_string(g, key, &value, NULL) == SHOAL_OK && value.bytes)
        text_add(out, value.bytes, value.n);
}

static void print_model(const struct model *m, struct text *out)
{
    const struct model_hparams *hp = &m->hp;
    char heads[64];

    text_add_str(out, "\nmodel\n");
    line(out, "name", m->name);
    line(out, "architecture", m->arch);
    number(out, "layers", hp->n_layer);
    number(out, "embedding", hp->n_embd);
    snprintf(heads, sizeof heads, "%d of %d, %d for K and V", hp->n_head, hp->head_dim,
             hp->n_head_kv);
    line(out, "heads", heads);
    number(out, "feed-forward", hp->n_ff);
    number(out, "vocabulary", hp->n_vocab);
    number(out, "context", hp->n_ctx);
    if (hp->n_rot > 0)
        number(out, "RoPE base", hp->rope_base);
    line(out, "output matrix", m->is_tied ? "the embedding" : "its own");
}

static void print_tokenizer(const struct inspection *x, struct text *out)
{
    const struct tokenizer_special *special = tokenizer_special(x->tokenizer);
    struct text value = {0};

    text_add_str(out, "\ntokenizer\n");
    string_of(x->gguf, "tokenizer.ggml.model", &value);
    line(out, "model", value.failed ? "" : value.bytes);
    string_of(x->gguf, "tokenizer.ggml.pre", &value);
    if (value.n > 0)
        line(out, "pre-tokenizer", value.bytes);
    number(out, "tokens", tokenizer_n_vocab(x->tokenizer));
    number(out, "begin token", special->bos);
    number(out, "end token", special->eos);
    line(out, "chat template", chat_family_name(x->chat));
    text_fini(&value);
}

static void print_types(const struct inspection *x, struct text *out)
{
    char shown[32];

    text_printf(out, "\ntensors%24lld tensors, %.1f million parameters\n",
                (long long)gguf_n_tensors(x->gguf), (double)x->n_parameters * 1e-6);
    for (int i = 0; i < GGUF_TYPE_COUNT; i++)
        if (x->types[i].n_tensors > 0)
            text_printf(out, "  %-22s %-6lld %s\n", gguf_type_info((uint32_t)i)->name,
                        (long long)x->types[i].n_tensors, format_bytes(x->types[i].n_bytes, shown));
}

static void put_shape(const struct gguf_tensor *t, const char *between, struct text *out)
{
    for (int32_t d = 0; d < t->n_dims; d++) {
        if (d > 0)
            text_add_str(out, between);
        text_printf(out, "%lld", (long long)t->ne[d]);
    }
}

static void print_tensors(const struct inspection *x, struct text *out)
{
    for (int64_t i = 0; i < gguf_n_tensors(x->gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(x->gguf, i);
        text_printf(out, "  %-40s %-6s ", t->name, gguf_type_info(t->type)->name);
        put_shape(t, " x ", out);
        text_add_str(out, "\n");
    }
}

static void print_memory(const struct inspection *x, struct text *out)
{
    char label[64], token[32], all[32];

    text_add_str(out, "\nmemory\n");
    bytes(out, "weights, packed", x->weight_bytes);
    for (int i = 0; i < KV_DTYPE_COUNT; i++) {
        if (x->kv_token_bytes[i] == 0)
            continue;
        snprintf(label, sizeof label, "KV a token, %s", kv_dtype_name((enum kv_dtype)i));
        text_printf(
            out, "  %-22s %s; %s for %d tokens\n", label, format_bytes(x->kv_token_bytes[i], token),
            format_bytes(x->kv_token_bytes[i] * (uint64_t)x->max_model_len, all), x->max_model_len);
    }
    bytes(out, "step memory of a rank", x->step_bytes);
    text_printf(out, "  with a budget of %d tokens, %d sequences, %d thread%s\n", x->max_tokens,
                x->max_seqs, x->n_threads, x->n_threads == 1 ? "" : "s");
}

void inspection_print(const struct inspection *x, bool lists_tensors, struct text *out)
{
    char shown[32];

    text_printf(out, "file\n  %-22s %s\n  %-22s %s\n", "name", gguf_name(x->gguf), "size",
                format_bytes(x->n_bytes, shown));
    if (x->model)
        print_model(x->model, out);
    if (x->tokenizer)
        print_tokenizer(x, out);
    print_types(x, out);
    if (lists_tensors)
        print_tensors(x, out);
    if (x->model)
        print_memory(x, out);
}

static void json_model(const struct model *m, struct text *out)
{
    const struct model_hparams *hp = &m->hp;

    text_add_str(out, ",\"model\":{\"name\":");
    json_put_words(out, m->name);
    text_add_str(out, ",\"architecture\":");
    json_put_words(out, m->arch);
    text_printf(out,
                ",\"n_layer\":%d,\"n_embd\":%d,\"n_head\":%d,\"n_head_kv\":%d,\"head_dim\":%d,"
                "\"n_ff\":%d,\"n_vocab\":%d,\"n_ctx\":%d,\"norm_eps\":%.9g,\"n_rot\":%d,"
                "\"rope_base\":%.9g,\"is_tied\":%s}",
                hp->n_layer, hp->n_embd, hp->n_head, hp->n_head_kv, hp->head_dim, hp->n_ff,
                hp->n_vocab, hp->n_ctx, (double)hp->norm_eps, hp->n_rot, hp->rope_base,
                m->is_tied ? "true" : "false");
}

static void json_tokenizer(const struct inspection *x, struct text *out)
{
    const struct tokenizer_special *special = tokenizer_special(x->tokenizer);
    struct text value = {0};

    string_of(x->gguf, "tokenizer.ggml.model", &value);
    text_add_str(out, ",\"tokenizer\":{\"model\":");
    json_put_string(out, value.bytes, value.n);
    string_of(x->gguf, "tokenizer.ggml.pre", &value);
    text_add_str(out, ",\"pre\":");
    json_put_string(out, value.bytes, value.n);
    text_printf(out, ",\"n_vocab\":%d,\"bos\":%d,\"eos\":%d,\"chat_template\":",
                tokenizer_n_vocab(x->tokenizer), special->bos, special->eos);
    json_put_words(out, chat_family_name(x->chat));
    text_add_str(out, "}");
    text_fini(&value);
}

static void json_types(const struct inspection *x, struct text *out)
{
    bool is_first = true;

    text_printf(out, ",\"n_tensors\":%lld,\"n_parameters\":%lld,\"types\":{",
                (long long)gguf_n_tensors(x->gguf), (long long)x->n_parameters);
    for (int i = 0; i < GGUF_TYPE_COUNT; i++) {
        if (x->types[i].n_tensors == 0)
            continue;
        text_printf(out, "%s\"%s\":{\"tensors\":%lld,\"bytes\":%llu}", is_first ? "" : ",",
                    gguf_type_info((uint32_t)i)->name, (long long)x->types[i].n_tensors,
                    (unsigned long long)x->types[i].n_bytes);
        is_first = false;
    }
    text_add_str(out, "}");
}

static void json_tensors(const struct inspection *x, struct text *out)
{
    text_add_str(out, ",\"tensors\":[");
    for (int64_t i = 0; i < gguf_n_tensors(x->gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(x->gguf, i);
        text_add_str(out, i ? ",{\"name\":" : "{\"name\":");
        json_put_words(out, t->name);
        text_printf(out, ",\"type\":\"%s\",\"shape\":[", gguf_type_info(t->type)->name);
        put_shape(t, ",", out);
        text_printf(out, "],\"bytes\":%zu}", t->n_bytes);
    }
    text_add_str(out, "]");
}

static void json_memory(const struct inspection *x, struct text *out)
{
    text_printf(out, ",\"memory\":{\"weights\":%llu,\"step\":%llu,\"kv_bytes_per_token\":{",
                (unsigned long long)x->weight_bytes, (unsigned long long)x->step_bytes);
    for (int i = 0; i < KV_DTYPE_COUNT; i++)
        text_printf(out, "%s\"%s\":%llu", i ? "," : "", kv_dtype_name((enum kv_dtype)i),
                    (unsigned long long)x->kv_token_bytes[i]);
    text_printf(out,
                "},\"max_num_batched_tokens\":%d,\"max_num_seqs\":%d,\"max_model_len\":%d,"
                "\"threads\":%d}",
                x->max_tokens, x->max_seqs, x->max_model_len, x->n_threads);
}

void inspection_print_json(const struct inspection *x, bool lists_tensors, struct text *out)
{
    text_add_str(out, "{\"file\":");
    json_put_words(out, gguf_name(x->gguf));
    text_printf(out, ",\"bytes\":%zu", x->n_bytes);
    if (x->model)
        json_model(x->model, out);
    if (x->tokenizer)
        json_tokenizer(x, out);
    json_types(x, out);
    if (lists_tensors)
        json_tensors(x, out);
    if (x->model)
        json_memory(x, out);
    text_add_str(out, "}\n");
}
