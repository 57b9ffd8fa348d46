/* The leak detector: silent on a clean run, and naming the part where one is planted. */
#include "observe/leak.h"

#include "base/mem.h"
#include "support/suite.h"

#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static uint64_t size_of(void *user)
{
    return *(uint64_t *)user;
}

/* Ten rounds of a program that takes and gives back; `leaks` keeps some. */
static struct leak_verdict run(size_t leaked_heap, size_t leaked_map, uint64_t leaked_requests,
                               uint64_t threshold, void *kept[20])
{
    struct buffers *b;
    struct leak_detector d;
    struct leak_measure now;
    struct leak_verdict v = {0};
    uint64_t requests = 0;
    int32_t id;

    ck_assert_int_eq(buffers_create(&b, NULL), SHOAL_OK);
    buffers_add(b, &(struct buffer){.part = MEMORY_REQUESTS, .size = size_of, .user = &requests},
                &id, NULL);
    leak_measure_now(b, &now);
    leak_begin(&d, &now, threshold);
    for (int i = 0; i < 10; i++) {
        void *work = mem_new(5 * MIB, 1);
        void *mapped = mem_map(8 * MIB);
        mem_unmap(mapped, 8 * MIB);
        mem_free(work);
        kept[i] = leaked_heap ? mem_new(leaked_heap, 1) : NULL;
        kept[10 + i] = leaked_map ? mem_map(leaked_map) : NULL;
        requests += leaked_requests;
        leak_measure_now(b, &now);
        v = leak_check(&d, &now);
    }
    for (int i = 0; i < 10; i++) {
        mem_free(kept[i]);
        mem_unmap(kept[10 + i], leaked_map);
    }
    buffers_destroy(b);
    return v;
}

START_TEST(verdicts)
{
    static const struct {
        const char *name;
        size_t heap, map;
        uint64_t requests, threshold;
        bool leaks;
        enum memory_part part;
    } table[] = {
        {"clean", 0, 0, 0, 64 * KIB, false, MEMORY_OTHER},
        {"heap", 100 * KIB, 0, 0, 64 * KIB, true, MEMORY_OTHER},
        {"map", 0, 100 * KIB, 0, 64 * KIB, true, MEMORY_OTHER},
        {"a little at a time", 10 * KIB, 0, 0, 64 * KIB, true, MEMORY_OTHER},
        {"below the threshold", 1 * KIB, 0, 0, 64 * KIB, false, MEMORY_OTHER},
        /* the buffer grows, and malloc gives out as much */
        {"a part", 100 * KIB, 0, 100 * KIB, 64 * KIB, true, MEMORY_REQUESTS},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        void *kept[20];
        const struct leak_verdict v =
            run(table[i].heap, table[i].map, table[i].requests, table[i].threshold, kept);
        struct text text = {0};
        ck_assert_msg(v.leaks == table[i].leaks, "%s: %d", table[i].name, v.leaks);
        leak_print(&v, &text);
        if (table[i].leaks) {
            ck_assert_msg(v.part == table[i].part, "%s: %s", table[i].name,
                          memory_part_name(v.part));
            ck_assert_int_eq(v.n_rises, 10);
            ck_assert_ptr_nonnull(strstr(text.bytes, memory_part_name(v.part)));
        }
        ck_assert_msg((strstr(text.bytes, "no memory leak") == NULL) == table[i].leaks, "%s",
                      text.bytes);
        ck_assert_int_eq(v.n_checks, 10);
        text_fini(&text);
    }
}
END_TEST

SUITE("leak", verdicts)
