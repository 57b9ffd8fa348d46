#include "sample/scratch.h"

static bool comes_before(struct candidate a, struct candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

static void sift_down(struct candidate heap[], int32_t n, int32_t i)
{
    const struct candidate item = heap[i];

    while (i < n / 2) {
        int32_t child = 2 * i + 1;
        if (child + 1 < n && comes_before(heap[child + 1], heap[child]))
            child++;
        if (!comes_before(heap[child], item))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = item;
}

void candidate_heapify(struct candidate heap[], int32_t n)
{
    for (int32_t i = n / 2 - 1; i >= 0; i--)
        sift_down(heap, n, i);
}

struct candidate candidate_pop(struct candidate heap[], int32_t n)
{
    const struct candidate first = heap[0];

    heap[0] = heap[n - 1];
    sift_down(heap, n - 1, 0);
    heap[n - 1] = first;
    return first;
}
