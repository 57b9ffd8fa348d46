#include "cli/held_requests.h"
#include "cli/request_source.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/text.h"
#include "support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A reader of bytes that are in a pipe; the writing end is *to, or closed when to is NULL. */
static void open_pipe(struct line_reader *r, const char *bytes, size_t n, int *to)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 0);
    ck_assert_int_eq(write(ends[1], bytes, n), (ssize_t)n);
    if (to)
        *to = ends[1];
    else
        close(ends[1]);
    *r =
        (struct line_reader){.fd = ends[0], .owns_fd = true, .bytes = mem_new(4, 1), .capacity = 4};
}

START_TEST(lines)
{
    static const struct {
        const char *in;
        const char *lines[4];
    } table[] = {
        {"", {NULL}},
        {"\n", {""}},
        {"a", {"a"}},
        {"a\n", {"a"}},
        {"a\nb", {"a", "b"}},
        {"a\r\n\r\nbcdefghijk\r\n", {"a", "", "bcdefghijk"}},
        {"\xef\xbb\xbf{}\n\xef\xbb\xbf", {"{}", "\xef\xbb\xbf"}},
        {"a\rb\n\n\n", {"a\rb", "", ""}},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct line_reader r;
        const char *line;
        size_t n;

        open_pipe(&r, table[i].in, strlen(table[i].in), NULL);
        for (int k = 0; k < 4 && table[i].lines[k]; k++) {
            ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_READ);
            ck_assert_uint_eq(n, strlen(table[i].lines[k]));
            ck_assert_mem_eq(line, table[i].lines[k], n);
            ck_assert_int_eq(r.line, k + 1);
        }
        ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_END);
        ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_END);
        line_reader_close(&r);
    }
}
END_TEST

START_TEST(lines_that_are_not_there_yet)
{
    struct line_reader r;
    const char *line;
    size_t n;
    int to;

    open_pipe(&r, "one\ntw", 6, &to);
    ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_READ);
    ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_NONE_YET);
    ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_NONE_YET);
    ck_assert_int_eq(write(to, "o\n", 2), 2);
    ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_READ);
    ck_assert_mem_eq(line, "two", 3);
    close(to);
    ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_END);
    line_reader_close(&r);
}
END_TEST

START_TEST(a_line_that_is_too_long)
{
    const size_t n_long = (size_t)LINE_MAX_BYTES + 5;
    char path[] = "/tmp/shoal-test-XXXXXX";
    char *bytes = malloc(n_long);
    const int fd = mkstemp(path);
    struct shoal_error err;
    struct line_reader r;
    const char *line;
    size_t n;

    memset(bytes, 'x', n_long);
    ck_assert_int_eq(write(fd, "a\n", 2), 2);
    ck_assert_int_eq(write(fd, bytes, n_long), (ssize_t)n_long);
    ck_assert_int_eq(write(fd, "\nb\n", 3), 3);
    close(fd);
    ck_assert_int_eq(line_reader_open(&r, path, &err), SHOAL_OK);
    ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_READ);
    ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_TOO_LONG);
    ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_READ);
    ck_assert_mem_eq(line, "b", 1);
    ck_assert_int_eq(r.line, 3);
    ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_END);
    ck_assert_uint_le(r.capacity, 2u * LINE_MAX_BYTES);
    line_reader_close(&r);
    remove(path);
    free(bytes);
}
END_TEST

/* Random lines through random writes come out as they went in. */
START_TEST(lines_in_any_pieces)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct rng rng = {seed};
        struct text all = {0};
        struct line_reader r;
        const char *line, *expected;
        size_t n, sent = 0;
        int to;

        for (int i = 0; i < 2000; i++)
            text_add(&all, rng_below(&rng, 8) ? "x" : "\n", 1);
        text_add_str(&all, "\n");
        expected = all.bytes;
        open_pipe(&r, "", 0, &to);
        while (expected < all.bytes + all.n) {
            const enum line_result result = line_reader_next(&r, &line, &n);
            if (result == LINE_NONE_YET) {
                size_t more = 1 + rng_below(&rng, 40);
                more = more < all.n - sent ? more : all.n - sent;
                ck_assert_int_eq(write(to, all.bytes + sent, more), (ssize_t)more);
                sent += more;
                continue;
            }
            ck_assert_msg(result == LINE_READ && n == strcspn(expected, "\n"), "seed %d",
                          (int)seed);
            expected += n + 1;
        }
        close(to);
        ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_END);
        line_reader_close(&r);
        text_fini(&all);
    }
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
    struct line_reader r;
    struct shoal_error err;
    const char *line;
    size_t n;

    ck_assert_int_eq(line_reader_open(&r, "/no/such/file", &err), SHOAL_E_IO);
    ck_assert_str_eq(err.text, "cannot open /no/such/file: No such file or directory");
    ck_assert_int_eq(line_reader_open(&r, "/tmp", &err), SHOAL_E_IO);
    ck_assert_str_eq(err.text, "cannot read /tmp: it is a folder");

    /* a descriptor that cannot be read is found out at the first line */
    ck_assert_int_eq(line_reader_open(&r, "/dev/null", &err), SHOAL_OK);
    close(r.fd);
    r.fd = open("/dev/null", O_WRONLY);
    ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_FAILED);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(line_reader_next(&r, &line, &n), LINE_END);
    line_reader_close(&r);
}
END_TEST

