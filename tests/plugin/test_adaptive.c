/* The rule of adaptive-scheduling with made-up steps and times. */
#include "plugin/adaptive_rule.h"

#include "support/suite.h"

static const int64_t ms = 1000000;

static const struct adaptive_rule ratio = {
    .mode = ADAPTIVE_RATIO, .low = 0.3, .high = 0.7, .min_chunk = 16, .max_chunk = 512};
static const struct adaptive_rule itl = {
    .mode = ADAPTIVE_ITL, .target_ns = 50 * 1000000, .min_chunk = 16, .max_chunk = 512};

static const struct {
    const char *name;
    const struct adaptive_rule *rule;
    struct adaptive_step step;
    int32_t chunk;
} cases[] = {
    {"many decode: half", &ratio, {128, 100, 71, true, 0}, 64},
    {"as many as high: stays", &ratio, {128, 100, 70, true, 0}, 128},
    {"between: stays", &ratio, {128, 100, 50, true, 0}, 128},
    {"as few as low: stays", &ratio, {128, 100, 30, true, 0}, 128},
    {"few decode: double", &ratio, {128, 100, 29, true, 0}, 256},
    {"the least", &ratio, {20, 10, 10, true, 0}, 16},
    {"the most", &ratio, {300, 100, 1, true, 0}, 512},
    {"nobody decodes", &ratio, {64, 64, 0, true, 0}, 128},
    {"an odd chunk", &ratio, {33, 10, 10, false, 0}, 16},

    {"nobody decodes, slow", &itl, {128, 128, 0, true, 500 * 1000000}, 256},
    {"on target", &itl, {128, 128, 8, true, 50 * 1000000}, 128},
    {"a little late: in proportion", &itl, {128, 128, 8, true, 80 * 1000000}, 80},
    {"twice as late", &itl, {128, 128, 8, true, 100 * 1000000}, 64},
    {"later: half at most", &itl, {128, 128, 8, true, 125 * 1000000}, 64},
    {"much too late: half at most", &itl, {128, 128, 8, true, 5000 * (int64_t)1000000}, 64},
    {"late at the least", &itl, {16, 24, 8, true, 500 * 1000000}, 16},
    {"late, no prompt left", &itl, {128, 8, 8, false, 80 * 1000000}, 80},
    {"near the target: stays", &itl, {128, 128, 8, true, 43 * 1000000}, 128},
    {"early: an eighth more", &itl, {128, 128, 8, true, 20 * 1000000}, 144},
    {"early: one more at least", &itl, {16, 24, 8, true, 20 * 1000000}, 18},
    {"early, but not held back", &itl, {128, 100, 8, false, 20 * 1000000}, 128},
    {"early at the most", &itl, {500, 100, 8, true, 1}, 512},
};

START_TEST(next_chunk)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(adaptive_next_chunk(cases[i].rule, &cases[i].step) == cases[i].chunk,
                      "%s: %d, not %d", cases[i].name,
                      adaptive_next_chunk(cases[i].rule, &cases[i].step), cases[i].chunk);
}
END_TEST

/* A machine whose steps take 2 ms and 0.4 ms a token: 8 decode, the rest is a long prompt. The
 * chunk that takes 50 ms is 112; a step is never much later than the target, from wherever the
 * chunk begins. */
START_TEST(itl_settles)
{
    static const int32_t begins[] = {16, 100, 512};

    for (size_t k = 0; k < sizeof begins / sizeof *begins; k++) {
        int32_t chunk = begins[k];
        for (int i = 0; i < 200; i++) {
            const struct adaptive_step step = {.chunk = chunk,
                                               .n_tokens = chunk + 8,
                                               .n_decode_tokens = 8,
                                               .is_held_back = true,
                                               .step_ns = 2 * ms + (chunk + 8) * 4 * ms / 10};
            if (i > 20)
                ck_assert_msg(step.step_ns <= 55 * ms && step.step_ns >= 40 * ms,
                              "from %d, step %d: a chunk of %d takes %lld ns", begins[k], i, chunk,
                              (long long)step.step_ns);
            chunk = adaptive_next_chunk(&itl, &step);
        }
    }
}
END_TEST

SUITE("plugin/adaptive", next_chunk, itl_settles)
