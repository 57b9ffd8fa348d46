/* cli/prompt_printer.h - the texts of --prompt on standard output
 *
 * One prompt is printed as it is generated; of several, each stands whole under its prompt, in the
 * order in which they were given. */
#ifndef CLI_PROMPT_PRINTER_H
#define CLI_PROMPT_PRINTER_H

#include "base/settings.h"
#include "cli/job.h"

struct prompt_printer {
    const struct setting_list *prompts; /* NULL: nothing is printed */
    struct text *texts;                 /* (prompts->n) those that wait for an earlier one */
    bool *is_done;                      /* (prompts->n) */
    int32_t n_printed;
    bool ends_line; /* of one prompt: the last byte was the end of a line */
    bool has_failed;
};

/* prompts is borrowed; false: out of memory. */
bool prompt_printer_begin(struct prompt_printer *p, const struct setting_list *prompts);
void prompt_printer_fini(struct prompt_printer *p);

bool prompt_printer_streams(const struct prompt_printer *p); /* there is one prompt */
void prompt_printer_text(struct prompt_printer *p, const char *text, size_t n);
void prompt_printer_job(struct prompt_printer *p, const struct job *j);
/* A prompt (its line, from 1) that was refused: nothing is printed for it. */
void prompt_printer_skip(struct prompt_printer *p, int64_t line);

#endif
