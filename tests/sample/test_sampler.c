#include "sample/sampler.h"

#include "base/half.h"
#include "support.h"
#include "support/no_malloc.h"
#include "support/suite.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const float ln2 = 0.69314718f;

enum { N_VOCAB = 4, N_DRAWS = 4096 };

/* What is added to a logit (logits, biases, presence and frequency penalty) is in units of ln 2, so
 * that weights are powers of two. Ids are given plus 1, so that 0 ends their lists. top_p -1 means
 * 0, because 0 means its neutral value. */
struct draw_case {
    const char *name;
    float logits[N_VOCAB];
    struct step_sampling sampling; /* top_p and repetition_penalty 0: 1 */
    int32_t prompt[4], output[4];  /* tokens + 1; 0 ends them; without a prompt it is one 3 */
    struct {
        int32_t id; /* + 1 */
        float value;
    } bias[3];
    int32_t stop[3];         /* + 1 */
    double weights[N_VOCAB]; /* the share of each token is weight / sum */
};

static const struct draw_case draw_cases[] = {
    {"greedy", {2, 3, 1, 0}, {.temperature = 0}, .weights = {0, 1, 0, 0}},
    {"greedy, a tie", {1, 3, 3, 3}, {.temperature = 0}, .weights = {0, 1, 0, 0}},
    {"greedy ignores top-k, top-p and min-p",
     {2, 3, 1, 0},
     {.top_k = 3, .top_p = 0.9f, .min_p = 0.01f},
     .weights = {0, 1, 0, 0}},
    {"as it is", {3, 2, 1, 0}, {.temperature = 1}, .weights = {8, 4, 2, 1}},
    {"temperature 2", {6, 4, 2, 0}, {.temperature = 2}, .weights = {8, 4, 2, 1}},
    {"temperature 0.5", {3, 2, 1, 0}, {.temperature = 0.5f}, .weights = {64, 16, 4, 1}},
    {"temperature 1e-6", {3, 2.999f, 1, 0}, {.temperature = 1e-6f}, .weights = {1, 0, 0, 0}},
    {"temperature 1e-45", {1, 3, 0, 3}, {.temperature = 1e-45f}, .weights = {0, 1, 0, 1}},
    {"temperature 1e-45, top-p",
     {1, 3, 0, 3},
     {.temperature = 1e-45f, .top_p = 0.9f},
     .weights = {0, 1, 0, 1}},
    {"temperature 1e38", {3, 2, 1, 0}, {.temperature = 1e38f}, .weights = {1, 1, 1, 1}},
    {"temperature 1e38, -infinity",
     {3, -INFINITY, 1, 0},
     {.temperature = FLT_MAX},
     .weights = {1, 0, 1, 1}},

    {"min-p 0.2", {3, 2, 1, 0}, {.temperature = 1, .min_p = 0.2f}, .weights = {8, 4, 2, 0}},
    {"min-p 0.3", {0, 2, 1, 3}, {.temperature = 1, .min_p = 0.3f}, .weights = {0, 4, 0, 8}},
    {"min-p 1", {3, 2, 3, 0}, {.temperature = 1, .min_p = 1}, .weights = {1, 0, 1, 0}},
    {"min-p of the smallest",
     {3, 2, 1, 0},
     {.temperature = 1, .min_p = 1e-45f},
     .weights = {8, 4, 2, 1}},
    {"min-p comes after temperature",
     {3, 2, 1, 0},
     {.temperature = 2, .min_p = 0.3f},
     .weights = {2.8284, 2, 1.4142, 1}},

    {"top-k 1", {2, 3, 1, 0}, {.temperature = 1, .top_k = 1}, .weights = {0, 1, 0, 0}},
    {"top-k 2", {0, 3, 1, 2}, {.temperature = 1, .top_k = 2}, .weights = {0, 8, 0, 4}},
    {"top-k 4", {3, 2, 1, 0}, {.temperature = 1, .top_k = 4}, .weights = {8, 4, 2, 1}},
    {"top-k of all", {3, 2, 1, 0}, {.temperature = 1, .top_k = INT32_MAX}, .weights = {8, 4, 2, 1}},
    {"top-k, a tie", {1, 3, 1, 1}, {.temperature = 1, .top_k = 2}, .weights = {2, 8, 0, 0}},
    {"top-k 1 is greedy though weights round to the same",
     {0, 1e-8f, 2e-8f, 1e-8f},
     {.temperature = 1, .top_k = 1},
     .weights = {0, 0, 1, 0}},
    {"top-k of more than min-p leaves",
     {3, 2, 1, 0},
     {.temperature = 1, .top_k = 3, .min_p = 0.3f},
     .weights = {8, 4, 0, 0}},

    {"top-p 0", {2, 3, 1, 0}, {.temperature = 1, .top_p = -1}, .weights = {0, 1, 0, 0}},
    {"top-p 1e-45", {2, 3, 3, 0}, {.temperature = 1, .top_p = 1e-45f}, .weights = {0, 1, 0, 0}},
    {"top-p 0.5", {3, 2, 1, 0}, {.temperature = 1, .top_p = 0.5f}, .weights = {8, 0, 0, 0}},
    {"top-p 0.6", {0, 2, 1, 3}, {.temperature = 1, .top_p = 0.6f}, .weights = {0, 4, 0, 8}},
    {"top-p 0.85", {3, 2, 1, 0}, {.temperature = 1, .top_p = 0.85f}, .weights = {8, 4, 2, 0}},
    {"top-p 0.99", {3, 2, 1, 0}, {.temperature = 1, .top_p = 0.99f}, .weights = {8, 4, 2, 1}},
    {"top-p, a tie", {2, 2, 2, 2}, {.temperature = 1, .top_p = 0.4f}, .weights = {1, 1, 0, 0}},
    /* 8 of 12, but only 8 of 15. */
    {"top-p is a share of what top-k leaves",
     {3, 2, 1, 0},
     {.temperature = 1, .top_k = 2, .top_p = 0.6f},
     .weights = {8, 0, 0, 0}},
    /* 12 of 14, but only 12 of 15. */
    {"top-p is a share of what min-p leaves",
     {3, 2, 1, 0},
     {.temperature = 1, .min_p = 0.2f, .top_p = 0.82f},
     .weights = {8, 4, 0, 0}},

    {"bias",
     {0, 0, 0, 0},
     {.temperature = 1},
     .bias = {{3, 2}, {1, -1}},
     .weights = {0.5, 1, 4, 1}},
    {"bias, the same id twice",
     {0, 0, 0, 0},
     {.temperature = 1},
     .bias = {{3, 1}, {3, 2}},
     .weights = {1, 1, 8, 1}},
    {"bias of -1000",
     {3, 0, 0, 0},
     {.temperature = 1},
     .bias = {{1, -1000}},
     .weights = {0, 1, 1, 1}},
    {"bias of -1000 for all but one that is worse",
     {0, 0, 0, -9e4f},
     {.temperature = 0},
     .bias = {{1, -1e5f}, {2, -1e5f}, {3, -1e5f}},
     .weights = {0, 0, 0, 1}},
    {"bias beyond the largest float",
     {3e38f, 0, 3e38f, 0},
     {.temperature = 1},
     .bias = {{1, 3e38f}, {3, 3e38f}},
     .weights = {1, 0, 1, 0}},
    {"bias brings -infinity not back",
     {-INFINITY, 0, 0, 0},
     {.temperature = 1},
     .bias = {{1, 1e30f}},
     .weights = {0, 1, 1, 1}},

    {"repetition penalty: divides, multiplies, once a token, prompt and output",
     {2, 2, -1, 0},
     {.temperature = 1, .repetition_penalty = 2},
     .prompt = {1, 3},
     .output = {1, 1, 3},
     .weights = {2, 4, 0.25, 1}},
    {"repetition penalty below 1",
     {1, 1, -2, 0},
     {.temperature = 1, .repetition_penalty = 0.5f},
     .prompt = {1, 3, 4},
     .weights = {4, 2, 0.5, 1}},
    {"repetition penalty after bias",
     {0, 1, 0, 0},
     {.temperature = 1, .repetition_penalty = 2},
     .prompt = {1},
     .bias = {{1, 4}},
     .weights = {4, 2, 1, 1}},
    {"a repetition penalty that overflows downwards excludes nothing",
     {-1e20f, -1e20f, -1e20f, -1e20f},
     {.temperature = 1, .repetition_penalty = 1e30f},
     .prompt = {1, 2, 3, 4},
     .weights = {1, 1, 1, 1}},
    {"a repetition penalty that overflows upwards",
     {1e20f, 1e20f, 1e20f, 0},
     {.temperature = 1, .repetition_penalty = 1e-30f},
     .prompt = {1, 3},
     .weights = {1, 0, 1, 0}},
    {"a repetition penalty on -infinity and 0",
     {-INFINITY, 0, 0, -1},
     {.temperature = 1, .repetition_penalty = 1e-40f},
     .prompt = {1, 2},
     .weights = {0, 2, 2, 1}},

    {"frequency penalty: by count, output only",
     {3, 2, 1, 0},
     {.temperature = 1, .frequency_penalty = 0.5f},
     .prompt = {2, 1},
     .output = {1, 1, 3},
     .weights = {4, 4, 1.4142, 1}},
    {"presence penalty: once, output only",
     {3, 2, 1, 0},
     {.temperature = 1, .presence_penalty = 1},
     .prompt = {2, 1},
     .output = {1, 1, 3},
     .weights = {4, 4, 1, 1}},
    {"a presence penalty that rewards",
     {0, 0, 0, 0},
     {.temperature = 1, .presence_penalty = -2},
     .output = {2},
     .weights = {1, 4, 1, 1}},
    {"all three penalties, repetition first",
     {4, 1, 0, 0},
     {.temperature = 1, .repetition_penalty = 2, .frequency_penalty = 0.5f, .presence_penalty = 1},
     .output = {1, 1},
     .weights = {1, 2, 1, 1}},

    {"min_tokens holds back",
     {3, 2, 1, 0},
     {.temperature = 1, .min_tokens = 2},
     .output = {1},
     .stop = {1, 3},
     .weights = {0, 4, 0, 1}},
    {"min_tokens reached",
     {3, 2, 1, 0},
     {.temperature = 1, .min_tokens = 2},
     .output = {1, 1},
     .stop = {1, 3},
     .weights = {8, 4, 2, 1}},
    {"min_tokens, greedy", {3, 2, 1, 0}, {.min_tokens = 1}, .stop = {1}, .weights = {0, 1, 0, 0}},
    {"min_tokens before bias and penalties",
     {3, 2, 1, 0},
     {.temperature = 1, .min_tokens = 4, .repetition_penalty = 0.5f, .presence_penalty = -2},
     .output = {1, 1},
     .bias = {{1, 50}},
     .stop = {1},
     .weights = {0, 4, 2, 1}},
    {"-infinity from the model",
     {-INFINITY, 2, -INFINITY, 0},
     {.temperature = 1, .top_p = 0.99f},
     .weights = {0, 4, 0, 1}},
    {"-infinity from the model, top-k of more than are left",
     {-INFINITY, 2, -INFINITY, 0},
     {.temperature = 1, .top_k = 3},
     .weights = {0, 4, 0, 1}},
    {"the widest logits there are",
     {-FLT_MAX, FLT_MAX, FLT_MAX, 0},
     {.temperature = 1},
     .weights = {0, 1, 1, 0}},
};
enum { N_DRAW_CASES = sizeof draw_cases / sizeof *draw_cases };

