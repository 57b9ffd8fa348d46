/* shoal run - answer requests */
#include "cli/commands.h"

#include "base/env_rank.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/run_loop.h"
#include "engine/command.h"
#include "engine/interrupt.h"
#include "engine/options.h"
#include "shoal/observe.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct run_options {
    struct setting_list prompts, stops;
    const char *input, *output, *format, *summary, *summary_json;
    int32_t max_tokens, top_k;
    float temperature, top_p, min_p, repetition_penalty;
    bool ignore_eos, chat;
};

#define FIELD(name) offsetof(struct run_options, name)

static const struct setting settings[] = {
    {.name = "prompt",
     .letter = 'p',
     .kind = SETTING_LIST,
     .offset = FIELD(prompts),
     .value = "TEXT",
     .help = "answer this prompt and print the text",
     .group = "Requests"},
    {.name = "input",
     .letter = 'i',
     .kind = SETTING_STRING,
     .offset = FIELD(input),
     .value = "FILE",
     .help = "answer the requests of a file, `-` for standard input"},
    {.name = "format",
     .kind = SETTING_CHOICE,
     .offset = FIELD(format),
     .choices = "jsonl|text",
     .value = "KIND",
     .help = "of the input: `jsonl`: OpenAI batch lines; `text`: a prompt a line"},
    {.name = "output",
     .letter = 'o',
     .kind = SETTING_STRING,
     .offset = FIELD(output),
     .value = "FILE",
     .help = "write a line of JSON for each request, in the order in which they end",
     .text_default = "standard output, with --input"},
    {.name = "summary",
     .kind = SETTING_CHOICE,
     .offset = FIELD(summary),
     .choices = "auto|on|off",
     .implied = "on",
     .value = "WHEN",
     .help = "print throughput and latencies at the end; auto: unless there is one prompt"},
    {.name = "summary-json",
     .kind = SETTING_STRING,
     .offset = FIELD(summary_json),
     .value = "FILE",
     .help = "write the same as JSON"},

    {.name = "max-tokens",
     .kind = SETTING_INT,
     .offset = FIELD(max_tokens),
     .high = INT32_MAX,
     .value = "N",
     .help = "most tokens to generate",
     .group = "What requests of --prompt and --format text get"},
    {.name = "temperature",
     .kind = SETTING_FLOAT,
     .offset = FIELD(temperature),
     .high = 100,
     .value = "T",
     .help = "0: always the most likely token"},
    {.name = "top-p",
     .kind = SETTING_FLOAT,
     .offset = FIELD(top_p),
     .low = 1e-6,
     .high = 1,
     .value = "P",
     .help = "sample from the most likely tokens that make up this probability"},
    {.name = "top-k",
     .kind = SETTING_INT,
     .offset = FIELD(top_k),
     .high = INT32_MAX,
     .value = "N",
     .help = "sample from the N most likely tokens; 0: all"},
    {.name = "min-p",
     .kind = SETTING_FLOAT,
     .offset = FIELD(min_p),
     .high = 1,
     .value = "P",
     .help = "leave out tokens less likely than P times the most likely one"},
    {.name = "repetition-penalty",
     .kind = SETTING_FLOAT,
     .offset = FIELD(repetition_penalty),
     .low = 0.01,
     .high = 100,
     .value = "X",
     .help = "above 1: make tokens that have been there less likely"},
    {.name = "stop",
     .kind = SETTING_LIST,
     .offset = FIELD(stops),
     .value = "TEXT",
     .help = "end before this text"},
    {.name = "ignore-eos",
     .kind = SETTING_FLAG,
     .offset = FIELD(ignore_eos),
     .help = "go on after the model's end of text"},
    {.name = "chat",
     .kind = SETTING_FLAG,
     .offset = FIELD(chat),
     .help = "put the prompt into the model's chat template, as the user's message"},
};

