#include "study/page.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char style[] =
    "body{font:16px/1.5 sans-serif;color:#222;max-width:960px;margin:2em auto;padding:0 1em}"
    "h1,h2,h3{line-height:1.2;margin-top:1.6em}table{border-collapse:collapse;margin:1em 0;"
    "font-size:14px}th,td{padding:3px 10px;border-bottom:1px solid #ddd;text-align:left}"
    "th{border-bottom:2px solid #888}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "code,pre{font:13px/1.4 monospace;background:#f4f4f4}pre{padding:.7em;overflow-x:auto}"
    "img{max-width:100%}figure{margin:1em 0}figcaption{color:#555;font-size:14px}";

/* Escaped; back quotes become code where wants_code. */
static void put_html(struct text *out, const char *s, bool wants_code)
{
    bool is_code = false;

    for (; *s; s++) {
        if (*s == '&')
            text_add_str(out, "&amp;");
        else if (*s == '<')
            text_add_str(out, "&lt;");
        else if (*s == '>')
            text_add_str(out, "&gt;");
        else if (*s == '"')
            text_add_str(out, "&quot;");
        else if (*s == '`' && wants_code) {
            text_add_str(out, is_code ? "</code>" : "<code>");
            is_code = !is_code;
        } else
            text_add(out, s, 1);
    }
    if (is_code)
        text_add_str(out, "</code>");
}

void page_begin(struct page *p, const char *title)
{
    *p = (struct page){0};
    text_printf(&p->markdown, "# %s\n", title);
    text_add_str(&p->html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                           "<title>");
    put_html(&p->html, title, false);
    text_printf(&p->html, "</title>\n<style>%s</style>\n</head>\n<body>\n<h1>", style);
    put_html(&p->html, title, false);
    text_add_str(&p->html, "</h1>\n");
}

void page_end(struct page *p)
{
    text_add_str(&p->html, "</body>\n</html>\n");
}

void page_fini(struct page *p)
{
    text_fini(&p->markdown);
    text_fini(&p->html);
}

void page_heading(struct page *p, int level, const char *text)
{
    text_printf(&p->markdown, "\n%.*s %s\n", level, "######", text);
    text_printf(&p->html, "<h%d>", level);
    put_html(&p->html, text, true);
    text_printf(&p->html, "</h%d>\n", level);
}

static void format_text(struct text *out, const char *format, va_list args)
{
    char words[4096];

    vsnprintf(words, sizeof words, format, args);
    text_add_str(out, words);
}

void page_paragraph(struct page *p, const char *format, ...)
{
    struct text words = {0};
    va_list args;

    va_start(args, format);
    format_text(&words, format, args);
    va_end(args);
    text_printf(&p->markdown, "\n%s\n", words.failed ? "" : words.bytes);
    text_add_str(&p->html, "<p>");
    put_html(&p->html, words.failed ? "" : words.bytes, true);
    text_add_str(&p->html, "</p>\n");
    text_fini(&words);
}

void page_items(struct page *p)
{
    text_add_str(&p->markdown, "\n");
    text_add_str(&p->html, "<ul>\n");
}

void page_item(struct page *p, const char *format, ...)
{
    struct text words = {0};
    va_list args;

    va_start(args, format);
    format_text(&words, format, args);
    va_end(args);
    text_printf(&p->markdown, "- %s\n", words.failed ? "" : words.bytes);
    text_add_str(&p->html, "<li>");
    put_html(&p->html, words.failed ? "" : words.bytes, true);
    text_add_str(&p->html, "</li>\n");
    text_fini(&words);
}

void page_items_end(struct page *p)
{
    text_add_str(&p->html, "</ul>\n");
}

void page_code(struct page *p, const char *text)
{
    const size_t n = strlen(text);
    const char *end = n > 0 && text[n - 1] == '\n' ? "" : "\n";

    text_printf(&p->markdown, "\n```\n%s%s```\n", text, end);
    text_add_str(&p->html, "<pre>");
    put_html(&p->html, text, false);
    text_add_str(&p->html, "</pre>\n");
}

void page_table(struct page *p, const char *const head[], int32_t n)
{
    text_add_str(&p->markdown, "\n|");
    text_add_str(&p->html, "<table>\n<tr>");
    for (int32_t i = 0; i < n; i++) {
        text_printf(&p->markdown, " %s |", head[i]);
        text_add_str(&p->html, "<th>");
        put_html(&p->html, head[i], true);
        text_add_str(&p->html, "</th>");
    }
    text_add_str(&p->markdown, "\n|");
    for (int32_t i = 0; i < n; i++)
        text_add_str(&p->markdown, "---|");
    text_add_str(&p->markdown, "\n");
    text_add_str(&p->html, "</tr>\n");
}

void page_row(struct page *p, const char *const cells[], int32_t n)
{
    text_add_str(&p->markdown, "|");
    text_add_str(&p->html, "<tr>");
    for (int32_t i = 0; i < n; i++) {
        const bool is_number = *cells[i] && strchr("0123456789-", *cells[i]);
        text_printf(&p->markdown, " %s |", cells[i]);
        text_add_str(&p->html, is_number ? "<td class=\"n\">" : "<td>");
        put_html(&p->html, cells[i], true);
        text_add_str(&p->html, "</td>");
    }
    text_add_str(&p->markdown, "\n");
    text_add_str(&p->html, "</tr>\n");
}

void page_table_end(struct page *p)
{
    text_add_str(&p->html, "</table>\n");
}

void base64_put(struct text *out, const void *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *b = bytes;

    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const uint32_t word = (uint32_t)b[i] << 16 | (left > 1 ? (uint32_t)b[i + 1] << 8 : 0) |
                              (left > 2 ? (uint32_t)b[i + 2] : 0);
        const char four[4] = {digits[word >> 18], digits[word >> 12 & 63],
                              left > 1 ? digits[word >> 6 & 63] : '=',
                              left > 2 ? digits[word & 63] : '='};
        text_add(out, four, sizeof four);
    }
}

void page_picture(struct page *p, const char *file, const char *caption, const char *svg, size_t n)
{
    text_printf(&p->markdown, "\n![%s](%s)\n", caption, file);
    text_add_str(&p->html, "<figure><img alt=\"");
    put_html(&p->html, caption, false);
    text_add_str(&p->html, "\" src=\"data:image/svg+xml;base64,");
    base64_put(&p->html, svg, n);
    text_add_str(&p->html, "\"><figcaption>");
    put_html(&p->html, caption, false);
    text_add_str(&p->html, "</figcaption></figure>\n");
}
