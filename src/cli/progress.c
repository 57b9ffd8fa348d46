#include "cli/progress.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

static void clear(void *user)
{
    struct progress *p = user;

    if (p->is_drawn)
        fputs("\r\033[K", stderr);
}

static void draw(void *user)
{
    struct progress *p = user;

    if (p->is_drawn) {
        fputs(p->line, stderr);
        fflush(stderr);
    }
}

void progress_begin(struct progress *p, bool is_wanted)
{
    *p = (struct progress){.is_on = is_wanted && isatty(STDERR_FILENO),
                           .shares_stdout = isatty(STDOUT_FILENO)};
    if (!p->is_on)
        return;
    p->rate_ns = clock_ns();
    log_set_around(clear, draw, p);
}

void progress_update(struct progress *p, const struct shoal_engine *engine, int64_t n_done,
                     int64_t n_held)
{
    struct shoal_counts counts;
    const int64_t now = clock_ns();

    if (!p->is_on || now - p->drawn_ns < PROGRESS_MS * 1000000ll)
        return;
    shoal_engine_counts(engine, &counts);
    const int64_t tokens = counts.prompt_tokens - counts.cached_tokens + counts.generated_tokens;
    const double seconds = (double)(now - p->rate_ns) * 1e-9;
    const double rate = seconds > 0 ? (double)(tokens - p->rate_tokens) / seconds : 0;
    p->rate = p->rate > 0 ? 0.7 * p->rate + 0.3 * rate : rate;
    p->rate_ns = now;
    p->rate_tokens = tokens;

    clear(p);
    snprintf(p->line, sizeof p->line,
             "\r%lld done, %d running, %lld waiting | %.0f tok/s | KV %.0f %%", (long long)n_done,
             counts.n_running, (long long)(counts.n_waiting + n_held), p->rate,
             100 * counts.kv_usage);
    p->is_drawn = true;
    p->drawn_ns = now;
    draw(p);
}

void progress_clear(struct progress *p)
{
    if (!p->shares_stdout)
        return;
    clear(p);
    p->is_drawn = false;
}

void progress_end(struct progress *p)
{
    if (!p->is_on)
        return;
    log_set_around(NULL, NULL, NULL);
    clear(p);
    fflush(stderr);
    p->is_on = p->is_drawn = false;
}
