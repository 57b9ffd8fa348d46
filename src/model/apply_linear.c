/* A linear layer over the team: panels of 16 outputs are shared out among the threads, rows are
 * gone through in blocks whose activations stay in the second-level cache. */
#include "model/run.h"

enum { ROW_BLOCK = 96 };

bool linear_wants_quantized(const struct model *m, const struct model_linear *l)
{
    return m->weights == MODEL_WEIGHTS_FILE && !weight_is_float(l->type);
}

static struct quantized_rows rows_from(const struct quantized_rows *x, int32_t row, int32_t k)
{
    const size_t t = (size_t)row, n = (size_t)k;

    return (struct quantized_rows){.q = x->q + t * n,
                                   .d = x->d + t * (n / 32),
                                   .s = x->s + t * (n / 32),
                                   .sum16 = x->sum16 + t * (n / 16)};
}

static void apply_panels(const struct model_run *r, const struct linear_job *job, int32_t first,
                         int32_t n_panels, int32_t n_rows)
{
    const struct model_linear *l = job->linear;
    const int64_t ld = pad16(l->n_out);

    for (int32_t row = 0; row < n_rows; row += ROW_BLOCK) {
        struct linear_args args = {
            .panels = l->panels + (size_t)first * l->panel_bytes,
            .n_panels = n_panels,
            .k = l->n_in,
            .n_rows = n_rows - row < ROW_BLOCK ? n_rows - row : ROW_BLOCK,
            .xf = r->in + (size_t)row * (size_t)l->n_in,
            .out = job->out + row * ld + first * PANEL_OUTPUTS,
            .ld_out = ld,
        };
        if (!weight_is_float(l->type))
            args.x = rows_from(&r->in8, row, l->n_in);
        r->kernels->linear[l->type](&args);
    }
}

/* Units of work of a job: panels, or for the reference chunks of outputs. */
static int32_t n_units(const struct model_run *r, const struct model_linear *l)
{
    if (r->model->weights == MODEL_WEIGHTS_F32)
        return (l->n_out + REFERENCE_OUTPUTS - 1) / REFERENCE_OUTPUTS;
    return l->n_panels;
}

static void add_bias(const struct linear_job *job, int32_t begin, int32_t end, int32_t n_rows)
{
    const struct model_linear *l = job->linear;

    for (int32_t row = 0; row < n_rows; row++) {
        float *out = job->out + (size_t)row * (size_t)pad16(l->n_out);
        for (int32_t o = begin; o < end; o++)
            out[o] += l->bias[o];
    }
}

static void apply_units(const struct model_run *r, const struct linear_job *job, int32_t begin,
                        int32_t end, int32_t n_rows)
{
    const struct model_linear *l = job->linear;
    const bool is_reference = r->model->weights == MODEL_WEIGHTS_F32;
    const int32_t unit = is_reference ? REFERENCE_OUTPUTS : PANEL_OUTPUTS;
    const int32_t last = end * unit < l->n_out ? end * unit : l->n_out;

    if (is_reference)
        for (int32_t o = begin * unit; o < last; o += unit)
            reference_linear(l, r->in, n_rows, o, o + unit < last ? o + unit : last, job->out);
    else
        apply_panels(r, job, begin, end - begin, n_rows);
    if (l->bias)
        add_bias(job, begin * unit, last, n_rows);
}

void apply_linear(const struct model_run *r, int32_t t, const struct linear_job jobs[],
                  int32_t n_jobs, int32_t n_rows)
{
    int64_t n = 0, begin, end;

    for (int32_t j = 0; j < n_jobs; j++)
        n += n_units(r, jobs[j].linear);
    share(n, r->team.n_threads, t, &begin, &end);

    int64_t base = 0;
    for (int32_t j = 0; j < n_jobs; j++) {
        const int64_t units = n_units(r, jobs[j].linear);
        const int64_t from = begin > base ? begin - base : 0;
        const int64_t to = end - base < units ? end - base : units;
        if (from < to)
            apply_units(r, &jobs[j], (int32_t)from, (int32_t)to, n_rows);
        base += units;
    }
}
