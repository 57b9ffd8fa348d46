#include "plugin/attention_maps.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct attention_map *find(const struct attention_maps *maps,
                                  const struct shoal_attention_view *view)
{
    for (size_t i = maps->n; i-- > 0;) {
        struct attention_map *m = maps->list[i];
        if (m->request == view->request && m->choice == view->choice && m->layer == view->layer &&
            m->head == view->head)
            return m;
    }
    return NULL;
}

/* NULL: out of memory. */
static struct attention_map *begin(struct attention_maps *maps,
                                   const struct shoal_attention_view *view)
{
    struct attention_map *m;

    if (maps->n == maps->capacity) {
        const size_t capacity = maps->capacity > 0 ? 2 * maps->capacity : 16;
        struct attention_map **list = mem_resize(maps->list, capacity, sizeof(*list));
        if (!list)
            return NULL;
        maps->list = list;
        maps->capacity = capacity;
    }
    m = mem_new(1, sizeof *m);
    if (!m)
        return NULL;
    m->request = view->request;
    m->choice = view->choice;
    m->layer = view->layer;
    m->head = view->head;
    m->per_cell = 1;
    maps->list[maps->n++] = m;
    return m;
}

/* Each four cells become one. */
static void fold(struct attention_map *m)
{
    for (int32_t row = 0; row < MAP_CELLS; row++) {
        const bool is_kept = row < MAP_CELLS / 2;
        for (int32_t column = 0; column < MAP_CELLS; column++) {
            const bool is_cell = is_kept && column < MAP_CELLS / 2;
            m->sums[row][column] =
                is_cell
                    ? m->sums[2 * row][2 * column] + m->sums[2 * row][2 * column + 1] +
                          m->sums[2 * row + 1][2 * column] + m->sums[2 * row + 1][2 * column + 1]
                    : 0;
        }
        m->n_queries[row] = is_kept ? m->n_queries[2 * row] + m->n_queries[2 * row + 1] : 0;
    }
    m->per_cell *= 2;
}

static void add_row(struct attention_map *m, int32_t position, const float *weights)
{
    const float small = 1.0f / (10.0f * (float)(position + 1));

    while (position / m->per_cell >= MAP_CELLS)
        fold(m);
    double *cells = m->sums[position / m->per_cell];
    m->n_queries[position / m->per_cell]++;
    for (int32_t key = 0; key <= position; key++) {
        cells[key / m->per_cell] += (double)weights[key];
        m->sum += (double)weights[key];
        m->n_small += weights[key] < small;
        m->largest = weights[key] > m->largest ? weights[key] : m->largest;
    }
    m->n_rows++;
    m->n_weights += position + 1;
    m->next = position + 1;
}

bool attention_maps_add(struct attention_maps *maps, const struct shoal_attention_view *view)
{
    struct attention_map *m = find(maps, view);

    if (!m && maps->n >= maps->most) {
        maps->is_full = true;
        return true;
    }
    if (!m)
        m = begin(maps, view);
    if (!m)
        return false;
    for (int32_t i = 0; i < view->n_tokens; i++)
        if (view->first_position + i >= m->next)
            add_row(m, view->first_position + i, view->weights + (size_t)i * (size_t)view->n_keys);
    return true;
}

void attention_maps_fini(struct attention_maps *maps)
{
    for (size_t i = 0; i < maps->n; i++)
        mem_free(maps->list[i]);
    mem_free(maps->list);
    *maps = (struct attention_maps){0};
}

static int compare_maps(const void *a, const void *b)
{
    const struct attention_map *x = *(const struct attention_map *const *)a;
    const struct attention_map *y = *(const struct attention_map *const *)b;

    if (x->request != y->request)
        return x->request < y->request ? -1 : 1;
    if (x->choice != y->choice)
        return x->choice < y->choice ? -1 : 1;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->head > y->head) - (x->head < y->head);
}

void attention_maps_sort(struct attention_maps *maps)
{
    if (maps->n > 0)
        qsort(maps->list, maps->n, sizeof(*maps->list), compare_maps);
}

struct heatmap attention_map_picture(const struct attention_map *m, const char *title,
                                     float cells[])
{
    const int32_t n = (m->next + m->per_cell - 1) / m->per_cell;

    for (int32_t row = 0; row < n; row++)
        for (int32_t column = 0; column < n; column++)
            cells[row * n + column] = column <= row && m->n_queries[row] > 0
                                          ? (float)(m->sums[row][column] / m->n_queries[row])
                                          : NAN;
    return (struct heatmap){.title = title,
                            .row_name = "queries",
                            .column_name = "keys",
                            .n_rows = n,
                            .n_columns = n,
                            .cells = cells,
                            .per_cell = m->per_cell};
}