static void add_tokens(struct step_slot *slot, const int32_t tokens[4])
{
    for (int i = 0; i < 4 && tokens[i] > 0; i++)
        slot->tokens[slot->n_tokens++] = tokens[i] - 1;
}

static void slot_of_case(struct case_slot *c, float logits[N_VOCAB], const struct draw_case *d)
{
    struct step_slot *slot = &c->slot;
    struct step_sampling *p = &slot->sampling;

    case_slot_init(c);
    *p = d->sampling;
    p->top_p = p->top_p == 0 ? 1 : p->top_p < 0 ? 0 : p->top_p;
    p->repetition_penalty = p->repetition_penalty > 0 ? p->repetition_penalty : 1;
    p->frequency_penalty *= ln2;
    p->presence_penalty *= ln2;
    for (int i = 0; i < N_VOCAB; i++)
        logits[i] = fabsf(d->logits[i]) < FLT_MAX ? d->logits[i] * ln2 : d->logits[i];
    slot->n_tokens = 0;
    add_tokens(slot, d->prompt);
    if (slot->n_tokens == 0)
        slot->tokens[slot->n_tokens++] = 3;
    slot->n_prompt = slot->n_tokens;
    add_tokens(slot, d->output);
    for (int i = 0; i < 3 && d->bias[i].id > 0; i++, slot->n_bias++) {
        slot->bias_ids[i] = d->bias[i].id - 1;
        slot->bias_values[i] = d->bias[i].value * ln2;
    }
    for (int i = 0; i < 3 && d->stop[i] > 0; i++)
        slot->stop_ids[slot->n_stop++] = d->stop[i] - 1;
}

