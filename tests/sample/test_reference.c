/* The sampler against a slow one in double precision, and against the distribution it draws from.
 */
#include "sample/sampler.h"

#include "support.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Closer than this share to a boundary, rounding may decide. */
static const double margin = 1e-5;

struct item {
    int32_t token;
    double logit, weight;
};

static int32_t count(const int32_t *tokens, int32_t n, int32_t token)
{
    int32_t n_found = 0;

    for (int32_t i = 0; i < n; i++)
        n_found += tokens[i] == token;
    return n_found;
}

static double changed_logit(const struct random_case *r, int32_t token)
{
    const struct step_slot *slot = &r->c.slot;
    const struct step_sampling *p = &slot->sampling;
    const int32_t n_generated = slot->n_tokens - slot->n_prompt;
    const int32_t n_output = count(slot->tokens + slot->n_prompt, n_generated, token);
    double logit = (double)r->logits[token];

    if (n_generated < p->min_tokens && count(slot->stop_ids, slot->n_stop, token) > 0)
        return -INFINITY;
    for (int32_t i = 0; i < slot->n_bias; i++)
        if (slot->bias_ids[i] == token)
            logit += (double)slot->bias_values[i];
    if (count(slot->tokens, slot->n_tokens, token) > 0)
        logit = logit > 0 ? logit / (double)p->repetition_penalty
                          : logit * (double)p->repetition_penalty;
    logit -= n_output * (double)p->frequency_penalty;
    logit -= n_output > 0 ? (double)p->presence_penalty : 0;
    return logit;
}

static int by_logit(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->token < y->token ? -1 : 1;
}

/* What the sampler draws from, in its order. */
struct reference {
    struct item items[CASE_MAX_VOCAB];
    int32_t n;
    double total;
    bool is_doubtful; /* which items there are hangs on rounding */
};

static double sum_of(const struct item *items, int32_t n)
{
    double sum = 0;

    for (int32_t i = 0; i < n; i++)
        sum += items[i].weight;
    return sum;
}

static void apply_min_p(struct reference *f, double min_p)
{
    int32_t n = 0;

    for (int32_t i = 0; i < f->n; i++) {
        f->is_doubtful |= min_p > 0 && fabs(f->items[i].weight - min_p) < margin * min_p;
        if (f->items[i].weight >= min_p)
            f->items[n++] = f->items[i];
    }
    f->n = n;
}

static void apply_top_p(struct reference *f, double top_p)
{
    const double enough = top_p * sum_of(f->items, f->n);
    double sum = 0;
    int32_t n = 0;

    do {
        sum += f->items[n++].weight;
        f->is_doubtful |= fabs(sum - enough) < margin * enough;
    } while (n < f->n && sum < enough);
    f->n = n;
}

static void reference_of(struct reference *f, const struct random_case *r)
{
    const struct step_sampling *p = &r->c.slot.sampling;
    double max = -INFINITY;

    f->n = r->n_vocab;
    f->is_doubtful = false;
    for (int32_t i = 0; i < f->n; i++) {
        f->items[i] = (struct item){.token = i, .logit = changed_logit(r, i)};
        max = fmax(max, f->items[i].logit);
    }
    for (int32_t i = 0; i < f->n; i++)
        f->items[i].weight = exp((f->items[i].logit - max) / (double)p->temperature);
    apply_min_p(f, (double)p->min_p);
    if ((p->top_k > 0 && p->top_k < r->n_vocab) || p->top_p < 1) {
        qsort(f->items, (size_t)f->n, sizeof *f->items, by_logit);
        if (p->top_k > 0 && p->top_k < f->n)
            f->n = p->top_k;
        if (p->top_p < 1)
            apply_top_p(f, (double)p->top_p);
    }
    f->total = sum_of(f->items, f->n);
}

/* -1 when the number falls too near a boundary. */
static int32_t reference_draw(const struct reference *f, const struct step_slot *slot)
{
    const struct step_sampling *p = &slot->sampling;
    const double at =
        f->total * (double)rng_unit(rng_at(p->seed, (uint64_t)p->choice, (uint64_t)slot->n_tokens));
    double sum = 0;

    for (int32_t i = 0; i < f->n; i++) {
        sum += f->items[i].weight;
        if (at < sum + margin * f->total) {
            if (i < f->n - 1 && at > sum - margin * f->total)
                return -1;
            return f->items[i].token;
        }
    }
    return f->items[f->n - 1].token;
}

static int32_t reference_greedy(const struct random_case *r)
{
    int32_t best = 0;

    for (int32_t i = 1; i < r->n_vocab; i++)
        if (changed_logit(r, i) > changed_logit(r, best))
            best = i;
    return best;
}

static void set_unit_above(struct step_slot *slot, float least)
{
    const struct step_sampling *p = &slot->sampling;

    while (rng_unit(rng_at(p->seed, (uint64_t)p->choice, (uint64_t)slot->n_tokens)) < least)
        slot->sampling.seed++;
}

