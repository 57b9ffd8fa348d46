#include "base/text.h"

#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool text_reserve(struct text *t, size_t n)
{
    if (t->failed)
        return false;
    if (n < t->capacity)
        return true;
    size_t capacity = t->capacity ? t->capacity : 64;
    while (capacity <= n) {
        if (capacity > SIZE_MAX / 2) {
            t->failed = true;
            return false;
        }
        capacity *= 2;
    }
    char *bytes = mem_resize(t->bytes, capacity, 1);
    if (!bytes) {
        t->failed = true;
        return false;
    }
    bytes[t->n] = '\0';
    t->bytes = bytes;
    t->capacity = capacity;
    return true;
}

void text_add(struct text *t, const void *bytes, size_t n)
{
    if (n > SIZE_MAX - t->n || !text_reserve(t, t->n + n)) {
        t->failed = true;
        return;
    }
    if (n)
        memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    t->bytes[t->n] = '\0';
}

void text_add_str(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

void text_printf(struct text *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !text_reserve(t, t->n + (size_t)n)) {
        t->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(t->bytes + t->n, (size_t)n + 1, format, args);
    va_end(args);
    t->n += (size_t)n;
}

void text_clear(struct text *t)
{
    t->n = 0;
    if (t->bytes)
        t->bytes[0] = '\0';
}

void text_fini(struct text *t)
{
    mem_free(t->bytes);
    *t = (struct text){0};
}

bool parse_i64(const char *s, int64_t low, int64_t high, int64_t *out)
{
    char *end;
    long long value;

    if (!(*s == '-' || (*s >= '0' && *s <= '9')))
        return false;
    errno = 0;
    value = strtoll(s, &end, 10);
    if (errno || end == s || *end || value < low || value > high)
        return false;
    *out = value;
    return true;
}

bool parse_u64(const char *s, uint64_t *out)
{
    char *end;
    unsigned long long value;

    if (*s < '0' || *s > '9')
        return false;
    errno = 0;
    value = strtoull(s, &end, 10);
    if (errno || *end)
        return false;
    *out = value;
    return true;
}

bool parse_double(const char *s, double *out)
{
    char *end;
    double value;

    if (!(*s == '-' || *s == '.' || (*s >= '0' && *s <= '9')))
        return false;
    errno = 0;
    value = strtod(s, &end);
    if (errno || end == s || *end || value - value != 0)
        return false;
    *out = value;
    return true;
}

bool parse_bytes(const char *s, uint64_t *out)
{
    static const struct {
        const char *suffix;
        uint64_t unit;
    } units[] = {
        {"", 1},
        {"b", 1},
        {"k", 1 << 10},
        {"kib", 1 << 10},
        {"kb", 1000},
        {"m", 1 << 20},
        {"mib", 1 << 20},
        {"mb", 1000000},
        {"g", 1 << 30},
        {"gib", 1 << 30},
        {"gb", 1000000000},
        {"t", 1ull << 40},
        {"tib", 1ull << 40},
        {"tb", 1000000000000},
    };
    char *end;
    unsigned long long value;

    if (*s < '0' || *s > '9')
        return false;
    errno = 0;
    value = strtoull(s, &end, 10);
    if (errno)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcasecmp(end, units[i].suffix) == 0)
            return !__builtin_mul_overflow((uint64_t)value, units[i].unit, out);
    return false;
}

const char *format_bytes(uint64_t n, char buffer[static 32])
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)n;
    size_t i = 0;

    while (value >= 1024 && i + 1 < sizeof names / sizeof *names) {
        value /= 1024;
        i++;
    }
    snprintf(buffer, 32, i == 0 ? "%.0f %s" : "%.1f %s", value, names[i]);
    return buffer;
}

/* Levenshtein distance of two short names; names longer than the row count as far away. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    const size_t n_a = strlen(a), n_b = strlen(b);
    size_t row[MAX + 1];

    if (n_a > MAX || n_b > MAX)
        return MAX;
    for (size_t j = 0; j <= n_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n_b];
}

const char *nearest_name(const char *s, const char *const names[], size_t n)
{
    const char *best = NULL;
    size_t best_distance = strlen(s) / 3 + 2;

    for (size_t i = 0; i < n; i++) {
        const size_t distance = edit_distance(s, names[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = names[i];
        }
    }
    return best;
}

/* The length of the character at p (n bytes left): 1 to 4; 0 when it is not UTF-8; -1 when what is
 * there may be the start of one. */
static int utf8_length(const unsigned char *p, size_t n)
{
    size_t length;
    unsigned char low = 0x80, high = 0xbf;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < length; i++) {
        if (i >= n)
            return -1;
        if (p[i] < low || p[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return (int)length;
}

bool utf8_valid(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n;) {
        const int length = utf8_length(p + i, n - i);
        if (length <= 0)
            return false;
        i += (size_t)length;
    }
    return true;
}

size_t utf8_whole(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    size_t i = 0;

    while (i < n) {
        const int length = utf8_length(p + i, n - i);
        if (length < 0)
            break;
        i += length > 0 ? (size_t)length : 1;
    }
    return i;
}