START_TEST(draws_by_hand)
{
    const struct kernels k = best_kernels();
    struct sampler *s = sampler_new(N_VOCAB);

    for (int d = 0; d < N_DRAW_CASES; d++) {
        struct case_slot c;
        float logits[N_VOCAB];
        int counts[N_VOCAB] = {0};
        double sum = 0;
        slot_of_case(&c, logits, &draw_cases[d]);
        for (uint64_t seed = 0; seed < N_DRAWS; seed++) {
            c.slot.sampling.seed = seed;
            counts[choose(s, &k, &c.slot, logits, N_VOCAB)]++;
        }
        for (int i = 0; i < N_VOCAB; i++)
            sum += draw_cases[d].weights[i];
        for (int i = 0; i < N_VOCAB; i++) {
            const double want = draw_cases[d].weights[i] / sum;
            const double got = (double)counts[i] / N_DRAWS;
            /* 0.02 is at least two and a half deviations; seeds are fixed. */
            if (fabs(got - want) > 0.02 || (want <= 0 && counts[i] > 0) ||
                (want > 0.01 && counts[i] == 0))
                ck_abort_msg("%s: token %d is drawn in %.4f of all draws, not in %.4f",
                             draw_cases[d].name, i, got, want);
        }
    }
    sampler_destroy(s);
}
END_TEST

