#include "engine/interrupt.h"

#include "base/status.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A signal handler is called without arguments: what it needs has to be here. */
static struct {
    struct shoal_engine *_Atomic engine;
    atomic_bool came;
    int wake; /* eventfd: ends interrupt_wait, also when the signal came just before it */
} state = {.wake = -1};

static void on_signal(int signal_number)
{
    const int saved = errno;
    const uint64_t one = 1;
    struct shoal_engine *engine = atomic_load(&state.engine);

    (void)signal_number; /* SA_RESETHAND: the next one of its kind ends the process */
    atomic_store(&state.came, true);
    if (engine)
        shoal_interrupt(engine);
    if (write(state.wake, &one, sizeof one) < 0) {
        /* it is full: somebody will wake up anyway */
    }
    errno = saved;
}

enum shoal_status interrupt_begin(struct shoal_engine *engine, struct shoal_error *err)
{
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

    state.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (state.wake < 0)
        return shoal_fail(err, SHOAL_E_IO, "cannot make an event for signals: %s", strerror(errno));
    atomic_store(&state.came, false);
    atomic_store(&state.engine, engine);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return SHOAL_OK;
}

void interrupt_end(void)
{
    atomic_store(&state.engine, NULL);
}

bool interrupt_came(void)
{
    return atomic_load(&state.came);
}

void interrupt_ignore(void)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
}

void interrupt_wait(int fd, int timeout_ms)
{
    struct pollfd p[2] = {{.fd = state.wake, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

    poll(p, 2, timeout_ms);
}
