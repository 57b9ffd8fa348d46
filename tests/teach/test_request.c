#include "support/suite.h"
#include "support.h"

#include <limits.h>

static struct shoal_teach_request *make(uint64_t id, const int32_t *prompt, int32_t n_prompt,
                                        int32_t max_tokens)
{
    struct shoal_teach_request *r;

    ck_assert_int_eq(shoal_teach_request_create(&r, id, prompt, n_prompt, max_tokens, NULL),
                     SHOAL_OK);
    return r;
}

START_TEST(test_life)
{
    int32_t prompt[] = {72, 101, 108};
    struct shoal_teach_request *r = make(7, prompt, 3, 2);
    struct printed p;

    prompt[0] = 0; /* the request has its own copy */
    ck_assert_int_eq(shoal_teach_request_state(r), SHOAL_TEACH_WAITING);
    ck_assert_int_eq(shoal_teach_request_compute(r, 2, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_request_state(r), SHOAL_TEACH_PREFILL);
    print_begin(&p);
    shoal_teach_request_print(p.out, r);
    print_expect(&p, "request 7  prefill   prompt 3, generated 0 of 2, computed 2 of 3: 72 101 | "
                     "108\n");
    ck_assert_int_eq(shoal_teach_request_compute(r, 1, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_request_state(r), SHOAL_TEACH_DECODE);
    ck_assert_int_eq(shoal_teach_request_append(r, 111, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_request_state(r), SHOAL_TEACH_DECODE);
    ck_assert_int_eq(shoal_teach_request_compute(r, 1, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_request_append(r, 33, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_request_state(r), SHOAL_TEACH_FINISHED);
    print_begin(&p);
    shoal_teach_request_print(p.out, r);
    print_expect(&p, "request 7  finished  prompt 3, generated 2 of 2, computed 4 of 5: 72 101 108 "
                     "111 | 33\n");
    shoal_teach_request_destroy(r);
    shoal_teach_request_destroy(NULL);
}
END_TEST

/* Of a long request, the tokens around the mark. */
START_TEST(test_prints_what_is_near)
{
    int32_t prompt[40];
    struct shoal_teach_request *r;
    struct printed p;

    for (int32_t i = 0; i < 40; i++)
        prompt[i] = i;
    r = make(1, prompt, 40, 1);
    ck_assert_int_eq(shoal_teach_request_compute(r, 20, NULL), SHOAL_OK);
    print_begin(&p);
    shoal_teach_request_print(p.out, r);
    print_expect(&p,
                 "request 1  prefill   prompt 40, generated 0 of 1, computed 20 of 40: (12 more) "
                 "12 13 14 15 16 17 18 19 | 20 21 22 23 24 25 26 27 (12 more)\n");
    shoal_teach_request_destroy(r);
}
END_TEST

static const struct {
    int32_t prompt[2];
    int32_t n_prompt, max_tokens;
    enum shoal_status want;
    const char *says;
} refused[] = {
    {{1, 2}, 0, 4, SHOAL_E_INVALID, "0 prompt tokens and 4 to generate"},
    {{1, 2}, -1, 4, SHOAL_E_INVALID, "-1 prompt tokens"},
    {{1, 2}, 2, 0, SHOAL_E_INVALID, "0 to generate"},
    {{1, -2}, 2, 4, SHOAL_E_INVALID, "prompt token 1 is -2"},
    {{1, 2}, 2, INT_MAX, SHOAL_E_LIMIT, "more than"},
};

START_TEST(test_create_errors)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct shoal_teach_request *r = (void *)1;
        struct shoal_error err;

        expect_error(shoal_teach_request_create(&r, 7, refused[i].prompt, refused[i].n_prompt,
                                                refused[i].max_tokens, &err),
                     &err, refused[i].want, refused[i].says);
        ck_assert_ptr_null(r);
    }
    struct shoal_teach_request *r;
    struct shoal_error err;
    expect_invalid(shoal_teach_request_create(&r, 7, NULL, 3, 1, &err), &err, "0 prompt tokens");
}
END_TEST

START_TEST(test_step_errors)
{
    const int32_t prompt[] = {1, 2, 3};
    struct shoal_teach_request *r = make(7, prompt, 3, 1);
    struct shoal_error err;

    expect_invalid(shoal_teach_request_compute(r, 0, &err), &err, "0 tokens cannot be computed");
    expect_invalid(shoal_teach_request_compute(r, 4, &err), &err, "3 known ones are left");
    expect_invalid(shoal_teach_request_append(r, 9, &err), &err,
                   "0 of 3 known tokens are computed");
    ck_assert_int_eq(shoal_teach_request_compute(r, 3, NULL), SHOAL_OK);
    expect_invalid(shoal_teach_request_append(r, -1, &err), &err, "token -1");
    /* a request goes on after an error */
    ck_assert_int_eq(shoal_teach_request_append(r, 9, NULL), SHOAL_OK);
    expect_invalid(shoal_teach_request_append(r, 9, &err), &err, "is finished");
    shoal_teach_request_destroy(r);
}
END_TEST

START_TEST(test_names)
{
    for (int i = 0; i < SHOAL_TEACH_STATE_COUNT; i++)
        ck_assert_str_ne(shoal_teach_state_name((enum shoal_teach_state)i), "unknown");
    ck_assert_str_eq(shoal_teach_state_name((enum shoal_teach_state)99), "unknown");
}
END_TEST

SUITE("teach/request", test_life, test_prints_what_is_near, test_create_errors, test_step_errors,
      test_names)
