/* shoal perplexity - how well a model predicts a text */
#include "cli/commands.h"

#include "base/env_rank.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/option_subset.h"
#include "engine/options.h"
#include "engine/perplexity.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct perplexity_fields {
    const char *text, *compare;
    int32_t ctx, windows;
    uint64_t last_bytes;
    bool json;
};

#define FIELD(name) offsetof(struct perplexity_fields, name)

static const struct setting settings[] = {
    {.name = "text",
     .kind = SETTING_STRING,
     .offset = FIELD(text),
     .value = "FILE",
     .help = "the text to predict",
     .group = "Measurement"},
    {.name = "last-bytes",
     .kind = SETTING_BYTES,
     .offset = FIELD(last_bytes),
     .value = "BYTES",
     .help = "only the end of the text, this long",
     .text_default = "all of it"},
    {.name = "ctx",
     .kind = SETTING_INT,
     .offset = FIELD(ctx),
     .low = PERPLEXITY_MIN_CTX,
     .high = 1 << 24,
     .value = "TOKENS",
     .help = "length of a window"},
    {.name = "windows",
     .kind = SETTING_INT,
     .offset = FIELD(windows),
     .high = INT32_MAX,
     .value = "N",
     .help = "at most so many windows",
     .text_default = "as many as the text fills"},
    {.name = "compare",
     .kind = SETTING_CHOICE,
     .offset = FIELD(compare),
     .choices = "off|f32",
     .value = "WITH",
     .help = "`f32`: run the float32 reference (--weights f32 --kv-cache-dtype f32) beside it, and "
             "say how far this is from it"},
    {.name = "json", .kind = SETTING_FLAG, .offset = FIELD(json), .help = "print one JSON object"},
};

static const char *const engine_names[] = {"model", "weights", "kv-cache-dtype", "threads", "isa"};
enum { N_ENGINE_NAMES = sizeof engine_names / sizeof *engine_names };

static const struct command command = {
    .name = "perplexity",
    .usage = "[options] --text FILE",
    .about = "Cuts a text into windows, end to end without overlap, and lets the model predict the "
             "second half of each, as llama.cpp does. The perplexity is the exponential of the "
             "mean negative log-probability of the scored tokens. The divergence is KL(float32 || "
             "this) in nats a token, over the whole vocabulary.",
    .examples = "shoal perplexity -m model.gguf --text wiki.txt --windows 24\n"
                "shoal perplexity --text input.txt --last-bytes 100000 --compare f32 --json",
};

static enum shoal_status read_text(const char *path, uint64_t last_bytes, struct text *out,
                                   struct shoal_error *err)
{
    FILE *f = fopen(path, "rbe");
    char buffer[1 << 16];
    size_t n;

    if (!f)
        return shoal_fail(err, SHOAL_E_IO, "--text: cannot open %.200s: %s", path, strerror(errno));
    while ((n = fread(buffer, 1, sizeof buffer, f)) > 0)
        text_add(out, buffer, n);
    const int failed = ferror(f) ? errno : 0;
    fclose(f);
    if (failed)
        return shoal_fail(err, SHOAL_E_IO, "--text: cannot read %.200s: %s", path,
                          strerror(failed));
    if (out->failed)
        return shoal_fail_memory(err, "the text", out->n);
    if (last_bytes > 0 && last_bytes < out->n) {
        memmove(out->bytes, out->bytes + (out->n - (size_t)last_bytes), (size_t)last_bytes);
        out->n = (size_t)last_bytes;
    }
    return SHOAL_OK;
}

static void show_progress(void *user, int32_t done, int32_t n_windows, double perplexity)
{
    (void)user;
    fprintf(stderr, "\r\033[Kwindow %d of %d | perplexity %.4f", done, n_windows, perplexity);
    if (done == n_windows)
        fputs("\r\033[K", stderr);
    fflush(stderr);
}

