/* A linear layer over the team: panels of 16 outputs are shared out among the threads, rows are
 * gone through in blocks whose activations stay in the second-level cache. The blocks are shared
 * out before the panels: then most of what a thread reads of its rows is what it wrote itself, and
 * cores whose common cache is far away, or that have none, need not wait for each other's lines. */
#include "model/run.h"

enum { MIN_BLOCK = 16, MAX_BLOCK = 96, ROW_UNIT = REFERENCE_ROWS, AHEAD_BYTES = 4096 };
/* Rows by panels that are not worth another thread's while. */
enum { FEW_ROWS = 128 };

/* As many blocks for each thread as the next, where that leaves them MIN_BLOCK rows. */
static int32_t n_row_blocks(int32_t n_rows, int32_t n_threads)
{
    const int32_t least = (n_rows + MAX_BLOCK - 1) / MAX_BLOCK, most = n_rows / MIN_BLOCK;
    const int32_t even = (least + n_threads - 1) / n_threads * n_threads;

    return even <= most ? even : least > most ? least : most;
}

struct linear_walk linear_walk(struct model_run *r, int32_t t, int64_t n_units, int32_t n_rows)
{
    const int32_t n_blocks = n_row_blocks(n_rows, r->team.n_threads);
    struct linear_walk walk = {.pieces = team_pieces(&r->team, t, n_units * n_blocks),
                               .n_units = n_units,
                               .n_rows = n_rows,
                               .n_blocks = n_blocks};

    walk.pieces.few = (int64_t)FEW_ROWS * n_blocks / (n_rows > 0 ? n_rows : 1);
    return walk;
}

static int32_t block_begin(const struct linear_walk *walk, int64_t block)
{
    if (block == walk->n_blocks)
        return walk->n_rows;
    return (int32_t)(walk->n_rows * block / walk->n_blocks) / ROW_UNIT * ROW_UNIT;
}

bool linear_next(struct linear_walk *walk, struct linear_piece *piece)
{
    if (walk->begin == walk->end && !team_next(&walk->pieces, &walk->begin, &walk->end))
        return false;
    const int64_t block = walk->begin / walk->n_units, base = block * walk->n_units;
    const int64_t end = walk->end - base < walk->n_units ? walk->end - base : walk->n_units;

    *piece = (struct linear_piece){.begin = walk->begin - base,
                                   .end = end,
                                   .row = block_begin(walk, block),
                                   .row_end = block_begin(walk, block + 1)};
    walk->begin = base + end;
    return true;
}

bool linear_wants_quantized(const struct model *m, const struct model_linear *l)
{
    return m->weights == MODEL_WEIGHTS_FILE && !weight_is_float(l->type);
}

static void apply_panels(const struct model_run *r, int32_t t, const struct linear_job *job,
                         int32_t first, int32_t n_panels, int32_t row, int32_t row_end)
{
    const struct model_linear *l = job->linear;
    const int64_t ld = pad16(l->n_out);
    struct linear_args args = {
        .panels = l->panels + (size_t)first * l->panel_bytes,
        .n_panels = n_panels,
        .k = l->n_in,
        .n_rows = row_end - row,
        .xf = job->in->rows + (size_t)row * (size_t)l->n_in,
        .out = job->out + row * ld + first * PANEL_OUTPUTS,
        .ld_out = ld,
        .ahead = &r->ahead[t].requests,
    };

    if (!weight_is_float(l->type))
        args.x = job->in->groups + (size_t)row * (size_t)(l->n_in / GROUP_ITEMS);
    r->kernels->linear[l->type](&args);
}

/* Units of work of a job: panels, or for the reference chunks of outputs. */
static int32_t n_units(const struct model_run *r, const struct model_linear *l)
{
    if (r->model->weights == MODEL_WEIGHTS_F32)
        return (l->n_out + REFERENCE_OUTPUTS - 1) / REFERENCE_OUTPUTS;
    return l->n_panels;
}

