/* attention-visualization: heat maps of attention weights, and what they say in figures
 *
 * For the requests, layers and heads that it is asked for. It sees and changes nothing. Reports are
 * written by each rank for its own requests when the engine closes. */
#include "plugin/built_ins.h"

#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "base/text_file.h"
#include "draw/table.h"
#include "plugin/attention_maps.h"
#include "plugin/values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_MAPS = 1024 };

/* Numbers low to high, both included. */
struct range {
    uint64_t low, high;
};

struct visualization {
    const struct shoal_plugin_host *host;
    struct range requests, layers, heads;
    char *folder; /* "": stderr */
    bool is_svg;
    struct attention_maps maps;
};

static void destroy(void *state)
{
    struct visualization *v = state;

    attention_maps_fini(&v->maps);
    mem_free(v->folder);
    mem_free(v);
}

/* "all", "3" or "0-7". */
static bool read_range(const char *text, struct range *out)
{
    char low[24];
    const char *dash = strchr(text, '-');
    const size_t n = dash ? (size_t)(dash - text) : strlen(text);

    if (strcmp(text, "all") == 0) {
        *out = (struct range){0, UINT64_MAX};
        return true;
    }
    if (n >= sizeof low)
        return false;
    memcpy(low, text, n);
    low[n] = '\0';
    if (!parse_u64(low, &out->low))
        return false;
    out->high = out->low;
    return !dash || (parse_u64(dash + 1, &out->high) && out->high >= out->low);
}

static enum shoal_status read_ranges(struct visualization *v,
                                     const struct shoal_plugin_value values[],
                                     struct shoal_error *err)
{
    const struct {
        struct range *range;
        uint64_t end; /* the first number that there is not; 0: any */
    } ranges[] = {{&v->requests, 0},
                  {&v->layers, (uint64_t)v->host->n_layer},
                  {&v->heads, (uint64_t)v->host->n_head}};

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const char *name = values[i].name, *text = values[i].text;
        if (!read_range(text, ranges[i].range))
            return shoal_fail(err, SHOAL_E_INVALID,
                              "%s: '%.40s' is not a number, two as in 0-7, or all", name, text);
        if (ranges[i].end > 0 && ranges[i].range->low >= ranges[i].end)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "%s: '%.40s', but this model has %" PRIu64 ", numbered from 0", name,
                              text, ranges[i].end);
    }
    return SHOAL_OK;
}

static enum shoal_status read_output(struct visualization *v,
                                     const struct shoal_plugin_value values[],
                                     struct shoal_error *err)
{
    static const char *const formats[] = {"svg", "text"};
    enum shoal_status status;
    int format;

    status = plugin_value_choice(&values[4], formats, 2, &format, err);
    if (status != SHOAL_OK)
        return status;
    v->folder = mem_strdup(values[3].text);
    if (!v->folder)
        return shoal_fail_memory(err, "attention-visualization", strlen(values[3].text));
    v->is_svg = v->folder[0] != '\0' && format == 0;
    if (v->folder[0] != '\0' && mkdir(v->folder, 0777) != 0 && errno != EEXIST)
        return shoal_fail(err, SHOAL_E_IO, "out: the folder %.200s cannot be made: %s", v->folder,
                          strerror(errno));
    return SHOAL_OK;
}

static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    struct visualization *v = mem_new(1, sizeof *v);
    enum shoal_status status;

    (void)n_values;
    (void)user;
    if (!v)
        return shoal_fail_memory(err, "attention-visualization", sizeof *v);
    v->host = host;
    v->maps.most = MOST_MAPS;
    if ((status = read_ranges(v, values, err)) || (status = read_output(v, values, err))) {
        destroy(v);
        return status;
    }
    *state = v;
    return SHOAL_OK;
}

static bool is_in(uint64_t n, const struct range *r)
{
    return n >= r->low && n <= r->high;
}

static enum shoal_attention_want wants(void *state, uint64_t request, int32_t choice, int32_t layer,
                                       int32_t head)
{
    const struct visualization *v = state;

    (void)choice;
    /* request 0 is a comparison's */
    return request > 0 && is_in(request, &v->requests) && is_in((uint64_t)layer, &v->layers) &&
                   is_in((uint64_t)head, &v->heads)
               ? SHOAL_ATTENTION_SEE
               : SHOAL_ATTENTION_LEAVE;
}

static enum shoal_status see(void *state, const struct shoal_attention_view *view,
                             struct shoal_error *err)
{
    struct visualization *v = state;
    const bool was_full = v->maps.is_full;

    if (!attention_maps_add(&v->maps, view))
        return shoal_fail_memory(err, "an attention map", sizeof(struct attention_map));
    if (v->maps.is_full && !was_full)
        v->host->log(v->host->engine, "warn",
                     "attention-visualization: 1024 maps are kept and no more; choose fewer "
                     "requests, layers or heads");
    return SHOAL_OK;
}