START_TEST(sources)
{
    static const char input[] = "{\"custom_id\":\"a\",\"body\":{\"prompt\":\"1\"}}\n"
                                "\n"
                                "{\"custom_id\":\"a\",\"body\":{\"prompt\":\"2\"}}\n"
                                "{\"custom_id\":\"b\",\"body\":{\"prompt\":\"\"}}\n"
                                "{\"custom_id\":\"b\",\"body\":{\"prompt\":\"3\"}}\n"
                                "{\"body\":{\"prompt\":\"4\"}}\n"
                                "{\"custom_id\":\"prompt-6\",\"body\":{\"prompt\":\"5\"}}\n"
                                "broken\n";
    static const struct {
        int64_t line;
        const char *id, *error;
    } expected[] = {
        {1, "a", NULL},
        {3, "a", "custom_id: \"a\" was used by an earlier line"},
        {4, "b", "prompt: it is empty"},
        {5, "b", "custom_id: \"b\" was used by an earlier line"},
        {6, "prompt-6", NULL},
        {7, "prompt-6", "custom_id: \"prompt-6\" was used by an earlier line"},
        {8, "prompt-8", "not JSON: '[' or '{' expected near 'broken' (column 6)"},
    };
    struct request_source s = {.kind = SOURCE_JSON};
    struct batch_request b;
    struct shoal_error err;

    open_pipe(&s.reader, input, strlen(input), NULL);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const enum source_result result = request_source_next(&s, &b, &err);
        ck_assert_int_eq(result, expected[i].error ? SOURCE_BAD : SOURCE_REQUEST);
        ck_assert_int_eq(b.line, expected[i].line);
        ck_assert_str_eq(b.custom_id, expected[i].id);
        if (expected[i].error)
            ck_assert_str_eq(err.text, expected[i].error);
        batch_request_fini(&b);
    }
    ck_assert_int_eq(request_source_next(&s, &b, &err), SOURCE_END);
    request_source_close(&s);
}
END_TEST

START_TEST(prompts_and_text)
{
    const char *items[] = {"one", "", "\xff"};
    const struct setting_list prompts = {items, 3};
    struct request_source s;
    struct batch_request b;
    struct shoal_error err;

    ck_assert_int_eq(request_source_open(&s, SOURCE_PROMPTS, NULL, &prompts, &err), SHOAL_OK);
    ck_assert_int_eq(request_source_next(&s, &b, &err), SOURCE_REQUEST);
    ck_assert(b.line == 1 && b.request.n_prompt == 3);
    batch_request_fini(&b);
    for (int i = 2; i <= 3; i++) {
        ck_assert_int_eq(request_source_next(&s, &b, &err), SOURCE_BAD);
        ck_assert_int_eq(b.line, i);
        batch_request_fini(&b);
    }
    ck_assert_int_eq(request_source_next(&s, &b, &err), SOURCE_END);
    request_source_close(&s);

    s = (struct request_source){.kind = SOURCE_TEXT};
    shoal_request_default(&s.defaults);
    open_pipe(&s.reader, "one\n \n two ", 11, NULL);
    ck_assert_int_eq(request_source_next(&s, &b, &err), SOURCE_REQUEST);
    batch_request_fini(&b);
    ck_assert_int_eq(request_source_next(&s, &b, &err), SOURCE_REQUEST);
    ck_assert_str_eq(b.request.prompt, " two ");
    ck_assert_str_eq(b.custom_id, "prompt-3");
    batch_request_fini(&b);
    ck_assert_int_eq(request_source_next(&s, &b, &err), SOURCE_END);
    request_source_close(&s);
}
END_TEST

START_TEST(ids)
{
    struct id_set set = {0};
    char id[32];

    for (int i = 0; i < 5000; i++) {
        snprintf(id, sizeof id, "request-%d", i);
        ck_assert_int_eq(id_set_add(&set, id), ID_NEW);
        ck_assert_int_eq(id_set_add(&set, id), ID_SEEN);
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(id, sizeof id, "request-%d", i);
        ck_assert_int_eq(id_set_add(&set, id), ID_SEEN);
    }
    ck_assert_int_eq(id_set_add(&set, ""), ID_NEW);
    ck_assert_uint_eq(set.n, 5001);
    id_set_fini(&set);
}
END_TEST

START_TEST(arrivals_in_order)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct held_requests held = {0};
        struct rng rng = {seed};
        double last_arrival = -1;
        int64_t last_line = 0;

        for (int64_t line = 1; line <= 300; line++) {
            const struct batch_request b = {.line = line, .arrival = rng_below(&rng, 20)};
            ck_assert(held_requests_add(&held, &b));
        }
        for (int i = 0; i < 300; i++) {
            const double next = held_requests_next(&held)->arrival;
            const struct batch_request b = held_requests_take(&held);
            ck_assert(b.arrival == next && b.arrival >= last_arrival);
            ck_assert(b.arrival > last_arrival || b.line > last_line);
            last_arrival = b.arrival;
            last_line = b.line;
        }
        ck_assert_ptr_null(held_requests_next(&held));
        held_requests_fini(&held);
    }
}
END_TEST

SUITE("input", lines, lines_that_are_not_there_yet, a_line_that_is_too_long, lines_in_any_pieces,
      files_that_cannot_be_read, sources, prompts_and_text, ids, arrivals_in_order)
