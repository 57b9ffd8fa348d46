/* shoal inspect - what a model file holds, and the memory it will need */
#include "cli/commands.h"

#include "base/env_rank.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/inspection.h"
#include "cli/result_file.h"
#include "engine/engine.h"
#include "engine/local_model.h"
#include "engine/options.h"
#include "kv/store.h"
#include "model/forward.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct inspect_options {
    bool tensors, json;
    const char *extract;
};

#define FIELD(name) offsetof(struct inspect_options, name)

static const struct setting settings[] = {
    {.name = "tensors",
     .kind = SETTING_FLAG,
     .offset = FIELD(tensors),
     .help = "list every tensor",
     .group = "Output"},
    {.name = "json", .kind = SETTING_FLAG, .offset = FIELD(json), .help = "print JSON"},
    {.name = "extract",
     .kind = SETTING_STRING,
     .offset = FIELD(extract),
     .value = "FILE",
     .help = "write the GGUF of a built-in model (embedded, tiny) to this file"},
};

static const struct command command = {
    .name = "inspect",
    .usage = "[options] [FILE]",
    .about = "Prints what a model file holds (architecture, sizes, tensors, tokenizer, chat "
             "template) and the memory that it will need with the options given. FILE is the same "
             "as --model FILE; a file that holds a vocabulary and no tensors is fine.",
    .arguments = "FILE",
    .examples = "shoal inspect model.gguf\n"
                "shoal inspect --tensors --json model.gguf\n"
                "shoal inspect embedded --extract embedded.gguf",
};

/* The parts that a file may have; each is closed when it is there. */
struct parts {
    struct gguf *gguf;
    void *built_in;
    struct model *model;
    struct tokenizer *tokenizer;
    struct chat_template *chat;
};

static void close_parts(struct parts *p)
{
    chat_template_destroy(p->chat);
    tokenizer_destroy(p->tokenizer);
    model_close(p->model);
    gguf_close(p->gguf);
    mem_free(p->built_in);
}

