#include "draw/html_page.h"

#include "draw/svg.h"

#include <string.h>

static const char style[] =
    "body{margin:0 auto;max-width:1040px;padding:32px 20px 64px;background:#f7f8fa;color:#1f2937;"
    "font:16px/1.55 system-ui,sans-serif}"
    "h1{font-size:1.7em;margin:0 0 .3em}h2{font-size:1.2em;margin:0 0 .4em}"
    "section{background:#fff;border:1px solid #e2e5ea;border-radius:10px;padding:20px 24px;"
    "margin:20px 0}"
    "p{margin:.3em 0 1em;max-width:72ch}figure{margin:0;overflow-x:auto}"
    "pre{overflow-x:auto;padding:12px;border-radius:8px;background:#f3f4f6;font-size:13px}"
    "footer{color:#626b7a;font-size:.85em}"
    "@media (prefers-color-scheme:dark){body{background:#0e1013;color:#e6e9ee}"
    "section{background:#15181d;border-color:#2b313a}pre{background:#20252c}"
    "footer{color:#9aa4b2}}";

static void put(struct text *out, const char *element, const char *words)
{
    text_printf(out, "<%s>", element);
    svg_escape(out, words, strlen(words));
    text_printf(out, "</%s>\n", element);
}

void html_page_begin(struct text *out, const char *title, const char *intro)
{
    text_add_str(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                      "<meta name=\"color-scheme\" content=\"light dark\">\n");
    put(out, "title", title);
    put(out, "style", style);
    text_add_str(out, "</head>\n<body>\n");
    put(out, "h1", title);
    put(out, "p", intro);
}

void html_page_section(struct text *out, const char *heading, const char *words,
                       const struct text *svg)
{
    text_add_str(out, "<section>\n");
    put(out, "h2", heading);
    put(out, "p", words);
    text_add_str(out, "<figure>\n");
    if (svg->n > 0)
        text_add(out, svg->bytes, svg->n);
    text_add_str(out, "</figure>\n</section>\n");
}

void html_page_end(struct text *out, const char *footer)
{
    put(out, "footer", footer);
    text_add_str(out, "</body>\n</html>\n");
}