START_TEST(rows_without_a_choice)
{
    static const struct {
        float logits[N_VOCAB];
        int32_t n_stop; /* 0, 1, ... are held back */
        float bias;     /* of token 0 */
    } table[] = {
        {{0, 1, NAN, 0}, 0, 0},
        {{-INFINITY, -INFINITY, NAN, -INFINITY}, 0, 0},
        {{0, INFINITY, 1, 0}, 0, 0},
        {{0, INFINITY, -INFINITY, 0}, 0, 0},
        {{-INFINITY, -INFINITY, -INFINITY, -INFINITY}, 0, 0},
        {{-INFINITY, -INFINITY, -INFINITY, -INFINITY}, 0, 10},
        {{0, 1, 2, 3}, 4, 0},
        {{0, 1, 2, 3}, 4, 10},
        {{0, 1, 2, -INFINITY}, 3, 0},
        {{NAN, 1, 2, 3}, 1, 0}, /* held back, and yet a sign that the model broke */
    };

    for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++) {
        struct kernels k;
        struct sampler *s = sampler_new(N_VOCAB);
        kernels_init(&k, isa);
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
            for (int temperature = 0; temperature < 2; temperature++) {
                struct case_slot c;
                int32_t token = 77;
                case_slot_init(&c);
                c.slot.sampling.temperature = (float)temperature;
                c.slot.sampling.min_tokens = 1;
                c.slot.sampling.repetition_penalty = 1.5f;
                for (int32_t j = 0; j < table[i].n_stop; j++)
                    c.slot.stop_ids[c.slot.n_stop++] = j;
                c.slot.bias_values[0] = table[i].bias;
                c.slot.n_bias = table[i].bias > 0;
                if (sampler_choose(s, &k, &c.slot, table[i].logits, &token) || token != 77)
                    ck_abort_msg("row %zu, %s: %d was chosen", i, cpu_isa_name(isa), token);
            }
        sampler_destroy(s);
    }
}
END_TEST