static void count_tensors(struct inspection *x)
{
    for (int64_t i = 0; i < gguf_n_tensors(x->gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(x->gguf, i);
        int64_t n = 1;
        for (int32_t d = 0; d < t->n_dims; d++)
            n *= t->ne[d];
        x->n_parameters += n;
        x->types[t->type].n_tensors++;
        x->types[t->type].n_bytes += t->n_bytes;
    }
}

static void count_memory(struct inspection *x, const struct shoal_options *options)
{
    const struct model_hparams *hp = &x->model->hp;
    const int32_t budget = options->max_num_batched_tokens;
    struct kernels kernels;

    kernels_init(&kernels, cpu_isa_best());
    x->max_tokens = budget;
    x->max_seqs = options->max_num_seqs < budget ? options->max_num_seqs : budget;
    x->max_model_len = options->max_model_len ? options->max_model_len : hp->n_ctx;
    x->block_size = options->block_size;
    x->n_threads = local_threads(options->threads);
    x->weight_bytes = model_image_bytes(x->model);
    for (int i = 0; i < KV_DTYPE_COUNT; i++) {
        const struct kv_store_options block = {.dtype = (enum kv_dtype)i,
                                               .n_layer = hp->n_layer,
                                               .n_blocks = 1,
                                               .block_size = x->block_size,
                                               .n_head_kv = hp->n_head_kv,
                                               .head_dim = hp->head_dim};
        x->kv_token_bytes[i] = kv_store_block_bytes(&block) / (uint64_t)x->block_size;
    }
    const struct model_run_options run = {
        .model = x->model,
        .kernels = &kernels,
        .n_threads = x->n_threads,
        .limits = {.max_seqs = x->max_seqs,
                   .max_tokens = x->max_tokens,
                   .max_model_len = x->max_model_len,
                   .block_size = x->block_size,
                   .n_blocks = 1,
                   .n_vocab = hp->n_vocab},
    };
    x->step_bytes = model_run_bytes(&run);
}

/* The parts that cannot be had are told about; the rest is printed all the same. */
static int open_parts(struct parts *p, struct inspection *x, const struct shoal_options *options)
{
    const struct model_options model_options = {.weights = engine_parse_weights(options->weights),
                                                .max_positions = options->max_model_len};
    struct shoal_error err;
    int code = EXIT_SUCCESS;

    if (engine_open_gguf(options->model, &p->gguf, &p->built_in, &err)) {
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    x->gguf = p->gguf;
    gguf_bytes(p->gguf, &x->n_bytes);
    count_tensors(x);
    if (tokenizer_create(&p->tokenizer, p->gguf, &err) ||
        chat_template_create(&p->chat, p->gguf, &err)) {
        log_error("%s", err.text);
        code = EXIT_FAILURE;
    }
    x->tokenizer = p->tokenizer;
    x->chat = p->chat ? chat_template_family(p->chat) : CHAT_NONE;
    if (gguf_n_tensors(p->gguf) > 0 && model_open(&p->model, p->gguf, &model_options, &err)) {
        log_error("%s", err.text);
        code = EXIT_FAILURE;
    }
    x->model = p->model;
    if (x->model)
        count_memory(x, options);
    return code;
}

static int extract(const struct inspect_options *o, const struct shoal_options *options)
{
    struct result_file file = {.fd = -1};
    struct gguf *g = NULL;
    void *built_in = NULL;
    struct shoal_error err;
    int code = EXIT_FAILURE;
    size_t n;

    if (engine_open_gguf(options->model, &g, &built_in, &err) ||
        result_file_open(&file, o->extract, &err) || result_file_begin(&file, &err)) {
        log_error("%s", err.text);
    } else {
        const char *bytes = gguf_bytes(g, &n);
        result_file_write(&file, bytes, n);
        code = EXIT_SUCCESS;
    }
    if (!result_file_close(&file))
        code = EXIT_FAILURE;
    gguf_close(g);
    mem_free(built_in);
    return code;
}

static int print(const struct inspect_options *o, const struct shoal_options *options)
{
    struct inspection *x = mem_new(1, sizeof *x);
    struct parts parts = {0};
    struct text out = {0};
    int code = EXIT_FAILURE;

    if (x) {
        code = open_parts(&parts, x, options);
        if (x->gguf && o->json)
            inspection_print_json(x, o->tensors, &out);
        else if (x->gguf)
            inspection_print(x, o->tensors, &out);
    }
    if (!x || out.failed) {
        log_error("out of memory");
        code = EXIT_FAILURE;
    } else if (out.n > 0) {
        fwrite(out.bytes, 1, out.n, stdout);
    }
    text_fini(&out);
    close_parts(&parts);
    mem_free(x);
    return code;
}

int cli_inspect(int argc, char *argv[])
{
    struct shoal_options options;
    struct inspect_options o = {0};
    const struct setting_table tables[] = {
        {settings, sizeof settings / sizeof *settings, &o},
        engine_options_table(&options),
    };
    struct command_line cl;
    int code;

    if (!command_line_open(&cl, &command, tables, 2, argc, argv, &code))
        return code;
    if (cl.arguments.n > 1 || (cl.arguments.n == 1 && command_line_given(&cl, "model"))) {
        code = command_line_refuse(&cl, "one model at a time");
    } else {
        if (cl.arguments.n == 1)
            options.model = cl.arguments.items[0];
        code = engine_options_check(&cl, &options);
    }
    if (!code && o.extract && strcmp(options.model, "embedded") != 0 &&
        strcmp(options.model, "tiny") != 0)
        code = command_line_refuse(&cl, "--extract writes built-in models: embedded or tiny");
    if (!code && env_rank() == 0)
        code = o.extract ? extract(&o, &options) : print(&o, &options);
    command_line_close(&cl);
    return code;
}
