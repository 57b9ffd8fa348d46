/* shoal tokenize - text to token ids and back */
#include "cli/commands.h"

#include "base/command_line.h"
#include "base/env_rank.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/engine.h"
#include "tokenizer/tokenizer.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tokenize_options {
    const char *model;
    bool decode, pieces, no_special, parse_special;
};

#define FIELD(name) offsetof(struct tokenize_options, name)

static const struct setting settings[] = {
    {.name = "model",
     .letter = 'm',
     .kind = SETTING_STRING,
     .offset = FIELD(model),
     .value = "FILE",
     .help = "GGUF file (a vocabulary is enough), or `embedded`, or `tiny`",
     .group = "Options"},
    {.name = "decode",
     .letter = 'd',
     .kind = SETTING_FLAG,
     .offset = FIELD(decode),
     .help = "take ids and print their text"},
    {.name = "pieces",
     .kind = SETTING_FLAG,
     .offset = FIELD(pieces),
     .help = "a line for each token: its id, its text, its bytes"},
    {.name = "no-special",
     .kind = SETTING_FLAG,
     .offset = FIELD(no_special),
     .help = "add no begin and end tokens, whatever the model says"},
    {.name = "parse-special",
     .kind = SETTING_FLAG,
     .offset = FIELD(parse_special),
     .help = "special tokens written in the text become their ids; with --decode they are written"},
};

static const struct command command = {
    .name = "tokenize",
    .usage = "[options] TEXT\n"
             "[options] -\n"
             "[options] --decode ID ...",
    .about = "Prints the token ids of a text on one line, or the text of ids. `-` reads from "
             "standard input. Begin and end tokens are added as the model says.",
    .arguments = "TEXT",
    .examples = "shoal tokenize -m model.gguf \"Hello, world\"\n"
                "shoal tokenize -m model.gguf --pieces - < prompt.txt\n"
                "shoal tokenize -m model.gguf --decode 19556 28 905",
};

static enum shoal_status read_stdin(struct text *out, struct shoal_error *err)
{
    char buffer[1 << 16];
    size_t n;

    while ((n = fread(buffer, 1, sizeof buffer, stdin)) > 0)
        text_add(out, buffer, n);
    if (ferror(stdin))
        return shoal_fail(err, SHOAL_E_IO, "cannot read standard input: %s", strerror(errno));
    if (out->failed)
        return shoal_fail_memory(err, "the text", out->n);
    return SHOAL_OK;
}

/* The arguments with blanks between; "-" alone is standard input. */
static enum shoal_status read_input(const struct command_line *cl, struct text *out,
                                    struct shoal_error *err)
{
    text_add_str(out, "");
    if (cl->arguments.n == 1 && strcmp(cl->arguments.items[0], "-") == 0)
        return read_stdin(out, err);
    for (int32_t i = 0; i < cl->arguments.n; i++) {
        if (i > 0)
            text_add_str(out, " ");
        text_add_str(out, cl->arguments.items[i]);
    }
    return out->failed ? shoal_fail_memory(err, "the text", out->n) : SHOAL_OK;
}

/* One token: its id, its text in quotes, its bytes. */
static void print_piece(const struct tokenizer *t, int32_t id, struct text *out)
{
    struct text piece = {0};

    tokenizer_piece(t, id, true, &piece);
    text_printf(out, "%d\t", id);
    json_put_string(out, piece.n ? piece.bytes : "", piece.n);
    text_add_str(out, "\t");
    for (size_t i = 0; i < piece.n; i++)
        text_printf(out, i ? " %02x" : "%02x", (unsigned char)piece.bytes[i]);
    text_add_str(out, "\n");
    text_fini(&piece);
}

