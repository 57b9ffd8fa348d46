/* Every allocation fails once: nothing may crash, leak or be half done. The program is linked so
 * that calloc, realloc and aligned_alloc come here. */
#include "gguf/writer.h"

#include "base/mem.h"
#include "support/suite.h"

#include <string.h>

void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);

/* The number of allocations until the one that fails; negative: none does. */
static int countdown = -1;

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, n);
}

/* NULL when out of memory, with *err filled. */
static void *write_file(size_t *n, struct shoal_error *err)
{
    static const float values[32] = {1};
    static const char *const words[] = {"some", "words"};
    struct gguf_writer *w = gguf_writer_create();
    void *bytes = NULL;

    if (!w) {
        err->status = SHOAL_E_NO_MEMORY;
        return NULL;
    }
    gguf_write_string(w, "general.architecture", "llama");
    gguf_write_strings(w, "words", words, NULL, 2);
    gguf_write_tensor_f32(w, "a", GGUF_TYPE_Q8_0, 1, (int64_t[]){32}, values);
    gguf_write_tensor(w, "b", GGUF_TYPE_F32, 1, (int64_t[]){32}, values);
    if (gguf_writer_finish(w, &bytes, n, err) != SHOAL_OK)
        ck_assert_ptr_null(bytes);
    gguf_writer_destroy(w);
    return bytes;
}

START_TEST(writing)
{
    int n_failed = 0;

    for (;; n_failed++) {
        struct shoal_error err = {0};
        size_t n = 0;
        void *bytes;

        countdown = n_failed;
        bytes = write_file(&n, &err);
        if (countdown >= 0) {
            countdown = -1;
            ck_assert_ptr_nonnull(bytes);
            mem_free(bytes);
            break;
        }
        ck_assert_ptr_null(bytes);
        ck_assert_int_eq(err.status, SHOAL_E_NO_MEMORY);
    }
    ck_assert_int_gt(n_failed, 10);
}
END_TEST

START_TEST(reading)
{
    struct shoal_error err;
    int n_failed = 0;
    struct gguf *g;
    size_t n;
    void *bytes = write_file(&n, &err);

    for (;; n_failed++) {
        enum shoal_status status;

        countdown = n_failed;
        status = gguf_open_memory(&g, bytes, n, "x", &err);
        if (countdown >= 0) {
            countdown = -1;
            ck_assert_int_eq(status, SHOAL_OK);
            gguf_close(g);
            break;
        }
        ck_assert_int_eq(status, SHOAL_E_NO_MEMORY);
        ck_assert_int_eq(err.status, SHOAL_E_NO_MEMORY);
        ck_assert_ptr_null(g);
    }
    ck_assert_int_eq(n_failed, 6); /* the file, its name, two arrays with an index each */
    mem_free(bytes);
}
END_TEST

SUITE("gguf/memory", writing, reading)
