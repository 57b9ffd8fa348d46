#include "model/arch.h"

#include <string.h>

static const struct model_arch *const archs[] = {&model_arch_llama, &model_arch_tiny};

const struct model_arch *model_arch_find(struct gguf_string name)
{
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
        if (strlen(archs[i]->name) == name.n && memcmp(archs[i]->name, name.bytes, name.n) == 0)
            return archs[i];
    return NULL;
}

const char *model_arch_names(void)
{
    return "llama, tiny";
}
