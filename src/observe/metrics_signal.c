#include "observe/metrics_signal.h"

#include "observe/metrics_file.h"

#include <signal.h>
#include <stdatomic.h>

/* A signal handler is called without arguments: what it needs has to be here. */
static struct {
    atomic_int n_signals, n_users;
    struct sigaction before;
} state;

static void on_signal(int signal_number)
{
    (void)signal_number;
    atomic_fetch_add(&state.n_signals, 1);
}

void metrics_signal_begin(void)
{
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    if (atomic_fetch_add(&state.n_users, 1) == 0)
        sigaction(SIGUSR1, &action, &state.before);
}

void metrics_signal_end(void)
{
    if (atomic_fetch_sub(&state.n_users, 1) == 1)
        sigaction(SIGUSR1, &state.before, NULL);
}

int metrics_signal_count(void)
{
    return atomic_load(&state.n_signals);
}
