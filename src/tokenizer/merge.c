#include "tokenizer/merge.h"

#include "base/mem.h"

void merger_clear(struct merger *m)
{
    m->n = 0;
    m->n_heap = 0;
}

bool merger_add(struct merger *m, size_t start, size_t n, int32_t id)
{
    if (m->n == m->capacity) {
        const size_t capacity = m->capacity ? m->capacity * 2 : 64;
        struct merge_symbol *symbols = mem_resize(m->symbols, capacity, sizeof *symbols);
        if (!symbols)
            return false;
        m->symbols = symbols;
        m->capacity = capacity;
    }
    m->symbols[m->n] = (struct merge_symbol){.start = start,
                                             .n = n,
                                             .prev = m->n > 0 ? m->n - 1 : MERGE_END,
                                             .next = MERGE_END,
                                             .id = id};
    if (m->n > 0)
        m->symbols[m->n - 1].next = m->n;
    m->n++;
    return true;
}

static bool goes_before(const struct merge_candidate *a, const struct merge_candidate *b)
{
    return a->order < b->order || (a->order == b->order && a->left < b->left);
}

static bool push(struct merger *m, const struct merge_candidate *candidate)
{
    size_t i = m->n_heap;

    if (m->n_heap == m->heap_capacity) {
        const size_t capacity = m->heap_capacity ? m->heap_capacity * 2 : 64;
        struct merge_candidate *heap = mem_resize(m->heap, capacity, sizeof *heap);
        if (!heap)
            return false;
        m->heap = heap;
        m->heap_capacity = capacity;
    }
    m->n_heap++;
    while (i > 0) {
        const size_t parent = (i - 1) / 2;
        if (!goes_before(candidate, &m->heap[parent]))
            break;
        m->heap[i] = m->heap[parent];
        i = parent;
    }
    m->heap[i] = *candidate;
    return true;
}

static struct merge_candidate pop(struct merger *m)
{
    const struct merge_candidate first = m->heap[0];
    const struct merge_candidate last = m->heap[--m->n_heap];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= m->n_heap)
            break;
        if (child + 1 < m->n_heap && goes_before(&m->heap[child + 1], &m->heap[child]))
            child++;
        if (!goes_before(&m->heap[child], &last))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return first;
}

static bool consider(struct merger *m, merge_rule rule, const void *rules, size_t left,
                     size_t right)
{
    struct merge_candidate candidate = {.left = left, .right = right};

    if (left == MERGE_END || right == MERGE_END)
        return true;
    candidate.n = m->symbols[left].n + m->symbols[right].n;
    if (!rule(rules, &m->symbols[left], &m->symbols[right], &candidate.order, &candidate.id))
        return true;
    return push(m, &candidate);
}

bool merger_run(struct merger *m, merge_rule rule, const void *rules)
{
    for (size_t i = 1; i < m->n; i++)
        if (!consider(m, rule, rules, i - 1, i))
            return false;
    while (m->n_heap > 0) {
        const struct merge_candidate best = pop(m);
        struct merge_symbol *left = &m->symbols[best.left], *right = &m->symbols[best.right];
        if (left->n == 0 || right->n == 0 || left->n + right->n != best.n)
            continue;
        left->n = best.n;
        left->id = best.id;
        left->next = right->next;
        if (right->next != MERGE_END)
            m->symbols[right->next].prev = best.left;
        right->n = 0;
        if (!consider(m, rule, rules, left->prev, best.left) ||
            !consider(m, rule, rules, best.left, left->next))
            return false;
    }
    return true;
}

void merger_fini(struct merger *m)
{
    mem_free(m->symbols);
    mem_free(m->heap);
    *m = (struct merger){0};
}