static void print_json(const struct perplexity_options *o, const struct perplexity_result *r)
{
    const struct {
        const char *name;
        double value;
        bool is_compared;
    } numbers[] = {
        {"perplexity", r->perplexity, false},
        {"perplexity_error", r->perplexity_error, false},
        {"perplexity_f32", r->perplexity_f32, true},
        {"mean_kld", r->mean_kld, true},
        {"p999_kld", r->p999_kld, true},
        {"max_kld", r->max_kld, true},
        {"same_top", r->same_top, true},
    };
    struct text out = {0};

    text_add_str(&out, "{\"model\": ");
    json_put_words(&out, o->engine->model);
    text_add_str(&out, ", \"weights\": ");
    json_put_words(&out, o->engine->weights);
    text_add_str(&out, ", \"kv_cache_dtype\": ");
    json_put_words(&out, o->engine->kv_cache_dtype);
    text_printf(&out, ", \"ctx\": %d, \"windows\": %d, \"tokens_scored\": %lld", o->n_ctx,
                r->n_windows, (long long)r->n_scored);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].is_compared && !o->compares)
            continue;
        text_printf(&out, ", \"%s\": ", numbers[i].name);
        json_put_float(&out, numbers[i].value);
    }
    text_add_str(&out, "}\n");
    if (!out.failed)
        fputs(out.bytes, stdout);
    text_fini(&out);
}

static void print_words(const struct perplexity_options *o, const struct perplexity_result *r)
{
    printf("%-40s %d of %d tokens\n", "Windows:", r->n_windows, o->n_ctx);
    printf("%-40s %lld\n", "Scored tokens:", (long long)r->n_scored);
    printf("%-40s %.4f +- %.4f\n", "Perplexity:", r->perplexity, r->perplexity_error);
    if (!o->compares)
        return;
    printf("%-40s %.4f\n", "Perplexity in float32:", r->perplexity_f32);
    printf("%-40s %.6f\n", "Mean divergence (nats a token):", r->mean_kld);
    printf("%-40s %.6f\n", "99.9th percentile of it:", r->p999_kld);
    printf("%-40s %.6f\n", "Largest divergence:", r->max_kld);
    printf("%-40s %.2f %%\n", "Same best token:", 100 * r->same_top);
}

static int measure(const struct command_line *cl, const struct shoal_options *engine,
                   const struct perplexity_fields *f)
{
    struct text text = {0};
    struct shoal_error err;
    struct perplexity_result result;
    enum shoal_status status = read_text(f->text, f->last_bytes, &text, &err);
    const struct perplexity_options options = {
        .engine = engine,
        .text = text.n > 0 ? text.bytes : "",
        .n_text = text.n,
        .n_ctx = f->ctx,
        .n_windows = f->windows,
        .compares = strcmp(f->compare, "f32") == 0,
        .progress = isatty(STDERR_FILENO) ? show_progress : NULL,
    };

    if (!status)
        status = engine_perplexity(&options, &result, &err);
    text_fini(&text);
    if (status)
        return engine_options_failed(cl, &err);
    if (f->json)
        print_json(&options, &result);
    else
        print_words(&options, &result);
    return EXIT_SUCCESS;
}

int cli_perplexity(int argc, char *argv[])
{
    struct shoal_options engine;
    struct perplexity_fields f = {.ctx = 512, .compare = "off"};
    struct setting own[N_ENGINE_NAMES];
    const struct setting_table all = engine_options_table(&engine);
    const struct setting_table tables[] = {
        {settings, sizeof settings / sizeof *settings, &f},
        option_subset(&all, engine_names, N_ENGINE_NAMES, "Model", own),
    };
    struct command_line cl;
    int code;

    if (!command_line_open(&cl, &command, tables, 2, argc, argv, &code))
        return code;
    if (!f.text || !*f.text)
        code = command_line_refuse(&cl, "no text to predict: give --text FILE");
    else
        code = engine_options_check(&cl, &engine);
    /* One process does it all; other ranks of an mpirun have nothing to do. */
    if (!code && env_rank() == 0)
        code = measure(&cl, &engine, &f);
    command_line_close(&cl);
    return code;
}