START_TEST(chooses_what_the_reference_chooses)
{
    enum { N_CASES = 1000, N_DRAWS = 12 };
    static struct random_case r;
    static struct reference f;
    const struct kernels k = best_kernels();
    int n_doubtful = 0, n_near = 0, n_draws = 0, n_last = 0;

    for (uint64_t seed = 0; seed < N_CASES; seed++) {
        struct rng rng = {seed << 32 | 3};
        struct step_slot *slot = &r.c.slot;
        random_case_init(&r, seed % 4 == 0 ? CASE_MAX_VOCAB : 60, &rng);
        struct sampler *s = sampler_new(r.n_vocab);
        if (slot->sampling.temperature <= 0) {
            ck_assert_int_eq(choose(s, &k, slot, r.logits, r.n_vocab), reference_greedy(&r));
            sampler_destroy(s);
            continue;
        }
        reference_of(&f, &r);
        n_doubtful += f.is_doubtful;
        for (int i = 0; i < N_DRAWS && !f.is_doubtful; i++) {
            slot->sampling.seed = rng_next(&rng);
            if (i == 0) /* near the end: what is kept must end where the reference's ends */
                set_unit_above(slot, 0.999f);
            const int32_t want = reference_draw(&f, slot);
            n_draws++;
            n_near += want < 0;
            n_last += want == f.items[f.n - 1].token;
            const int32_t got = choose(s, &k, slot, r.logits, r.n_vocab);
            if (want >= 0 && got != want)
                ck_abort_msg("seed %llu, draw %d: %d, not %d (vocabulary %d, kept %d, temperature "
                             "%g, min-p %g, top-k %d, top-p %g)",
                             (unsigned long long)seed, i, got, want, r.n_vocab, f.n,
                             (double)slot->sampling.temperature, (double)slot->sampling.min_p,
                             slot->sampling.top_k, (double)slot->sampling.top_p);
        }
        sampler_destroy(s);
    }
    /* Nearly all of them were compared, and the last of what is kept was met often. */
    ck_assert_int_le(n_doubtful, N_CASES / 20);
    ck_assert_int_le(n_near, n_draws / 20);
    ck_assert_int_ge(n_last, N_CASES / 2);
}
END_TEST

/* Chi-squared over the tokens that should be drawn five times or more, the others together. */
static void check_distribution(const char *what, const int *counts, const struct reference *f,
                               int n_draws)
{
    double chi = 0, rest = 0;
    int n_rest = n_draws, n_cells = 0;

    for (int32_t i = 0; i < f->n; i++) {
        const double want = n_draws * f->items[i].weight / f->total;
        if (want < 5) {
            rest += want;
            continue;
        }
        const int got = counts[f->items[i].token];
        chi += (got - want) * (got - want) / want;
        n_rest -= got;
        n_cells++;
    }
    if (rest >= 5)
        chi += (n_rest - rest) * (n_rest - rest) / rest;
    /* Four deviations; the seeds are fixed, so this is no gamble. */
    if (n_cells < 20 || chi > n_cells + 4 * sqrt(2.0 * n_cells))
        ck_abort_msg("%s: chi-squared %.1f over %d cells", what, chi, n_cells);
}

START_TEST(draws_follow_the_distribution)
{
    enum { N = 2500, N_DRAWS = 10000 };
    static const char *const keys[] = {"seed", "choice", "position"};
    static const struct step_sampling settings[] = {
        {.temperature = 0.9f, .top_p = 1, .repetition_penalty = 1},
        {.temperature = 1, .top_p = 1, .repetition_penalty = 1, .min_p = 0.02f},
        {.temperature = 1.2f, .top_p = 0.8f, .repetition_penalty = 1},
        {.temperature = 1, .top_p = 1, .repetition_penalty = 1, .top_k = 100},
    };
    static struct random_case r;
    static struct reference f;
    const struct kernels k = best_kernels();
    struct sampler *s = sampler_new(N);
    struct rng rng = {11};

    case_slot_init(&r.c);
    r.n_vocab = N;
    for (int32_t i = 0; i < N; i++)
        r.logits[i] = 14 * rng_unit(rng_next(&rng)) * rng_unit(rng_next(&rng));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        for (int key = 0; key < 3; key++) {
            struct step_slot *slot = &r.c.slot;
            static int counts[N];
            memset(counts, 0, sizeof counts);
            slot->sampling = settings[i];
            slot->n_tokens = 1;
            reference_of(&f, &r);
            for (int draw = 0; draw < N_DRAWS; draw++) {
                slot->sampling.seed = key == 0 ? (uint64_t)draw : 5;
                slot->sampling.choice = key == 1 ? draw : 0;
                /* Without penalties the tokens themselves are not read. */
                slot->n_tokens = key == 2 ? 1 + draw : 1;
                counts[choose(s, &k, slot, r.logits, N)]++;
            }
            check_distribution(keys[key], counts, &f, N_DRAWS);
        }
    sampler_destroy(s);
}
END_TEST

SUITE("sampler reference", chooses_what_the_reference_chooses, draws_follow_the_distribution)
