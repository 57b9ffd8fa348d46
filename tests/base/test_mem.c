/* Memory that is taken before its first touch, by the kernel's own call and, where that is refused,
 * page by page. Linked with -Wl,--wrap=madvise. */
#include "base/mem.h"

#include "support/present.h"
#include "support/suite.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

enum { POPULATE_WRITE = 23, MIB = 1 << 20 };

static int refuses; /* errno, or 0 */
static int n_asked;

int __real_madvise(void *p, size_t n, int advice);
int __wrap_madvise(void *p, size_t n, int advice);

int __wrap_madvise(void *p, size_t n, int advice)
{
    if (advice == POPULATE_WRITE) {
        n_asked++;
        if (refuses) {
            errno = refuses;
            return -1;
        }
    }
    return __real_madvise(p, n, advice);
}

START_TEST(populated_pages_are_present_and_zero)
{
    static const struct {
        size_t n_bytes;
        int refuses; /* with EINVAL: as a kernel that is older than the call */
    } table[] = {
        {1, 0},         {4096, 0},      {4097, 0},      {5 * MIB + 123, 0}, {1, EINVAL},
        {4095, EINVAL}, {4096, EINVAL}, {4097, EINVAL}, {2 * MIB, EINVAL},  {5 * MIB + 123, EINVAL},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const size_t n = table[i].n_bytes, n_mapped = mem_mapped();
        uint8_t *p = mem_map(n);

        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq(pages_present(p, n), 0);
        refuses = table[i].refuses;
        n_asked = 0;
        ck_assert(mem_populate(p, n));
        ck_assert_int_eq(n_asked, 1);
        ck_assert_msg(pages_present(p, n) == pages_of(n), "row %zu: %zu of %zu pages", i,
                      pages_present(p, n), pages_of(n));
        ck_assert_uint_eq(bytes_not_zero(p, n), 0);
        mem_unmap(p, n);
        ck_assert_uint_eq(mem_mapped(), n_mapped);
    }
}
END_TEST

START_TEST(what_the_system_has_not_is_not_touched)
{
    uint8_t *p = mem_map(MIB);

    ck_assert_ptr_nonnull(p);
    refuses = ENOMEM;
    ck_assert(!mem_populate(p, MIB));
    ck_assert_uint_eq(pages_present(p, MIB), 0);
    mem_unmap(p, MIB);
}
END_TEST

SUITE("base/mem", populated_pages_are_present_and_zero, what_the_system_has_not_is_not_touched)
