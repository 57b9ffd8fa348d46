#include "kv/pool_model.h"

#include <stdlib.h>
#include <string.h>

void model_init(struct pool_model *m)
{
    memset(m, 0, sizeof *m);
    for (int32_t id = 0; id < MODEL_BLOCKS; id++) {
        m->content[id] = -1;
        m->free[id] = MODEL_BLOCKS - 1 - id;
    }
    m->n_free = MODEL_BLOCKS;
}

/* Does this very block stand for its content? A second block of the same content does not. */
static bool stands_for_it(const struct pool_model *m, int32_t id)
{
    return m->content[id] >= 0 && m->prefixes[m->content[id]].block == id;
}

static void take_from(int32_t list[], int32_t *n, int32_t i)
{
    memmove(list + i, list + i + 1, (size_t)(*n - i - 1) * sizeof *list);
    --*n;
}

bool model_take(struct pool_model *m, int32_t n, int32_t ids[])
{
    if (n > m->n_free + m->n_cached)
        return false;
    for (int32_t i = 0; i < n; i++) {
        if (m->n_free > 0) {
            ids[i] = m->free[--m->n_free];
        } else {
            ids[i] = m->cached[0];
            take_from(m->cached, &m->n_cached, 0);
            m->prefixes[m->content[ids[i]]].block = -1;
            m->content[ids[i]] = -1;
        }
        m->refs[ids[i]] = 1;
    }
    return true;
}

void model_ref(struct pool_model *m, int32_t id)
{
    for (int32_t i = 0; i < m->n_cached; i++) {
        if (m->cached[i] == id) {
            take_from(m->cached, &m->n_cached, i);
            break;
        }
    }
    m->refs[id]++;
}

void model_release(struct pool_model *m, const int32_t ids[], int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        m->refs[ids[i]]--;
    for (int32_t i = n - 1; i >= 0; i--)
        if (m->refs[ids[i]] == 0 && stands_for_it(m, ids[i]))
            m->cached[m->n_cached++] = ids[i];
    for (int32_t i = 0; i < n; i++) {
        if (m->refs[ids[i]] == 0 && !stands_for_it(m, ids[i])) {
            m->free[m->n_free++] = ids[i];
            m->content[ids[i]] = -1;
        }
    }
}

static bool can_be_found(const struct pool_model *m, int32_t prefix)
{
    for (; prefix >= 0; prefix = m->prefixes[prefix].behind)
        if (m->prefixes[prefix].block < 0)
            return false;
    return true;
}

int32_t model_match(const struct pool_model *m, const int32_t tokens[], int32_t n, int32_t ids[])
{
    int32_t n_ids = 0;

    for (int32_t end = MODEL_BLOCK_SIZE; end <= n; end += MODEL_BLOCK_SIZE) {
        ids[n_ids] = -1;
        for (int32_t i = 0; i < m->n_prefixes; i++) {
            const struct model_prefix *p = &m->prefixes[i];

            if (p->n == end && can_be_found(m, i) &&
                memcmp(p->tokens, tokens, (size_t)end * sizeof *tokens) == 0)
                ids[n_ids] = p->block;
        }
        if (ids[n_ids] < 0)
            break;
        n_ids++;
    }
    return n_ids;
}

void model_publish(struct pool_model *m, const int32_t ids[], int32_t i, const int32_t tokens[])
{
    const int32_t n = (i + 1) * MODEL_BLOCK_SIZE;
    const int32_t behind = i > 0 ? m->content[ids[i - 1]] : -1;
    struct model_prefix *p = &m->prefixes[m->n_prefixes];

    if (m->content[ids[i]] >= 0 || (i > 0 && behind < 0))
        return;
    for (int32_t j = 0; j < m->n_prefixes; j++) {
        if (m->prefixes[j].block >= 0 && m->prefixes[j].behind == behind && m->prefixes[j].n == n &&
            memcmp(m->prefixes[j].tokens, tokens, (size_t)n * sizeof *tokens) == 0) {
            m->content[ids[i]] = j;
            return;
        }
    }
    if (m->n_prefixes == MODEL_PREFIXES)
        abort();
    *p = (struct model_prefix){.n = n, .behind = behind, .block = ids[i]};
    memcpy(p->tokens, tokens, (size_t)n * sizeof *tokens);
    m->content[ids[i]] = m->n_prefixes++;
}

void model_forget(struct pool_model *m)
{
    int32_t was_free[MODEL_BLOCKS];

    for (int32_t id = 0; id < MODEL_BLOCKS; id++) {
        if (stands_for_it(m, id))
            m->prefixes[m->content[id]].block = -1;
        m->content[id] = -1;
    }
    /* What was cached is free now, and still goes after what was free. */
    memcpy(was_free, m->free, sizeof was_free);
    for (int32_t i = 0; i < m->n_cached; i++)
        m->free[i] = m->cached[m->n_cached - 1 - i];
    memcpy(m->free + m->n_cached, was_free, (size_t)m->n_free * sizeof *was_free);
    m->n_free += m->n_cached;
    m->n_cached = 0;
}
