/* demo/line_input.h - lines that a person types, or that a pipe or a file brings
 *
 * On a terminal with line editing and history (libedit). A signal (engine/interrupt.h, which must
 * have begun) ends the input. */
#ifndef DEMO_LINE_INPUT_H
#define DEMO_LINE_INPUT_H

#include "base/status.h"

#include <stdbool.h>

struct line_input;

/* Of standard input. has_editing: it is a terminal, and editing is wanted. */
enum shoal_status line_input_open(struct line_input **out, bool has_editing, const char *prompt,
                                  struct shoal_error *err);
void line_input_close(struct line_input *in); /* NULL is fine */

enum line_input_end { LINE_INPUT_LINE, LINE_INPUT_END, LINE_INPUT_INTERRUPTED, LINE_INPUT_FAILED };
/* The next line, without its end; valid until the next call. */
enum line_input_end line_input_next(struct line_input *in, const char **line);

#endif