static const struct command command = {
    .name = "run",
    .usage = "[options] --prompt TEXT [--prompt TEXT ...]\n"
             "[options] --input FILE [--output FILE]",
    .about = "Answers requests with continuous batching: every step computes one token of every "
             "running request and, within the token budget, chunks of the prompts that have just "
             "come. Under mpirun each rank runs requests of its own; rank 0 reads, schedules and "
             "writes.",
    .examples = "shoal run --prompt \"To be, or not to be\"\n"
                "shoal run -m model.gguf --chat --prompt \"Why is the sky blue?\" --temperature "
                "0.7\n"
                "shoal run -m model.gguf --input requests.jsonl --output results.jsonl\n"
                "mpirun -n 2 --map-by slot:PE=4 shoal run -m model.gguf -t 4 --input "
                "requests.jsonl",
};

static int check(const struct command_line *cl, const struct run_options *o)
{
    static const char *const of_prompts[] = {"max-tokens", "temperature", "top-p",
                                             "top-k",      "min-p",       "repetition-penalty",
                                             "stop",       "ignore-eos",  "chat"};

    if (o->prompts.n == 0 && !o->input)
        return command_line_refuse(cl, "nothing to do: give --prompt TEXT or --input FILE");
    if (o->prompts.n > 0 && o->input)
        return command_line_refuse(cl, "--prompt and --input: give one of them");
    if (o->prompts.n > 0 && command_line_given(cl, "format"))
        return command_line_refuse(cl, "--format is about --input, and there is none");
    if (o->input && strcmp(o->format, "jsonl") == 0)
        for (size_t i = 0; i < sizeof of_prompts / sizeof *of_prompts; i++)
            if (command_line_given(cl, of_prompts[i]))
                return command_line_refuse(cl,
                                           "--%s has no effect on batch lines, which say it in "
                                           "their body; with --format text it has",
                                           of_prompts[i]);
    for (int32_t i = 0; i < o->stops.n; i++)
        if (o->stops.items[i][0] == '\0' ||
            !utf8_valid(o->stops.items[i], strlen(o->stops.items[i])))
            return command_line_refuse(cl, "--stop: the text is %s",
                                       o->stops.items[i][0] == '\0' ? "empty" : "not UTF-8");
    if ((o->input && !*o->input) || (o->output && !*o->output) ||
        (o->summary_json && !*o->summary_json))
        return command_line_refuse(cl, "--input, --output, --summary-json: a file has no name");
    return EXIT_SUCCESS;
}

static void set_defaults(struct shoal_request *q, const struct run_options *o)
{
    q->max_tokens = o->max_tokens;
    q->temperature = o->temperature;
    q->top_p = o->top_p;
    q->top_k = o->top_k;
    q->min_p = o->min_p;
    q->repetition_penalty = o->repetition_penalty;
    q->stop = o->stops.items;
    q->n_stop = o->stops.n;
    q->ignore_eos = o->ignore_eos;
}

