/* The float32 reference (--weights f32): sgemm of OpenBLAS on panels of 8 rows.
 *
 * OpenBLAS chooses its kernel by shape, so every call has the same shape for the same layer,
 * whatever the batch and the number of threads: 8 rows and a fixed chunk of outputs over the whole
 * depth, one thread a call. Then a row's result does not depend on its place in the panel (tested
 * at start), which makes this path exact on one family of processors; its sums are OpenBLAS's, so
 * families differ. */
#include "model/run.h"

#include "base/rng.h"

#include <cblas.h>
#include <string.h>

void reference_linear(const struct linear_job *job, int32_t row, int32_t row_end, int32_t begin,
                      int32_t end)
{
    const struct model_linear *l = job->linear;
    const int32_t k = l->n_in, ld = pad16(l->n_out);
    const float *w = l->rows + (size_t)begin * (size_t)k;

    for (; row < row_end; row += REFERENCE_ROWS)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, REFERENCE_ROWS, end - begin, k, 1.0f,
                    job->in->rows + (size_t)row * (size_t)k, k, w, k, 0.0f,
                    job->out + (size_t)row * (size_t)ld + begin, ld);
}

enum shoal_status model_reference_check(const char **core, struct shoal_error *err)
{
    enum { K = 96, N = 16 };
    float in[REFERENCE_ROWS * K], turned[REFERENCE_ROWS * K], w[N * K];
    float out[REFERENCE_ROWS * N], out_turned[REFERENCE_ROWS * N];
    const struct model_linear l = {.n_in = K, .n_out = N, .rows = w};
    const struct activations x = {.rows = in}, x_turned = {.rows = turned};
    struct rng rng = {1};

    openblas_set_num_threads(1);
    *core = openblas_get_corename();
    for (int i = 0; i < REFERENCE_ROWS * K; i++)
        in[i] = rng_unit(rng_next(&rng)) - 0.5f;
    for (int i = 0; i < N * K; i++)
        w[i] = rng_unit(rng_next(&rng)) - 0.5f;
    reference_linear(&(struct linear_job){&l, &x, out}, 0, REFERENCE_ROWS, 0, N);
    for (int shift = 1; shift < REFERENCE_ROWS; shift++) {
        for (int row = 0; row < REFERENCE_ROWS; row++)
            memcpy(turned + (row + shift) % REFERENCE_ROWS * K, in + row * K, sizeof *in * K);
        reference_linear(&(struct linear_job){&l, &x_turned, out_turned}, 0, REFERENCE_ROWS, 0, N);
        for (int row = 0; row < REFERENCE_ROWS; row++)
            if (memcmp(out_turned + (row + shift) % REFERENCE_ROWS * N, out + row * N,
                       sizeof *out * N) != 0)
                return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                                  "OpenBLAS kernel %s gives a row other bits in another place: "
                                  "--weights f32 would not be exact on this processor",
                                  *core);
    }
    return SHOAL_OK;
}
