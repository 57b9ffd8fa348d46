/* draw/html_page.h - one page of HTML that holds all it needs: text, tables and inline pictures */
#ifndef DRAW_HTML_PAGE_H
#define DRAW_HTML_PAGE_H

#include "base/text.h"

/* Text is escaped; svg is put in as it is. */
void html_page_begin(struct text *out, const char *title, const char *intro);
void html_page_section(struct text *out, const char *heading, const char *words,
                       const struct text *svg);
void html_page_end(struct text *out, const char *footer);

#endif
