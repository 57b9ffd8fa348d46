/* Any bytes: gguf_open_memory refuses them with a sentence, or everything it gives out is sound. */
#include "fuzz/fuzz.h"

#include "base/mem.h"
#include "gguf/walk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct shoal_error err = {.text = ""};
    struct gguf *g = NULL;
    void *copy = NULL; /* aligned, and without the slack that mem_new_aligned leaves behind it */
    uint64_t sum = 0;

    if (posix_memalign(&copy, MEM_ALIGN, n) != 0)
        return 0;
    if (n)
        memcpy(copy, bytes, n);
    if (gguf_open_memory(&g, copy, n, "fuzz", &err) == SHOAL_OK)
        sum = walk_file(g);
    else
        walk_check(!g && err.text[0] != '\0');
    gguf_close(g);
    free(copy);
    /* the sum is asked for, so that the reads behind it are made */
    return sum == 0 && n == SIZE_MAX;
}
