/* model/model.h - what a model is: hyperparameters, and weights as fields, never as names
 *
 * Made from a GGUF in three moves, so that the ranks of a machine can share one copy:
 *     model_open    read hyperparameters, check every tensor's shape, lay out the image
 *     model_fill    one rank a machine packs the weights into the image's bytes
 *     model_attach  every rank points its fields into the image
 * The image holds everything that a step reads: packed weights, norms, the RoPE table. After
 * model_attach the GGUF may be closed. Read-only from then on, for any thread. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "gguf/gguf.h"
#include "kernels/kernels.h"

struct model_hparams {
    int32_t n_embd, n_layer, n_head, n_head_kv, head_dim, n_ff, n_vocab, n_ctx;
    float norm_eps;
    int32_t n_rot;          /* 0: no RoPE */
    enum rope_pairing rope; /* how a head's elements pair */
    double rope_base;
    double rope_scale; /* positions are divided by it: linear scaling */
};

enum model_weights {
    MODEL_WEIGHTS_FILE, /* as stored, with 8-bit activations where quantised */
    MODEL_WEIGHTS_F32   /* dequantised, float arithmetic by OpenBLAS: the reference */
};

/* y (n_out) = W x (n_in) + bias. */
struct model_linear {
    enum weight_type type;
    int32_t n_in, n_out;
    int32_t n_panels; /* of 16 outputs */
    size_t panel_bytes;
    const uint8_t *panels; /* (n_panels), MODEL_WEIGHTS_FILE */
    const float *rows;     /* (n_out, n_in), MODEL_WEIGHTS_F32 */
    const float *bias;     /* (n_out) or NULL */
};

/* What a layer does not have has n_out 0 or is NULL: tiny has no norms and no feed-forward. */
struct model_layer {
    const float *attn_norm;             /* (n_embd) */
    struct model_linear q, k, v;        /* n_embd -> heads * head_dim */
    struct model_linear attn_out;       /* n_head * head_dim -> n_embd */
    const float *ffn_norm;              /* (n_embd) */
    struct model_linear gate, up, down; /* n_embd -> n_ff, n_ff -> n_embd */
};

struct model_image; /* layout of the image: what goes where */

struct model {
    struct model_hparams hp;
    enum model_weights weights;
    char arch[32];
    char name[128];                /* general.name, or the file's */
    struct model_linear embedding; /* (n_vocab rows of n_embd) */
    const float *output_norm;      /* (n_embd) or NULL */
    struct model_linear output;    /* n_embd -> n_vocab; the embedding where they are tied */
    bool is_tied;
    struct model_layer *layers; /* (n_layer) */
    const float *rope_table;    /* (max_positions, n_rot / 2, {cos, sin}) */
    const float *rope_freqs;    /* (n_rot / 2) divisors, or NULL */
    int32_t max_positions;
    uint64_t quick_hash; /* of all metadata and samples of every tensor: known after model_open */
    uint64_t hash;       /* of all bytes: known after model_attach */
    struct model_image *image;
};

struct model_options {
    enum model_weights weights;
    int32_t max_positions; /* rows of the RoPE table: the longest sequence; 0: the context */
};

/* g is borrowed until model_fill has run. Errors name the tensor or key and what was expected. */
enum shoal_status model_open(struct model **out, const struct gguf *g,
                             const struct model_options *options, struct shoal_error *err);
void model_close(struct model *m); /* NULL is fine; the image's bytes are the caller's */

size_t model_image_bytes(const struct model *m);
/* Set the rows of the RoPE table before model_image_bytes is asked for (it follows the pool). */
void model_set_positions(struct model *m, int32_t max_positions);

/* Pack everything into image (model_image_bytes, 64-byte aligned, zeroed) with n_threads OpenMP
 * threads. */
enum shoal_status model_fill(struct model *m, uint8_t *image, int32_t n_threads,
                             struct shoal_error *err);
/* Point the fields into a filled image, which is borrowed until model_close. */
enum shoal_status model_attach(struct model *m, const uint8_t *image, struct shoal_error *err);

/* The names of the architectures there are: "llama, tiny". */
const char *model_arch_names(void);

#endif
