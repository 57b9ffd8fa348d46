#include "cli/run_loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "engine/interrupt.h"
#include "shoal/observe.h"

enum {
    MAX_UNDER_WAY = 4096, /* choices submitted or held */
    READ_AT_ONCE = 64,    /* lines between two looks at the engine */
    INPUT_MS = 20,        /* how long the engine may keep a pipe's next line waiting */
    MAX_SAID = 10         /* refused lines that are also logged */
};

static void write_line(struct run_loop *r)
{
    if (r->results.fd == 1)
        progress_clear(&r->progress);
    if (r->line.failed) {
        log_error("out of memory: a result is lost");
        r->results.n_lost++;
        text_fini(&r->line);
        return;
    }
    result_file_write(&r->results, r->line.bytes, r->line.n);
}

static void refuse(struct run_loop *r, struct batch_request *b, const struct shoal_error *err)
{
    r->n_done++;
    r->n_refused++;
    r->summary.n_failed++;
    if (r->source.kind == SOURCE_PROMPTS)
        log_error("prompt %lld: %s", (long long)b->line, err->text);
    else if (r->n_refused <= MAX_SAID)
        log_warn("line %lld: %s", (long long)b->line, err->text);
    else if (r->n_refused == MAX_SAID + 1)
        log_warn("more lines are refused; the results say which");
    text_clear(&r->line);
    result_line_refuse(b->custom_id, b->line, err, &r->line);
    write_line(r);
    progress_clear(&r->progress);
    prompt_printer_skip(&r->printer, b->line);
    batch_request_fini(b);
}

static void finish_job(struct run_loop *r, struct job *j)
{
    struct shoal_error err;

    r->n_done++;
    r->n_choices -= j->n_choices;
    if (j->previous)
        j->previous->next = j->next;
    else
        r->jobs = j->next;
    if (j->next)
        j->next->previous = j->previous;

    summary_add_job(&r->summary, j);
    text_clear(&r->line);
    if (j->has_failed) {
        shoal_fail(&err, SHOAL_E_NO_MEMORY, "out of memory: the result could not be kept");
        result_line_refuse(j->custom_id, j->line, &err, &r->line);
    } else {
        result_line_print(&r->context, j, &r->line);
    }
    if (r->source.kind == SOURCE_PROMPTS && job_finish(j) == SHOAL_FINISH_ERROR)
        log_error("prompt %lld: %s", (long long)j->line, j->error ? j->error : "it failed");
    write_line(r);
    if (r->printer.prompts)
        progress_clear(&r->progress);
    prompt_printer_job(&r->printer, j);
    job_destroy(j);
}

/* Takes what b holds. */
static void submit(struct run_loop *r, struct batch_request *b)
{
    struct shoal_error err;
    struct job *j = job_create(b);
    enum shoal_status status;

    if (!j) {
        shoal_fail_memory(&err, "a request", sizeof *j);
        refuse(r, b, &err);
        return;
    }
    b->request.user = j;
    status = shoal_submit(r->engine, &b->request, &j->id, &err);
    if (status) {
        b->custom_id = j->custom_id;
        j->custom_id = NULL;
        job_destroy(j);
        refuse(r, b, &err);
        return;
    }
    j->submitted_ns = clock_ns();
    j->next = r->jobs;
    if (j->next)
        j->next->previous = j;
    r->jobs = j;
    r->n_choices += j->n_choices;
    batch_request_fini(b);
}

static int64_t due_ns(const struct run_loop *r, const struct batch_request *b)
{
    return r->summary.started_ns + (int64_t)(b->arrival * 1e9);
}

static void read_requests(struct run_loop *r)
{
    struct batch_request b;
    struct shoal_error err;

    if (r->last_read == SOURCE_END)
        return;
    for (int i = 0; i < READ_AT_ONCE && r->n_choices + (int64_t)r->held.n < MAX_UNDER_WAY; i++) {
        r->last_read = request_source_next(&r->source, &b, &err);
        if (r->last_read == SOURCE_BAD) {
            refuse(r, &b, &err);
            continue;
        }
        if (r->last_read != SOURCE_REQUEST)
            return;
        if (due_ns(r, &b) <= clock_ns()) {
            submit(r, &b);
        } else if (!held_requests_add(&r->held, &b)) {
            shoal_fail_memory(&err, "a request that waits for its arrival", sizeof b);
            refuse(r, &b, &err);
        }
    }
}

