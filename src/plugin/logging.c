/* logging - a line for every step, and for every request that comes, is preempted or ends */
#include "plugin/built_ins.h"
#include "plugin/logging_lines.h"
#include "plugin/values.h"

#include "base/mem.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILE_NAME, FORMAT, EVENTS, N_OPTIONS };
enum { EVENTS_ALL, EVENTS_REQUESTS, EVENTS_STEPS, N_EVENTS };

static const struct shoal_plugin_option options[N_OPTIONS] = {
    [FILE_NAME] = {"file", "stderr", "the file to write, or stderr"},
    [FORMAT] = {"format", "text", "text, or json: one object a line"},
    [EVENTS] = {"events", "all", "all, requests or steps: which lines there are"},
};

struct logging {
    FILE *file; /* NULL on ranks other than 0 */
    char *path; /* NULL: stderr */
    bool is_json;
    int events;
    struct text line;
    struct logging_totals totals;
};

static void destroy(void *state)
{
    struct logging *l = state;

    if (l->path && l->file)
        fclose(l->file);
    mem_free(l->path);
    text_fini(&l->line);
    mem_free(l);
}

static enum shoal_status open_file(struct logging *l, const char *path, struct shoal_error *err)
{
    if (strcmp(path, "stderr") == 0) {
        l->file = stderr;
        return SHOAL_OK;
    }
    l->path = mem_strdup(path);
    if (!l->path)
        return shoal_fail_memory(err, "the name of a file", strlen(path));
    l->file = fopen(path, "we");
    if (!l->file)
        return shoal_fail(err, SHOAL_E_IO, "cannot write %s: %s", path, strerror(errno));
    setvbuf(l->file, NULL, _IOLBF, 0); /* whoever follows the file sees whole lines */
    return SHOAL_OK;
}

static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    static const char *const formats[] = {"text", "json"};
    static const char *const events[N_EVENTS] = {"all", "requests", "steps"};
    struct logging *l;
    enum shoal_status status;
    int format, which;

    (void)n_values;
    (void)user;
    if ((status = plugin_value_choice(&values[FORMAT], formats, 2, &format, err)) ||
        (status = plugin_value_choice(&values[EVENTS], events, N_EVENTS, &which, err)))
        return status;
    if (values[FILE_NAME].text[0] == '\0')
        return shoal_fail(err, SHOAL_E_INVALID, "file: no file is named");
    l = mem_new(1, sizeof *l);
    if (!l)
        return shoal_fail_memory(err, "logging", sizeof *l);
    l->is_json = format == 1;
    l->events = which;
    status = host->rank == 0 ? open_file(l, values[FILE_NAME].text, err) : SHOAL_OK;
    if (status) {
        destroy(l);
        return status;
    }
    *state = l;
    return SHOAL_OK;
}

static enum shoal_status put(struct logging *l, struct shoal_error *err)
{
    if (l->line.failed)
        return shoal_fail_memory(err, "a line", l->line.capacity);
    if (fwrite(l->line.bytes, 1, l->line.n, l->file) != l->line.n || ferror(l->file))
        return shoal_fail(err, SHOAL_E_IO, "cannot write %s: %s", l->path ? l->path : "stderr",
                          strerror(errno));
    text_clear(&l->line);
    return SHOAL_OK;
}

static enum shoal_status after_step(void *state, const struct shoal_plugin_step *step,
                                    struct shoal_plugin_control *next, struct shoal_error *err)
{
    struct logging *l = state;

    (void)next;
    l->totals.n_steps++;
    l->totals.n_tokens += step->n_tokens;
    if (l->events == EVENTS_REQUESTS)
        return SHOAL_OK;
    logging_step(&l->line, l->is_json, step);
    return put(l, err);
}

static enum shoal_status on_request_added(void *state, const struct shoal_plugin_request *request,
                                          struct shoal_error *err)
{
    struct logging *l = state;

    l->totals.n_added++;
    if (l->events == EVENTS_STEPS)
        return SHOAL_OK;
    logging_added(&l->line, l->is_json, request);
    return put(l, err);
}

static enum shoal_status on_preempt(void *state, const struct shoal_plugin_request *request,
                                    struct shoal_error *err)
{
    struct logging *l = state;

    l->totals.n_preempted++;
    if (l->events == EVENTS_STEPS)
        return SHOAL_OK;
    logging_preempted(&l->line, l->is_json, request);
    return put(l, err);
}

static enum shoal_status on_request_finished(void *state,
                                             const struct shoal_plugin_request *request,
                                             struct shoal_error *err)
{
    const struct logging_request r = logging_request(request);
    struct logging *l = state;
    struct logging_totals *t = &l->totals;

    t->n_ended[request->end]++;
    t->n_prompt += request->sequence.n_prompt;
    t->n_cached += request->sequence.n_cached;
    t->n_generated += r.n_generated;
    t->e2e_s += r.e2e_s;
    t->n_first += r.ttft_s >= 0;
    t->ttft_s += r.ttft_s >= 0 ? r.ttft_s : 0;
    t->n_itl += r.itl_s >= 0;
    t->itl_s += r.itl_s >= 0 ? r.itl_s : 0;
    if (l->events == EVENTS_STEPS)
        return SHOAL_OK;
    logging_finished(&l->line, l->is_json, request);
    return put(l, err);
}

static enum shoal_status finish(void *state, struct shoal_error *err)
{
    struct logging *l = state;
    FILE *file = l->file;
    enum shoal_status status;

    if (!file)
        return SHOAL_OK;
    logging_summary(&l->line, l->is_json, &l->totals);
    status = put(l, err);
    if (!l->path)
        return status;
    l->file = NULL;
    if (fclose(file) != 0 && !status)
        status = shoal_fail(err, SHOAL_E_IO, "cannot write %s: %s", l->path, strerror(errno));
    return status;
}

static const struct shoal_scheduler_plugin scheduler = {
    .after_step = after_step,
    .on_request_added = on_request_added,
    .on_request_finished = on_request_finished,
    .on_preempt = on_preempt,
};

const struct shoal_plugin plugin_logging = {
    .version = SHOAL_PLUGIN_VERSION,
    .name = "logging",
    .about =
        "writes a line for every step, and for every request that comes, is preempted or ends, "
        "with its statistics",
    .options = options,
    .n_options = N_OPTIONS,
    .create = create,
    .finish = finish,
    .destroy = destroy,
    .scheduler = &scheduler,
};
