#include "base/env_rank.h"

#include "base/text.h"

#include <stdlib.h>

int32_t env_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    int64_t rank;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && parse_i64(value, 0, INT32_MAX, &rank))
            return (int32_t)rank;
    }
    return 0;
}