static void submit_due(struct run_loop *r)
{
    const struct batch_request *next;

    while ((next = held_requests_next(&r->held)) && due_ns(r, next) <= clock_ns()) {
        struct batch_request b = held_requests_take(&r->held);
        submit(r, &b);
    }
}

static void take_events(struct run_loop *r)
{
    struct shoal_event event;

    while (shoal_next_event(r->engine, &event)) {
        struct job *j = event.user;
        const int64_t last_ns = j->choices[event.choice].last_token_ns;

        if (event.has_token && last_ns)
            samples_add(&r->summary.itl, (double)(event.now_ns - last_ns) * 1e-6);
        if (prompt_printer_streams(&r->printer))
            prompt_printer_text(&r->printer, event.text, event.n_text);
        if (job_take_event(j, &event))
            finish_job(r, j);
    }
}

static int least(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* How long to work or sleep before something else is due; -1: nothing is. */
static int timeout_ms(const struct run_loop *r)
{
    const struct batch_request *next = held_requests_next(&r->held);
    int timeout = r->progress.is_on ? PROGRESS_MS : -1;

    if (next) {
        const int64_t left = due_ns(r, next) - clock_ns();
        const int64_t ms = left > 0 ? left / 1000000 + 1 : 0;
        timeout = least(timeout, ms < 1000000 ? (int)ms : 1000000);
    }
    return timeout;
}

/* A signal came, or nobody reads the results, which are then not worth computing. */
static bool is_stopping(const struct run_loop *r)
{
    return interrupt_came() || r->results.is_gone || r->printer.has_failed;
}

static bool can_read(const struct run_loop *r)
{
    return r->last_read != SOURCE_END && r->n_choices + (int64_t)r->held.n < MAX_UNDER_WAY;
}

/* Let the engine work, or sleep where there is nothing for it to do. */
static enum shoal_status work(struct run_loop *r, struct shoal_error *err)
{
    const bool waits_for_input = can_read(r) && r->last_read == SOURCE_NONE_YET;
    const bool reads_on = can_read(r) && !waits_for_input;
    int timeout = timeout_ms(r);

    if (!r->jobs && !reads_on) {
        interrupt_wait(waits_for_input ? request_source_fd(&r->source) : -1, timeout);
        shoal_metrics_poll(r->engine);
        return SHOAL_OK;
    }
    if (reads_on)
        timeout = 0;
    else if (waits_for_input)
        timeout = least(timeout, INPUT_MS);
    return shoal_run(r->engine, timeout, err);
}

static bool is_over(const struct run_loop *r)
{
    return r->last_read == SOURCE_END && r->held.n == 0 && !r->jobs;
}

enum shoal_status run_loop(struct run_loop *r, struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    r->summary.started_ns = clock_ns();
    r->last_read = SOURCE_REQUEST;
    while (!status) {
        read_requests(r);
        submit_due(r);
        if (is_over(r))
            break;
        if (is_stopping(r)) {
            shoal_interrupt(r->engine);
            status = shoal_run(r->engine, 0, err);
            if (!status && !r->jobs)
                status = shoal_fail(err, SHOAL_E_INTERRUPTED, "interrupted");
        } else {
            status = work(r, err);
        }
        take_events(r);
        progress_update(&r->progress, r->engine, r->n_done, (int64_t)r->held.n);
    }
    while (r->jobs) {
        job_end(r->jobs, status == SHOAL_E_INTERRUPTED ? SHOAL_FINISH_ABORT : SHOAL_FINISH_ERROR,
                err->text);
        finish_job(r, r->jobs);
    }
    r->summary.duration = (double)(clock_ns() - r->summary.started_ns) * 1e-9;
    progress_end(&r->progress);
    return status;
}

uint64_t run_loop_bytes(void *user)
{
    const struct run_loop *r = user;
    const struct samples *const all[] = {&r->summary.ttft, &r->summary.tpot, &r->summary.itl,
                                         &r->summary.e2el};
    uint64_t n = r->source.seen.capacity * sizeof *r->source.seen.slots + r->line.capacity +
                 r->results.backlog.capacity + r->source.reader.capacity;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        n += all[i]->capacity * sizeof *all[i]->values;
    return n;
}

void run_loop_fini(struct run_loop *r)
{
    held_requests_fini(&r->held);
    summary_fini(&r->summary);
    text_fini(&r->line);
}
