/* What bell.c and shared.c need to meet the other ranks of a machine. */
#include "comm/ranks.h"

#include "base/status.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

bool comm_sharing_is_forbidden(void)
{
    const char *value = getenv("SHOAL_NO_SHARED");

    return value && *value && strcmp(value, "0") != 0;
}

enum shoal_status comm_name_socket(struct sockaddr_un *address, socklen_t *n_address,
                                   struct shoal_error *err)
{
    const size_t n_path = sizeof address->sun_path;
    uint64_t random[2];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return shoal_fail(err, SHOAL_E_IO, "getrandom: %s", strerror(errno));
    memset(address, 0, sizeof *address);
    const int n =
        snprintf(address->sun_path + 1, n_path - 1, "shoal-%ld-%016llx%016llx", (long)getpid(),
                 (unsigned long long)random[0], (unsigned long long)random[1]);

    address->sun_family = AF_UNIX;
    *n_address = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return SHOAL_OK;
}
