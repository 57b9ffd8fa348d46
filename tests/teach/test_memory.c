/* Each allocation fails in turn: an error, nothing kept, and no leak under a sanitizer. */
#include "support.h"
#include "support/failing_calloc.h"
#include "support/suite.h"

enum { MANY = 400 };

/* One life of everything; SHOAL_OK when no allocation failed. */
static enum shoal_status live(void)
{
    const int32_t prompt[] = {72, 101, 108, 108, 111};
    struct shoal_teach_request *request = NULL;
    struct shoal_teach_pool_options options;
    struct shoal_teach_pool *pool = NULL;
    struct shoal_teach_cache *cache = NULL;
    struct shoal_teach_batch *batch = NULL;
    struct shoal_teach_tiny *tiny = NULL;
    struct shoal_teach_chunk chunk;
    struct shoal_teach_output out;
    enum shoal_status status;

    shoal_teach_pool_options_default(&options);
    if (!(status = shoal_teach_request_create(&request, 7, prompt, 5, 3, NULL)) &&
        !(status = shoal_teach_chunk_next(&chunk, request, 5, NULL)) &&
        !(status = shoal_teach_pool_create(&pool, &options, NULL)) &&
        !(status = shoal_teach_cache_create(&cache, pool, 7, 16, NULL)) &&
        !(status = shoal_teach_batch_create(&batch, &chunk, 1, NULL)) &&
        !(status = shoal_teach_tiny_open(&tiny, NULL))) {
        status = shoal_teach_prefill_ragged(tiny, batch, &cache, 1, &out, NULL);
        ck_assert_int_eq(shoal_teach_cache_see(cache).n_tokens, status == SHOAL_OK ? 5 : 0);
        if (status == SHOAL_OK) {
            status = shoal_teach_decode(tiny, prompt, &cache, 1, &out, NULL);
            ck_assert_int_eq(shoal_teach_cache_see(cache).n_tokens, status == SHOAL_OK ? 6 : 5);
        }
    }
    shoal_teach_tiny_close(tiny);
    shoal_teach_batch_destroy(batch);
    shoal_teach_cache_destroy(cache);
    shoal_teach_pool_destroy(pool);
    shoal_teach_request_destroy(request);
    return status;
}

START_TEST(test_pieces)
{
    int32_t n = 0;
    enum shoal_status status;

    do {
        callocs_until_failure = n;
        status = live();
        ck_assert(status == SHOAL_OK || status == SHOAL_E_NO_MEMORY);
    } while (status != SHOAL_OK && ++n < MANY);
    callocs_until_failure = -1;
    ck_assert_int_gt(n, 20);
    ck_assert_int_lt(n, MANY);
}
END_TEST

/* A scheduler whose step fails can finish it later. */
START_TEST(test_scheduler)
{
    struct shoal_teach_scheduler_options options;
    struct shoal_teach_scheduler *s = NULL;
    const struct shoal_teach_step *step;
    int32_t prompt[5] = {1, 2, 3, 4, 5}, n;
    struct shoal_teach_tiny *tiny;

    ck_assert_int_eq(shoal_teach_tiny_open(&tiny, NULL), SHOAL_OK);
    shoal_teach_scheduler_options_default(&options);
    options.tiny = tiny;
    for (n = 0; n < MANY; n++) {
        callocs_until_failure = n;
        if (shoal_teach_scheduler_create(&s, &options, NULL) == SHOAL_OK)
            break;
        ck_assert_ptr_null(s);
    }
    ck_assert_int_gt(n, 15);
    for (uint64_t id = 1; id < 40; id++) {
        for (n = 0; n < MANY; n++) {
            callocs_until_failure = n;
            if (shoal_teach_scheduler_add(s, id, prompt, 5, 2, NULL) == SHOAL_OK)
                break;
            ck_assert_int_eq(shoal_teach_scheduler_n_sequences(s), (int32_t)id - 1);
        }
        ck_assert_int_gt(n, 0);
    }
    callocs_until_failure = -1;
    while (shoal_teach_scheduler_plan(s, &step, NULL) == SHOAL_OK && step) {
        for (n = 0; n < MANY; n++) {
            callocs_until_failure = n;
            if (shoal_teach_scheduler_finish(s, NULL, 0, NULL) == SHOAL_OK)
                break;
            ck_assert_int_eq(step->n_finished, 0);
        }
        ck_assert_int_gt(n, 5);
        callocs_until_failure = -1;
    }
    ck_assert_int_eq(shoal_teach_scheduler_count(s).n_finished, 39);
    shoal_teach_scheduler_destroy(s);
    shoal_teach_tiny_close(tiny);
}
END_TEST

SUITE("teach/memory", test_pieces, test_scheduler)
