/* model/arch.h - how an architecture's names in a GGUF become the fields of struct model
 *
 * Adding an architecture is a file arch_NAME.c with a struct model_arch, and a line in arch.c. What
 * the forward pass does follows from which fields are bound. */
#ifndef MODEL_ARCH_H
#define MODEL_ARCH_H

#include "model/model.h"

struct model_arch {
    const char *name; /* general.architecture */
    enum shoal_status (*read_hparams)(const struct gguf *g, struct model_hparams *hp,
                                      struct shoal_error *err);
    /* Bind every tensor of the model with the functions of image.h. */
    enum shoal_status (*bind)(struct model *m, const struct gguf *g, struct shoal_error *err);
};

extern const struct model_arch model_arch_llama;
extern const struct model_arch model_arch_tiny;

/* NULL when there is none of that name. */
const struct model_arch *model_arch_find(struct gguf_string name);

#endif
