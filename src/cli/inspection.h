/* cli/inspection.h - what is known of a model file, to be printed as text or as JSON */
#ifndef CLI_INSPECTION_H
#define CLI_INSPECTION_H

#include "base/text.h"
#include "gguf/gguf.h"
#include "kernels/attention.h"
#include "model/model.h"
#include "tokenizer/chat.h"
#include "tokenizer/tokenizer.h"

struct inspection {
    const struct gguf *gguf;
    size_t n_bytes;
    const struct model *model;         /* NULL when there is none, or none that can be run */
    const struct tokenizer *tokenizer; /* NULL when there is none */
    enum chat_family chat;
    struct {
        int64_t n_tensors;
        uint64_t n_bytes;
    } types[GGUF_TYPE_COUNT];
    int64_t n_parameters;

    /* Memory, with a model: what each takes with the options that were given. */
    uint64_t weight_bytes;
    uint64_t kv_token_bytes[KV_DTYPE_COUNT]; /* 0: the type does not fit this model */
    uint64_t step_bytes;
    int32_t max_tokens, max_seqs, max_model_len, n_threads, block_size;
};

void inspection_print(const struct inspection *x, bool lists_tensors, struct text *out);
void inspection_print_json(const struct inspection *x, bool lists_tensors, struct text *out);

#endif
