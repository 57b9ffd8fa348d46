/* model/image.h - the image: one run of bytes that holds all that a step reads of a model
 *
 *     | head: magic, hash | embedding | layer 0: norm, q, k, v, ... | ... | output | RoPE table |
 *
 * Binding lays it out (each item 64-byte aligned, in the order of use), filling packs the GGUF's
 * tensors into it, attaching turns offsets into pointers. */
#ifndef MODEL_IMAGE_H
#define MODEL_IMAGE_H

#include "model/model.h"

enum shoal_status model_image_create(struct model_image **out, struct shoal_error *err);
void model_image_destroy(struct model_image *image);

/* Each names the tensor by a printf format. A tensor that is absent is an error when it is required
 * and leaves the field as it is (zero) otherwise. */
struct model_binding {
    struct model *m;
    const struct gguf *g;
    bool is_required;
};
enum shoal_status model_bind_linear(const struct model_binding *b, struct model_linear *field,
                                    int32_t n_in, int32_t n_out, struct shoal_error *err,
                                    const char *name, ...) __attribute__((format(printf, 6, 7)));
enum shoal_status model_bind_vector(const struct model_binding *b, const float **field, int32_t n,
                                    struct shoal_error *err, const char *name, ...)
    __attribute__((format(printf, 5, 6)));

/* Every tensor of the file must have been bound: one that was not means that the file needs
 * something that shoal would silently leave out. */
enum shoal_status model_image_check_unused(const struct model *m, const struct gguf *g,
                                           struct shoal_error *err);

#endif
