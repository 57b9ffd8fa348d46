/* What the kernel says of memory, who holds it, and how it goes over time. */
#include "observe/memory.h"

#include "base/clock.h"
#include "base/mem.h"
#include "observe/profiler.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>

enum { MIB = 1 << 20 };

START_TEST(touched_memory_is_resident)
{
    const size_t n = 64 * MIB;
    char *p = mem_map(n);
    struct memory_process before, after;

    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(memory_resident(p, n), 0);
    ck_assert(memory_read(&before));
    memset(p, 1, n / 2);
    ck_assert(memory_read(&after));
    ck_assert_uint_ge(after.resident, before.resident + n / 2 - MIB);
    ck_assert_uint_ge(memory_resident(p, n), n / 2);
    ck_assert_uint_lt(memory_resident(p, n), n / 2 + 4 * MIB); /* a huge page more at most */
    ck_assert_uint_eq(memory_resident(p + 100, 10), 10);       /* a part of a page */
    mem_unmap(p, n);
}
END_TEST

START_TEST(heap_counts_what_is_given_out)
{
    const uint64_t before = memory_heap();
    char *p = mem_new(3 * MIB, 1);

    ck_assert_uint_ge(memory_heap(), before + 3 * MIB);
    ck_assert_uint_lt(memory_heap(), before + 4 * MIB);
    mem_free(p);
    ck_assert_uint_lt(memory_heap(), before + 4096);
}
END_TEST

START_TEST(mapped_memory_is_counted)
{
    const size_t before = mem_mapped();
    void *p = mem_map(5 * MIB);

    ck_assert_uint_eq(mem_mapped(), before + 5 * MIB);
    mem_unmap(p, 5 * MIB);
    ck_assert_uint_eq(mem_mapped(), before);
    mem_unmap(NULL, 7);
    ck_assert_uint_eq(mem_mapped(), before);
}
END_TEST

static uint64_t size_of(void *user)
{
    return *(uint64_t *)user;
}

START_TEST(buffers_by_part)
{
    struct buffers *b;
    struct buffer_sums sums;
    struct buffer found;
    struct text text = {0};
    uint64_t size = 5;
    int32_t pool, events, plan;

    ck_assert_int_eq(buffers_create(&b, NULL), SHOAL_OK);
    buffers_add(
        b,
        &(struct buffer){.name = "pool", .owner = "kv", .part = MEMORY_KV_POOL, .n_bytes = 3 * MIB},
        &pool, NULL);
    buffers_add(b,
                &(struct buffer){.name = "events",
                                 .owner = "engine",
                                 .part = MEMORY_REQUESTS,
                                 .size = size_of,
                                 .user = &size},
                &events, NULL);
    buffers_add(
        b, &(struct buffer){.name = "plan", .owner = "engine", .part = MEMORY_PLAN, .n_bytes = 100},
        &plan, NULL);
    size = 7 * MIB;
    buffers_resize(b, plan, NULL, 200);
    buffers_sum(b, &sums);
    ck_assert_uint_eq(sums.held[MEMORY_KV_POOL], 3 * MIB);
    ck_assert_uint_eq(sums.held[MEMORY_REQUESTS], 7 * MIB);
    ck_assert_uint_eq(sums.held[MEMORY_PLAN], 200);
    buffers_sum_fixed(b, &sums);
    ck_assert_uint_eq(sums.held[MEMORY_REQUESTS], 0);
    buffers_print(b, &text);
    const char *first = strstr(text.bytes, "events"), *second = strstr(text.bytes, "pool  ");
    ck_assert_msg(first && second && first < second, "%s", text.bytes);
    ck_assert_ptr_nonnull(strstr(text.bytes, "10.0 MiB")); /* all */
    buffers_remove(b, pool);
    buffers_remove(b, pool);
    ck_assert(buffers_get(b, 0, &found));
    ck_assert_str_eq(found.name, "events");
    ck_assert_uint_eq(found.n_bytes, 7 * MIB);
    ck_assert(buffers_get(b, 1, &found) && !buffers_get(b, 2, &found));
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(buffers_add(b, &(struct buffer){.n_bytes = 1}, &plan, NULL), SHOAL_OK);
    ck_assert(buffers_get(b, 101, &found) && !buffers_get(b, 102, &found));
    text_fini(&text);
    buffers_destroy(b);
}
END_TEST

