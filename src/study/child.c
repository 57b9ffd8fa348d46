#include "study/child.h"

#include "base/clock.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 50, GRACE_NS = 3000000, NOT_FOUND = 127, BY_SIGNAL = 128 };

enum shoal_status stop_signals_begin(struct stop_signals *s, struct shoal_error *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    s->fd = -1;
    if (sigprocmask(SIG_BLOCK, &set, &s->before) == 0)
        s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->fd < 0)
        return shoal_fail(err, SHOAL_E_IO, "cannot watch for signals: %s", strerror(errno));
    return SHOAL_OK;
}

void stop_signals_end(struct stop_signals *s)
{
    if (s->fd < 0)
        return;
    close(s->fd);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    s->fd = -1;
}

bool stop_signals_came(const struct stop_signals *s)
{
    struct signalfd_siginfo info;

    return s && s->fd >= 0 && read(s->fd, &info, sizeof info) == (ssize_t)sizeof info;
}

/* A child under way. */
struct child {
    pid_t pid;
    int fds[2]; /* read ends: its standard output and error; -1: at its end */
};

static void become(const char *const argv[], const char *folder, const int write_ends[2],
                   const struct stop_signals *stop)
{
    const int nothing = open("/dev/null", O_RDONLY);

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (stop && stop->fd >= 0)
        sigprocmask(SIG_SETMASK, &stop->before, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(write_ends[0], STDOUT_FILENO) < 0 ||
        dup2(write_ends[1], STDERR_FILENO) < 0 || (folder && chdir(folder) != 0))
        _exit(NOT_FOUND);
    /* execvp takes what it does not change as not const. */
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    fprintf(stderr, "cannot start %s: %s\n", argv[0], strerror(errno));
    fflush(stderr);
    _exit(NOT_FOUND);
}

static enum shoal_status start(struct child *c, const char *const argv[], const char *folder,
                               const struct stop_signals *stop, struct shoal_error *err)
{
    int out[2], errors[2];

    if (pipe2(out, O_CLOEXEC) != 0)
        return shoal_fail(err, SHOAL_E_IO, "cannot make a pipe: %s", strerror(errno));
    if (pipe2(errors, O_CLOEXEC) != 0) {
        shoal_fail(err, SHOAL_E_IO, "cannot make a pipe: %s", strerror(errno));
        close(out[0]);
        close(out[1]);
        return SHOAL_E_IO;
    }
    c->fds[0] = out[0];
    c->fds[1] = errors[0];
    fflush(NULL);
    c->pid = fork();
    if (c->pid == 0)
        become(argv, folder, (const int[]){out[1], errors[1]}, stop);
    const int error = errno;
    close(out[1]);
    close(errors[1]);
    if (c->pid > 0)
        return SHOAL_OK;
    close(out[0]);
    close(errors[0]);
    return shoal_fail(err, SHOAL_E_IO, "cannot start %s: %s", argv[0], strerror(error));
}

/* Takes what can be read; false: more than is allowed. */
static bool take(int *fd, struct text *into)
{
    char bytes[4096];
    const ssize_t n = read(*fd, bytes, sizeof bytes);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (n <= 0) {
        close(*fd);
        *fd = -1;
        return true;
    }
    text_add(into, bytes, (size_t)n);
    return into->n <= CHILD_MAX_BYTES;
}

static bool wait_some(pid_t pid, int *status)
{
    return waitpid(pid, status, WNOHANG) == pid;
}

/* End the child and what it started: first so that it can put things in order, then at once. */
static void end_child(struct child *c, int *status)
{
    bool is_over = false;

    kill(-c->pid, SIGTERM);
    for (int i = 0; i < 1000 && !(is_over = wait_some(c->pid, status)); i++)
        clock_sleep_ns(GRACE_NS);
    kill(-c->pid, SIGKILL);
    if (!is_over)
        waitpid(c->pid, status, 0);
}

static enum shoal_status read_all(struct child *c, struct child_output *o, double max_seconds,
                                  const struct stop_signals *stop, struct shoal_error *err)
{
    const int64_t start_ns = clock_ns();

    while (c->fds[0] >= 0 || c->fds[1] >= 0) {
        struct pollfd fds[3] = {
            {c->fds[0], POLLIN, 0}, {c->fds[1], POLLIN, 0}, {stop ? stop->fd : -1, POLLIN, 0}};
        if (poll(fds, 3, LOOK_MS) < 0 && errno != EINTR)
            return shoal_fail(err, SHOAL_E_IO, "cannot read what it says: %s", strerror(errno));
        if (fds[2].revents && stop_signals_came(stop))
            return shoal_fail(err, SHOAL_E_INTERRUPTED, "interrupted");
        if ((fds[0].revents && !take(&c->fds[0], &o->out)) ||
            (fds[1].revents && !take(&c->fds[1], &o->err)))
            return shoal_fail(err, SHOAL_E_LIMIT, "it wrote more than %d bytes", CHILD_MAX_BYTES);
        if ((double)(clock_ns() - start_ns) * 1e-9 > max_seconds)
            return shoal_fail(err, SHOAL_E_LIMIT, "it took longer than %.0f s", max_seconds);
    }
    return SHOAL_OK;
}

enum shoal_status child_run(struct child_output *output, const char *const argv[],
                            const char *folder, double max_seconds, const struct stop_signals *stop,
                            struct shoal_error *err)
{
    struct child c;
    int wait_status = 0;
    enum shoal_status status;

    *output = (struct child_output){0};
    status = start(&c, argv, folder, stop, err);
    if (status)
        return status;
    status = read_all(&c, output, max_seconds, stop, err);
    if (status)
        end_child(&c, &wait_status);
    else
        waitpid(c.pid, &wait_status, 0);
    for (int i = 0; i < 2; i++)
        if (c.fds[i] >= 0)
            close(c.fds[i]);
    output->code =
        WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : BY_SIGNAL + WTERMSIG(wait_status);
    if (!status && (output->out.failed || output->err.failed))
        status = shoal_fail(err, SHOAL_E_NO_MEMORY, "out of memory for what %s says", argv[0]);
    return status;
}

void child_output_fini(struct child_output *output)
{
    text_fini(&output->out);
    text_fini(&output->err);
}

bool child_exists(const char *name)
{
    const char *path = getenv("PATH");
    char file[4096];

    while (path && *path) {
        const size_t n = strcspn(path, ":");
        if (n + strlen(name) + 2 < sizeof file) {
            snprintf(file, sizeof file, "%.*s/%s", (int)n, path, name);
            if (n > 0 && access(file, X_OK) == 0)
                return true;
        }
        path += n + (path[n] == ':');
    }
    return false;
}

const char *child_last_words(const struct child_output *output, char *buffer, size_t n)
{
    const char *words = output->err.bytes ? output->err.bytes : "";
    size_t end = strlen(words), begin;

    while (end > 0 && strchr("\n -", words[end - 1]))
        end--;
    begin = end;
    while (begin > 0 && words[begin - 1] != '\n')
        begin--;
    snprintf(buffer, n, "%.*s", (int)(end - begin), words + begin);
    return buffer;
}
