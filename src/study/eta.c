#include "study/eta.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdio.h>
#include <unistd.h>

enum { PLAIN_LINE_SECONDS = 10 };

enum shoal_status eta_create(struct eta *e, const struct study_plan *plan, struct shoal_error *err)
{
    const size_t n = (size_t)plan->n;

    *e = (struct eta){
        .plan = plan, .took = mem_new(n, sizeof *e->took), .n = mem_new(n, sizeof *e->n)};
    if (e->took && e->n)
        return SHOAL_OK;
    eta_destroy(e);
    return shoal_fail_memory(err, "times of runs", n * (sizeof *e->took + sizeof *e->n));
}

void eta_destroy(struct eta *e)
{
    mem_free(e->took);
    mem_free(e->n);
    *e = (struct eta){0};
}

void eta_took(struct eta *e, int32_t point, double seconds)
{
    e->took[point] += seconds;
    e->n[point]++;
    e->took_all += seconds;
    e->expected_all += study_plan_seconds(e->plan, &e->plan->points[point]);
}

double eta_expect(const struct eta *e, int32_t point)
{
    const double how_right = e->expected_all > 0 ? e->took_all / e->expected_all : 1;

    if (e->n[point] > 0)
        return e->took[point] / e->n[point];
    return study_plan_seconds(e->plan, &e->plan->points[point]) * how_right;
}

const char *eta_print(double seconds, char out[static 32])
{
    const int n = seconds < 1e8 ? (int)(seconds + 0.5) : 100000000;

    if (n < 60)
        snprintf(out, 32, "%d s", n);
    else if (n < 3600)
        snprintf(out, 32, "%d min %02d s", n / 60, n % 60);
    else
        snprintf(out, 32, "%d h %02d min", n / 3600, n % 3600 / 60);
    return out;
}

static void clear(void *user)
{
    struct study_progress *p = user;

    if (p->is_drawn)
        fputs("\r\033[K", stderr);
}

static void draw(void *user)
{
    struct study_progress *p = user;

    if (!p->is_drawn)
        return;
    fputs(p->line, stderr);
    fflush(stderr);
}

void study_progress_begin(struct study_progress *p)
{
    *p = (struct study_progress){.is_terminal = isatty(STDERR_FILENO)};
    if (p->is_terminal)
        log_set_around(clear, draw, p);
}

void study_progress_say(struct study_progress *p, const struct study_point *point, int32_t n_done,
                        int32_t n, double seconds_left)
{
    const int64_t now = clock_ns();
    char left[32];

    if (!p->is_terminal && p->said_ns &&
        now - p->said_ns < (int64_t)PLAIN_LINE_SECONDS * 1000000000)
        return;
    p->said_ns = now;
    clear(p);
    snprintf(p->line, sizeof p->line, "%d of %d runs, about %s left | %s, %s, %g, %d x %d", n_done,
             n, eta_print(seconds_left, left), point->experiment, point->series, point->x,
             point->ranks, point->threads);
    p->is_drawn = p->is_terminal;
    if (p->is_terminal)
        draw(p);
    else
        fprintf(stderr, "shoal: %s\n", p->line);
}

void study_progress_end(struct study_progress *p)
{
    if (!p->is_terminal)
        return;
    log_set_around(NULL, NULL, NULL);
    clear(p);
    fflush(stderr);
    p->is_drawn = false;
}