START_TEST(profile_follows_memory)
{
    const size_t n = 32 * MIB;
    struct buffers *b;
    struct profiler *p;
    struct memory_snapshot s;
    struct text text = {0};
    int32_t id;

    ck_assert_int_eq(buffers_create(&b, NULL), SHOAL_OK);
    ck_assert_int_eq(profiler_create(&p, b, 16, NULL), SHOAL_OK);
    ck_assert(!profiler_peak(p, &s));
    profiler_mark(p, "before, \"quoted\"");
    char *bytes = mem_map(n);
    buffers_add(
        b, &(struct buffer){.name = "pool", .part = MEMORY_KV_POOL, .address = bytes, .n_bytes = n},
        &id, NULL);
    memset(bytes, 1, n);
    profiler_mark(p, "full");
    ck_assert_int_ge(profiler_growth(p), (int64_t)n - MIB);
    ck_assert(profiler_get(p, 1, &s));
    ck_assert_str_eq(s.label, "full");
    ck_assert_uint_eq(s.resident[MEMORY_KV_POOL], n);
    ck_assert_uint_ge(s.process.resident, n + s.resident[MEMORY_OTHER]);
    buffers_remove(b, id);
    mem_unmap(bytes, n);
    profiler_mark(p, "after");
    ck_assert_int_lt(profiler_growth(p), (int64_t)n / 2);
    ck_assert(profiler_peak(p, &s));
    ck_assert_str_eq(s.label, "full");
    ck_assert_int_eq(profiler_count(p), 3);
    profiler_print_csv(p, &text);
    ck_assert_ptr_nonnull(strstr(text.bytes, ",\"before, \"\"quoted\"\"\","));
    text_clear(&text);
    profiler_print_json(p, &text);
    ck_assert_ptr_nonnull(strstr(text.bytes, "\"before, \\\"quoted\\\"\""));
    text_fini(&text);
    profiler_destroy(p);
    buffers_destroy(b);
}
END_TEST

START_TEST(thread_samples_and_thins_out)
{
    struct buffers *b;
    struct profiler *p;
    struct memory_snapshot s;
    bool has_mark = false;
    int64_t before = -1;

    ck_assert_int_eq(buffers_create(&b, NULL), SHOAL_OK);
    ck_assert_int_eq(profiler_create(&p, b, 8, NULL), SHOAL_OK);
    profiler_mark(p, "mark");
    ck_assert_int_eq(profiler_start_sampling(p, 1000000, NULL), SHOAL_OK);
    /* Eight are more than there is room for beside the mark, so that some have gone. */
    for (int i = 0; i < 2000 && profiler_count(p) < 8; i++)
        clock_sleep_ns(1000000);
    ck_assert_int_eq(profiler_count(p), 8);
    for (int i = 0; i < 2000 && profiler_count(p) == 8; i++)
        clock_sleep_ns(1000000);
    profiler_stop_sampling(p);
    ck_assert_int_le(profiler_count(p), 8);
    for (int32_t i = 0; profiler_get(p, i, &s); i++) {
        has_mark |= strcmp(s.label, "mark") == 0;
        ck_assert_int_gt(s.ns, before);
        before = s.ns;
    }
    ck_assert(has_mark);
    for (int i = 0; i < 20; i++)
        profiler_mark(p, "more");
    ck_assert_int_le(profiler_count(p), 8);
    profiler_destroy(p);
    buffers_destroy(b);
}
END_TEST

SUITE("memory", touched_memory_is_resident, heap_counts_what_is_given_out, mapped_memory_is_counted,
      buffers_by_part, profile_follows_memory, thread_samples_and_thins_out)
