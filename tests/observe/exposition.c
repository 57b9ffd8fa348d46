#include "observe/exposition.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SAMPLES = 8192, MAX_FAMILIES = 256, MAX_NAME = 128, MAX_LABELS = 512 };

struct state {
    char *why;
    char families[MAX_FAMILIES][MAX_NAME]; /* whose TYPE has come; the last is the current */
    int n_families;
    char kind[16];
    bool has_help; /* of the family whose TYPE comes next */
    char help[MAX_NAME];
    char *seen[MAX_SAMPLES]; /* name and labels of each sample */
    int n_seen;
    /* of the histogram that is being read */
    char labels[MAX_LABELS + 1]; /* without le, behind a brace */
    double le, below;
    bool has_inf, has_sum;
};

static bool fail(struct state *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(s->why, EXPOSITION_WHY_BYTES, format, args);
    va_end(args);
    return false;
}

/* Length of the name at p; label names have no colon. */
static size_t name_length(const char *p, bool has_colon)
{
    size_t n = 0;

    while (isalpha((unsigned char)p[n]) || p[n] == '_' || (has_colon && p[n] == ':') ||
           (n > 0 && isdigit((unsigned char)p[n])))
        n++;
    return n;
}

/* "# HELP name text" or "# TYPE name kind"; rest: behind "# HELP " */
static bool read_comment(struct state *s, const char *rest, bool is_type)
{
    const size_t n = name_length(rest, true);
    char name[MAX_NAME];

    if (n == 0 || n >= MAX_NAME || rest[n] != ' ')
        return fail(s, "no name and text in: %s", rest);
    memcpy(name, rest, n);
    name[n] = '\0';
    if (!is_type) {
        for (const char *p = rest + n; *p; p++)
            if (*p == '\\' && *++p != '\\' && *p != 'n')
                return fail(s, "an escape in HELP of %s", name);
        strcpy(s->help, name);
        s->has_help = true;
        return true;
    }
    for (int i = 0; i < s->n_families; i++)
        if (strcmp(s->families[i], name) == 0)
            return fail(s, "a second TYPE of %s", name);
    if (!s->has_help || strcmp(s->help, name) != 0)
        return fail(s, "no HELP before TYPE of %s", name);
    if (s->kind[0] && strcmp(s->kind, "histogram") == 0 && s->labels[0])
        return fail(s, "a histogram before %s has no _count", name);
    s->has_help = false;
    strcpy(s->families[s->n_families++], name);
    snprintf(s->kind, sizeof s->kind, "%s", rest + n + 1);
    if (strcmp(s->kind, "counter") != 0 && strcmp(s->kind, "gauge") != 0 &&
        strcmp(s->kind, "histogram") != 0)
        return fail(s, "TYPE of %s is %s", name, s->kind);
    return true;
}

/* Labels at *p (after the brace), without le into labels; le 0 when there is none. */
static bool read_labels(struct state *s, const char **p, char labels[MAX_LABELS], char le[32])
{
    le[0] = labels[0] = '\0';
    while (**p != '}') {
        const char *begin = *p;
        const size_t n = name_length(*p, false);
        if (n == 0 || (*p)[n] != '=' || (*p)[n + 1] != '"')
            return fail(s, "a bad label at: %s", *p);
        *p += n + 2;
        const char *value = *p;
        for (; **p != '"'; (*p)++) {
            if (**p == '\0')
                return fail(s, "a label without an end: %s", begin);
            if (**p == '\\' && *++*p != '\\' && **p != '"' && **p != 'n')
                return fail(s, "a bad escape in: %s", begin);
        }
        if (n == 2 && strncmp(begin, "le", 2) == 0)
            snprintf(le, 32, "%.*s", (int)(*p - value), value);
        else if (strlen(labels) + (size_t)(*p + 1 - begin) < MAX_LABELS)
            strncat(labels, begin, (size_t)(*p + 1 - begin));
        else
            return fail(s, "too many labels: %s", begin);
        (*p)++;
        if (**p == ',')
            (*p)++;
        else if (**p != '}')
            return fail(s, "no comma at: %s", *p);
    }
    (*p)++;
    return true;
}