/* One in a row of minus infinity, wherever it stands. */
START_TEST(one_token_left)
{
    static const int32_t sizes[] = {1, 2, 15, 16, 17, 1023, 1024, 1025, 2048, 2049, 3000};
    static float logits[3000];
    const struct kernels k = best_kernels();

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int32_t n = sizes[i];
        struct sampler *s = sampler_new(n);
        for (int32_t at = 0; at < n; at += at < 20 || at > n - 20 ? 1 : 97)
            for (uint64_t mode = 0; mode < 8; mode++) {
                struct case_slot c;
                case_slot_init(&c);
                c.slot.sampling.temperature = mode & 1 ? 0.7f : 0;
                c.slot.sampling.top_p = mode & 2 ? 0.9f : 1;
                c.slot.sampling.min_p = mode & 4 ? 0.1f : 0;
                c.slot.sampling.seed = (uint64_t)at;
                for (int32_t j = 0; j < n; j++)
                    logits[j] = -INFINITY;
                logits[at] = -3;
                ck_assert_int_eq(choose(s, &k, &c.slot, logits, n), at);
            }
        sampler_destroy(s);
    }
}
END_TEST

START_TEST(the_draw_depends_on_its_key_alone)
{
    enum { N = 1000, N_TRIALS = 200 };
    const struct kernels k = best_kernels();
    struct sampler *s = sampler_new(N);
    static const float logits[N]; /* all alike: the token is the random number */
    int n_same[3] = {0};

    for (int i = 0; i < N_TRIALS; i++) {
        struct case_slot c;
        case_slot_init(&c);
        struct step_slot *slot = &c.slot;
        slot->sampling.temperature = 1;
        slot->sampling.seed = (uint64_t)i * 0x100000001;
        slot->sampling.choice = i % 5;
        slot->n_tokens = 2 + i % 40;
        const int32_t token = choose(s, &k, slot, logits, N);
        ck_assert_int_eq(choose(s, &k, slot, logits, N), token);
        slot->n_prompt = slot->n_tokens; /* resumed, another request, other tokens: no matter */
        slot->request = 99;
        slot->tokens[0] = 5;
        ck_assert_int_eq(choose(s, &k, slot, logits, N), token);
        slot->sampling.seed++;
        n_same[0] += choose(s, &k, slot, logits, N) == token;
        slot->sampling.seed--, slot->sampling.choice++;
        n_same[1] += choose(s, &k, slot, logits, N) == token;
        slot->sampling.choice--, slot->n_tokens++;
        n_same[2] += choose(s, &k, slot, logits, N) == token;
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_le(n_same[i], 3); /* one in a thousand is the same by chance */
    sampler_destroy(s);
}
END_TEST

enum { N_BEST = 20 };

/* Token and log-probabilities of a case, as one sampler gives them. */
struct answer {
    int32_t token;
    struct step_logprob entries[1 + N_BEST];
};

static struct answer answer_of(struct sampler *s, const struct kernels *k,
                               const struct random_case *r)
{
    struct answer a;

    memset(&a, 0, sizeof a);
    a.token = choose(s, k, &r->c.slot, r->logits, r->n_vocab);
    logprobs(s, k, r->logits, a.token, N_BEST, a.entries);
    return a;
}

START_TEST(same_bits_on_every_instruction_set)
{
    static struct random_case r;

    for (uint64_t seed = 0; seed < 500; seed++) {
        struct rng rng = {seed << 32};
        struct answer first;
        random_case_init(&r, CASE_MAX_VOCAB, &rng);
        for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++) {
            struct kernels k;
            struct sampler *s;
            if (!cpu_isa_has(isa))
                continue;
            s = sampler_new(r.n_vocab);
            kernels_init(&k, isa);
            ck_assert_int_eq(k.isa, isa);
            const struct answer a = answer_of(s, &k, &r);
            if (isa == CPU_PORTABLE)
                first = a;
            if (memcmp(&a, &first, sizeof a) != 0)
                ck_abort_msg("seed %llu: %s differs from portable", (unsigned long long)seed,
                             cpu_isa_name(isa));
            sampler_destroy(s);
        }
    }
}
END_TEST