static bool is_same_file(int a, int b)
{
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && S_ISREG(x.st_mode) && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

/* What rank 0 reads and writes, before a model is loaded for nothing. */
static enum shoal_status open_files(struct run_loop *r, struct result_file *summary_json,
                                    const struct run_options *o, struct shoal_error *err)
{
    const enum source_kind kind = o->prompts.n > 0                 ? SOURCE_PROMPTS
                                  : strcmp(o->format, "text") == 0 ? SOURCE_TEXT
                                                                   : SOURCE_JSON;
    enum shoal_status status = request_source_open(&r->source, kind, o->input, &o->prompts, err);

    if (status)
        return status;
    set_defaults(&r->source.defaults, o);
    r->source.is_chat = o->chat;
    if (o->input || o->output)
        status = result_file_open(&r->results, o->output, err);
    if (!status && o->output && o->input &&
        is_same_file(request_source_fd(&r->source), r->results.fd))
        status = shoal_fail(err, SHOAL_E_INVALID, "--output: %.200s is the input", o->output);
    if (!status && o->summary_json)
        status = result_file_open(summary_json, o->summary_json, err);
    if (!status && !prompt_printer_begin(&r->printer, o->prompts.n > 0 ? &o->prompts : NULL))
        status = shoal_fail_memory(err, "the prompts", (size_t)o->prompts.n * sizeof(struct text));
    return status;
}

static bool write_summary(struct run_loop *r, struct result_file *file, const struct run_options *o)
{
    const bool is_auto = strcmp(o->summary, "auto") == 0;
    struct shoal_error err;
    struct text text = {0};
    bool is_written = true;

    if (is_auto ? o->prompts.n != 1 : strcmp(o->summary, "on") == 0)
        summary_print(&r->summary, r->engine, stderr);
    if (file->fd >= 0) {
        summary_print_json(&r->summary, r->engine, &text);
        is_written = !text.failed && result_file_begin(file, &err) == SHOAL_OK;
        if (is_written)
            result_file_write(file, text.bytes, text.n);
        text_fini(&text);
    }
    return result_file_close(file) && is_written;
}

static int exit_code(const struct run_loop *r, enum shoal_status status,
                     const struct shoal_error *err, bool is_written)
{
    if (status && status != SHOAL_E_INTERRUPTED)
        log_error("%s", err->text);
    if (r->summary.n_failed > 0 && r->source.kind != SOURCE_PROMPTS)
        log_error("%lld of %lld requests failed; their results say why",
                  (long long)r->summary.n_failed, (long long)r->n_done);
    if (interrupt_came())
        return EXIT_INTERRUPTED;
    return status || r->summary.n_failed > 0 || !is_written || r->printer.has_failed ? EXIT_FAILURE
                                                                                     : EXIT_SUCCESS;
}

/* Rank 0, with an open engine. */
static int answer(struct run_loop *r, struct result_file *summary_json, const struct run_options *o)
{
    struct shoal_info info;
    struct shoal_error err = {.text = ""};
    enum shoal_status status = result_file_begin(&r->results, &err);
    const struct shoal_buffer buffer = {
        .name = "input, latencies, results", .owner = "run", .size = run_loop_bytes, .user = r};
    bool is_written = true;
    int32_t buffer_id = -1;

    if (!status)
        status = shoal_buffer_add(r->engine, &buffer, &buffer_id, &err);
    shoal_engine_info(r->engine, &info);
    r->context = (struct result_context){r->engine, info.model_name, time(NULL)};
    progress_begin(&r->progress, !(prompt_printer_streams(&r->printer) && isatty(STDOUT_FILENO)));
    if (!status)
        status = interrupt_begin(r->engine, &err);
    if (!status)
        status = run_loop(r, &err);
    /* Results first: after a signal there may be little time left. */
    is_written = result_file_close(&r->results) && is_written;
    is_written = write_summary(r, summary_json, o) && is_written;
    interrupt_end();
    shoal_buffer_remove(r->engine, buffer_id);
    return exit_code(r, status, &err, is_written);
}

static int open_and_answer(const struct command_line *cl, const struct shoal_options *options,
                           const struct run_options *o)
{
    struct result_file summary_json = {.fd = -1};
    struct run_loop r = {.source.reader.fd = -1, .results.fd = -1};
    struct shoal_error err;
    int code = EXIT_FAILURE;

    if ((env_rank() == 0 && open_files(&r, &summary_json, o, &err)) ||
        shoal_engine_open(&r.engine, options, &err))
        code = engine_options_failed(cl, &err);
    else
        code = shoal_rank(r.engine) == 0 ? answer(&r, &summary_json, o)
                                         : engine_command_serve(r.engine);

    run_loop_fini(&r);
    prompt_printer_fini(&r.printer);
    request_source_close(&r.source);
    result_file_close(&r.results);
    result_file_close(&summary_json);
    return engine_command_close(r.engine, code);
}

int cli_run(int argc, char *argv[])
{
    struct shoal_options options;
    struct run_options o = {.format = "jsonl",
                            .summary = "auto",
                            .max_tokens = 128,
                            .top_p = 1,
                            .repetition_penalty = 1};
    const struct setting_table tables[] = {
        {settings, sizeof settings / sizeof *settings, &o},
        engine_options_table(&options),
    };
    struct command_line cl;
    int code;

    if (!command_line_open(&cl, &command, tables, 2, argc, argv, &code))
        return code;
    code = check(&cl, &o);
    if (!code)
        code = engine_options_check(&cl, &options);
    if (!code)
        code = open_and_answer(&cl, &options, &o);
    command_line_close(&cl);
    return code;
}
