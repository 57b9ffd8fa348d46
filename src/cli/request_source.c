#include "cli/request_source.h"

#include "base/status.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum shoal_status request_source_open(struct request_source *s, enum source_kind kind,
                                      const char *path, const struct setting_list *prompts,
                                      struct shoal_error *err)
{
    *s = (struct request_source){.kind = kind, .prompts = prompts, .reader.fd = -1};
    shoal_request_default(&s->defaults);
    return path ? line_reader_open(&s->reader, path, err) : SHOAL_OK;
}

void request_source_close(struct request_source *s)
{
    line_reader_close(&s->reader);
    id_set_fini(&s->seen);
}

int request_source_fd(const struct request_source *s)
{
    return s->reader.fd;
}

static bool is_blank(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isspace((unsigned char)line[i]))
            return false;
    return true;
}

/* A line that cannot be parsed has at least its number for a name. */
static enum source_result bad_line(struct request_source *s, struct batch_request *out)
{
    struct shoal_error ignored;

    batch_request_from_text(out, "", 0, s->reader.line, &s->defaults, s->is_chat, &ignored);
    return SOURCE_BAD;
}

static enum source_result check_id(struct request_source *s, const struct batch_request *b,
                                   struct shoal_error *err)
{
    switch (id_set_add(&s->seen, b->custom_id)) {
    case ID_NEW:
        return SOURCE_REQUEST;
    case ID_SEEN:
        shoal_fail(err, SHOAL_E_INVALID, "custom_id: \"%.120s\" was used by an earlier line",
                   b->custom_id);
        return SOURCE_BAD;
    case ID_NO_MEMORY:
        break;
    }
    shoal_fail_memory(err, "the list of ids", s->seen.capacity * sizeof *s->seen.slots);
    return SOURCE_BAD;
}

static enum source_result parse(struct request_source *s, const char *line, size_t n,
                                struct batch_request *out, struct shoal_error *err)
{
    const enum shoal_status status =
        s->kind == SOURCE_JSON
            ? batch_request_read(out, line, n, s->reader.line, &s->warnings, err)
            : batch_request_from_text(out, line, n, s->reader.line, &s->defaults, s->is_chat, err);

    /* A line that failed has used its id too: two answers under one name could not be told apart.
     */
    if (status && out->custom_id)
        id_set_add(&s->seen, out->custom_id);
    return status ? SOURCE_BAD : check_id(s, out, err);
}

static enum source_result next_prompt(struct request_source *s, struct batch_request *out,
                                      struct shoal_error *err)
{
    const char *prompt;

    if (s->n_given == s->prompts->n)
        return SOURCE_END;
    prompt = s->prompts->items[s->n_given++];
    return batch_request_from_text(out, prompt, strlen(prompt), s->n_given, &s->defaults,
                                   s->is_chat, err)
               ? SOURCE_BAD
               : SOURCE_REQUEST;
}

enum source_result request_source_next(struct request_source *s, struct batch_request *out,
                                       struct shoal_error *err)
{
    const char *line;
    size_t n;

    *out = (struct batch_request){0};
    if (s->kind == SOURCE_PROMPTS)
        return next_prompt(s, out, err);
    for (;;) {
        switch (line_reader_next(&s->reader, &line, &n)) {
        case LINE_READ:
            if (!is_blank(line, n))
                return parse(s, line, n, out, err);
            break;
        case LINE_TOO_LONG:
            bad_line(s, out);
            shoal_fail(err, SHOAL_E_LIMIT, "the line is longer than %d MiB", LINE_MAX_BYTES >> 20);
            return SOURCE_BAD;
        case LINE_NONE_YET:
            return SOURCE_NONE_YET;
        case LINE_END:
            return SOURCE_END;
        case LINE_FAILED:
            shoal_fail(err, SHOAL_E_IO, "the input cannot be read on: %s", strerror(errno));
            bad_line(s, out);
            return SOURCE_BAD;
        }
    }
}