/* Slots in turn through one sampler, against a fresh sampler for each. */
START_TEST(scratch_is_clean_between_calls)
{
    enum { N_SLOTS = 6, N_ROUNDS = 40 };
    static struct random_case cases[N_SLOTS];
    const struct kernels k = best_kernels();

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rng rng = {seed << 32 | 1};
        /* Same vocabulary for all, so that one sampler serves them. */
        for (int i = 0; i < N_SLOTS; i++) {
            struct rng same_size = {seed};
            random_case_init(&cases[i], 300, &rng);
            cases[i].n_vocab = 100 + (int32_t)rng_below(&same_size, 200);
            for (int32_t j = 0; j < cases[i].n_vocab; j++)
                cases[i].logits[j] = 8 * rng_unit(rng_next(&rng));
            for (int32_t j = 0; j < CASE_MAX_TOKENS; j++)
                cases[i].c.tokens[j] = (int32_t)rng_below(&rng, 100);
            for (int32_t j = 0; j < CASE_MAX_IDS; j++) {
                cases[i].c.bias_ids[j] = (int32_t)rng_below(&rng, 100);
                cases[i].c.stop_ids[j] = (int32_t)rng_below(&rng, 100);
            }
            if (i % 2) {
                cases[i].c.slot.sampling.frequency_penalty = 1.5f;
                cases[i].c.slot.sampling.repetition_penalty = 1.2f;
            }
        }
        struct sampler *shared = sampler_new(cases[0].n_vocab);
        for (int round = 0; round < N_ROUNDS; round++) {
            struct random_case *r = &cases[rng_below(&rng, N_SLOTS)];
            struct sampler *own = sampler_new(r->n_vocab);
            r->c.slot.sampling.seed++;
            const struct answer a = answer_of(shared, &k, r), b = answer_of(own, &k, r);
            ck_assert_mem_eq(&a, &b, sizeof a);
            sampler_destroy(own);
        }
        sampler_destroy(shared);
    }
}
END_TEST

START_TEST(nothing_is_allocated)
{
    /* choose and logprobs of support.c run as steps, so every test sees to it; this one, that an
     * allocation in a step would end the program. */
    ck_assert(!no_malloc_is_on() || no_malloc_bites());
    sampler_destroy(NULL);
}
END_TEST

static double log_sum_of(const float *logits, int32_t n)
{
    double max = -INFINITY, sum = 0;

    for (int32_t i = 0; i < n; i++)
        max = fmax(max, (double)logits[i]);
    for (int32_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - max);
    return max + log(sum);
}

static int32_t rank_of(const float *logits, int32_t n, int32_t token)
{
    int32_t rank = 1;

    for (int32_t i = 0; i < n; i++)
        rank += logits[i] > logits[token] || (logits[i] == logits[token] && i < token);
    return rank;
}

static void check_entry(const struct step_logprob *e, const float *logits, int32_t n,
                        double log_sum)
{
    const double want = (double)logits[e->token] - log_sum;

    ck_assert(e->token >= 0 && e->token < n);
    ck_assert_int_eq(e->rank, rank_of(logits, n, e->token));
    if (isinf(want) ? !(isinf(e->logprob) && e->logprob < 0)
                    : !(fabs((double)e->logprob - want) <= 4e-6 + 2e-7 * fabs(want)))
        ck_abort_msg("token %d: log-probability %.9g, not %.9g", e->token, (double)e->logprob,
                     want);
    ck_assert(e->logprob <= 0);
}

