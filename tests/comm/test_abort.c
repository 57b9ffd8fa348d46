/* One rank cannot go on while the others wait: all must end, soon and with a known exit code. A
 * program of its own, as it does not live to report: test_abort abort CODE | cut | leave. */
#include "comm/comm.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

static void wait_for(struct comm *c, struct comm_request *r)
{
    struct comm_backoff backoff = comm_backoff_begin(c);

    while (!comm_test(r, NULL))
        comm_backoff_wait(&backoff);
}

/* A message longer than the room for it. */
static void cut(struct comm *c, struct shoal_error *err)
{
    const int32_t me = comm_rank(c);
    struct comm_request send, receive;
    char out[16] = {0}, in[8];

    if (comm_receive(c, me, 0, in, sizeof in, &receive, err) ||
        comm_send(c, me, 0, out, sizeof out, &send, err))
        return;
    wait_for(c, &receive);
}

int main(int argc, char *argv[])
{
    struct comm *c;
    struct shoal_error err;

    if (argc < 2 || comm_open(&c, &err))
        return EXIT_FAILURE;
    if (comm_rank(c) == comm_size(c) - 1) {
        clock_sleep_ns(200000000);
        if (strcmp(argv[1], "abort") == 0 && argc == 3)
            comm_abort(c, atoi(argv[2]));
        else if (strcmp(argv[1], "cut") == 0)
            cut(c, &err);
        else if (strcmp(argv[1], "leave") == 0)
            _Exit(7);
    } else {
        comm_node_barrier(c, &err);
    }
    log_error("rank %d went on", comm_rank(c));
    return EXIT_SUCCESS;
}