static void add_bias(const struct linear_job *job, int32_t begin, int32_t end, int32_t row,
                     int32_t row_end)
{
    const struct model_linear *l = job->linear;

    for (; row < row_end; row++) {
        float *out = job->out + (size_t)row * (size_t)pad16(l->n_out);
        for (int32_t o = begin; o < end; o++)
            out[o] += l->bias[o];
    }
}

static void apply_units(const struct model_run *r, int32_t t, const struct linear_job *job,
                        int32_t begin, int32_t end, int32_t row, int32_t row_end)
{
    const struct model_linear *l = job->linear;
    const bool is_reference = r->model->weights == MODEL_WEIGHTS_F32;
    const int32_t unit = is_reference ? REFERENCE_OUTPUTS : PANEL_OUTPUTS;
    const int32_t last = end * unit < l->n_out ? end * unit : l->n_out;

    if (is_reference)
        for (int32_t o = begin * unit; o < last; o += unit)
            reference_linear(job, row, row_end, o, o + unit < last ? o + unit : last);
    else
        apply_panels(r, t, job, begin, end - begin, row, row_end);
    if (l->bias)
        add_bias(job, begin * unit, last, row, row_end);
}

void apply_linear(struct model_run *r, int32_t t, const struct linear_job jobs[], int32_t n_jobs,
                  int32_t n_rows)
{
    struct linear_piece piece;
    int64_t n = 0;

    for (int32_t j = 0; j < n_jobs; j++)
        n += n_units(r, jobs[j].linear);
    for (struct linear_walk walk = linear_walk(r, t, n, n_rows); linear_next(&walk, &piece);) {
        int64_t base = 0;
        for (int32_t j = 0; j < n_jobs; j++) {
            const int64_t units = n_units(r, jobs[j].linear);
            const int64_t from = piece.begin > base ? piece.begin - base : 0;
            const int64_t to = piece.end - base < units ? piece.end - base : units;
            if (from < to)
                apply_units(r, t, &jobs[j], (int32_t)from, (int32_t)to, piece.row, piece.row_end);
            base += units;
        }
    }
}

static void prefetch_panels(const struct model_linear *l, int64_t panel)
{
    if (panel >= l->n_panels)
        return;
    /* as a number: the last panel may end before what is asked for */
    const uintptr_t first = (uintptr_t)(l->panels + (size_t)panel * l->panel_bytes);
    for (uintptr_t i = 0; i < AHEAD_BYTES; i += 64)
        __builtin_prefetch((const void *)(first + i));
}

void prefetch_columns(const struct model_run *r, const struct model_linear *l, int32_t begin)
{
    if (r->model->weights != MODEL_WEIGHTS_F32)
        prefetch_panels(l, begin / PANEL_OUTPUTS);
}

void prefetch_linear(const struct model_run *r, int32_t t, const struct linear_job jobs[],
                     int32_t n_jobs, int32_t n_rows)
{
    int64_t n = 0, begin, end;

    if (r->model->weights == MODEL_WEIGHTS_F32)
        return;
    for (int32_t j = 0; j < n_jobs; j++)
        n += jobs[j].linear->n_panels;
    share(n * n_row_blocks(n_rows, r->team.n_threads), r->team.n_threads, t, &begin, &end);
    begin %= n;
    for (int32_t j = 0; j < n_jobs; begin -= jobs[j++].linear->n_panels)
        if (begin >= 0)
            prefetch_panels(jobs[j].linear, begin);
}

int32_t column_unit(const struct model_run *r)
{
    return r->model->weights == MODEL_WEIGHTS_F32 ? REFERENCE_OUTPUTS : GROUP_ITEMS;
}

void apply_columns(const struct model_run *r, int32_t t, const struct linear_job *job,
                   int32_t begin, int32_t end, int32_t row, int32_t row_end)
{
    const int32_t unit = r->model->weights == MODEL_WEIGHTS_F32 ? REFERENCE_OUTPUTS : PANEL_OUTPUTS;

    apply_units(r, t, job, begin / unit, (end + unit - 1) / unit, row, row_end);
}