START_TEST(log_probabilities)
{
    static struct random_case r;
    const struct kernels k = best_kernels();

    for (uint64_t seed = 0; seed < 300; seed++) {
        struct rng rng = {seed << 32 | 7};
        struct step_logprob e[2 + N_BEST];
        random_case_init(&r, seed % 3 ? CASE_MAX_VOCAB : 2 * N_BEST, &rng);
        struct sampler *s = sampler_new(r.n_vocab);
        const double log_sum = log_sum_of(r.logits, r.n_vocab);
        const int32_t n_best = (int32_t)(seed % (N_BEST + 1));
        const int32_t token = (int32_t)rng_below(&rng, (uint32_t)r.n_vocab);
        memset(e, 0x55, sizeof e);
        logprobs(s, &k, r.logits, token, n_best, e);
        ck_assert_int_eq(e[0].token, token);
        check_entry(&e[0], r.logits, r.n_vocab, log_sum);
        for (int32_t i = 1; i <= n_best; i++) {
            check_entry(&e[i], r.logits, r.n_vocab, log_sum);
            ck_assert_int_eq(e[i].rank, i < r.n_vocab ? i : r.n_vocab);
        }
        ck_assert_int_eq(e[n_best + 1].token, 0x55555555); /* nothing is written behind them */
        sampler_destroy(s);
    }
}
END_TEST

/* Of bias, penalties and temperature they know nothing: there is no slot to take them from. Weights
 * 4, 2, 1, 1. */
START_TEST(log_probabilities_by_hand)
{
    const float logits[N_VOCAB] = {ln2, 2 * ln2, 0, 0};
    static const struct {
        int32_t token;
        double probability;
        int32_t rank;
    } table[] = {{3, 0.125, 4}, {1, 0.5, 1},   {0, 0.25, 2}, {2, 0.125, 3},
                 {3, 0.125, 4}, {3, 0.125, 4}, {3, 0.125, 4}};
    const struct kernels k = best_kernels();
    struct sampler *s = sampler_new(N_VOCAB);
    struct step_logprob e[7];

    logprobs(s, &k, logits, 3, 6, e);
    for (int i = 0; i < 7; i++) {
        ck_assert_int_eq(e[i].token, table[i].token);
        ck_assert_int_eq(e[i].rank, table[i].rank);
        ck_assert_double_eq_tol((double)e[i].logprob, log(table[i].probability), 1e-6);
    }
    sampler_destroy(s);
}
END_TEST

START_TEST(log_probabilities_of_a_broken_row)
{
    static const float rows[][N_VOCAB] = {
        {1, NAN, 2, 3},
        {NAN, NAN, NAN, NAN},
        {1, INFINITY, 2, INFINITY},
        {-INFINITY, INFINITY, 2, NAN},
        {-INFINITY, -INFINITY, -INFINITY, -INFINITY},
    };
    const struct kernels k = best_kernels();
    struct sampler *s = sampler_new(N_VOCAB);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int32_t token = 0; token < N_VOCAB; token++) {
            struct step_logprob e[7];
            memset(e, 0x55, sizeof e);
            logprobs(s, &k, rows[i], token, 6, e);
            for (int j = 0; j < 7; j++)
                ck_assert(e[j].token >= 0 && e[j].token < N_VOCAB && e[j].rank >= 1 &&
                          e[j].rank <= N_VOCAB && float_bits(e[j].logprob) == 0xff800000);
        }
    sampler_destroy(s);
}
END_TEST

SUITE("sampler", draws_by_hand, rows_without_a_choice, one_token_left,
      the_draw_depends_on_its_key_alone, same_bits_on_every_instruction_set,
      scratch_is_clean_between_calls, nothing_is_allocated, log_probabilities,
      log_probabilities_by_hand, log_probabilities_of_a_broken_row)
