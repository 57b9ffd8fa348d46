#include "base/settings.h"

#include "support/suite.h"

#include <stddef.h>
#include <string.h>

struct fields {
    int32_t threads, block, level;
    uint64_t seed, memory;
    float temperature;
    double seconds;
    bool cache;
    const char *file, *dtype;
    struct setting_list prompts;
};

static const struct setting settings[] = {
    {.name = "threads",
     .kind = SETTING_INT,
     .offset = offsetof(struct fields, threads),
     .high = 64},
    {.name = "block-size",
     .kind = SETTING_INT,
     .offset = offsetof(struct fields, block),
     .choices = "8|16|32"},
    {.name = "level", .kind = SETTING_INT, .offset = offsetof(struct fields, level)},
    {.name = "seed", .kind = SETTING_U64, .offset = offsetof(struct fields, seed)},
    {.name = "memory", .kind = SETTING_BYTES, .offset = offsetof(struct fields, memory)},
    {.name = "temperature",
     .kind = SETTING_FLOAT,
     .offset = offsetof(struct fields, temperature),
     .high = 2},
    {.name = "seconds", .kind = SETTING_DOUBLE, .offset = offsetof(struct fields, seconds)},
    {.name = "cache", .kind = SETTING_FLAG, .offset = offsetof(struct fields, cache)},
    {.name = "file", .kind = SETTING_STRING, .offset = offsetof(struct fields, file)},
    {.name = "dtype",
     .kind = SETTING_CHOICE,
     .offset = offsetof(struct fields, dtype),
     .choices = "f16|f32"},
    {.name = "prompt", .kind = SETTING_LIST, .offset = offsetof(struct fields, prompts)},
};

static struct setting_table table_of(struct fields *f)
{
    return (struct setting_table){settings, sizeof settings / sizeof *settings, f};
}

