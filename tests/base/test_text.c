#include "base/text.h"

#include "support/suite.h"

#include <string.h>

START_TEST(byte_sizes)
{
    static const struct {
        const char *in;
        int ok;
        uint64_t out;
    } table[] = {
        {"0", 1, 0},
        {"4096", 1, 4096},
        {"512MiB", 1, 512u << 20},
        {"2GiB", 1, 2ull << 30},
        {"1GB", 1, 1000000000},
        {"64k", 1, 65536},
        {"", 0, 0},
        {"-1", 0, 0},
        {"12 MiB", 0, 0},
        {"5X", 0, 0},
        {"99999999999999999999", 0, 0},
        {"99999999999TiB", 0, 0},
    };
    uint64_t value;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ck_assert_msg(parse_bytes(table[i].in, &value) == table[i].ok, "%s", table[i].in);
        if (table[i].ok)
            ck_assert_uint_eq(value, table[i].out);
    }
}
END_TEST

START_TEST(numbers_are_whole_strings)
{
    int64_t i;
    double d;

    ck_assert(parse_i64("-5", -10, 10, &i) && i == -5);
    ck_assert(!parse_i64("11", -10, 10, &i));
    ck_assert(!parse_i64("5x", -10, 10, &i));
    ck_assert(!parse_i64(" 5", -10, 10, &i));
    ck_assert(!parse_i64("", -10, 10, &i));
    ck_assert(parse_double("0.5", &d) && d == 0.5);
    ck_assert(!parse_double("nan", &d) && !parse_double("1e999", &d) && !parse_double("1.0.", &d));
}
END_TEST

START_TEST(nearest_names)
{
    static const char *const names[] = {"max-num-seqs", "block-size", "threads", "model"};

    ck_assert_str_eq(nearest_name("max-num-seq", names, 4), "max-num-seqs");
    ck_assert_str_eq(nearest_name("blocksize", names, 4), "block-size");
    ck_assert_str_eq(nearest_name("thread", names, 4), "threads");
    ck_assert_ptr_null(nearest_name("zzzzzzzz", names, 4));
}
END_TEST

START_TEST(utf8)
{
    static const struct {
        const char *bytes;
        size_t n, whole;
        int valid;
    } table[] = {
        {"abc", 3, 3, 1},
        {"\xc3\xa9", 2, 2, 1},
        {"a\xc3", 2, 1, 0},
        {"\xf0\x9f\x98", 3, 0, 0},
        {"\xf0\x9f\x98\x80", 4, 4, 1},
        {"\xff", 1, 1, 0},
        {"\xc0\x80", 2, 2, 0},
        {"\xed\xa0\x80", 3, 3, 0},
        {"\xe2\x82z", 3, 3, 0},
        {"", 0, 0, 1},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ck_assert_int_eq(utf8_valid(table[i].bytes, table[i].n), table[i].valid);
        ck_assert_uint_eq(utf8_whole(table[i].bytes, table[i].n), table[i].whole);
    }
}
END_TEST

START_TEST(text_grows)
{
    struct text t = {0};

    for (int i = 0; i < 1000; i++)
        text_printf(&t, "%d,", i);
    ck_assert_uint_eq(t.n, 3890);
    ck_assert_str_eq(t.bytes + t.n - 4, "999,");
    text_clear(&t);
    text_add_str(&t, "x");
    ck_assert_str_eq(t.bytes, "x");
    text_fini(&t);
}
END_TEST

SUITE("text", byte_sizes, numbers_are_whole_strings, nearest_names, utf8, text_grows)