static enum shoal_status encode(const struct tokenizer *t, const struct tokenize_options *o,
                                const struct text *in, struct text *out, struct shoal_error *err)
{
    const unsigned flags = (o->no_special ? 0u : (unsigned)TOKENIZE_ADD_BOS_EOS) |
                           (o->parse_special ? (unsigned)TOKENIZE_SPECIAL : 0u);
    struct token_list ids = {0};
    const enum shoal_status status = tokenizer_encode(t, in->bytes, in->n, flags, &ids, err);

    for (size_t i = 0; !status && i < ids.n; i++) {
        if (o->pieces)
            print_piece(t, ids.ids[i], out);
        else
            text_printf(out, i ? " %d" : "%d", ids.ids[i]);
    }
    if (!o->pieces)
        text_add_str(out, "\n");
    token_list_fini(&ids);
    return status;
}

/* The next id of the text: digits between blanks and commas. False at the end. */
static bool next_word(char **cursor, char **word)
{
    char *p = *cursor;

    while (*p && (isspace((unsigned char)*p) || *p == ','))
        p++;
    if (*p == '\0')
        return false;
    *word = p;
    while (*p && !isspace((unsigned char)*p) && *p != ',')
        p++;
    if (*p)
        *p++ = '\0';
    *cursor = p;
    return true;
}

static enum shoal_status decode(const struct tokenizer *t, const struct tokenize_options *o,
                                const struct text *in, struct text *out, struct shoal_error *err)
{
    const int64_t last = (int64_t)tokenizer_n_vocab(t) - 1;
    char *cursor = in->bytes, *word;
    struct detokenizer d;
    int64_t id;

    detokenizer_init(&d, t, false);
    while (next_word(&cursor, &word)) {
        if (!parse_i64(word, 0, last, &id))
            return shoal_fail(err, SHOAL_E_INVALID, "%.40s is no token id from 0 to %lld", word,
                              (long long)last);
        if (o->pieces)
            print_piece(t, (int32_t)id, out);
        else if (o->parse_special && tokenizer_is_control(t, (int32_t)id))
            tokenizer_piece(t, (int32_t)id, true, out);
        else
            detokenizer_push(&d, (int32_t)id, out);
    }
    detokenizer_finish(&d, out);
    if (!o->pieces && isatty(STDOUT_FILENO))
        text_add_str(out, "\n");
    return SHOAL_OK;
}

static enum shoal_status work(const struct command_line *cl, const struct tokenize_options *o,
                              struct text *out, struct shoal_error *err)
{
    struct tokenizer *t = NULL;
    struct gguf *g = NULL;
    void *built_in = NULL;
    struct text in = {0};
    enum shoal_status status = engine_open_gguf(o->model, &g, &built_in, err);

    if (!status)
        status = tokenizer_create(&t, g, err);
    gguf_close(g);
    mem_free(built_in);
    if (!status)
        status = read_input(cl, &in, err);
    if (!status)
        status = o->decode ? decode(t, o, &in, out, err) : encode(t, o, &in, out, err);
    if (!status && out->failed)
        status = shoal_fail_memory(err, "the output", out->n);
    tokenizer_destroy(t);
    text_fini(&in);
    return status;
}

int cli_tokenize(int argc, char *argv[])
{
    struct tokenize_options o = {.model = "embedded"};
    const struct setting_table table = {settings, sizeof settings / sizeof *settings, &o};
    struct command_line cl;
    struct shoal_error err;
    struct text out = {0};
    int code;

    if (!command_line_open(&cl, &command, &table, 1, argc, argv, &code))
        return code;
    if (cl.arguments.n == 0) {
        code = command_line_refuse(&cl, "nothing to do: give a text, or - for standard input");
    } else if (!o.decode && cl.arguments.n > 1) {
        code = command_line_refuse(&cl, "%d texts: put one in quotes", cl.arguments.n);
    } else if (env_rank() > 0) {
        code = EXIT_SUCCESS; /* one rank is enough */
    } else if (work(&cl, &o, &out, &err)) {
        log_error("%s", err.text);
        code = EXIT_FAILURE;
    } else {
        if (out.n > 0)
            fwrite(out.bytes, 1, out.n, stdout);
        code = EXIT_SUCCESS;
    }
    text_fini(&out);
    command_line_close(&cl);
    return code;
}