START_TEST(values_that_are_taken)
{
    static const struct {
        const char *name, *in, *out;
    } table[] = {
        {"threads", "0", "0"},
        {"threads", "64", "64"},
        {"block-size", "16", "16"},
        {"level", "-2147483648", "-2147483648"},
        {"seed", "18446744073709551615", "18446744073709551615"},
        {"memory", "2KiB", "2048"},
        {"temperature", "0.7", "0.699999988"},
        {"temperature", "2", "2"},
        {"seconds", "-1e-3", "-0.001"},
        {"cache", "on", "on"},
        {"cache", "False", "off"},
        {"file", "a b", "a b"},
        {"file", "", ""},
        {"dtype", "f32", "f32"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fields f = {0};
        struct setting_table t = table_of(&f);
        const struct setting *s = setting_find(&t, table[i].name);
        struct shoal_error err = {.text = ""};
        struct text out = {0};

        ck_assert_msg(setting_set(&t, s, table[i].in, &err) == SHOAL_OK, "%s", err.text);
        text_add_str(&out, "");
        setting_print(&t, s, &out);
        if (strcmp(table[i].name, "seconds") != 0)
            ck_assert_str_eq(out.bytes, table[i].out);
        else
            ck_assert_double_eq(f.seconds, -1e-3);
        text_fini(&out);
    }
}
END_TEST

START_TEST(values_that_are_refused)
{
    static const struct {
        const char *name, *in, *error;
    } table[] = {
        {"threads", "-1", "--threads: -1 is not a whole number from 0 to 64"},
        {"threads", "65", "--threads: 65 is not a whole number from 0 to 64"},
        {"threads", "two", "--threads: two is not a whole number from 0 to 64"},
        {"threads", "1.5", "--threads: 1.5 is not a whole number from 0 to 64"},
        {"threads", "99999999999", "--threads: 99999999999 is not a whole number from 0 to 64"},
        {"threads", "", "--threads: the value is empty; it takes a whole number from 0 to 64"},
        {"block-size", "7", "--block-size: 7 is not one of 8, 16, 32"},
        {"block-size", "1", "--block-size: 1 is not one of 8, 16, 32"},
        {"block-size", "8|16", "--block-size: 8|16 is not one of 8, 16, 32"},
        {"seed", "-1", "--seed: -1 is not a whole number from 0 to 2^64 - 1"},
        {"seed", "18446744073709551616",
         "--seed: 18446744073709551616 is not a whole number from 0 to 2^64 - 1"},
        {"memory", "5X", "--memory: 5X is not a size in bytes (4096, 512MiB, 2GiB)"},
        {"temperature", "2.01", "--temperature: 2.01 is not a number from 0 to 2"},
        {"temperature", "nan", "--temperature: nan is not a number from 0 to 2"},
        {"seconds", "1e999", "--seconds: 1e999 is not a number"},
        {"cache", "maybe", "--cache: maybe is not on or off"},
        {"dtype", "f64", "--dtype: f64 is not one of f16, f32"},
        {"dtype", "f16x", "--dtype: f16x is not one of f16, f32"},
        {"dtype", "f1", "--dtype: f1 is not one of f16, f32"},
        {"level", "-2147483649", "--level: -2147483649 is not a whole number"},
        {"dtype", "", "--dtype: the value is empty; it takes one of f16, f32"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fields f = {.threads = 3, .dtype = "f16"}, before = f;
        struct setting_table t = table_of(&f);
        struct shoal_error err = {.text = ""};

        ck_assert_int_eq(setting_set(&t, setting_find(&t, table[i].name), table[i].in, &err),
                         SHOAL_E_INVALID);
        ck_assert_str_eq(err.text, table[i].error);
        ck_assert_mem_eq(&f, &before, sizeof f);
    }
}
END_TEST

START_TEST(printed_lines_read_back)
{
    struct fields f = {.threads = 7,
                       .block = 32,
                       .seed = 1ull << 63,
                       .memory = 12345,
                       .temperature = 0.1f,
                       .seconds = 0.1,
                       .cache = true,
                       .file = " a # \"b\"\\\nc ",
                       .dtype = "f32"};
    struct fields back = {.file = "other"};
    struct setting_table t = table_of(&f), u = table_of(&back);
    struct shoal_error err = {.text = ""};
    struct text text = {0};

    ck_assert_int_eq(setting_set(&t, setting_find(&t, "prompt"), "one", &err), SHOAL_OK);
    ck_assert_int_eq(setting_set(&t, setting_find(&t, "prompt"), "", &err), SHOAL_OK);
    ck_assert_int_eq(setting_set(&u, setting_find(&u, "prompt"), "of before", &err), SHOAL_OK);
    settings_print(&t, &text);
    ck_assert_msg(settings_read(&u, 1, text.bytes, "lines", &err) == SHOAL_OK, "%s", err.text);
    ck_assert_int_eq(back.threads, 7);
    ck_assert_int_eq(back.block, 32);
    ck_assert(back.seed == f.seed && back.memory == f.memory && back.cache);
    ck_assert(back.temperature == f.temperature && back.seconds == f.seconds);
    ck_assert_str_eq(back.file, f.file);
    ck_assert_str_eq(back.dtype, "f32");
    ck_assert_int_eq(back.prompts.n, 2);
    ck_assert_str_eq(back.prompts.items[0], "one");
    ck_assert_str_eq(back.prompts.items[1], "");
    text_fini(&text);
    settings_fini(&t);
    settings_fini(&u);
    ck_assert_int_eq(f.prompts.n, 0);
}
END_TEST

START_TEST(files_as_people_write_them)
{
    char text[] = "# a comment\r\n"
                  "\n"
                  "  threads=4   # cores\r\n"
                  "--block-size =  8\n"
                  "file = dir#1/model.gguf\n"
                  "prompt = \"two words # no comment\" # comment\n"
                  "cache = yes";
    struct fields f = {0};
    struct setting_table t = table_of(&f);
    struct shoal_error err = {.text = ""};

    ck_assert_msg(settings_read(&t, 1, text, "my.conf", &err) == SHOAL_OK, "%s", err.text);
    ck_assert_int_eq(f.threads, 4);
    ck_assert_int_eq(f.block, 8);
    ck_assert_str_eq(f.file, "dir#1/model.gguf");
    ck_assert_str_eq(f.prompts.items[0], "two words # no comment");
    ck_assert(f.cache);
    settings_fini(&t);
}
END_TEST

START_TEST(files_that_are_refused)
{
    static const struct {
        const char *text, *error;
    } table[] = {
        {"threads 4", "c, line 1: no '=' in \"threads 4\""},
        {"\n\nthread = 4", "c, line 3: there is no option \"thread\"; the nearest is \"threads\""},
        {"zzzzzzzzzz = 4", "c, line 1: there is no option \"zzzzzzzzzz\""},
        {"= 4", "c, line 1: there is no option \"\""},
        {"threads = 4 5", "c, line 1: --threads: 4 5 is not a whole number from 0 to 64"},
        {"threads = ",
         "c, line 1: --threads: the value is empty; it takes a whole number from 0 to 64"},
        {"file = \"abc", "c, line 1: --file: the quoted value is not well-formed"},
        {"file = \"abc\\", "c, line 1: --file: the quoted value is not well-formed"},
        {"file = \"a\\tc\"", "c, line 1: --file: the quoted value is not well-formed"},
        {"file = \"abc\" d", "c, line 1: --file: the quoted value is not well-formed"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fields f = {0};
        struct setting_table t = table_of(&f);
        struct shoal_error err = {.text = ""};
        char text[256];

        strcpy(text, table[i].text);
        ck_assert_int_eq(settings_read(&t, 1, text, "c", &err), SHOAL_E_INVALID);
        ck_assert_str_eq(err.text, table[i].error);
    }
}
END_TEST

SUITE("settings", values_that_are_taken, values_that_are_refused, printed_lines_read_back,
      files_as_people_write_them, files_that_are_refused)
