/* plugin/attention_maps.h - attention weights added up as they come, one map a head
 *
 * A map has at most MAP_CELLS cells a side. When a sequence outgrows it, each four cells become one
 * and a cell stands for twice as many tokens a side. Nothing depends on how the rows were cut into
 * chunks; a row that comes again (its request was preempted) counts once. */
#ifndef PLUGIN_ATTENTION_MAPS_H
#define PLUGIN_ATTENTION_MAPS_H

#include "draw/heatmap.h"
#include "shoal/plugin.h"

enum { MAP_CELLS = 64 };

struct attention_map {
    uint64_t request;
    int32_t choice, layer, head;
    int32_t per_cell;                  /* tokens a side */
    int32_t next;                      /* position of the next row; those before have been seen */
    double sums[MAP_CELLS][MAP_CELLS]; /* of weights: query cell, key cell */
    int32_t n_queries[MAP_CELLS];      /* rows seen in each query cell */
    int64_t n_rows, n_weights;         /* seen; of keys that were attended to */
    int64_t n_small;                   /* weights below a tenth of the even share 1 / n of a row */
    double sum;
    float largest;
};

struct attention_maps {
    struct attention_map **list; /* (n) */
    size_t n, capacity, most;    /* more than `most` are not begun */
    bool is_full;                /* one was not */
};

/* False: out of memory. */
bool attention_maps_add(struct attention_maps *maps, const struct shoal_attention_view *view);
void attention_maps_fini(struct attention_maps *maps); /* zeroed is fine */
/* By request, choice, layer, head. */
void attention_maps_sort(struct attention_maps *maps);

/* The map as a picture: a cell is the share of the weights that its queries give its keys, their
 * mean; NaN where no query looks. cells: (MAP_CELLS * MAP_CELLS), which the picture borrows. */
struct heatmap attention_map_picture(const struct attention_map *map, const char *title,
                                     float cells[]);

#endif
