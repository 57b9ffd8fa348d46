#include "draw/svg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char style[] =
    "<style>"
    ".s-bg{fill:#ffffff}.s-cell{fill:#f3f4f6;stroke:#d5d9df;stroke-width:.6}"
    ".s-prefill{fill:#3b6fb6}.s-decode{fill:#e08a2e}.s-wait{fill:#c3c8d0}"
    ".s-preempted{fill:#b23a5e}.s-hatch{fill:url(#s-hatch);stroke:#b23a5e;stroke-width:.5}"
    ".s-hatch-ink{stroke:#b23a5e;stroke-width:1.6}"
    ".s-limit{stroke:#b23a5e;stroke-width:1.2;stroke-dasharray:5 3;fill:none}"
    ".s-axis{stroke:#6b7280;fill:none}.s-grid{stroke:#e5e7eb;fill:none}"
    ".s-ink{fill:#1f2937}.s-mut{fill:#626b7a;font-size:10.5px}"
    ".s-head{fill:#1f2937;font-weight:600;font-size:13px}"
    ".s-on{fill:#ffffff;font-size:9.5px}"
    ".s-end{text-anchor:end}.s-mid{text-anchor:middle}"
    ".s-0{fill:#4e79a7}.s-1{fill:#e08a2e}.s-2{fill:#4f9a54}.s-3{fill:#a26a9c}"
    ".s-4{fill:#3d9c96}.s-5{fill:#d9534f}.s-6{fill:#8c6a56}.s-7{fill:#b8992c}"
    ".s-soft{fill-opacity:.42}"
    "@media (prefers-color-scheme:dark){"
    ".s-bg{fill:#15181d}.s-cell{fill:#20252c;stroke:#39404a}"
    ".s-wait{fill:#59616d}.s-prefill{fill:#5b91db}.s-axis{stroke:#9aa4b2}.s-grid{stroke:#2b313a}"
    ".s-preempted{fill:#e0658a}.s-limit,.s-hatch,.s-hatch-ink{stroke:#e0658a}"
    ".s-ink,.s-head{fill:#e6e9ee}.s-mut{fill:#9aa4b2}}"
    "</style>"
    "<defs><pattern id=\"s-hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
    "patternTransform=\"rotate(45)\"><line class=\"s-hatch-ink\" x1=\"0\" y1=\"0\" x2=\"0\" "
    "y2=\"5\"/></pattern></defs>\n";

const char *svg_lane_class(int32_t i)
{
    static const char *const names[SVG_COLOURS] = {"s-0", "s-1", "s-2", "s-3",
                                                   "s-4", "s-5", "s-6", "s-7"};

    return names[(uint32_t)i % SVG_COLOURS];
}

void svg_escape(struct text *out, const char *s, size_t n)
{
    const size_t length = strlen(s);
    const size_t shown = length <= n ? length : utf8_whole(s, n > 2 ? n - 2 : 0);

    for (size_t i = 0; i < shown; i++) {
        const char c = s[i];
        if (c == '<')
            text_add_str(out, "&lt;");
        else if (c == '>')
            text_add_str(out, "&gt;");
        else if (c == '&')
            text_add_str(out, "&amp;");
        else if (c == '"')
            text_add_str(out, "&quot;");
        else if ((unsigned char)c >= 0x20)
            text_add(out, &c, 1);
    }
    if (shown < length)
        text_add_str(out, "..");
}

void svg_begin(struct text *out, double width, double height, const char *title)
{
    text_printf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                "viewBox=\"0 0 %.0f %.0f\" font-family=\"system-ui, sans-serif\" "
                "font-size=\"12\" role=\"img\">\n<title>",
                width, height, width, height);
    svg_escape(out, title, 200);
    text_add_str(out, "</title>");
    text_add_str(out, style);
    svg_rect(out, 0, 0, width, height, "s-bg", NULL);
}

void svg_end(struct text *out)
{
    text_add_str(out, "</svg>\n");
}

void svg_rect(struct text *out, double x, double y, double width, double height,
              const char *classes, const char *tip)
{
    text_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"", x,
                y, width, height, classes);
    if (tip) {
        text_add_str(out, "><title>");
        svg_escape(out, tip, 200);
        text_add_str(out, "</title></rect>\n");
    } else {
        text_add_str(out, "/>\n");
    }
}

void svg_line(struct text *out, double x1, double y1, double x2, double y2, const char *classes)
{
    text_printf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1,
                y1, x2, y2, classes);
}

void svg_text(struct text *out, double x, double y, const char *classes, const char *format, ...)
{
    char words[256];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    text_printf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, classes);
    svg_escape(out, words, sizeof words);
    text_add_str(out, "</text>\n");
}

double svg_legend(struct text *out, double x, double y, const char *classes, const char *label)
{
    const double wide = 6.6; /* of a letter, rather too much */

    svg_rect(out, x, y, 12, 12, classes, NULL);
    svg_text(out, x + 18, y + 10, "s-ink", "%s", label);
    return x + 18 + wide * (double)strlen(label) + 22;
}

int32_t svg_tick(int32_t range, int32_t n)
{
    static const int32_t parts[] = {1, 2, 5};

    for (int32_t power = 1; power <= 100000000; power *= 10)
        for (size_t i = 0; i < 3; i++)
            if (range / (parts[i] * power) <= n)
                return parts[i] * power;
    return range;
}
