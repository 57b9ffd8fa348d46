#include "observe/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* There with AddressSanitizer only, whose allocator malloc's own numbers do not see. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

uint64_t memory_heap(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* A small file whole, with a 0 behind it; false when it cannot be read. */
static bool read_file(const char *path, char *buffer, size_t capacity)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t done = 0;

    if (fd < 0)
        return false;
    while (n < capacity - 1 && (done = read(fd, buffer + n, capacity - 1 - n)) != 0) {
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            break;
        n += (size_t)done;
    }
    close(fd);
    buffer[n] = '\0';
    return done >= 0 && n > 0;
}

/* The number behind "\nname:", in kB, as bytes; 0 when there is no such line. */
static uint64_t kilobytes(const char *text, const char *name)
{
    const size_t n = strlen(name);

    for (const char *line = strchr(text, '\n'); line; line = strchr(line + 1, '\n'))
        if (strncmp(line + 1, name, n) == 0 && line[1 + n] == ':')
            return strtoull(line + 1 + n + 1, NULL, 10) * 1024;
    return 0;
}

bool memory_read(struct memory_process *out)
{
    char text[4096];

    *out = (struct memory_process){.heap = memory_heap()};
    if (read_file("/proc/self/smaps_rollup", text, sizeof text)) {
        out->resident = kilobytes(text, "Rss");
        out->proportional = kilobytes(text, "Pss");
        out->anonymous = kilobytes(text, "Anonymous");
        out->huge = kilobytes(text, "AnonHugePages") + kilobytes(text, "ShmemPmdMapped") +
                    kilobytes(text, "FilePmdMapped");
        out->swapped = kilobytes(text, "Swap");
        return true;
    }
    if (!read_file("/proc/self/statm", text, sizeof text))
        return false;
    const char *second = strchr(text, ' ');
    out->resident = second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
    return second != NULL;
}

uint64_t memory_resident(const void *p, uint64_t n)
{
    enum { CHUNK_PAGES = 1 << 14 };
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = (uintptr_t)p, end = begin + n;
    unsigned char pages[CHUNK_PAGES];
    uint64_t resident = 0;

    for (uintptr_t at = begin / page * page; at < end;) {
        const uint64_t left = (end - at + page - 1) / page;
        const uint64_t n_pages = left < CHUNK_PAGES ? left : CHUNK_PAGES;
        if (mincore((void *)at, n_pages * page, pages) != 0)
            return n;
        for (uint64_t i = 0; i < n_pages; i++, at += page) {
            const uintptr_t from = at > begin ? at : begin;
            const uintptr_t to = at + page < end ? at + page : end;
            if (pages[i] & 1)
                resident += to - from;
        }
    }
    return resident;
}