static enum shoal_status write_file(const struct visualization *v, const struct attention_map *m,
                                    const struct text *picture, struct shoal_error *err)
{
    struct text path = {0};
    enum shoal_status status = SHOAL_OK;

    text_printf(&path, "%s/attention-%" PRIu64 "-%d-layer-%d-head-%d.%s", v->folder, m->request,
                m->choice, m->layer, m->head, v->is_svg ? "svg" : "txt");
    if (path.failed)
        return shoal_fail_memory(err, "a file's name", strlen(v->folder));
    if (!text_write_file(picture, path.bytes))
        status = shoal_fail(err, SHOAL_E_IO, "%.300s cannot be written: %s", path.bytes,
                            strerror(errno));
    text_fini(&path);
    return status;
}

static enum shoal_status write_map(const struct visualization *v, const struct attention_map *m,
                                   struct shoal_error *err)
{
    float cells[MAP_CELLS * MAP_CELLS];
    char title[128];
    struct text picture = {0};
    enum shoal_status status = SHOAL_OK;

    snprintf(title, sizeof title, "attention of request %" PRIu64 ", choice %d, layer %d, head %d",
             m->request, m->choice, m->layer, m->head);
    const struct heatmap h = attention_map_picture(m, title, cells);
    if (v->is_svg)
        heatmap_draw(&h, &picture);
    else
        heatmap_print(&h, &picture);
    if (picture.failed)
        status = shoal_fail_memory(err, "a heat map", picture.capacity);
    else if (v->folder[0] != '\0')
        status = write_file(v, m, &picture, err);
    else
        fprintf(stderr, "%s\n", picture.bytes);
    text_fini(&picture);
    return status;
}

static enum shoal_status write_table(const struct visualization *v, struct shoal_error *err)
{
    static const char *const headings[] = {"request", "choice",   "layer", "head",
                                           "tokens",  "sparsity", "max",   "mean"};
    struct table t = {.n_columns = 8, .is_right = {true, true, true, true, true, true, true, true}};
    struct text out = {0};
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; i < t.n_columns; i++)
        table_put(&t, PAINT_PLAIN, "%s", headings[i]);
    for (size_t i = 0; i < v->maps.n; i++) {
        const struct attention_map *m = v->maps.list[i];
        const double n = (double)m->n_weights;
        table_put(&t, PAINT_PLAIN, "%" PRIu64, m->request);
        table_put(&t, PAINT_PLAIN, "%d", m->choice);
        table_put(&t, PAINT_PLAIN, "%d", m->layer);
        table_put(&t, PAINT_PLAIN, "%d", m->head);
        table_put(&t, PAINT_PLAIN, "%" PRId64, m->n_rows);
        table_put(&t, PAINT_PLAIN, "%.4f", (double)m->n_small / n);
        table_put(&t, PAINT_PLAIN, "%.4f", (double)m->largest);
        table_put(&t, PAINT_PLAIN, "%.4f", m->sum / n);
    }
    text_add_str(&out, "attention-visualization: weights of each head (sparsity: the share below a "
                       "tenth of 1 / keys)\n");
    table_print(&t, 2, &out);
    if (out.failed || t.failed)
        status = shoal_fail_memory(err, "the table of heads", out.capacity);
    else
        fputs(out.bytes, stderr);
    table_fini(&t);
    text_fini(&out);
    return status;
}

static enum shoal_status finish(void *state, struct shoal_error *err)
{
    struct visualization *v = state;
    enum shoal_status status = SHOAL_OK;

    if (v->maps.n == 0)
        return SHOAL_OK;
    attention_maps_sort(&v->maps);
    for (size_t i = 0; i < v->maps.n && status == SHOAL_OK; i++)
        status = write_map(v, v->maps.list[i], err);
    return status == SHOAL_OK ? write_table(v, err) : status;
}

static const struct shoal_plugin_option options[] = {
    {.name = "requests", .value = "1", .help = "numbers of requests, from 1: 3, 1-8 or all"},
    {.name = "layers", .value = "0", .help = "numbers of layers, from 0"},
    {.name = "heads", .value = "all", .help = "numbers of query heads, from 0"},
    {.name = "out", .value = "", .help = "folder for one file a head; empty: text on stderr"},
    {.name = "format", .value = "svg", .help = "svg or text, of the files"},
};

static const struct shoal_attention_plugin attention = {.wants = wants, .see = see};

const struct shoal_plugin plugin_attention_visualization = {
    .version = SHOAL_PLUGIN_VERSION,
    .name = "attention-visualization",
    .about = "heat maps of attention weights, and sparsity, maximum and mean of each head",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .create = create,
    .finish = finish,
    .destroy = destroy,
    .attention = &attention,
};