static bool read_number(const char *p, double *x)
{
    char *end;

    if (*p == '\0' || isspace((unsigned char)*p))
        return false;
    *x = strcmp(p, "+Inf") == 0 ? HUGE_VAL : strtod(p, &end);
    return strcmp(p, "+Inf") == 0 || *end == '\0';
}

static bool check_histogram(struct state *s, const char *part, const char *labels, const char *le,
                            double x)
{
    double bound;

    if (strcmp(part, "_bucket") == 0) {
        if (!s->labels[0]) { /* the first of a set of labels */
            snprintf(s->labels, sizeof s->labels, "{%s", labels);
            s->le = -HUGE_VAL;
            s->below = 0;
            s->has_inf = s->has_sum = false;
        }
        if (strcmp(s->labels + 1, labels) != 0)
            return fail(s, "buckets of %s are not together", labels);
        if (!read_number(le, &bound) || bound <= s->le || s->has_inf)
            return fail(s, "bounds do not rise at le=%s", le);
        if (x < s->below || x != floor(x))
            return fail(s, "buckets are not cumulative at le=%s", le);
        s->le = bound;
        s->below = x;
        s->has_inf = strcmp(le, "+Inf") == 0;
        return true;
    }
    if (!s->has_inf || le[0] || strcmp(s->labels + 1, labels) != 0)
        return fail(s, "%s without buckets up to +Inf", part);
    if (strcmp(part, "_sum") == 0) {
        s->has_sum = true;
        return true;
    }
    if (strcmp(part, "_count") != 0 || !s->has_sum || x != s->below)
        return fail(s, "%s: no _sum before it, or not the bucket of +Inf", part);
    s->labels[0] = '\0';
    return true;
}

static bool read_sample(struct state *s, char *line)
{
    const size_t n = name_length(line, true);
    const char *family = s->n_families ? s->families[s->n_families - 1] : "";
    const char *p = line + n;
    char labels[MAX_LABELS] = "", le[32] = "";
    double x;

    if (n == 0 || strncmp(line, family, strlen(family)) != 0 || !family[0])
        return fail(s, "a sample that is not of %s: %s", family, line);
    if (*p == '{' && (p++, !read_labels(s, &p, labels, le)))
        return false;
    if (*p != ' ' || !read_number(p + 1, &x))
        return fail(s, "no value: %s", line);
    line[p - line] = '\0';
    for (int i = 0; i < s->n_seen; i++)
        if (strcmp(s->seen[i], line) == 0)
            return fail(s, "twice: %s", line);
    if (s->n_seen == MAX_SAMPLES)
        return fail(s, "too many samples");
    s->seen[s->n_seen++] = line;
    if (strcmp(s->kind, "histogram") == 0) {
        char part[16];
        snprintf(part, sizeof part, "%.*s", (int)(n - strlen(family)), line + strlen(family));
        return check_histogram(s, part, labels, le, x);
    }
    if (n != strlen(family) || le[0])
        return fail(s, "a sample that is not of %s: %s", family, line);
    if (strcmp(s->kind, "counter") == 0 && !(x >= 0))
        return fail(s, "a counter that is negative: %s", line);
    return true;
}

bool exposition_check(const char *text, char why[EXPOSITION_WHY_BYTES])
{
    const size_t n = strlen(text);
    char *copy = malloc(n + 1);
    struct state *s = calloc(1, sizeof *s);
    bool is_good = n > 0 && text[n - 1] == '\n';

    memcpy(copy, text, n + 1);
    s->why = why;
    snprintf(why, EXPOSITION_WHY_BYTES, "%s", is_good ? "" : "the last line has no end");
    for (char *line = copy, *end; is_good && *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        if (strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0)
            is_good = read_comment(s, line + 7, line[2] == 'T');
        else
            is_good = read_sample(s, line);
    }
    if (is_good && s->labels[0])
        is_good = fail(s, "the last histogram has no _count");
    free(copy);
    free(s);
    return is_good;
}

double exposition_value(const char *text, const char *sample)
{
    const size_t n = strlen(sample);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, sample, n) == 0 && line[n] == ' ')
            return strtod(line + n + 1, NULL);
    }
    return NAN;
}
