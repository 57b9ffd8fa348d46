/* study/page.h - a page written as Markdown and as HTML at once
 *
 * Text is plain; `words` in back quotes become code. */
#ifndef STUDY_PAGE_H
#define STUDY_PAGE_H

#include "base/text.h"

struct page {
    struct text markdown, html;
};

void page_begin(struct page *p, const char *title);
void page_end(struct page *p);
void page_fini(struct page *p);

void page_heading(struct page *p, int level, const char *text); /* level 2 and more */
void page_paragraph(struct page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void page_item(struct page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void page_items_end(struct page *p); /* after the last item, and before the first: page_items */
void page_items(struct page *p);
void page_code(struct page *p, const char *text);
/* Cells (n) of a row; the first row of a table is its head. Cells that begin with a digit, a minus
 * or a dash stand to the right. */
void page_table(struct page *p, const char *const head[], int32_t n);
void page_row(struct page *p, const char *const cells[], int32_t n);
void page_table_end(struct page *p);
/* In Markdown a link to the file; in HTML the picture itself (SVG, n bytes). */
void page_picture(struct page *p, const char *file, const char *caption, const char *svg, size_t n);

/* Appends n bytes in base64. */
void base64_put(struct text *out, const void *bytes, size_t n);

#endif
